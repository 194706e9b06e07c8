import { type AtEnd, UnderWay, Watcher } from '@sched/core/adapter';
import { connect } from './connect.js';
import type { Script } from './lua.js';
import { keyNames } from './lua.js';
import { listenOn } from './notifications.js';
import type { Settings } from './options.js';
import type { Argument } from './records.js';
import { prepare } from './schema.js';

/**
 * Runs a script on the keys of a shard.
 *
 * @param time of the injected clock, or nothing
 * @param histories the tasks whose history it touches
 */
export type Run = <T>(
  script: Script,
  shard: number,
  time: string,
  args: readonly Argument[],
  histories?: readonly string[],
) => Promise<T>;

/** An open namespace. */
export interface Session {
  readonly shards: number;
  readonly watcher: Watcher;
  readonly run: Run;
}

/** @throws SchedError as `DataStore.open` says */
export async function openSession(settings: Settings, atEnd: AtEnd): Promise<Session> {
  const { client, failure, isLost } = await connect(settings, atEnd);
  const { namespace, keyPrefix } = settings;
  const channel = `${keyPrefix}{${namespace}}:wake`;
  const watcher = new Watcher(listenOn(client, channel), failure);
  const underWay = new UnderWay();
  atEnd(() => underWay.idle());

  async function evaluate(script: Script, keyCount: number, keysAndArgs: Argument[]) {
    try {
      if (isLost()) throw new Error('None of the nodes that are known answers');
      return await client.evalsha(script.sha, keyCount, ...keysAndArgs).catch((error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) throw error;
        return client.eval(script.source, keyCount, ...keysAndArgs);
      });
    } catch (error) {
      throw failure(error);
    }
  }

  const run: Run = <T>(
    ...[script, shard, time, args, histories = []]: Parameters<Run>
  ): Promise<T> => {
    const names = [...keyNames, ...histories.map((taskId) => `history:${taskId}`)];
    const keys = names.map((name) => `${keyPrefix}{${namespace}:${shard}}:${name}`);
    const call = evaluate(script, keys.length, [...keys, time, channel, ...args]);
    return underWay.add(call as Promise<T>);
  };

  return { shards: await prepare(run, settings), watcher, run };
}
