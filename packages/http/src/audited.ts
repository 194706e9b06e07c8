import { isSchedError } from '@sched/core';
import { refuse } from './problem.js';
import type { Call } from './route.js';
import { taskView } from './views.js';

/**
 * Makes a change of one task, and writes to the audit log what was there before and after: also when it fails, because
 * it may have taken effect all the same.
 *
 * @param id null for a task that gets its id from the change
 */
export async function audited<T>(
  call: Call<unknown, unknown>,
  id: string | null,
  change: () => Promise<T>,
  idOf: (result: T) => string | null = () => id,
): Promise<T> {
  const { audit, caller, operation, store, events } = call;
  const before = await look(call, id);
  let outcome = 'ok';
  let changedId = id;
  try {
    const result = await change();
    changedId = idOf(result);
    return result;
  } catch (error) {
    outcome = isSchedError(error) ? error.code : 'SCHED_INTERNAL';
    throw error;
  } finally {
    // Where the store has failed, nobody knows.
    const after = await look(call, changedId).catch(() => null);
    const entry = {
      action: operation,
      store: store ?? null,
      id: changedId,
      before,
      after,
      outcome,
    };
    await audit.write(caller, entry);
    events.announce('changed', { action: operation, id: changedId, store: entry.store }, store);
  }
}

/**
 * Like {@link audited}, for a task that has to exist.
 *
 * @throws SchedError `SCHED_TASK_NOT_FOUND`, without an entry, because nothing has been changed
 */
export async function auditedExisting<T>(
  call: Call<unknown, unknown>,
  change: () => Promise<T>,
): Promise<T> {
  // Some changes of what is not there would change nothing, and say no word.
  if (!(await call.client.get(call.id))) throw notFound(call.id);
  return audited(call, call.id, change);
}

export function notFound(id: string) {
  return refuse('SCHED_TASK_NOT_FOUND', `There is no task with the id ${JSON.stringify(id)}.`);
}

async function look({ client, redact }: Call<unknown, unknown>, id: string | null) {
  const task = id === null ? undefined : await client.get(id);
  return task ? taskView(task, redact) : null;
}
