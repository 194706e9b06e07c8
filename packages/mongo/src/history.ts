import type { HistoryEntry, Settlement } from '@sched/core';
import { drawForgetting } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';
import type { Session } from './session.js';

// The collection `….history` has a document for each entry, by whose id it is not added twice; and one, the batch, for
// all those of one call that are of tasks which it has removed. Such tasks hardly ever have as much history as is kept,
// so that a batch grows old as one.

/** An entry, its number, and the `_id` of the document that it is in. */
interface StoredEntry extends HistoryEntry {
  readonly seq: number;
  readonly source: unknown;
}

/**
 * @param batched those that come into a batch
 * @param first the number of the first, if they have numbers already
 */
export async function addHistory(
  { history, numbers }: Session,
  single: readonly HistoryEntry[],
  batched: readonly HistoryEntry[],
  first?: number,
): Promise<void> {
  if (single.length + batched.length === 0) return;
  const seq = first ?? (await numbers.fresh(single.length + batched.length));
  const documents: MongoDocument[] = single.map(({ taskId, id, at, body }, index) => ({
    ...{ _id: { task: taskId, id }, at, seq: seq + index, body },
  }));
  if (batched.length > 0) {
    documents.push({
      ...{ _id: crypto.randomUUID(), seq: seq + single.length, entries: batched },
      at: Math.max(...batched.map(({ at }) => at)),
      tasks: [...new Set(batched.map(({ taskId }) => taskId))],
    });
  }
  await history.insertNew(documents);
}

/** Finds out which entries are there, apart from those in batches. */
export async function findAdded(
  { history }: Session,
  entries: readonly HistoryEntry[],
): Promise<(entry: HistoryEntry) => boolean> {
  const keyOf = (task: string, id: string) => JSON.stringify([task, id]);
  const _id = { $in: entries.map(({ taskId, id }) => ({ task: taskId, id })) };
  const found = await history.find({ _id }, { projection: { _id: 1 } });
  const keys = new Set(found.map(({ _id: { task, id } }) => keyOf(task, id)));
  return ({ taskId, id }) => keys.has(keyOf(taskId, id));
}

/** What was appended to the history of a task, newest first. */
export async function readHistory(
  session: Session,
  taskId: string,
  limit: number,
): Promise<HistoryEntry[]> {
  const { clock, settings } = session;
  const oldest = (await clock.now()) - settings.historyMaxAgeMs;
  const entries = await entriesOf(session, taskId, oldest, limit);
  return entries.slice(0, limit).map(({ id, at, body }) => ({ taskId, id, at, body }));
}

/** @param limit the most of those that have documents of their own */
async function entriesOf(
  { history }: Session,
  taskId: string,
  oldest: number,
  limit = Number.POSITIVE_INFINITY,
): Promise<StoredEntry[]> {
  const at = { $gte: oldest };
  const order = { sort: { '_id.task': 1, at: -1, seq: -1 } };
  const cond = { $eq: ['$$each.taskId', { $literal: taskId }] };
  const own = { $filter: { input: '$entries', as: 'each', cond } };
  const [single, batches] = await Promise.all([
    history.find({ '_id.task': taskId, at }, Number.isFinite(limit) ? { ...order, limit } : order),
    history.find({ tasks: taskId, at }, { projection: { seq: 1, entries: own } }),
  ]);
  const all: StoredEntry[] = [
    ...single.map(({ _id, at, seq, body }) => ({ taskId, id: _id.id, at, body, seq, source: _id })),
    ...batches.flatMap(({ _id, seq, entries }) =>
      entries.map((entry: HistoryEntry, index: number) => ({
        ...{ ...entry, seq: seq + index, source: _id },
      })),
    ),
  ];
  // Of those with one id the first, which is set last.
  const unique = new Map(all.sort((a, b) => b.seq - a.seq).map((each) => [each.id, each]));
  return [...unique.values()]
    .filter(({ at }) => at >= oldest)
    .sort((a, b) => b.at - a.at || b.seq - a.seq);
}

/** The most tasks whose history is looked through along with one call. */
const mostTasks = 3;

/** Deletes what is not to be kept, along with some of the settlements that add to it. */
export async function forget(session: Session, settlements: readonly Settlement[]): Promise<void> {
  const { history, clock, settings } = session;
  const drawn = drawForgetting(settings, tasksOf(settlements));
  if (!drawn) return;
  const oldest = (await clock.now()) - settings.historyMaxAgeMs;
  const some = { limit: drawn.stale, projection: { _id: 1 } };
  const old = await history.find({ at: { $lt: oldest } }, some);
  if (old.length > 0) await history.remove({ _id: { $in: old.map(({ _id }) => _id) } });
  for (const taskId of drawn.tasks.slice(0, mostTasks)) {
    await prune(session, taskId, oldest, drawn.keep);
  }
}

/** The tasks whose history has grown: of those with a batch only one, by chance. */
function tasksOf(settlements: readonly Settlement[]): string[] {
  const idsOf = (all: readonly Settlement[] = []) =>
    all.flatMap(({ history }) => history.map(({ taskId }) => taskId));
  const { gone, kept } = Object.groupBy(settlements, ({ next }) => (next ? 'kept' : 'gone'));
  const batched = idsOf(gone);
  const at = Math.floor(Math.random() * batched.length);
  return [...idsOf(kept), ...batched.slice(at, at + 1)];
}

/** Deletes the excess of the history of a task; of a batch, what it has of this task. */
async function prune(session: Session, taskId: string, oldest: number, keep = 0): Promise<void> {
  const { history } = session;
  const entries = await entriesOf(session, taskId, oldest);
  const kept = new Set(entries.slice(0, keep).map(({ source }) => source));
  const ids = entries.map(({ source }) => source).filter((source) => !kept.has(source));
  if (ids.length === 0) return;
  const excess = { _id: { $in: ids } };
  await history.update(excess, { $pull: { tasks: taskId, entries: { taskId } } });
  await history.remove({ ...excess, $or: [{ '_id.task': taskId }, { tasks: { $size: 0 } }] });
}
