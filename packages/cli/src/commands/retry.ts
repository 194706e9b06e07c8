import { Command } from '@commander-js/extra-typings';
import { isSchedError } from '@sched/core';
import { reportChanged } from '../bulk.js';
import type { CreateCommand } from '../command.js';
import { UsageError } from '../errors.js';
import { plural } from '../tasks.js';

export const retry: CreateCommand = (cli) =>
  new Command('retry')
    .description('gives failed tasks another chance, with all their attempts')
    .argument('[ids...]', 'the tasks')
    .option('--name <name>', 'the failed ones of this definition')
    .option('--queue <queue>', 'the failed ones of this queue')
    .option('--group <group>', 'the failed ones of this group')
    .option('--all', 'all that have failed')
    .action((ids, { all, ...filter }) => {
      const isFiltered = all === true || Object.keys(filter).length > 0;
      if (isFiltered === ids.length > 0) {
        throw new UsageError('Which tasks? Give ids, or --name, --queue or --group, or --all.');
      }
      return cli.onStore(async ({ client }) => {
        const chosen = [...ids];
        if (isFiltered) {
          for await (const { id } of client.list({ ...filter, state: 'failed' })) chosen.push(id);
          await cli.consent(`Would retry ${plural(chosen.length, 'failed task')}.`);
        }
        let retried = 0;
        for (const id of chosen) {
          try {
            await client.retry(id);
            retried++;
          } catch (error) {
            // Somebody else has retried or removed it since it was listed.
            const isGone =
              isSchedError(error, 'SCHED_TASK_STATE') ||
              isSchedError(error, 'SCHED_TASK_NOT_FOUND');
            if (!isFiltered || !isGone) throw error;
          }
        }
        reportChanged(cli, 'retried', retried);
      });
    });
