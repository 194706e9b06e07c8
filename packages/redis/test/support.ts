import { randomUUID } from 'node:crypto';
import type {
  NewTaskRecord,
  SchedError,
  SchedErrorCode,
  Settlement,
  TaskRecord,
} from '@sched/core';
import { isSchedError } from '@sched/core';
import type { RedisDataStoreOptions } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import type { RunningService } from '@sched-tooling/services';
import type { RedisOptions } from 'ioredis';
import { Redis } from 'ioredis';
import { afterEach } from 'vitest';
import { optionsFor } from './place.js';

/** A task that is due at 1000, in queue `q`. */
export function record(id: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    id,
    name: 'job',
    queue: 'q',
    group: null,
    status: 'scheduled',
    paused: false,
    runAt: 1000,
    body: '{}',
    ...members,
  };
}

export function records(count: number, prefix: string, members: Partial<NewTaskRecord> = {}) {
  return Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, members));
}

export const claimAll = { queues: ['q'], limit: 1000, owner: 'me', leaseMs: 1000 };

/** Runs the task again at once, or as told. */
export function settlement(
  { id, lease, revision }: TaskRecord,
  members: Partial<Settlement> = {},
): Settlement {
  const next = { status: 'scheduled', runAt: 1000, body: '{}' } as const;
  return { id, token: lease?.token ?? 0, revision, next, history: [], spawn: [], ...members };
}

/** The error that a call fails with, which must have this code. */
export async function failure(call: () => unknown, code: SchedErrorCode): Promise<SchedError> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (isSchedError(error, code)) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but the call answered ${JSON.stringify(result)}`);
}

export interface Command {
  readonly name: string;
  readonly args: readonly string[];
  readonly isOfScript: boolean;
}

/** What tests make on one server, gone after each of them. */
export function workbench(server: RunningService) {
  let undo: (() => unknown)[] = [];
  const later = (work: () => unknown) => {
    undo.unshift(work);
  };
  afterEach(async () => {
    const works = undo;
    undo = [];
    for (const work of works) await work();
  });

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
