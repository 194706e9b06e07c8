import type { ConformanceAddress, ConformancePlace } from '@sched/core/conformance';
import { MysqlDataStore } from '@sched/mysql';
import mysql from 'mysql2/promise';

/** A name that no other test has. */
export function freshName(): string {
  return `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
}

/** Runs statements on a connection of their own. @returns the rows of the last */
export async function query(url: string, ...statements: readonly string[]) {
  const connection = await mysql.createConnection(url);
  try {
    let rows: mysql.RowDataPacket[] = [];
    for (const sql of statements) [rows] = await connection.query<mysql.RowDataPacket[]>(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

/** The URL of a database on the same server. */
export function databaseUrl(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href;
}

/** The URL with another host and port in it. */
function addressed(url: string, address: ConformanceAddress | undefined): string {
  if (!address) return url;
  return Object.assign(new URL(url), { hostname: address.host, port: String(address.port) }).href;
}

/** Where the servers say how many rows of a database were read: MySQL, and MariaDB, which does so when it is told to. */
const counters = [
  {
    setting: '@@performance_schema',
    sql: `SELECT SUM(count_read) AS number FROM performance_schema.table_io_waits_summary_by_table
      WHERE object_schema = ?`,
  },
  {
    setting: '@@userstat',
    sql: 'SELECT SUM(rows_read) AS number FROM information_schema.table_statistics WHERE table_schema = ?',
  },
];

/** How to ask for the rows that were read in a database; nothing where the server does not count them. */
async function counterOf(url: string): Promise<string | undefined> {
  for (const { setting, sql } of counters) {
    const rows = await query(url, `SELECT ${setting} AS isOn`).catch(() => []);
    if (Number(rows[0]?.isOn) === 1) return sql;
  }
  return undefined;
}

/** A database of its own, for the conformance kit. */
export async function createPlace(server: string): Promise<ConformancePlace> {
  const database = freshName();
  const url = databaseUrl(server, database);
  const { hostname, port } = new URL(server);
  await query(server, `CREATE DATABASE ${database}`);
  const counter = await counterOf(server);
  return {
    ...(counter && {
      async work() {
        const [row] = await query(server, mysql.format(counter, [database]));
        return { 'rows read': Number(row?.number) };
      },
    }),
    // The cases that run at once have many handles, and together no more connections than a server takes.
    connect: (options, address) =>
      new MysqlDataStore({
        connection: { uri: addressed(url, address), connectionLimit: 5 },
        ...options,
      }),
    address: { host: hostname, port: Number(port) },
    process: { module: new URL('connect.js', import.meta.url).href, argument: { url } },
    async beginTransaction() {
      const tx = await mysql.createConnection(url);
      await tx.beginTransaction();
      const end = (how: 'commit' | 'rollback') => async () => {
        await tx[how]();
        await tx.end();
      };
      return { tx, commit: end('commit'), rollback: end('rollback') };
    },
    async dispose() {
      await query(server, `DROP DATABASE IF EXISTS ${database}`);
    },
  };
}
