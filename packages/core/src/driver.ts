import { SchedError } from './errors.js';
import { describeError } from './record.js';

/**
 * Loads the database driver of a data store.
 *
 * @param name of the package, as in `npm install`
 * @param load imports it: `() => import('pg')`
 * @throws SchedError `SCHED_STORE_CONFIG` when the driver is not installed, or was bundled in a way in which it cannot
 *   run. To try again would not help.
 */
export async function importDriver<Driver>(
  name: string,
  load: () => Promise<Driver>,
): Promise<Driver> {
  try {
    return await load();
  } catch (cause) {
    throw new SchedError(
      'SCHED_STORE_CONFIG',
      `The driver ${name} cannot be loaded: ${describeError(cause).message}. Install ${name}, and where the program is bundled, leave it out of the bundle: mark it as external.`,
      { cause },
    );
  }
}
