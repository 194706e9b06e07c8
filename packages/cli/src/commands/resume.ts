import { bulkCommand, reportChanged } from '../bulk.js';
import type { CreateCommand } from '../command.js';

export const resume: CreateCommand = (cli) =>
  bulkCommand(cli, 'resume', 'lets paused tasks run again', async ({ client }, selected) => {
    const { selection, text, isNamed } = selected;
    if (!isNamed) await cli.consent(`Would resume ${text}.`);
    reportChanged(cli, 'resumed', await client.resume(selection));
  });
