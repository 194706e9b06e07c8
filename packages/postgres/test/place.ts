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

/** A schema of its own, for the conformance kit. */
export function createPlace(url: string): ConformancePlace {
  const schema = freshName();
  const { hostname, port } = new URL(url);
  return {
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
    },
  };
}
