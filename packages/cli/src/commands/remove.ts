import { bulkCommand, reportChanged } from '../bulk.js';
import type { CreateCommand } from '../command.js';

const description = 'removes tasks, whatever their state; their history stays';

export const remove: CreateCommand = (cli) =>
  bulkCommand(cli, 'remove', description, async ({ client, place }, { selection, text }) => {
    await cli.consent(`Would remove ${text} from ${place}, and abort what of it runs.`);
    reportChanged(cli, 'removed', await client.remove(selection));
  });
