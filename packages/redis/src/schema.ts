import { checkSetting, isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { Settings } from './options.js';
import { open } from './scripts.js';
import type { Run } from './session.js';

/** The version of the keys and their contents that this code reads and writes. */
const schemaVersion = 1;

/**
 * Creates what is missing.
 *
 * @returns the number of shards that the namespace has
 * @throws SchedError as `DataStore.open` says
 */
export async function prepare(run: Run, settings: Settings): Promise<number> {
  const { namespace, migrate, shards } = settings;

  async function prepareShard(shard: number, count: number): Promise<number> {
    const args = [schemaVersion, count, migrate ? 1 : ''];
    const [version = 0, stored] = await run<string[]>(open, shard, '', args);
    if (version === 'foreign') {
      throw schemaError(
        `The namespace ${namespace} has keys that are not of @sched/redis. Choose another namespace or keyPrefix.`,
      );
    }
    isSchemaCurrent({
      ...{ what: `The keys of namespace ${namespace}`, adapter: '@sched/redis' },
      ...{ found: Number(version), known: schemaVersion, migrate },
      settings: 'namespace, keyPrefix or database',
    });
    return Number(stored);
  }

  const count = await prepareShard(0, shards ?? 1);
  checkSetting(
    shards === undefined || shards === count,
    `shards must be ${count}, with which the namespace ${namespace} was created; not ${shards}.`,
  );
  const others = Array.from({ length: count - 1 }, (_, index) => prepareShard(index + 1, count));
  await Promise.all(others);
  return count;
}
