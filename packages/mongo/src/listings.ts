import type { ListRequest, ListResult, TaskFilter } from '@sched/core';
import { isFiltered, toPage } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';
import { toRecord } from './documents.js';
import { matching } from './pipelines.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

/** How many tasks one page looks at, so that it is answered in time however few of them match. */
const horizon = 10_000;

/** Pages through the tasks that match, in the order of their ids. */
export async function listTasks(
  session: Session,
  clock: StoreClock,
  { after, limit, ...filter }: ListRequest,
): Promise<ListResult> {
  const where = await toFilter(filter, clock);
  const from = after === undefined ? {} : { _id: { $gt: after } };
  let last: string | undefined;
  if (isFiltered(filter)) {
    const all = { ...(typeof filter.group === 'string' && { group: filter.group }), ...from };
    const order = { sort: { _id: 1 }, skip: horizon - 1, limit: 1, projection: { _id: 1 } };
    last = (await session.find(session.tasks, all, order))[0]?._id;
  }
  const range = { ...from._id, ...(last === undefined ? {} : { $lte: last }) };
  const found = await session.find(
    session.tasks,
    { ...where, ...(Object.keys(range).length > 0 ? { _id: range } : {}) },
    { sort: { _id: 1 }, limit: limit + 1 },
  );
  return toPage(found, limit, toRecord, ({ _id }) => _id, last);
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
  return matching(filter, filter.leased === undefined ? 0 : await clock.now());
}
