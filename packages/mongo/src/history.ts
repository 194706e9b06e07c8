import type { HistoryEntry } from '@sched/core';
import type { Settings } from './options.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

/** What was appended to the history of a task, newest first. */
export async function readHistory(
  { history, find }: Session,
  clock: StoreClock,
  { historyLimit, historyMaxAgeMs }: Settings,
  taskId: string,
  limit: number,
): Promise<HistoryEntry[]> {
  const most = Math.min(limit, historyLimit);
  if (most === 0) return [];
  const oldest = (await clock.now()) - historyMaxAgeMs;
  const found = await find(
    history,
    { '_id.task': taskId, at: { $gte: oldest } },
    { sort: { '_id.task': 1, at: -1, seq: -1 }, ...(Number.isFinite(most) ? { limit: most } : {}) },
  );
  return found.map(({ _id, at, body }) => ({ taskId, id: _id.id, at, body }));
}

/** The most tasks whose history is looked through along with one call. */
const mostTasks = 3;

/**
 * Deletes what is not to be kept, along with some of the calls that add to it: finding the excess of a task means
 * walking past what is kept. Reading goes by the limits.
 *
 * @param taskIds of the entries that were added
 */
export async function forget(
  session: Session,
  clock: StoreClock,
  { historyLimit, historyMaxAgeMs }: Settings,
  taskIds: readonly string[],
): Promise<void> {
  const share = Math.max(4 / historyLimit, 1 / 64);
  const drawn = taskIds.filter(() => Math.random() < share);
  if (drawn.length === 0) return;
  const { history, run, find } = session;
  const projection = { _id: 1 };
  const tasks = Number.isFinite(historyLimit) ? [...new Set(drawn)].slice(0, mostTasks) : [];
  const excess = tasks.map((taskId) =>
    find(
      history,
      { '_id.task': taskId },
      { sort: { '_id.task': 1, at: -1, seq: -1 }, skip: historyLimit, projection },
    ),
  );
  const oldest = (await clock.now()) - historyMaxAgeMs;
  const limit = Math.ceil((2 * drawn.length) / Math.min(1, share));
  const old = find(history, { at: { $lt: oldest } }, { limit, projection });
  const found = (await Promise.all([...excess, old])).flat();
  if (found.length === 0) return;
  const ids = found.map(({ _id }) => _id);
  await run((options) => history.deleteMany({ _id: { $in: ids } }, options));
}
