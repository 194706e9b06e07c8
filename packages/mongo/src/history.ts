import type { HistoryEntry } from '@sched/core';
import { drawForgetting } from '@sched/core/adapter';
import type { Settings } from './options.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

/** What was appended to the history of a task, newest first. */
export async function readHistory(
  { history, find }: Session,
  clock: StoreClock,
  { historyMaxAgeMs }: Settings,
  taskId: string,
  limit: number,
): Promise<HistoryEntry[]> {
  const oldest = (await clock.now()) - historyMaxAgeMs;
  const found = await find(
    history,
    { '_id.task': taskId, at: { $gte: oldest } },
    { sort: { '_id.task': 1, at: -1, seq: -1 }, ...(Number.isFinite(limit) ? { limit } : {}) },
  );
  return found.map(({ _id, at, body }) => ({ taskId, id: _id.id, at, body }));
}

/** The most tasks whose history is looked through along with one call. */
const mostTasks = 3;

/**
 * Deletes what is not to be kept, along with some of the calls that add to it.
 *
 * @param taskIds of the entries that were added
 */
export async function forget(
  { history, run, find }: Session,
  clock: StoreClock,
  settings: Settings,
  taskIds: readonly string[],
): Promise<void> {
  const drawn = drawForgetting(settings, taskIds);
  if (!drawn) return;
  const projection = { _id: 1 };
  const excess = drawn.tasks
    .slice(0, mostTasks)
    .map((taskId) =>
      find(
        history,
        { '_id.task': taskId },
        { sort: { '_id.task': 1, at: -1, seq: -1 }, skip: drawn.keep, projection },
      ),
    );
  const oldest = (await clock.now()) - settings.historyMaxAgeMs;
  const old = find(history, { at: { $lt: oldest } }, { limit: drawn.stale, projection });
  const found = (await Promise.all([...excess, old])).flat();
  if (found.length === 0) return;
  const ids = found.map(({ _id }) => _id);
  await run((options) => history.deleteMany({ _id: { $in: ids } }, options));
}
