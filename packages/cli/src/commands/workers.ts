import { Command } from '@commander-js/extra-typings';
import type { WorkerInfo } from '@sched/core';
import { type CreateCommand, zoneHelp } from '../command.js';
import { Times } from '../times.js';

export const workers: CreateCommand = (cli) =>
  new Command('workers')
    .description('lists the schedulers that are at work on the store, and how they are doing')
    .option('--zone <zone>', zoneHelp)
    .action(({ zone }) =>
      cli.onStore(async ({ client }) => {
        const times = new Times(zone);
        const found = await client.workers();
        const { out } = cli;
        out.show(found, () => {
          const rows = found.map((worker) => {
            const { succeeded, failed } = endedIn(worker);
            return [
              ...[worker.owner, worker.host, worker.pid, worker.queues.join(', ')],
              ...[`${worker.running}/${worker.concurrency}`, succeeded],
              out.style(failed > 0 ? 'red' : 'dim', String(failed)),
              ...[times.from(worker.startedAt), times.from(worker.seenAt)],
            ];
          });
          return out.table(
            ['OWNER', 'HOST', 'PID', 'QUEUES', 'RUNNING', 'DONE', 'FAILED', 'STARTED', 'SEEN'],
            rows,
            'No scheduler is at work here, or none that announces itself.',
          );
        });
      }),
    );

/** What has ended in the last minutes that a worker tells of. */
function endedIn({ minutes }: WorkerInfo): { readonly succeeded: number; readonly failed: number } {
  return {
    succeeded: minutes.reduce((sum, minute) => sum + minute.succeeded, 0),
    failed: minutes.reduce((sum, minute) => sum + minute.failed, 0),
  };
}
