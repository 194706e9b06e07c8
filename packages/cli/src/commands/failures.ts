import { Command } from '@commander-js/extra-typings';
import type { TaskInfo } from '@sched/core';
import { type CreateCommand, zoneHelp } from '../command.js';
import { errorText } from '../tasks.js';
import { Times } from '../times.js';

/** Tasks that failed alike. */
interface Failures {
  readonly name: string;
  readonly error: string;
  readonly ids: string[];
  count: number;
  latest: Date;
}

/** How many tasks of a group are named. All count. */
const namedLimit = 1000;

export const failures: CreateCommand = (cli) =>
  new Command('failures')
    .description('lists what has failed, grouped by error')
    .option(
      '--all',
      'also recurring tasks that go on after a last run that failed; reads every task',
    )
    .option('--name <name>', 'only of this definition')
    .option('--queue <queue>', 'only of this queue')
    .option('--group <group>', 'only of this group')
    .option('--zone <zone>', zoneHelp)
    .action(({ all, zone, ...filter }) =>
      cli.onStore(async ({ client }) => {
        const times = new Times(zone);
        const groups = new Map<string, Failures>();
        const state = all ? {} : { state: 'failed' as const };
        for await (const task of client.list({ ...filter, ...state })) addTo(groups, task);
        const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
        const { out } = cli;
        out.show(sorted, () => {
          const rows = sorted.map(({ count, name, error, latest, ids }) => [
            ...[count, name, out.style('red', error), times.both(latest)],
            ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, …` : ids.join(', '),
          ]);
          return out.table(
            ['TASKS', 'NAME', 'ERROR', 'LATEST', 'IDS'],
            rows,
            'Nothing has failed.',
          );
        });
      }),
    );

function addTo(groups: Map<string, Failures>, { id, name, lastRun }: TaskInfo): void {
  if (lastRun?.outcome !== 'failed') return;
  const error = alike(errorText(lastRun, 200));
  const key = JSON.stringify([name, error]);
  const group = groups.get(key) ?? { name, error, ids: [], count: 0, latest: lastRun.endedAt };
  group.count++;
  if (group.ids.length < namedLimit) group.ids.push(id);
  if (lastRun.endedAt > group.latest) group.latest = lastRun.endedAt;
  groups.set(key, group);
}

/** An error without what differs from one task to the next: identifiers and numbers. */
function alike(error: string): string {
  return error
    .replace(/\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/gi, '<id>')
    .replace(/\d{2,}/g, '<n>');
}
