import type { HistoryEntry } from '@sched/core';
import type { Session } from './session.js';

// Beside the documents of single entries the collection `….history` has some of many: what one call has added to the
// history of tasks that it removed. These hardly ever have as much history as is kept, so that a batch grows old as one.

/** An entry, and its number: they are numbered in the order in which they were added. */
export interface NumberedEntry extends HistoryEntry {
  readonly seq: number;
  /** The batch that it is in, if it is in one. */
  readonly batch?: string;
}

/** @param seq the number of the first entry */
export async function addBatch(
  { history, insertNew }: Session,
  _id: string,
  entries: readonly HistoryEntry[],
  seq: number,
): Promise<void> {
  const at = entries.reduce((last, each) => Math.max(last, each.at), entries[0]?.at ?? 0);
  const tasks = [...new Set(entries.map(({ taskId }) => taskId))];
  await insertNew(history, [{ _id, at, seq, tasks, entries }]);
}

/** What batches hold of the history of a task. */
export async function readBatches(
  { history, find }: Session,
  taskId: string,
): Promise<NumberedEntry[]> {
  const cond = { $eq: ['$$each.taskId', { $literal: taskId }] };
  const own = { $filter: { input: '$entries', as: 'each', cond } };
  const found = await find(history, { tasks: taskId }, { projection: { seq: 1, entries: own } });
  return found.flatMap(({ _id: batch, seq, entries }) =>
    entries.map((entry: HistoryEntry, index: number) => ({ ...entry, seq: seq + index, batch })),
  );
}
