import type { MysqlDataStoreOptions, MysqlPool, MysqlPoolConnection } from '@sched/mysql';
import { MysqlDataStore } from '@sched/mysql';
import { cleanup } from '@sched-tooling/adapter-tests';
import mysql from 'mysql2/promise';
import { databaseUrl, freshName, query } from './place.js';

/** What tests make on one server, gone after each of them. */
export function workbench(url: string) {
  const later = cleanup();

  const bench = {
    url,
    later,
    query: (...statements: readonly string[]) => query(url, ...statements),

    /** The URL of a database of its own. */
    async database(): Promise<string> {
      const name = freshName();
      await query(url, `CREATE DATABASE ${name}`);
      later(() => query(url, `DROP DATABASE ${name}`));
      return databaseUrl(url, name);
    },

    /** An open store, in a database of its own unless told otherwise, at the time 1000. */
    async open(options: Partial<MysqlDataStoreOptions> = {}): Promise<MysqlDataStore> {
      const source =
        options.url || options.pool || options.connection ? {} : { url: await bench.database() };
      const given = { ...source, clock: () => 1000, ...options };
      const store = new MysqlDataStore(given as MysqlDataStoreOptions);
      later(() => store.close());
      await store.open();
      return store;
    },

    /** A user with these rights, `$user` being its name, and nothing else. @returns the URL by which it connects */
    async user(address: string, ...statements: readonly string[]): Promise<string> {
      const name = freshName();
      await query(url, `CREATE USER ${name} IDENTIFIED BY 'hunter2'`);
      later(() => query(url, `DROP USER ${name}`));
      await query(address, ...statements.map((sql) => sql.replaceAll('$user', name)));
      return Object.assign(new URL(address), { username: name, password: 'hunter2' }).href;
    },

    async connection(address: string): Promise<mysql.Connection> {
      const connection = await mysql.createConnection(address);
      later(() => connection.end());
      return connection;
    },

    pool(address: string, options: mysql.PoolOptions = {}): mysql.Pool {
      const pool = mysql.createPool({ uri: address, ...options });
      later(() => pool.end());
      return pool;
    },
  };
  return bench;
}

/** A pool that passes every statement to this function first. */
export function listening(pool: mysql.Pool, hear: (sql: string) => void): MysqlPool {
  return {
    async getConnection(): Promise<MysqlPoolConnection> {
      const connection = await pool.getConnection();
      return {
        query(statement) {
          hear(statement.sql);
          return connection.query(statement);
        },
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      };
    },
  };
}
