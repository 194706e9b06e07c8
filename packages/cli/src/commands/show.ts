import { Command } from '@commander-js/extra-typings';
import { type CreateCommand, count, zoneHelp } from '../command.js';
import { toJson } from '../output.js';
import { errorText, existing, outcomeText, stateText, upcoming } from '../tasks.js';
import { Times } from '../times.js';
import { describeTrigger } from '../when-text.js';

export const show: CreateCommand = (cli) =>
  new Command('show')
    .description('shows everything about a task')
    .argument('<id>', 'the task')
    .option('--next <n>', 'how many of its next runs to show', count, 5)
    .option('--zone <zone>', zoneHelp)
    .action((id, { next, zone }) =>
      cli.onStore(async (session) => {
        const task = await existing(session, id);
        const times = new Times(zone);
        const isActive = task.state !== 'finished' && task.state !== 'failed';
        const runs = isActive ? upcoming(session, task, next, Date.now()) : [];
        const { out } = cli;
        out.show({ ...task, next: runs }, () => {
          const { lastRun, lease, error } = task;
          return out.details({
            ...{ id: task.id, name: task.name, state: stateText(task, out), queue: task.queue },
            ...{ group: task.group ?? undefined, parent: task.parent ?? undefined },
            trigger: describeTrigger(task.trigger),
            since: times.both(task.declaredAt) ?? undefined,
            attempt: task.attempt > 1 ? task.attempt : undefined,
            'running on': lease
              ? `${lease.owner}, leased ${times.from(lease.expiresAt)}`
              : undefined,
            'last run': lastRun
              ? `${outcomeText(lastRun, out)} ${times.both(lastRun.endedAt)}`
              : undefined,
            'last error': (lastRun && errorText(lastRun, 500)) || undefined,
            unreadable: error ? `${error.code}: ${error.message}` : undefined,
            payload: toJson(task.payload),
            next: runs.length === 0 ? 'never' : times.both(runs[0] ?? null),
            ...Object.fromEntries(
              runs.slice(1).map((run, i) => [' '.repeat(i + 1), times.both(run)]),
            ),
          });
        });
      }),
    );
