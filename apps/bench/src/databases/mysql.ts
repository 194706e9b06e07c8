import { MysqlDataStore } from '@sched/mysql';
import mysql from 'mysql2/promise';
import type { BareLoop, Database, Place } from '../database.ts';

/** MySQL and MariaDB, which are measured alike. */
export function mysqlDatabase(name: 'mysql' | 'mariadb'): Database {
  return {
    name,
    service: name,
    durability: 'innodb_flush_log_at_trx_commit 1: a commit waits for the disk',
    count: 30_000,
    farFuture: 200_000,
    async createPlace(url, place) {
      await onServer(url, (connection) => connection.query(`CREATE DATABASE ${place}`));
      const own = new URL(url);
      own.pathname = place;
      return { database: name, url: own.href, name: place };
    },
    async removePlace({ url, name: place }) {
      await onServer(url, (connection) => connection.query(`DROP DATABASE ${place}`));
    },
    countStatements: ({ url }) =>
      onServer(url, async (connection) => {
        const [rows] = await connection.query<mysql.RowDataPacket[]>(
          "SHOW GLOBAL STATUS LIKE 'Questions'",
        );
        return Number(rows[0]?.Value);
      }),
    store: ({ url }, options) => new MysqlDataStore({ url, ...options }),
    openBareLoop,
  };
}

async function onServer<T>(
  url: string,
  use: (connection: mysql.Connection) => Promise<T>,
): Promise<T> {
  const connection = await mysql.createConnection(url);
  try {
    return await use(connection);
  } finally {
    await connection.end();
  }
}

async function openBareLoop({ url }: Place): Promise<BareLoop> {
  // Claims are transactions, which need a connection of their own.
  const pool = mysql.createPool(url);
  const connection = await mysql.createConnection(url);
  await connection.query(`
    CREATE TABLE IF NOT EXISTS task (id varchar(300) COLLATE utf8mb4_bin PRIMARY KEY, due bigint, body longtext,
      INDEX due (due))`);
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return {
    async insert(tasks) {
      const rows = tasks.map(({ id, due, body }) => [id, due, body]);
      await pool.query('INSERT INTO task VALUES ?', [rows]);
    },
    async claim(limit, now, leaseEnd) {
      await connection.query('BEGIN');
      const [rows] = await connection.query<mysql.RowDataPacket[]>(
        'SELECT id, body FROM task WHERE due <= ? ORDER BY due LIMIT ? FOR UPDATE SKIP LOCKED',
        [now, limit],
      );
      const ids = rows.map(({ id }) => id as string);
      if (ids.length > 0) {
        await connection.query('UPDATE task SET due = ? WHERE id IN (?)', [leaseEnd, ids]);
      }
      await connection.query('COMMIT');
      return new Map(rows.map(({ id, body }) => [id, body]));
    },
    async complete(ids) {
      await pool.query('DELETE FROM task WHERE id IN (?)', [ids]);
    },
    async count() {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(
        'SELECT count(*) AS count FROM task',
      );
      return Number(rows[0]?.count);
    },
    async close() {
      await connection.end();
      await pool.end();
    },
  };
}
