import { importDriver } from '@sched/core';
import type { AtEnd } from '@sched/core/adapter';
import { checkServerVersion, checkSetting } from '@sched/core/adapter';
import type { Client } from 'pg';
import type { PgClient, PgPool, PgQueryable } from './client.js';
import { isPool } from './client.js';
import { storeError } from './errors.js';
import type { Settings } from './options.js';
import { migrate } from './schema.js';

/** Where an open store sends its statements. */
export interface Connection {
  readonly client: PgQueryable;
  /** Whether a pooler is before the server that gives each transaction another connection. */
  readonly isPooled: boolean;
}

/** The oldest server: https://www.postgresql.org/support/versioning/ */
const minimumVersion = '13';

/** What the store's own connections are made with, unless the user says otherwise. */
const defaults = {
  application_name: '@sched/postgres',
  connectionTimeoutMillis: 10_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 30_000,
};

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings, atEnd: AtEnd): Promise<Connection> {
  try {
    let client = settings.pool;
    if (!client) {
      const { default: pg } = await importDriver('pg', () => import('pg'));
      // A script that only schedules ends by itself; a worker has timers that keep its process.
      const pool = new pg.Pool({ allowExitOnIdle: true, ...defaults, ...settings.connection });
      // The pool has dropped the connection by then, and makes another for the next call.
      pool.on('error', () => {});
      atEnd(() => pool.end());
      client = pool;
    }
    return { client, isPooled: await prepare(client, settings) };
  } catch (error) {
    throw storeError(error, settings.source);
  }
}

/** Makes sure of the server and of the schema. @returns whether a pooler is before the server */
async function prepare(source: PgQueryable, settings: Settings): Promise<boolean> {
  const loan = isPool(source) ? await source.connect() : undefined;
  const client: PgClient = loan ?? source;
  // A connection that is lost between two statements says so to listeners only; the next statement then fails.
  const ignore = () => {};
  loan?.on?.('error', ignore);
  let isBroken = true;
  try {
    const { rows } = await client.query(
      `SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
        current_setting('transaction_read_only') AS read_only, pg_backend_pid()::text AS pid`,
    );
    const { version, encoding, read_only: readOnly, pid } = rows[0] ?? {};
    checkServerVersion('PostgreSQL', String(version), minimumVersion, '@sched/postgres');
    checkSetting(encoding === 'UTF8', `database: its encoding is ${encoding}, and has to be UTF8.`);
    checkSetting(
      readOnly === 'off',
      `${settings.source}: this leads to a standby, or to a database or user that is read-only.`,
    );
    await migrate(client, settings);
    isBroken = false;
    return settings.pooler ?? (client.processID != null && String(client.processID) !== pid);
  } finally {
    loan?.release(isBroken);
    loan?.off?.('error', ignore);
  }
}

/** A connection to listen on, not connected yet. */
export async function createListener(settings: Settings): Promise<Client> {
  const { default: pg } = await importDriver('pg', () => import('pg'));
  const { pool, connection, listen } = settings;
  // A pool's options are handed on as they are: it keeps the password where a copy would not find it.
  if (pool && !listen) return new pg.Client((pool as PgPool).options);
  return new pg.Client({ ...defaults, ...(listen || connection) });
}
