import { Command, Option } from '@commander-js/extra-typings';
import type { ListFilter } from '@sched/core';
import { type CreateCommand, count, zoneHelp } from '../command.js';
import { lastRunText, stateText } from '../tasks.js';
import { Times } from '../times.js';

const states = ['scheduled', 'running', 'paused', 'finished', 'failed'] as const;

export const list: CreateCommand = (cli) =>
  new Command('list')
    .description('lists tasks, a page at a time')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--name <name>', 'only those of this definition')
    .option('--queue <queue>', 'only those of this queue')
    .option('--group <group>', 'only those of this group')
    .option('--no-group', 'only those without a group')
    .option('--limit <n>', 'the most tasks of the page', count, 50)
    .option('--after <cursor>', 'goes on behind a page: what it said in the end')
    .option('--zone <zone>', zoneHelp)
    .action(({ limit, after, zone, ...options }) =>
      cli.onStore(async ({ client }) => {
        const times = new Times(zone);
        const filter = filterOf(options);
        const page = await client.listPage({ ...filter, limit, ...(after && { after }) });
        const { out } = cli;
        out.show(page, () => {
          const rows = page.tasks.map((task) => [
            ...[task.id, task.name, stateText(task, out), task.queue, task.group],
            ...[times.both(task.runAt), lastRunText(task, out, times)],
          ]);
          const titles = ['ID', 'NAME', 'STATE', 'QUEUE', 'GROUP', 'NEXT RUN', 'LAST RUN'];
          return out.table(titles, rows, 'No tasks.');
        });
        if (page.next !== null && !out.isJson) out.note(`There may be more: --after ${page.next}`);
      }),
    );

/** Leaves out what was not given. Without a group is `false` to the option, and `null` to the filter. */
function filterOf({
  group,
  ...rest
}: Omit<ListFilter, 'group'> & { group?: string | boolean }): ListFilter {
  if (group === undefined || group === true) return rest;
  return { ...rest, group: group === false ? null : group };
}
