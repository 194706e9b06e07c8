import { MysqlDataStore } from '@sched/mysql';
import mysql from 'mysql2/promise';
import type { BareLoop, Database } from '../database.ts';

/** MySQL and MariaDB, which are measured alike. */
export function mysqlDatabase(name: 'mysql' | 'mariadb'): Database {
  return {
    name,
    service: name,
    count: 30_000,
    farFuture: 200_000,
    async createPlace(url) {
      const database = `bench_${crypto.randomUUID().slice(0, 8)}`;
      const connection = await mysql.createConnection(url);
      await connection.query(`CREATE DATABASE ${database}`);
      await connection.query(`USE ${database}`);
      const here = new URL(url);
      here.pathname = database;
      return {
        connect: (options) => new MysqlDataStore({ url: here.href, ...options }),
        openBareLoop: () => bareLoop(connection),
        async dispose() {
          await connection.query(`DROP DATABASE ${database}`);
          await connection.end();
        },
      };
    },
  };
}

async function bareLoop(connection: mysql.Connection): Promise<BareLoop> {
  await connection.query(`
    CREATE TABLE task (id varchar(300) COLLATE utf8mb4_bin PRIMARY KEY, due bigint, body longtext,
      INDEX due (due))`);
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return {
    async insert(tasks) {
      const rows = tasks.map(({ id, due, body }) => [id, due, body]);
      await connection.query('INSERT INTO task VALUES ?', [rows]);
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
      return ids;
    },
    async complete(ids) {
      await connection.query('DELETE FROM task WHERE id IN (?)', [ids]);
    },
  };
}
