import { checkSetting, schemaError, UnderWay, Watcher } from '@sched/core/adapter';
import type { Argument } from './batches.js';
import { connect } from './connect.js';
import type { Script } from './lua.js';
import { keyNames } from './lua.js';
import { listenOn } from './notifications.js';
import type { Settings } from './options.js';
import { open } from './scripts.js';

/** The version of the keys and their contents that this code reads and writes. */
const schemaVersion = 1;

/** An open namespace. */
export interface Session {
  readonly shards: number;
  readonly watcher: Watcher;
  /**
   * Runs a script on the keys of a shard.
   *
   * @param time of the injected clock, or nothing
   * @param histories the tasks whose history it touches
   */
  run<T>(
    script: Script,
    shard: number,
    time: string,
    args: readonly Argument[],
    histories?: readonly string[],
  ): Promise<T>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** @throws SchedError as `DataStore.open` says */
export async function openSession(settings: Settings): Promise<Session> {
  const { client, failure, isLost, close } = await connect(settings);
  const { namespace, keyPrefix } = settings;
  const channel = `${keyPrefix}{${namespace}}:wake`;
  const watcher = new Watcher(listenOn(client, channel), failure);
  const underWay = new UnderWay();

  async function evaluate(script: Script, keysAndArgs: Argument[], keyCount: number) {
    if (isLost()) throw failure(new Error('None of the nodes that are known answers'));
    try {
      return await client.evalsha(script.sha, keyCount, ...keysAndArgs);
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw failure(error);
    }
    return client.eval(script.source, keyCount, ...keysAndArgs).catch((error) => {
      throw failure(error);
    });
  }

  const run: Session['run'] = <T>(
    script: Script,
    shard: number,
    time: string,
    args: readonly Argument[],
    histories: readonly string[] = [],
  ) => {
    const names = [...keyNames, ...histories.map((taskId) => `history:${taskId}`)];
    const keys = names.map((name) => `${keyPrefix}{${namespace}:${shard}}:${name}`);
    const call = evaluate(script, [...keys, time, channel, ...args], keys.length);
    return underWay.add(call) as Promise<T>;
  };

  try {
    const shards = await prepare(run, settings);
    return {
      shards,
      watcher,
      run,
      async close() {
        await watcher.close();
        await underWay.idle();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Creates what is missing. @returns the number of shards that the namespace has */
async function prepare(run: Session['run'], settings: Settings): Promise<number> {
  const { namespace, migrate, shards } = settings;

  async function prepareShard(shard: number, count: number): Promise<number> {
    const args = [schemaVersion, count, migrate ? 1 : ''];
    const [version, stored] = await run<[string?, string?]>(open, shard, '', args);
    if (Number(version) === schemaVersion) return Number(stored);
    const problem =
      version === undefined
        ? 'is not there, and migrate: false forbids to create it. Open the store once with migrate: true, or correct namespace, keyPrefix or database.'
        : version === 'foreign'
          ? 'has keys that are not of @sched/redis. Choose another namespace or keyPrefix.'
          : `has schema version ${version}, and this @sched/redis knows ${schemaVersion}. Install the version of @sched/redis that wrote it, or a later one.`;
    throw schemaError(`The namespace ${namespace} ${problem}`);
  }

  const count = await prepareShard(0, shards ?? 1);
  checkSetting(
    shards === undefined || shards === count,
    `shards must be ${count}, with which the namespace ${namespace} was created; not ${shards}.`,
  );
  await Promise.all(
    Array.from({ length: count - 1 }, (_, index) => prepareShard(index + 1, count)),
  );
  return count;
}
