import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import type { MysqlDataStoreOptions, MysqlPool } from '@sched/mysql';
import { MysqlDataStore } from '@sched/mysql';
import {
  claimAll,
  failure,
  record,
  records,
  settlement,
  testOptionNames,
} from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import callbacks from 'mysql2';
import mysql from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { databaseUrl, freshName } from './place.js';
import { workbench } from './support.js';

describe('options', () => {
  const url = 'mysql://bob:hunter2@127.0.0.1/db';
  const pool = mysql.createPool(url);

  test.each<[string, Record<string, unknown>]>([
    ['url', {}],
    ['url', { url, pool }],
    ['connection', { url, connection: {} }],
    ['pool', { connection: {}, pool }],
    ['url', { url: '' }],
    ['url', { url: 'bob:hunter2@127.0.0.1/db' }],
    ['url', { url: 'postgres://bob:hunter2@127.0.0.1/db' }],
    ['url', { url: 'mysql://bob:hunter2/3@127.0.0.1/db' }],
    ['pool', { pool: {} }],
    ['pool', { pool: 'hunter2' }],
    ['historyLimit', { url, historyLimit: 1.5 }],
    ['historyLimit', { url, historyLimit: -1 }],
    ['historyMaxAgeMs', { url, historyMaxAgeMs: 0 }],
    ['historyMaxAgeMs', { url, historyMaxAgeMs: Number.NaN }],
  ])(
    '%s is refused when it cannot be, and shows no password (case %#)',
    async (setting, options) => {
      const make = () => new MysqlDataStore(options as unknown as MysqlDataStoreOptions);
      const error = await failure(make, 'SCHED_STORE_CONFIG');
      expect(error.message).toContain(setting);
      expect(inspect(error)).not.toContain('hunter2');
    },
  );

  const make = (options: unknown) => new MysqlDataStore(options as MysqlDataStoreOptions);
  testOptionNames(make, { url, namespace: 'a', migrate: false });

  const impossible = [
    '',
    '1a',
    'a"b',
    "a'b",
    'a`b',
    'a.b',
    'a b',
    'a$b',
    'a{b}',
    'a\0',
    'a\n',
    'é',
  ];

  test.each([...impossible, 'A', 'a;DROP TABLE t;--', 'a'.repeat(32), 'a'.repeat(300)])(
    'the namespace may not be %j',
    async (namespace) => {
      const make = () => new MysqlDataStore({ url, namespace });
      expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain('namespace');
    },
  );

  test('it takes part in transactions, keeps a history, and watches', () => {
    expect(new MysqlDataStore({ url }).capabilities).toEqual({
      ...{ history: true, latestHistory: false, transactions: true, processes: true, watch: true },
    });
  });
});

await describeOnEach(['mysql', 'mariadb'], 'opening a store', ({ url }) => {
  const bench = workbench(url);

  /** The URL with some parts replaced. */
  function altered(parts: Partial<URL>): string {
    return Object.assign(new URL(url), parts).href;
  }

  /** A server of the test's own, which does this to whoever connects. */
  async function serve(answer: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    bench.later(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    return altered({ port: String(typeof address === 'object' && address?.port) });
  }

  /** A pool that answers the question for the server's settings with some of them replaced. */
  function withSettings(pool: mysql.Pool, replaced: Record<number, unknown>): MysqlPool {
    return {
      async getConnection() {
        const connection = await pool.getConnection();
        return {
          async query(statement) {
            const [rows, fields] = await connection.query(statement);
            if (!statement.sql.includes('VERSION()')) return [rows, fields];
            const [row] = rows as unknown as unknown[][];
            return [[row?.map((value, index) => replaced[index] ?? value)], fields];
          },
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        };
      },
    };
  }

  test.each([
    ['the password', () => altered({ password: 'hunter2' }), /password/],
    ['the user', () => altered({ username: 'nobody', password: 'hunter2' }), /user/],
    ['the database', () => altered({ pathname: '/nowhere' }), /database.*nowhere/],
  ])('names what is wrong: %s', async (_, address, setting) => {
    const error = await failure(() => bench.open({ url: address() }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(setting);
    expect(error.message).toContain('url');
    expect(error.cause).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  test('a database has to be selected', async () => {
    const open = () => bench.open({ url: altered({ pathname: '/' }) });
    const error = await failure(open, 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/url: No database .*Check database/);
  });

  test('names connection and pool likewise, and leaves the pool alone', async () => {
    const address = altered({ password: 'hunter2' });
    const error = await failure(
      () => bench.open({ connection: { uri: address } }),
      'SCHED_STORE_CONFIG',
    );
    expect(error.message).toContain('(connection)');
    const pool = bench.pool(address);
    const other = await failure(() => bench.open({ pool }), 'SCHED_STORE_CONFIG');
    expect(other.message).toContain('(pool)');
    await expect(pool.getConnection()).rejects.toMatchObject({ errno: 1045 });
  });

  test('a server that cannot be reached may be reached later', async () => {
    const address = await serve((socket) => socket.destroy());
    await failure(() => bench.open({ url: address }), 'SCHED_STORE_UNAVAILABLE');
    for (const nobody of [altered({ port: '1' }), altered({ port: '1', hostname: 'localhost' })]) {
      const error = await failure(() => bench.open({ url: nobody }), 'SCHED_STORE_UNAVAILABLE');
      expect(error.message).toMatch(/ECONNREFUSED.*:1\. Check host and port/);
    }
    const lost = altered({ hostname: 'nowhere.invalid' });
    const error = await failure(() => bench.open({ url: lost }), 'SCHED_STORE_UNAVAILABLE');
    expect(error.message).toMatch(/nowhere\.invalid.*host/);
  });

  test('a server that never answers is given up', async () => {
    const uri = await serve(() => {});
    await failure(
      () => bench.open({ connection: { uri, connectTimeout: 50 } }),
      'SCHED_STORE_UNAVAILABLE',
    );
  });

  test('something else than MySQL is not taken for it', async () => {
    const address = await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const error = await failure(() => bench.open({ url: address }), 'SCHED_STORE_UNAVAILABLE');
    expect(inspect(error)).not.toContain('hunter2');
  });

  test('a user without rights is told which are missing', async () => {
    const database = await bench.database();
    const nothing = await bench.user(database, 'GRANT USAGE ON *.* TO $user');
    const error = await failure(() => bench.open({ url: nothing }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/denied.*Grant it/);
  });

  test('a user who may use the tables, but not make any, works with tables that are there', async () => {
    const database = await bench.database();
    await (await bench.open({ url: database })).close();
    const name = new URL(database).pathname.slice(1);
    const address = await bench.user(
      database,
      `GRANT SELECT ON ${name}.sched_meta TO $user`,
      ...['sched_tasks', 'sched_history', 'sched_counter'].map(
        (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${name}.${table} TO $user`,
      ),
    );
    const store = await bench.open({ url: address });
    await store.insert([record('a')]);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    const history = [{ taskId: 'a', id: 'run', at: 1000, body: '{}' }];
    const settled = await store.settle([settlement(task, { history, spawn: [record('b')] })]);
    expect(settled).toEqual(['settled']);
    expect(await store.remove({ all: true })).toBe(2);
  });

  test.each([
    ['a charset that cannot hold every text', { 1: 'latin1' }, /charset.*utf8mb4.*latin1/],
    ['no autocommit', { 4: 0 }, /autocommit/],
    ['a replica', { 5: 1 }, /read-only/],
  ])('settings that cannot work are refused: %s', async (_, replaced, message) => {
    const pool = bench.pool(await bench.database());
    const error = await failure(
      () => bench.open({ pool: withSettings(pool, replaced) }),
      'SCHED_STORE_CONFIG',
    );
    expect(error.message).toMatch(/^pool: /);
    expect(error.message).toMatch(message);
  });

  test('connections of the user’s own in another charset are refused', async () => {
    const pool = bench.pool(await bench.database(), { charset: 'latin1' });
    const error = await failure(() => bench.open({ pool }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/charset.*latin1/);
    const connection = { uri: await bench.database(), charset: 'latin1' };
    const store = await bench.open({ connection });
    await store.insert([record('🎉')]);
    expect(await store.get(['🎉'])).toMatchObject([{ id: '🎉' }]);
  });

  test.each([
    ['8.0.18', /MySQL 8\.0\.18.*MySQL 8\.0\.19/],
    ['5.7.44-log', /MySQL 5\.7\.44.*8\.0/],
    ['10.5.29-MariaDB', /MariaDB 10\.5\.29.*MariaDB 10\.6\.0/],
    ['5.5.5-10.5.9-MariaDB-log', /10\.5\.9.*10\.6/],
    ['something', /something/],
  ])(
    'a server that is too old is named, with the oldest that will do: %s',
    async (version, message) => {
      const pool = withSettings(bench.pool(await bench.database()), { 0: version });
      const error = await failure(() => bench.open({ pool }), 'SCHED_STORE_UNSUPPORTED');
      expect(error.message).toMatch(message);
    },
  );

  test('a server without what is needed is named, whatever it calls itself', async () => {
    const pool = bench.pool(await bench.database());
    const poor: MysqlPool = {
      async getConnection() {
        const connection = await pool.getConnection();
        return {
          query: ({ sql, ...rest }) =>
            connection.query({ ...rest, sql: sql.replace('CREATE TABLE', 'CREATE NOTHING') }),
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        };
      },
    };
    const error = await failure(() => bench.open({ pool: poor }), 'SCHED_STORE_UNSUPPORTED');
    expect(error.message).toContain('README');
  });

  test('a store that could not be opened can be opened once the reason is gone', async () => {
    const name = freshName();
    const store = new MysqlDataStore({ url: databaseUrl(url, name) });
    bench.later(() => store.close());
    await failure(() => store.open(), 'SCHED_STORE_CONFIG');
    await bench.query(`CREATE DATABASE ${name}`);
    bench.later(() => bench.query(`DROP DATABASE ${name}`));
    await store.open();
    expect(await store.count({})).toBe(0);
  });

  test('a store can be closed while it is being opened, and opened again', async () => {
    const store = new MysqlDataStore({ url: await bench.database() });
    bench.later(() => store.close());
    await Promise.all([store.open(), store.close()]);
    await failure(() => store.count({}), 'SCHED_STORE_CLOSED');
    await store.open();
    await Promise.all([store.close(), store.open()]);
    expect(await store.count({})).toBe(0);
  });

  test('its time is the server’s, in whatever time zone a session is', async () => {
    const pool = bench.pool(await bench.database(), { connectionLimit: 1 });
    await pool.query("SET time_zone = '+05:30'");
    const store = new MysqlDataStore({ pool });
    await store.open();
    const [before, now, after] = [Date.now(), await store.now(), Date.now()];
    expect(now).toBeGreaterThanOrEqual(before - 5);
    expect(now).toBeLessThanOrEqual(after + 5);
    await store.insert([record('a')]);
    const claimed = await store.claim({ ...claimAll, leaseMs: 60_000 });
    expect(claimed.now).toBeGreaterThanOrEqual(now);
    expect(claimed.now).toBeLessThanOrEqual(Date.now() + 5);
    expect(claimed.nextWakeAt).toBe(claimed.now + 60_000);
    const [task] = claimed.tasks;
    if (!task) throw new Error('a task was claimed');
    const week = 7 * 24 * 3_600_000;
    const ages = { new: 0, kept: week - 60_000, old: week + 60_000 };
    const history = Object.entries(ages).map(([id, age]) => ({
      ...{ taskId: 'a', id, at: now - age, body: '{}' },
    }));
    expect(await store.settle([settlement(task, { history })])).toEqual(['settled']);
    expect((await store.history('a', 9)).map(({ id }) => id)).toEqual(['new', 'kept']);
  });
});

await describeOnEach(['mysql', 'mariadb'], 'the schema', ({ url }) => {
  const bench = workbench(url);

  async function things(database: string): Promise<string[]> {
    const name = `'${new URL(database).pathname.slice(1)}'`;
    const rows = await bench.query(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${name}
      ORDER BY name`,
    );
    return rows.map((row) => String(row.name));
  }

  test('stores with different namespaces share a database and nothing else', async () => {
    const database = await bench.database();
    const [a, b] = await Promise.all(
      ['a', 'a_tasks'].map((namespace) => bench.open({ url: database, namespace })),
    );
    if (!a || !b) throw new Error('two were opened');
    await a.insert([record('x', { group: 'g' })]);
    expect(await b.count({})).toBe(0);
    expect((await b.claim(claimAll)).nextWakeAt).toBe(null);
    expect(await b.remove({ all: true })).toBe(0);
    expect(await b.setPaused({ group: 'g' }, true)).toBe(0);
    expect(await a.count({})).toBe(1);
  });

  test('a namespace as long as can be works', async () => {
    const namespace = 'n'.repeat(31);
    const store = await bench.open({ namespace });
    await store.insert([record('a')]);
    expect((await store.claim(claimAll)).tasks).toHaveLength(1);
  });

  test('a newer one is refused and left alone', async () => {
    const database = await bench.database();
    await (await bench.open({ url: database })).close();
    const client = await bench.connection(database);
    await client.query("UPDATE sched_meta SET value = 99 WHERE name = 'schema'");
    const before = await things(database);
    for (const migrate of [true, false]) {
      const open = () => bench.open({ url: database, migrate });
      const error = await failure(open, 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('version 99');
      expect(error.message).toContain('Install');
    }
    expect(await things(database)).toEqual(before);
  });

  test('migrate: false creates nothing, and refuses what is missing or old', async () => {
    const database = await bench.database();
    const open = () => bench.open({ url: database, migrate: false });
    expect((await failure(open, 'SCHED_STORE_SCHEMA')).message).toContain('migrate');
    expect(await things(database)).toEqual([]);
    await (await bench.open({ url: database })).close();
    expect(await (await open()).insert([record('a')])).toEqual(['inserted']);
    const client = await bench.connection(database);
    await client.query('UPDATE sched_meta SET value = 0');
    await failure(open, 'SCHED_STORE_SCHEMA');
  });

  test('what a migration that was broken off has left is completed', async () => {
    const database = await bench.database();
    const client = await bench.connection(database);
    await (await bench.open({ url: database })).close();
    await client.query('DELETE FROM sched_meta');
    await client.query('DROP TABLE sched_history');
    const store = await bench.open({ url: database });
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    expect(await store.history('a', 1)).toEqual([]);
  });

  test.each(['sched_tasks (theirs INT)', 'sched_meta (theirs INT)', 'sched_history (theirs INT)'])(
    'somebody else’s tables of the same name are left alone: %s',
    async (table) => {
      const database = await bench.database();
      const client = await bench.connection(database);
      await client.query(`CREATE TABLE ${table}`);
      const pool = bench.pool(database, { connectionLimit: 1 });
      const error = await failure(() => bench.open({ pool }), 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('namespace');
      expect(await things(database)).toHaveLength(1);
      expect((await pool.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    },
  );

  test('tables that vanish are reported as such', async () => {
    const database = await bench.database();
    const store = await bench.open({ url: database });
    await (await bench.connection(database)).query('DROP TABLE sched_tasks');
    await failure(() => store.get(['a']), 'SCHED_STORE_SCHEMA');
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_SCHEMA');
    await failure(() => store.claim(claimAll), 'SCHED_STORE_SCHEMA');
  });

  test('an operator’s own UPDATE keeps the index of what is due right', async () => {
    const database = await bench.database();
    const store = await bench.open({ url: database });
    await store.insert([record('a'), record('b', { runAt: 5000 })]);
    const client = await bench.connection(database);
    await client.query("UPDATE sched_tasks SET paused = true WHERE id = 'a'");
    await client.query("UPDATE sched_tasks SET run_at = 900 WHERE id = 'b'");
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(tasks.map(({ id }) => id)).toEqual(['b']);
    expect(nextWakeAt).toBe(2000);
  });
});

await describeOnEach(['mysql', 'mariadb'], 'a pool of the user’s own', ({ url }) => {
  const bench = workbench(url);

  async function useAll(store: MysqlDataStore) {
    await store.insert(records(3, 'task-', { group: 'g' }));
    const { tasks } = await store.claim(claimAll);
    const leases = tasks.map(({ id, lease }) => ({ id, token: lease.token }));
    await store.extend(leases, 1000);
    const history = [{ taskId: 'task-0', id: 'run', at: 1000, body: '{}' }];
    await store.settle(tasks.map((task) => settlement(task, { history })));
    await store.release(leases);
    await store.list({ limit: 1 });
    await store.history('task-0', 1);
    await store.setPaused({ group: 'g' }, true);
    await store.remove({ all: true });
  }

  test('is neither ended nor configured, and its connections are as they were', async () => {
    const pool = bench.pool(await bench.database(), { connectionLimit: 1 });
    const state = async () => {
      const [rows] = await pool.query('SHOW SESSION VARIABLES');
      const counted =
        /^(timestamp|rand_seed|last_insert_id|identity|pseudo_thread_id|error_count|warning_count|gtid|last_gtid|statement_id|optimizer_trace|in_transaction)/i;
      const variables = rows as { readonly Variable_name: string }[];
      const [ids] = await pool.query('SELECT CONNECTION_ID() AS id');
      return [variables.filter((row) => !counted.test(row.Variable_name)), ids];
    };
    const before = await state();
    const store = await bench.open({ pool });
    await useAll(store);
    await store.close();
    expect(await state()).toEqual(before);
  });

  test('may have callbacks instead of promises', async () => {
    const pool = callbacks.createPool({ uri: await bench.database() });
    bench.later(() => pool.promise().end());
    await useAll(await bench.open({ pool }));
  });

  test('may be a connection, which is not ended either', async () => {
    const connection = await bench.connection(await bench.database());
    const store = await bench.open({ pool: connection });
    await useAll(store);
    await store.insert([record('a')]);
    expect((await store.claim(claimAll)).tasks).toMatchObject([{ id: 'a', deliveries: 1 }]);
    await store.insert([record('b')]);
    const { tasks } = await store.claim(claimAll);
    const settling = store.settle(tasks.map((task) => settlement(task, { next: null })));
    const calls = [settling, store.insert([record('c')]), store.claim(claimAll), store.count({})];
    await Promise.all(calls);
    expect(await store.count({})).toBe(2);
    await store.close();
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
  });

  test.each<[string, mysql.PoolOptions]>([
    ['types cast', { typeCast: (field, next) => ({ [field.name]: next() }) }],
    ['numbers as strings', { supportBigNumbers: true, bigNumberStrings: true }],
    ['rows as arrays', { rowsAsArray: true }],
    ['placeholders with names', { namedPlaceholders: true }],
    ['several statements at once', { multipleStatements: true }],
  ])('may have its own form of rows and statements: %s', async (_, options) => {
    const pool = bench.pool(await bench.database(), options);
    const store = await bench.open({ pool });
    await store.insert([record('a', { group: 'g' })]);
    const { tasks, now } = await store.claim(claimAll);
    expect(now).toBe(1000);
    expect(tasks).toMatchObject([
      { id: 'a', group: 'g', runAt: 1000, paused: false, wakeAt: 2000, lapsedOwner: null },
    ]);
    expect(await store.count({})).toBe(1);
    await useAll(store);
  });

  test.each(['NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES', 'PIPES_AS_CONCAT', ''])(
    'may be in any mode: %j',
    async (mode) => {
      const pool = bench.pool(await bench.database(), { connectionLimit: 1 });
      await pool.query(`SET SESSION sql_mode = '${mode}'`);
      const store = await bench.open({ pool });
      const id = `'; -- \\ "\``;
      const given = record(id, { group: id, body: `"${id}"` });
      expect(await store.insert([given])).toEqual(['inserted']);
      expect(await store.get([id])).toMatchObject([given]);
      expect((await store.list({ group: id, limit: 1 })).tasks).toMatchObject([given]);
      await failure(() => store.insert([record('x'.repeat(301))]), 'SCHED_ARGUMENT_INVALID');
      const [rows] = await pool.query('SELECT @@sql_mode AS mode');
      expect(rows).toEqual([{ mode }]);
    },
  );

  test('its connections are given back when a call fails', async () => {
    const pool = bench.pool(await bench.database(), { connectionLimit: 1 });
    const store = await bench.open({ pool });
    for (let tries = 0; tries < 5; tries++) {
      await failure(() => store.insert([record('x'.repeat(301))]), 'SCHED_ARGUMENT_INVALID');
    }
    expect(await store.count({})).toBe(0);
  });
});
