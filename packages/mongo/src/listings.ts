import type { ListRequest, ListResult, TaskFilter } from '@sched/core';
import type { MongoDocument } from './client.js';
import { checkTexts, toRecord } from './documents.js';
import { matching } from './pipelines.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

/** How many tasks one page looks at, so that it is answered in time however few of them match. */
const horizon = 10_000;

/** Pages through the tasks that match, in the order of their ids. */
export async function listTasks(
  session: Session,
  clock: StoreClock,
  request: ListRequest,
): Promise<ListResult> {
  const { after, limit, group, name, queue, status, paused, leased } = request;
  checkTexts(after);
  const where = await toFilter(request, clock);
  const from = after === undefined ? {} : { _id: { $gt: after } };
  const isRare = [name, queue, status, paused, leased].some((each) => each !== undefined);
  let last: string | undefined;
  if (isRare || group === null) {
    const all = { ...(group === undefined || group === null ? {} : { group }), ...from };
    const order = { sort: { _id: 1 }, skip: horizon - 1, limit: 1, projection: { _id: 1 } };
    last = (await session.find(session.tasks, all, order))[0]?._id;
  }
  const range = { ...from._id, ...(last === undefined ? {} : { $lte: last }) };
  const found = await session.find(
    session.tasks,
    { ...where, ...(Object.keys(range).length > 0 ? { _id: range } : {}) },
    { sort: { _id: 1 }, limit: limit + 1 },
  );
  const tasks = found.slice(0, limit).map(toRecord);
  const next = found.length > limit ? tasks.at(-1)?.id : last;
  return { tasks, next: next ?? null };
}

/** How many tasks match. */
export async function countTasks(
  { tasks, run }: Session,
  clock: StoreClock,
  filter: TaskFilter,
): Promise<number> {
  const where = await toFilter(filter, clock);
  return run((options) => tasks.countDocuments(where, options));
}

async function toFilter(filter: TaskFilter, clock: StoreClock): Promise<MongoDocument> {
  const { name, queue, group, status, leased } = filter;
  checkTexts(name, queue, group, status);
  return matching(filter, leased === undefined ? 0 : await clock.now());
}
