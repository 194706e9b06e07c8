/** What can be copied of a task, and which tasks cannot be copied as they are. */

import type { NewTaskRecord, TaskRecord } from '../data-store.js';
import { readBody, type TaskBody } from '../record.js';
import type { LeftReason } from './report.js';

/** Everything that a store takes when a task is created. The rest is the store's own. */
export function contentOf(task: TaskRecord): NewTaskRecord {
  const { id, name, queue, group, status, paused, runAt, body } = task;
  return { id, name, queue, group, status, paused, runAt, body };
}

/** The members in which what is stored is not the task that it should be. */
export function differences(
  stored: TaskRecord | undefined,
  task: TaskRecord,
): readonly (keyof NewTaskRecord)[] {
  if (!stored) return ['id'];
  const content = contentOf(task);
  const keys = Object.keys(content) as (keyof NewTaskRecord)[];
  return keys.filter((key) => stored[key] !== content[key]);
}

/** Whether anything has happened to a task of the source since it was read. */
export function isChanged(task: TaskRecord, read: TaskRecord): boolean {
  return (
    task.revision !== read.revision ||
    task.paused !== read.paused ||
    task.resumedAt !== read.resumedAt ||
    task.runAt !== read.runAt ||
    task.deliveries !== read.deliveries ||
    task.lease !== null
  );
}

/**
 * Why a task cannot be copied: what a store knows of it beyond its content decides what is to become of it. Without
 * that, one that runs at most once would run again, and one that kills its process could go on doing so.
 *
 * @param now the time of its store
 */
export function reasonToLeave(task: TaskRecord, now: number): LeftReason | undefined {
  if (task.lease) return now < task.lease.expiresAt ? 'leased' : 'lapsed';
  if (task.deliveries > 0) return 'unsettled';
  // It names a token of its store. A claim elsewhere may happen to have the same.
  if (task.body.includes('"cancelToken"') && bodyOf(task)?.cancelToken !== undefined) {
    return 'unsettled';
  }
  return isHiddenBy(task, task.resumedAt) ? 'resumed' : undefined;
}

/** Whether an occurrence of the task will be skipped where it was last resumed at that time. */
export function isHiddenBy(task: TaskRecord, resumedAt: number | null): boolean {
  if (resumedAt === null || task.paused || task.status !== 'scheduled') return false;
  const body = bodyOf(task);
  const dueAt = Math.min(task.runAt ?? resumedAt, body?.nominal ?? Number.POSITIVE_INFINITY);
  if (dueAt > resumedAt) return false;
  if (!body || body.nominal === null) return true;
  const isOnce = body.trigger.kind === 'at';
  const isDecided = body.attempt > 1 || body.nominal <= (body.backlogUntil ?? body.nominal - 1);
  return !isOnce && !isDecided;
}

/** Undefined when it cannot be read here: a newer version may have written it. */
function bodyOf({ body }: TaskRecord): TaskBody | undefined {
  try {
    return readBody(body);
  } catch {
    return undefined;
  }
}
