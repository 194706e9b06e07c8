import { Command } from '@commander-js/extra-typings';
import type { CreateCommand } from '../command.js';
import { exitCodes } from '../errors.js';
import { visible } from '../output.js';

export const cancel: CreateCommand = (cli) =>
  new Command('cancel')
    .description('aborts the run of a task, which then counts as failed and is not retried')
    .argument('<id>', 'the task')
    .action((id) =>
      cli.onStore(async ({ client }) => {
        await cli.consent(`Would abort the run of ${visible(id)}, without another attempt.`);
        const cancelled = await client.cancel(id);
        cli.out.show({ cancelled }, () =>
          cancelled ? 'Its worker will be told at its next heartbeat.' : 'It is not running.',
        );
        return cancelled ? exitCodes.ok : exitCodes.failed;
      }),
    );
