import type { PgPool, PostgresDataStoreOptions } from '@sched/postgres';
import { PostgresDataStore } from '@sched/postgres';
import { cleanup } from '@sched-tooling/adapter-tests';
import pg from 'pg';
import { freshName, query } from './place.js';

/** What tests make on one server, gone after each of them. */
export function workbench(url: string) {
  const later = cleanup();

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
