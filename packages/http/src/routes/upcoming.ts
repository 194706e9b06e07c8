import type { TaskClient, TaskInfo } from '@sched/core';
import * as v from 'valibot';
import { route } from '../route.js';
import { pagesAtOnce, scan } from '../scan.js';
import { filterOf, label, limitEntry, storeEntries } from '../schemas.js';
import { occurrencesOf } from '../views.js';

/** How many tasks to look at. No store can list tasks by when they run. */
const looked = 2000;

const moment = v.pipe(v.string(), v.isoTimestamp());

export const upcomingSchema = v.strictObject({
  runs: v.array(
    v.strictObject({
      id: v.string(),
      name: v.string(),
      queue: v.string(),
      at: v.pipe(moment, v.description('In the past where it is due already.')),
    }),
  ),
  isComplete: v.pipe(
    v.boolean(),
    v.description('Whether these are all tasks. Otherwise others may run before these.'),
  ),
});

export const upcoming = route({
  method: 'GET',
  path: '/upcoming',
  operation: 'listUpcoming',
  summary: `What runs next, the soonest first, among the first ${looked} tasks that are scheduled and some that run. Reads no more than that, and no more than ${pagesAtOnce} pages of the store.`,
  may: 'read',
  query: v.strictObject({
    ...storeEntries,
    name: v.optional(label),
    queue: v.optional(label),
    group: v.optional(label),
    limit: limitEntry(1000, 100),
  }),
  answer: upcomingSchema,
  async handle({ client, query: { store: _store, limit = 100, ...given } }) {
    let soonest: TaskInfo[] = [];
    const filter = filterOf({ ...given, state: 'scheduled' });
    const next = await scan(client, filter, { tasks: looked, pages: pagesAtOnce }, (tasks) => {
      soonest = [...soonest, ...tasks].sort((a, b) => timeOf(a) - timeOf(b)).slice(0, limit);
    });
    // Few run at a time, and a store that has to look for them among many gives up now and then.
    const running = await client.listPage({
      ...filterOf({ ...given, state: 'running' }),
      limit: 500,
    });
    const going = running.tasks.filter(({ isPaused }) => !isPaused);
    return {
      runs: runsOf(client, [...soonest, ...going], limit),
      isComplete: next === null && running.next === null,
    };
  },
});

function timeOf({ runAt }: TaskInfo): number {
  return runAt?.getTime() ?? Number.POSITIVE_INFINITY;
}

/** The first runs of all these tasks together. Works out no more of each than it takes. */
function runsOf(client: TaskClient, tasks: readonly TaskInfo[], limit: number) {
  const sources = tasks.map((task) => ({
    task,
    // Most tasks run only after all that are told of, so the rest is left until it is needed.
    times: timesOf(client, task, task.state === 'running' ? 2 : 1),
    // The first of a task that runs is the one that it runs for.
    at: task.state === 'running' ? 1 : 0,
  }));
  const runs: { id: string; name: string; queue: string; at: string }[] = [];
  while (runs.length < limit) {
    let first: (typeof sources)[number] | undefined;
    for (const source of sources) {
      const time = source.times[source.at];
      // Of the same form and length all of them, so that texts are in the order of what they mean.
      if (time !== undefined && (!first || time < (first.times[first.at] ?? ''))) first = source;
    }
    const time = first?.times[first.at];
    if (!first || time === undefined) break;
    const { id, name, queue } = first.task;
    runs.push({ id, name, queue, at: time });
    first.at++;
    const { length } = first.times;
    if (first.at === length) first.times = timesOf(client, first.task, 2 * length);
  }
  return runs;
}

function timesOf(client: TaskClient, task: TaskInfo, limit: number): string[] {
  return occurrencesOf(client, task, limit) ?? (task.runAt ? [task.runAt.toISOString()] : []);
}
