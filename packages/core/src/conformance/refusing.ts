import type { DataStore } from '../data-store.js';
import type { SchedErrorCode } from '../errors.js';
import { isSchedError } from '../errors.js';
import { holds, plain } from './check.js';
import { listAll } from './pages.js';

/** Whether a call refuses its input. It may fail for no other reason. */
export async function refuses(
  code: SchedErrorCode,
  call: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await call();
    return false;
  } catch (error) {
    holds(isSchedError(error, code), `what is refused is refused with ${code}, not ${error}`);
    return true;
  }
}

/** Everything that a store holds: its tasks, and the histories of these ids. */
export async function contents(store: DataStore, taskIds: readonly string[]): Promise<unknown> {
  const tasks = (await listAll(store)).map(plain);
  const histories = [];
  for (const id of taskIds) histories.push(await store.history(id, 100));
  return { tasks: new Set(tasks), histories };
}
