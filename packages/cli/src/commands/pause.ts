import { bulkCommand, reportChanged } from '../bulk.js';
import type { CreateCommand } from '../command.js';

export const pause: CreateCommand = (cli) =>
  bulkCommand(
    cli,
    'pause',
    'stops tasks from running until they are resumed',
    async ({ client }, selected) => {
      const { selection, text, isNamed } = selected;
      if (!isNamed) await cli.consent(`Would pause ${text}.`);
      reportChanged(cli, 'paused', await client.pause(selection));
    },
  );
