import { isSchedError } from '@sched/core';
import type { Call } from './route.js';
import { taskView } from './views.js';

/**
 * Makes a change of one task, and writes to the audit log what was there before and after: also when it fails, because
 * it may have taken effect all the same.
 */
export async function audited<T>(
  { client, redact, audit, caller, operation, store }: Call<unknown, unknown>,
  id: string,
  change: () => Promise<T>,
): Promise<T> {
  const look = async () => {
    const task = await client.get(id);
    return task ? taskView(task, redact) : null;
  };
  const before = await look();
  let outcome = 'ok';
  try {
    return await change();
  } catch (error) {
    outcome = isSchedError(error) ? error.code : 'SCHED_INTERNAL';
    throw error;
  } finally {
    // Where the store has failed, nobody knows.
    const after = await look().catch(() => null);
    const entry = { action: operation, store: store ?? null, id, before, after, outcome };
    await audit.write(caller, entry);
  }
}
