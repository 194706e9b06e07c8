import { Command } from '@commander-js/extra-typings';
import { type CreateCommand, count, zoneHelp } from '../command.js';
import { upcoming } from '../tasks.js';
import { Times } from '../times.js';
import { describeTrigger } from '../when-text.js';

export const next: CreateCommand = (cli) =>
  new Command('next')
    .description('lists what runs next, and when; reads every task that is scheduled')
    .option('--limit <n>', 'the most runs', count, 20)
    .option('--name <name>', 'only of this definition')
    .option('--queue <queue>', 'only of this queue')
    .option('--group <group>', 'only of this group')
    .option('--zone <zone>', zoneHelp)
    .action(({ limit, zone, ...filter }) =>
      cli.onStore(async (session) => {
        const now = Date.now();
        const times = new Times(zone, now);
        let first: { id: string; name: string; queue: string; at: Date; trigger: string }[] = [];
        for (const state of ['scheduled', 'running'] as const) {
          for await (const task of session.client.list({ ...filter, state })) {
            if (task.isPaused) continue;
            const { id, name, queue } = task;
            const trigger = describeTrigger(task.trigger);
            // A task that runs already is not to run: what follows is.
            const runs = upcoming(session, task, limit + 1, now).slice(state === 'running' ? 1 : 0);
            first.push(...runs.slice(0, limit).map((at) => ({ id, name, queue, at, trigger })));
            if (first.length > 4 * limit + 1000) first = earliest(first, limit);
          }
        }
        const runs = earliest(first, limit);
        const { out } = cli;
        out.show(runs, () => {
          const rows = runs.map(({ id, name, queue, at, trigger }) => [
            `${times.weekday(at)} ${times.at(at)}`,
            at.getTime() > now ? times.from(at) : out.style('yellow', `due ${times.from(at)}`),
            ...[id, name, queue, trigger],
          ]);
          return out.table(
            [`WHEN (${times.zone})`, 'FROM NOW', 'ID', 'NAME', 'QUEUE', 'TRIGGER'],
            rows,
            'Nothing is scheduled.',
          );
        });
      }),
    );

function earliest<Run extends { at: Date }>(runs: readonly Run[], limit: number): Run[] {
  return runs.toSorted((a, b) => a.at.getTime() - b.at.getTime()).slice(0, limit);
}
