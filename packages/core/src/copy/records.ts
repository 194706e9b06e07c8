/** What to copy of a task, and which tasks cannot be copied as they are. */

import type { NewTaskRecord, TaskRecord } from '../data-store.js';
import { readBody, type TaskBody } from '../record.js';
import type { LeftReason } from './report.js';

/** The members that a store accepts for a new task. It sets the others itself. */
export function contentOf(task: TaskRecord): NewTaskRecord {
  const { id, name, queue, group, status, paused, runAt, body } = task;
  return { id, name, queue, group, status, paused, runAt, body };
}

/** The members in which the stored task differs from what it should be; `id` when there is none. */
export function differences(
  stored: TaskRecord | undefined,
  task: TaskRecord,
): readonly (keyof NewTaskRecord)[] {
  if (!stored) return ['id'];
  const content = contentOf(task);
  const keys = Object.keys(content) as (keyof NewTaskRecord)[];
  return keys.filter((key) => stored[key] !== content[key]);
}

/** Whether a task of the source has changed since it was read. */
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
 * Why a task cannot be copied: what its store knows besides its content decides what happens to it next. Without this
 * knowledge, a task that runs at most once would run again, and one that kills its process could go on doing so.
 *
 * @param now the time of the task's store
 */
export function reasonToLeave(task: TaskRecord, now: number): LeftReason | undefined {
  if (task.lease) return now < task.lease.expiresAt ? 'leased' : 'lapsed';
  if (task.deliveries > 0) return 'unsettled';
  // It names a token of this store. A claim in another store may happen to have the same token.
  if (task.body.includes('"cancelToken"') && bodyOf(task)?.cancelToken !== undefined) {
    return 'unsettled';
  }
  return isHiddenBy(task, task.resumedAt) ? 'resumed' : undefined;
}

/** Whether a store in which the task was last resumed at this time makes it skip an occurrence. */
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

/** Undefined when the body cannot be read here: a newer version may have written it. */
function bodyOf({ body }: TaskRecord): TaskBody | undefined {
  try {
    return readBody(body);
  } catch {
    return undefined;
  }
}
