import type { HistoryEntry } from '@sched/core';
import { drawForgetting } from '@sched/core/adapter';
import type { NumberedEntry } from './batches.js';
import { readBatches } from './batches.js';
import type { Settings } from './options.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

const order = { '_id.task': 1, at: -1, seq: -1 };

/** What was appended to the history of a task, newest first. */
export async function readHistory(
  session: Session,
  clock: StoreClock,
  { historyMaxAgeMs }: Settings,
  taskId: string,
  limit: number,
): Promise<HistoryEntry[]> {
  const oldest = (await clock.now()) - historyMaxAgeMs;
  const [found, batched] = await Promise.all([
    session.find(
      session.history,
      { '_id.task': taskId, at: { $gte: oldest } },
      { sort: order, ...(Number.isFinite(limit) ? { limit } : {}) },
    ),
    readBatches(session, taskId),
  ]);
  const single = found.map(({ _id, at, seq, body }) => ({ taskId, id: _id.id, at, seq, body }));
  const all = [...single, ...batched].filter(({ at }) => at >= oldest);
  // Of those with one id the first, which is set last.
  const unique = new Map(all.sort((a, b) => b.seq - a.seq).map((each) => [each.id, each]));
  return newestFirst([...unique.values()])
    .slice(0, limit)
    .map(({ id, at, body }) => ({ taskId, id, at, body }));
}

function newestFirst(entries: NumberedEntry[]): NumberedEntry[] {
  return entries.sort((a, b) => b.at - a.at || b.seq - a.seq);
}

/** The most tasks whose history is looked through along with one call. */
const mostTasks = 3;

/**
 * Deletes what is not to be kept, along with some of the calls that add to it.
 *
 * @param alone the tasks of the entries that were added by themselves
 * @param together one of the tasks of a batch, if one was added
 */
export async function forget(
  session: Session,
  clock: StoreClock,
  settings: Settings,
  alone: readonly string[],
  together: string | undefined,
): Promise<void> {
  const { history, run, find } = session;
  const drawn = drawForgetting(settings, together === undefined ? alone : [...alone, together]);
  if (!drawn) return;
  const projection = { _id: 1 };
  const tasks = drawn.tasks.slice(0, mostTasks);
  const { keep = 0 } = drawn;
  const excess = tasks.map((taskId) =>
    find(history, { '_id.task': taskId }, { sort: order, skip: keep, projection }),
  );
  const oldest = (await clock.now()) - settings.historyMaxAgeMs;
  const old = find(history, { at: { $lt: oldest } }, { limit: drawn.stale, projection });
  const found = (await Promise.all([...excess, old])).flat();
  if (together !== undefined && tasks.includes(together)) await prune(session, together, keep);
  if (found.length === 0) return;
  const ids = found.map(({ _id }) => _id);
  await run((options) => history.deleteMany({ _id: { $in: ids } }, options));
}

/** Takes out of batches what a task has in them beyond what is kept. */
async function prune(session: Session, taskId: string, keep: number): Promise<void> {
  const { history, run } = session;
  const entries = newestFirst(await readBatches(session, taskId));
  const kept = new Set(entries.slice(0, keep).map(({ batch }) => batch));
  const excess = { _id: { $in: entries.map(({ batch }) => batch).filter((id) => !kept.has(id)) } };
  const update = { $pull: { tasks: taskId, entries: { taskId } } };
  await run((options) => history.updateMany(excess, update, options));
  await run((options) => history.deleteMany({ ...excess, tasks: { $size: 0 } }, options));
}
