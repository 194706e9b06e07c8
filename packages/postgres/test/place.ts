import type { ConformanceAddress, ConformancePlace } from '@sched/core/conformance';
import { PostgresDataStore } from '@sched/postgres';
import pg from 'pg';

/** A name that no other test has. */
export function freshName(): string {
  return `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
}

/** Runs statements on a connection of their own. */
export async function query(url: string, sql: string, values?: unknown[]) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** The URL with another host and port in it. */
function addressed(url: string, address: ConformanceAddress | undefined): string {
  if (!address) return url;
  return Object.assign(new URL(url), { hostname: address.host, port: String(address.port) }).href;
}

/** Makes what the server counts by statement readable, if it counts. @returns whether it does */
async function canCount(url: string): Promise<boolean> {
  const [row] = await query(url, "SELECT current_setting('shared_preload_libraries') AS loaded");
  if (!row.loaded.includes('pg_stat_statements')) return false;
  // In one transaction, since two that create it at the same time would fail.
  await query(
    url,
    `SELECT pg_advisory_xact_lock(1); CREATE SCHEMA IF NOT EXISTS counters;
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA counters`,
  );
  return true;
}

/** What the statements that name the schema have come to. */
async function workIn(url: string, schema: string) {
  const [row] = await query(
    url,
    `SELECT sum(shared_blks_hit + shared_blks_read)::float8 AS pages, sum(rows)::float8 AS rows
    FROM counters.pg_stat_statements WHERE query LIKE '%' || $1 || '%'`,
    [schema],
  );
  return { pages: Number(row.pages), rows: Number(row.rows) };
}

/** The server counts so many statements and no more: those of a place that is gone would push out others. */
async function forget(url: string, schema: string) {
  await query(
    url,
    `SELECT counters.pg_stat_statements_reset(userid, dbid, queryid)
    FROM counters.pg_stat_statements WHERE query LIKE '%' || $1 || '%'`,
    [schema],
  );
}

/** A schema of its own, for the conformance kit. */
export async function createPlace(url: string, schema = freshName()): Promise<ConformancePlace> {
  const { hostname, port } = new URL(url);
  const isCounted = await canCount(url);
  return {
    ...(isCounted && { work: () => workIn(url, schema) }),
    connect: (options, address) =>
      new PostgresDataStore({ url: addressed(url, address), schema, ...options }),
    address: { host: hostname, port: Number(port) },
    process: { module: new URL('connect.js', import.meta.url).href, argument: { url, schema } },
    async beginTransaction() {
      const tx = new pg.Client(url);
      await tx.connect();
      await tx.query('BEGIN');
      const end = (sql: string) => async () => {
        await tx.query(sql);
        await tx.end();
      };
      return { tx, commit: end('COMMIT'), rollback: end('ROLLBACK') };
    },
    async dispose() {
      await query(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      if (isCounted) await forget(url, schema);
    },
  };
}
