import { randomUUID } from 'node:crypto';
import type { RedisDataStoreOptions } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import { cleanup } from '@sched-tooling/adapter-tests';
import type { RunningService } from '@sched-tooling/services';
import type { RedisOptions } from 'ioredis';
import { Redis } from 'ioredis';
import { optionsFor } from './place.js';

export interface Command {
  readonly name: string;
  readonly args: readonly string[];
  readonly isOfScript: boolean;
}

/** What tests make on one server, gone after each of them. */
export function workbench(server: RunningService) {
  const later = cleanup();

  const bench = {
    later,

    /** A namespace of its own. */
    namespace(): string {
      return `test-${randomUUID()}`;
    },

    /** An open store, in a namespace of its own unless told otherwise, at the time 1000. */
    async open(options: Partial<RedisDataStoreOptions> = {}): Promise<RedisDataStore> {
      const { client, url, connection, cluster } = options;
      const source = client || url || connection || cluster ? {} : optionsFor(server);
      const namespace = bench.namespace();
      const given = { clock: () => 1000, namespace, ...source, ...options };
      const store = new RedisDataStore(given as RedisDataStoreOptions);
      await store.open();
      later(async () => {
        await store.remove({ all: true }).catch(() => {});
        await store.close();
      });
      return store;
    },

    /** A connection to the server. */
    redis(options: Omit<RedisOptions, 'replyMapping'> = {}, url = server.url): Redis {
      const redis = new Redis(url, options);
      redis.on('error', () => {});
      later(() => redis.disconnect());
      return redis;
    },

    /** Every command that the server runs during some work; those of scripts follow the script that ran them. */
    async commandsDuring(work: () => Promise<unknown>): Promise<Command[]> {
      const last = bench.redis();
      await last.ping();
      const monitor = await bench.redis().monitor();
      later(() => monitor.disconnect());
      const commands: Command[] = [];
      monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) =>
        commands.push({ name: name.toLowerCase(), args, isOfScript: source === 'lua' }),
      );
      await work();
      const end = randomUUID();
      await last.echo(end);
      while (!commands.some(({ args }) => args[0] === end)) {
        await new Promise((resolve) => monitor.once('monitor', resolve));
      }
      return commands.filter(({ args }) => args[0] !== end);
    },
  };
  return bench;
}
