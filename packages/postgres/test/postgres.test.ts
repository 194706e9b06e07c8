import { createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import type { PgPool, PostgresDataStoreOptions } from '@sched/postgres';
import { PostgresDataStore } from '@sched/postgres';
import {
  claimAll,
  failure,
  record,
  records,
  settlement,
  testOptionNames,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { freshName } from './place.js';
import { listeningTo, workbench } from './support.js';

describe('options', () => {
  const url = 'postgres://bob:hunter2@127.0.0.1/db';
  const pool = new pg.Pool();

  test.each<[string, Record<string, unknown>]>([
    ['url', {}],
    ['url', { url, pool }],
    ['connection', { url, connection: {} }],
    ['pool', { connection: {}, pool }],
    ['url', { url: '' }],
    ['url', { url: 'bob:hunter2@127.0.0.1/db' }],
    ['url', { url: 'mysql://bob:hunter2@127.0.0.1/db' }],
    ['url', { url: 'postgres://bob:hunter2/3@127.0.0.1/db' }],
    ['listen', { url, listen: 'redis://bob:hunter2@127.0.0.1' }],
    ['pool', { pool: {} }],
    ['pool', { pool: 'hunter2' }],
    ['historyLimit', { url, historyLimit: 1.5 }],
    ['historyLimit', { url, historyLimit: -1 }],
    ['historyMaxAgeMs', { url, historyMaxAgeMs: 0 }],
    ['historyMaxAgeMs', { url, historyMaxAgeMs: Number.NaN }],
  ])(
    '%s is refused when it cannot be, and shows no password (case %#)',
    async (setting, options) => {
      const make = () => new PostgresDataStore(options as unknown as PostgresDataStoreOptions);
      const error = await failure(make, 'SCHED_STORE_CONFIG');
      expect(error.message).toContain(setting);
      expect(inspect(error)).not.toContain('hunter2');
    },
  );

  const make = (options: unknown) => new PostgresDataStore(options as PostgresDataStoreOptions);
  const names = { schema: 'a', namespace: 'a' };
  testOptionNames(make, { url, ...names, migrate: false, pooler: true, listen: false });

  const impossible = ['', '1a', 'a"b', "a'b", 'a.b', 'a b', 'a$b', 'a{b}', 'a\0', 'a\n', 'é', 'A'];

  test.each([...impossible, 'a;DROP TABLE t;--', 'a'.repeat(32), 'a'.repeat(300)])(
    'neither schema nor namespace may be %j',
    async (name) => {
      for (const setting of ['schema', 'namespace']) {
        const make = () => new PostgresDataStore({ url, [setting]: name });
        expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain(setting);
      }
    },
  );

  test('what a store can do depends on how notifications can reach it', () => {
    const canWatch = (options: PostgresDataStoreOptions) =>
      new PostgresDataStore(options).capabilities.watch;
    const client = new pg.Client(url);
    expect(canWatch({ url })).toBe(true);
    expect(canWatch({ pool })).toBe(true);
    expect(canWatch({ pool: client })).toBe(false);
    expect(canWatch({ pool: client, listen: url })).toBe(true);
    expect(canWatch({ url, listen: false })).toBe(false);
    expect(canWatch({ url, pooler: true })).toBe(false);
    expect(canWatch({ url, pooler: true, listen: url })).toBe(true);
    const rest = { history: true, latestHistory: true, transactions: true, processes: true };
    expect(new PostgresDataStore({ url }).capabilities).toEqual({ watch: true, ...rest });
  });
});

await describeOn('postgres', 'opening a store', ({ url }) => {
  const bench = workbench(url);
  const open = async (options: PostgresDataStoreOptions) => {
    const store = new PostgresDataStore(options);
    bench.later(() => store.close());
    await store.open();
    return store;
  };

  /** The URL with some parts replaced. */
  function altered(parts: Partial<URL>): string {
    return Object.assign(new URL(url), parts).href;
  }

  /** A server of the test's own, which answers whoever connects. */
  async function serve(answer: (socket: Socket) => void): Promise<string> {
    const server: Server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    bench.later(async () => server.close());
    const address = server.address();
    return altered({ port: String(typeof address === 'object' && address?.port) });
  }

  /** A user with these rights and nothing else. */
  async function user(sql: string): Promise<string> {
    const name = freshName();
    await bench.query(`CREATE ROLE ${name} LOGIN PASSWORD 'hunter2'`);
    bench.later(() => bench.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`));
    await bench.query(sql.replaceAll('$user', name));
    return altered({ username: name, password: 'hunter2' });
  }

  test.each([
    ['the password', () => altered({ password: 'hunter2' }), /password/],
    ['the user', () => altered({ username: 'nobody' }), /user/],
    ['the database', () => altered({ pathname: '/nowhere' }), /database.*nowhere/],
  ])('names what is wrong: %s', async (_, address, setting) => {
    const error = await failure(() => open({ url: address() }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(setting);
    expect(error.message).toContain('url');
    expect(error.cause).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  test('names connection and pool likewise, and leaves the pool alone', async () => {
    const connection = { connectionString: altered({ password: 'hunter2' }) };
    const error = await failure(() => open({ connection }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain('connection');
    const pool = bench.pool(connection);
    const other = await failure(() => open({ pool }), 'SCHED_STORE_CONFIG');
    expect(other.message).toContain('pool');
    expect(pool.ended).toBe(false);
  });

  test('a server that cannot be reached may be reached later', async () => {
    const address = await serve((socket) => socket.destroy());
    await failure(() => open({ url: address }), 'SCHED_STORE_UNAVAILABLE');
    for (const nobody of [altered({ port: '1' }), altered({ port: '1', hostname: 'localhost' })]) {
      const error = await failure(() => open({ url: nobody }), 'SCHED_STORE_UNAVAILABLE');
      expect(error.message).toMatch(/ECONNREFUSED.*:1\. Check host and port/);
    }
    const lost = altered({ hostname: 'nowhere.invalid' });
    const error = await failure(() => open({ url: lost }), 'SCHED_STORE_UNAVAILABLE');
    expect(error.message).toMatch(/nowhere\.invalid.*host/);
  });

  test('a server that never answers is given up', async () => {
    const address = await serve(() => {});
    const connection = { connectionString: address, connectionTimeoutMillis: 50 };
    await failure(() => open({ connection }), 'SCHED_STORE_UNAVAILABLE');
  });

  test('TLS that the server refuses, or speaks badly, is named', async () => {
    const connection = { connectionString: url, ssl: true };
    const refused = await failure(() => open({ connection }), 'SCHED_STORE_CONFIG');
    expect(refused.message).toMatch(/does not support SSL.*Check ssl/);
    const garbled = await serve((socket) => {
      socket.write('S');
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const error = await failure(
      () => open({ connection: { connectionString: garbled, ssl: true } }),
      'SCHED_STORE_CONFIG',
    );
    expect(error.message).toContain('Check ssl');
  });

  test('a user without rights is told which are missing', async () => {
    const address = await user('SELECT 1');
    const taken = bench.schema();
    await bench.query(`CREATE SCHEMA ${taken}`);
    // One that it may not make, and one that it may not make anything in.
    for (const schema of [freshName(), taken]) {
      const error = await failure(() => open({ url: address, schema }), 'SCHED_STORE_CONFIG');
      expect(error.message).toMatch(/permission denied.*Grant it/);
    }
  });

  test('a user who may use the tables, but not make any, works with tables that are there', async () => {
    const schema = bench.schema();
    await (await bench.open({ schema })).close();
    const address = await user(`
      GRANT USAGE ON SCHEMA ${schema} TO $user;
      GRANT SELECT ON ${schema}.sched_meta TO $user;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.sched_tasks, ${schema}.sched_history TO $user;
      GRANT USAGE ON SEQUENCE ${schema}.sched_counter TO $user;
    `);
    const store = await bench.open({ connection: { connectionString: address }, schema });
    await store.insert([record('a')]);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    const history = [{ taskId: 'a', id: 'run', at: 1000, body: '{}' }];
    const settled = await store.settle([settlement(task, { history, spawn: [record('b')] })]);
    expect(settled).toEqual(['settled']);
    expect(await store.remove({ all: true })).toBe(2);
  });

  test('a server that only reads is refused', async () => {
    const address = await user('ALTER ROLE $user SET default_transaction_read_only = on');
    const error = await failure(() => open({ url: address }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/^url: .*read-only/);
  });

  test('a database whose encoding cannot hold every text is refused', async () => {
    const name = freshName();
    await bench.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
    bench.later(() => bench.query(`DROP DATABASE ${name} WITH (FORCE)`));
    const error = await failure(
      () => open({ url: altered({ pathname: name }) }),
      'SCHED_STORE_CONFIG',
    );
    expect(error.message).toMatch(/LATIN1.*UTF8/);
  });

  test('a server that is too old is named, with the oldest that will do', async () => {
    const pool = bench.pool();
    const asOld: PgPool = {
      ...listeningTo(pool),
      async connect() {
        const client = await pool.connect();
        return {
          query: (text, values) =>
            client.query(text.replace("current_setting('server_version')", "'12.22'"), values),
          release: (destroy) => client.release(destroy),
        };
      },
    };
    const error = await failure(() => open({ pool: asOld }), 'SCHED_STORE_UNSUPPORTED');
    expect(error.message).toMatch(/12\.22.*13/);
  });

  test('a store that could not be opened can be opened once the reason is gone', async () => {
    const name = freshName();
    const store = new PostgresDataStore({ url: altered({ pathname: name }) });
    bench.later(() => bench.query(`DROP DATABASE ${name} WITH (FORCE)`));
    await failure(() => store.open(), 'SCHED_STORE_CONFIG');
    await bench.query(`CREATE DATABASE ${name}`);
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('a store can be closed while it is being opened, and opened again', async () => {
    const store = new PostgresDataStore({ url, schema: bench.schema() });
    await Promise.all([store.open(), store.close()]);
    await failure(() => store.count({}), 'SCHED_STORE_CLOSED');
    await store.open();
    await Promise.all([store.close(), store.open()]);
    expect(await store.count({})).toBe(0);
    await store.close();
  });
});

await describeOn('postgres', 'the schema', ({ url }) => {
  const bench = workbench(url);
  const tables = (schema: string) =>
    bench.query(
      'SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) ORDER BY relname',
      [schema],
    );

  test('stores with different namespaces share a schema and nothing else', async () => {
    const schema = bench.schema();
    const [a, b] = await Promise.all(
      ['a', 'a_tasks'].map((namespace) => bench.open({ schema, namespace })),
    );
    if (!a || !b) throw new Error('two were opened');
    const heard: unknown[] = [];
    await b.watch((wakeUp) => heard.push(wakeUp));
    await a.insert([record('x', { group: 'g' })]);
    expect(await b.count({})).toBe(0);
    expect((await b.claim(claimAll)).nextWakeAt).toBe(null);
    expect(await b.remove({ all: true })).toBe(0);
    expect(await b.setPaused({ group: 'g' }, true)).toBe(0);
    expect(await a.count({})).toBe(1);
    await b.insert([record('y', { queue: 'b' })]);
    await expect.poll(() => heard).toEqual([{ queue: 'b', wakeAt: 1000 }]);
  });

  test('names as long as can be work, notifications included', async () => {
    const schema = freshName().padEnd(31, 'x');
    bench.later(() => bench.query(`DROP SCHEMA ${schema} CASCADE`));
    const store = await bench.open({ schema, namespace: 'n'.repeat(31) });
    const heard: unknown[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.insert([record('a')]);
    await expect.poll(() => heard).toEqual([{ queue: 'q', wakeAt: 1000 }]);
    const names = (await tables(schema)).map(({ relname }) => relname);
    expect(names.every((name) => name.startsWith('n'.repeat(31)) && name.length < 63)).toBe(true);
  });

  test('a newer one is refused and left alone', async () => {
    const schema = bench.schema();
    await (await bench.open({ schema })).close();
    await bench.query(`UPDATE ${schema}.sched_meta SET value = 99 WHERE key = 'schema'`);
    const before = await tables(schema);
    for (const migrate of [true, false]) {
      const error = await failure(() => bench.open({ schema, migrate }), 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('version 99');
      expect(error.message).toContain('Install');
    }
    expect(await tables(schema)).toEqual(before);
  });

  test('migrate: false creates nothing, neither tables nor a schema', async () => {
    const schema = bench.schema();
    const error = await failure(() => bench.open({ schema, migrate: false }), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain('migrate');
    const found = await bench.query('SELECT to_regnamespace($1) AS oid', [schema]);
    expect(found).toEqual([{ oid: null }]);
  });

  test('migrate: false refuses an older one and opens a current one', async () => {
    const schema = bench.schema();
    await (await bench.open({ schema })).close();
    const store = await bench.open({ schema, migrate: false });
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    await bench.query(`UPDATE ${schema}.sched_meta SET value = 0`);
    await failure(() => bench.open({ schema, migrate: false }), 'SCHED_STORE_SCHEMA');
  });

  test.each(['sched_tasks (theirs int)', 'sched_meta (theirs int)', 'sched_history ()'])(
    'somebody else’s tables of the same name are left alone: %s',
    async (table) => {
      const schema = bench.schema();
      await bench.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${table}`);
      const pool = bench.pool({ max: 1 });
      const error = await failure(() => bench.open({ schema, pool }), 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('namespace');
      expect(await tables(schema)).toHaveLength(1);
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    },
  );

  test('tables that vanish are reported as such', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    await bench.query(`DROP TABLE ${schema}.sched_tasks`);
    await failure(() => store.get(['a']), 'SCHED_STORE_SCHEMA');
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_SCHEMA');
    await failure(() => store.claim(claimAll), 'SCHED_STORE_SCHEMA');
  });

  test('is created once by connections that have looked for others before', async () => {
    const pools = [bench.pool({ max: 1 }), bench.pool({ max: 1 }), bench.pool({ max: 1 })];
    for (let round = 0; round < 5; round++) {
      const schema = bench.schema();
      await Promise.all(pools.map((pool) => bench.open({ schema, pool })));
    }
  });

  test('no lock outlives the migration', async () => {
    const schema = bench.schema();
    const pool = bench.pool({ max: 1 });
    const store = await bench.open({ schema, pool });
    await store.insert([record('a')]);
    await store.claim(claimAll);
    const { rows } = await pool.query(
      `SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'tuple')`,
    );
    expect(rows).toEqual([]);
  });

  test('the tables are vacuumed early, and the index of what is due holds that alone', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    const options = await bench.query(
      `SELECT reloptions FROM pg_class WHERE oid = '${schema}.sched_tasks'::regclass`,
    );
    expect(options[0]?.reloptions).toEqual(
      expect.arrayContaining(['fillfactor=70', 'autovacuum_vacuum_scale_factor=0.02']),
    );
    await store.insert([
      record('due'),
      record('paused', { paused: true }),
      record('finished', { status: 'finished', runAt: null }),
      record('failed', { status: 'failed', runAt: null }),
    ]);
    await bench.query(`ANALYZE ${schema}.sched_tasks`);
    const entries = await bench.query(
      `SELECT reltuples::int FROM pg_class WHERE oid = '${schema}.sched_due'::regclass`,
    );
    expect(entries).toEqual([{ reltuples: 1 }]);
  });

  test('an operator’s own UPDATE keeps the index of what is due right', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    await store.insert([record('a'), record('b', { runAt: 5000 })]);
    await bench.query(`UPDATE ${schema}.sched_tasks SET paused = true WHERE id = 'a'`);
    await bench.query(`UPDATE ${schema}.sched_tasks SET run_at = 900 WHERE id = 'b'`);
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(tasks.map(({ id }) => id)).toEqual(['b']);
    expect(nextWakeAt).toBe(2000);
  });
});

await describeOn('postgres', 'a settlement that waits for an extension of the lease', ({ url }) => {
  const bench = workbench(url);

  test.each([
    ['removes', null],
    ['changes', { status: 'finished', runAt: null, body: '{}' } as const],
  ])('%s the task as the extension has left it', async (_, next) => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    await store.insert([record('a')]);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    const client = await bench.client();
    await client.query('BEGIN');
    await store.withTransaction(client).extend([{ id: 'a', token: task.lease.token }], 5000);
    const settled = store.settle([settlement(task, { next })]);
    const waiting = () =>
      bench.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`,
      );
    await expect.poll(waiting).toHaveLength(1);
    await client.query('COMMIT');
    expect(await settled).toEqual(['settled']);
    expect((await store.get(['a'])).map((left) => left?.status)).toEqual([next?.status]);
  });
});

await describeOn('postgres', 'a pool of the user’s own', ({ url }) => {
  const bench = workbench(url);

  test('is neither ended nor configured, and its connections are as they were', async () => {
    const pool = bench.pool({ max: 1 });
    const state = async () => {
      const { rows } = await pool.query(`SELECT pg_backend_pid(),
        (SELECT json_object_agg(name, setting ORDER BY name) FROM pg_settings WHERE name NOT LIKE 'plpgsql.%') AS settings,
        (SELECT count(*) FROM pg_prepared_statements) AS prepared,
        (SELECT count(*) FROM pg_cursors) AS cursors,
        ARRAY(SELECT pg_listening_channels()) AS channels,
        (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema()) AS temporary`);
      return rows;
    };
    const listeners = () => pool.eventNames().map((name) => [name, pool.listenerCount(name)]);
    const before = [await state(), listeners(), { ...pool.options }];
    const store = await bench.open({ pool });
    const stop = await store.watch(() => {});
    await store.insert(records(3, 'task-'));
    const { tasks } = await store.claim(claimAll);
    await store.extend(
      tasks.map(({ id, lease }) => ({ id, token: lease.token })),
      1000,
    );
    await store.settle(tasks.map((task) => settlement(task)));
    await store.list({ limit: 1 });
    await store.setPaused({ all: true }, true);
    await store.remove({ all: true });
    await stop();
    await store.close();
    expect([await state(), listeners(), { ...pool.options }]).toEqual(before);
    expect([pool.ended, pool.ending]).toEqual([false, false]);
  });

  test('may be a client, which is not ended either', async () => {
    const client = await bench.client();
    const store = await bench.open({ pool: client });
    expect(store.capabilities.watch).toBe(false);
    const stop = await store.watch(() => expect.unreachable());
    await store.insert([record('a')]);
    expect((await store.claim(claimAll)).tasks).toMatchObject([{ id: 'a', deliveries: 1 }]);
    await stop();
    await store.close();
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('may parse numbers and JSON in its own way', async () => {
    const types = {
      getTypeParser: (oid: number) => (value: string) => (oid === 25 ? value : { [oid]: value }),
    };
    const store = await bench.open({ pool: bench.pool({ types: types as pg.CustomTypesConfig }) });
    await store.insert([record('a', { group: 'g' })]);
    const { tasks, now } = await store.claim(claimAll);
    expect(now).toBe(1000);
    expect(tasks).toMatchObject([
      { id: 'a', group: 'g', runAt: 1000, paused: false, wakeAt: 2000 },
    ]);
    expect(await store.count({})).toBe(1);
  });

  test('its connections are given back when a call fails', async () => {
    const pool = bench.pool({ max: 1 });
    const store = await bench.open({ pool });
    for (let tries = 0; tries < 5; tries++) {
      await failure(() => store.insert([record('a\0')]), 'SCHED_ARGUMENT_INVALID');
    }
    expect(await store.count({})).toBe(0);
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });
});
