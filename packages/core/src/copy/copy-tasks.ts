import { announcementGroup, isAnnouncement } from '../announcements.js';
import type { DataStore, TaskFilter, TaskRecord } from '../data-store.js';
import { isSchedError, SchedError } from '../errors.js';
import { type CopyOptions, type CopySettings, readCopyOptions } from './options.js';
import { PageCopier } from './page.js';
import { PatientStore } from './patient-store.js';
import { CopyReport, type CopyResult } from './report.js';

/** The first page is small, because the size of the tasks is still unknown. */
const firstPageSize = 16;

/** About how many characters of bodies to hold in memory at once. */
const pageCharacters = 4 * 2 ** 20;

/**
 * Copies tasks from one store to another, of the same kind or not, and reads back each. Both stores must be open, and
 * stay so.
 *
 * No workers may run on either store meanwhile: a copy shows the source as it was when each page was read, and a task
 * in both stores would run in both. The source is only read. If a worker holds a task, or had it and never reported
 * back, the copy leaves it alone in both stores and names it in the result. Copy again after a worker of the source has
 * settled it.
 *
 * Copies the content of a task: id, name, queue, group, status, whether it is paused, when it runs next, and its body,
 * byte for byte, with payload, policies, attempts and the last run. Does not copy its history, or what belongs to a
 * store: leases, deliveries, revisions and tokens, which start anew.
 *
 * If a copy fails or is aborted, or the process dies, there is nothing to undo or remember: the next call skips what is
 * in the target already and copies the rest.
 *
 * @param from the store to copy from
 * @param to the store to copy to
 * @returns what became of the tasks; check `isComplete`
 * @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID` before anything is read;
 *   `SCHED_STORE_CLOSED` when one of the stores is not open; `SCHED_TASK_EXISTS` at the first conflict, unless
 *   `onConflict` says otherwise; `SCHED_STORE_UNAVAILABLE` or `SCHED_STORE_TIMEOUT` when a store keeps failing. In all
 *   but the first two, `details.progress` and `details.tasks` say what was done. Throws the signal's reason when the
 *   signal is aborted.
 */
export async function copyTasks(
  from: DataStore,
  to: DataStore,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const settings = readCopyOptions(from, to, options);
  const report = new CopyReport(settings.after);
  try {
    return await copyPages(
      new PatientStore('from', from, settings),
      new PatientStore('to', to, settings),
      settings,
      report,
    );
  } catch (error) {
    if (!isSchedError(error) || error === settings.signal?.reason) throw error;
    const details = { ...error.details, progress: report.progress(), tasks: report.tasks };
    throw new SchedError(error.code, error.message, { cause: error, details });
  }
}

async function copyPages(
  from: PatientStore,
  to: PatientStore,
  { filter, after, onConflict, onProgress, pageSize }: CopySettings,
  report: CopyReport,
): Promise<CopyResult> {
  // Make sure that both stores can be reached before doing anything.
  await to.call('now', (store) => store.now());
  report.total = await countTasks(from, filter);
  const copier = new PageCopier(from, to, onConflict, report);
  let limit = Math.min(firstPageSize, pageSize);
  do {
    const request = { ...filter, limit, ...(report.cursor !== null && { after: report.cursor }) };
    const { tasks, next } = await from.call('list', (store) => store.list(request));
    await copier.copy(tasks.filter((task) => !isAnnouncement(task)));
    report.cursor = next;
    onProgress?.(report.progress());
    limit = nextPageSize(tasks, limit, pageSize);
  } while (report.cursor !== null);

  const sourceCount = await countTasks(from, filter);
  const targetCount = await countTasks(to, filter);
  const progress = report.progress();
  const { inserted, unchanged, replaced, left, refused, changed, differing, read } = progress;
  const isComplete =
    left + refused + changed + differing === 0 &&
    (after !== null || sourceCount === read) &&
    targetCount >= inserted + unchanged + replaced;
  return { ...progress, isComplete, sourceCount, targetCount, tasks: report.tasks };
}

/** How many tasks match. What schedulers say about themselves are no tasks. */
async function countTasks(from: PatientStore, filter: TaskFilter): Promise<number> {
  const count = await from.call('count', (store) => store.count(filter));
  if (filter.group !== undefined) return count;
  const announcements = { ...filter, group: announcementGroup };
  return count - (await from.call('count', (store) => store.count(announcements)));
}

/** How many tasks fit into a page if they are as large as the last ones; at most twice as many as before. */
function nextPageSize(tasks: readonly TaskRecord[], limit: number, pageSize: number): number {
  const characters = tasks.reduce((sum, { body }) => sum + body.length, 0);
  const fitting = Math.floor((pageCharacters * tasks.length) / Math.max(1, characters));
  return Math.max(1, Math.min(tasks.length > 0 ? fitting : limit, 2 * limit, pageSize));
}
