import { Command } from '@commander-js/extra-typings';
import type { CreateCommand } from '../command.js';

export const run: CreateCommand = (cli) =>
  new Command('run')
    .description('has a worker run a task now, beside its schedule, also while it is paused')
    .argument('<id>', 'the task')
    .action((id) =>
      cli.onStore(async ({ client }) => {
        const childId = await client.runNow(id);
        cli.out.show({ id, childId }, () => `A worker will run it, as ${childId}.`);
      }),
    );
