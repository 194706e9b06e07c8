import type {
  NewTaskRecord,
  SchedError,
  SchedErrorCode,
  Settlement,
  TaskRecord,
} from '@sched/core';
import { isSchedError } from '@sched/core';
import type { PgPool, PostgresDataStoreOptions } from '@sched/postgres';
import { PostgresDataStore } from '@sched/postgres';
import pg from 'pg';
import { afterEach } from 'vitest';
import { freshName, query } from './place.js';

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

/** What tests make on one server, gone after each of them. */
export function workbench(url: string) {
  let undo: (() => Promise<unknown>)[] = [];
  const later = (work: () => Promise<unknown>) => {
    undo.unshift(work);
  };
  afterEach(async () => {
    const works = undo;
    undo = [];
    for (const work of works) await work();
  });

  const bench = {
    url,
    later,
    query: (sql: string, values?: unknown[]) => query(url, sql, values),

    /** The name of a schema of its own. */
    schema(): string {
      const schema = freshName();
      later(() => query(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`));
      return schema;
    },

    /** An open store, in a schema of its own unless told otherwise, at the time 1000. */
    async open(options: Partial<PostgresDataStoreOptions> = {}): Promise<PostgresDataStore> {
      const source = options.pool || options.connection ? {} : { url };
      const schema = options.schema ?? bench.schema();
      const given = { ...source, clock: () => 1000, ...options, schema };
      const store = new PostgresDataStore(given as PostgresDataStoreOptions);
      await store.open();
      later(() => store.close());
      return store;
    },

    /** A connected client. */
    async client(address = url): Promise<pg.Client> {
      const client = new pg.Client(address);
      client.on('error', () => {});
      await client.connect();
      later(() => client.end());
      return client;
    },

    pool(config: pg.PoolConfig = {}): pg.Pool {
      const pool = new pg.Pool({ connectionString: url, ...config });
      pool.on('error', () => {});
      later(() => pool.end());
      return pool;
    },
  };
  return bench;
}

/** A statement with its values. */
export type Logged = readonly [text: string, values: unknown[] | undefined];

/** A pool that notes every statement that it is given. */
export function listeningTo(pool: pg.Pool): PgPool & { readonly log: Logged[] } {
  const log: Logged[] = [];
  return {
    log,
    connect: () => pool.connect(),
    options: pool.options,
    totalCount: 0,
    query(text, values) {
      log.push([text, values]);
      return pool.query(text, values);
    },
  };
}
