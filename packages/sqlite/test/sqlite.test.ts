import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { SqliteDataStoreOptions } from '@sched/sqlite';
import { SqliteDataStore } from '@sched/sqlite';
import {
  claimAll,
  expectTextRefused,
  failure,
  record,
  testHostileTexts,
  testOptionNames,
} from '@sched-tooling/adapter-tests';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDirectory } from './place.js';
import { query, turns } from './support.js';

let place: ReturnType<typeof createDirectory>;
beforeEach(() => {
  place = createDirectory();
});
afterEach(() => place.remove());

async function opened(options: SqliteDataStoreOptions): Promise<SqliteDataStore> {
  const store = new SqliteDataStore(options);
  await store.open();
  return store;
}

describe('options', () => {
  const path = 'tasks.db';
  const database = new DatabaseSync(':memory:');

  test.each<[string, Record<string, unknown>]>([
    ['path', {}],
    ['database', { path, database }],
    ['path', { path: '' }],
    ['path', { path: 7 }],
    ['path', { path: 'a\0b' }],
    ['database', { database: {} }],
    ['database', { database: null }],
    ['synchronous', { path, synchronous: 'off' }],
    ['synchronous', { database, synchronous: 'full' }],
    ['namespace', { path, namespace: '' }],
    ['namespace', { path, namespace: '1_' }],
    ['namespace', { path, namespace: 'a"b' }],
    ['namespace', { path, namespace: 'a; DROP TABLE t; --' }],
    ['namespace', { path, namespace: 'a\n' }],
    ['namespace', { path, namespace: 'é' }],
    ['namespace', { path, namespace: 'a'.repeat(32) }],
    ['namespace', { path, namespace: 'sqlite_x' }],
    ['namespace', { path, namespace: 'sqlite' }],
    ['namespace', { path, namespace: 'A' }],
    ['namespace', { path, namespace: 'a.b' }],
    ['namespace', { path, namespace: 'a$b' }],
    ['namespace', { path, namespace: 'a{b}' }],
    ['namespace', { path, namespace: 'a'.repeat(300) }],
    ['busyTimeoutMs', { path, busyTimeoutMs: -1 }],
    ['busyTimeoutMs', { path, busyTimeoutMs: Number.NaN }],
    ['historyLimit', { path, historyLimit: 1.5 }],
    ['historyMaxAgeMs', { path, historyMaxAgeMs: 0 }],
  ])('%s is refused when it cannot be (case %#)', async (setting, options) => {
    const make = () => new SqliteDataStore(options as unknown as SqliteDataStoreOptions);
    expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain(setting);
  });

  const make = (options: unknown) => new SqliteDataStore(options as SqliteDataStoreOptions);
  const all = { path, namespace: 'a', migrate: false, busyTimeoutMs: 5, synchronous: 'normal' };
  testOptionNames(make, all);

  test('a connection that is not open is refused', async () => {
    const closed = new DatabaseSync(':memory:', { open: false });
    const make = () => new SqliteDataStore({ database: closed });
    expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain('database must be open');
  });

  test('the path stays what it was when the store was made', async () => {
    const before = process.cwd();
    process.chdir(place.directory);
    const store = new SqliteDataStore({ path: basename(place.path) });
    process.chdir(before);
    await store.open();
    await store.close();
    expect(existsSync(place.path)).toBe(true);
  });

  test('what a store can do depends on where it is', () => {
    const capabilities = (options: SqliteDataStoreOptions) =>
      new SqliteDataStore(options).capabilities;
    const file = {
      ...{ history: true, latestHistory: true },
      ...{ watch: true, transactions: true, processes: true },
    };
    expect(capabilities({ path: place.path })).toEqual(file);
    expect(capabilities({ database: new DatabaseSync(place.path) })).toEqual(file);
    const shared = { ...file, watch: false, processes: false };
    expect(capabilities({ database })).toEqual(shared);
    expect(capabilities({ path: ':memory:' })).toEqual({ ...shared, transactions: false });
  });

  test('limits of history may be infinite', async () => {
    const unlimited = Number.POSITIVE_INFINITY;
    const limits = { historyLimit: unlimited, historyMaxAgeMs: unlimited };
    const store = await opened({ path: ':memory:', ...limits });
    await store.insert([record('a')]);
    const [task] = (await store.claim(claimAll)).tasks;
    const history = [1, 2, 3].map((at) => ({ taskId: 'a', id: String(at), at, body: '{}' }));
    const { token } = task?.lease ?? { token: 0 };
    await store.settle([{ id: 'a', token, revision: 1, next: null, history, spawn: [] }]);
    expect(await store.history('a', unlimited)).toEqual(history.reverse());
    await store.close();
  });
});

describe('opening', () => {
  test('a directory that is missing is named', async () => {
    const path = join(place.directory, 'missing', 'tasks.db');
    const error = await failure(() => opened({ path }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain(
      `path: ${path} cannot be opened for writing. The directory must`,
    );
  });

  test('a path that cannot be a file is refused', async () => {
    mkdirSync(place.path);
    const error = await failure(() => opened({ path: place.path }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain(`path: ${place.path} cannot be opened for writing`);
    const below = join(place.directory, 'file', 'tasks.db');
    writeFileSync(join(place.directory, 'file'), '');
    await failure(() => opened({ path: below }), 'SCHED_STORE_CONFIG');
  });

  test('a file that is not a database is refused and stays as it is', async () => {
    const text = 'not a database, but long enough to be read as the header of one'.repeat(10);
    writeFileSync(place.path, text);
    const error = await failure(() => opened({ path: place.path }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain(`path: ${place.path} is not an SQLite database`);
    expect(error.cause).toMatchObject({ errcode: 26 });
  });

  test('a connection that cannot write is refused, however complete its schema', async () => {
    await (await opened({ path: place.path })).close();
    const database = new DatabaseSync(place.path, { readOnly: true });
    const error = await failure(() => opened({ database }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain('database cannot be opened for writing');
    database.close();
  });

  test('a store that could not be opened can be opened once the reason is gone', async () => {
    mkdirSync(join(place.directory, 'later'));
    const store = new SqliteDataStore({ path: join(place.directory, 'later', 'a', 'tasks.db') });
    await failure(() => store.open(), 'SCHED_STORE_CONFIG');
    mkdirSync(join(place.directory, 'later', 'a'));
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('a store can be closed while it is being opened, and opened while it is being closed', async () => {
    const store = new SqliteDataStore({ path: place.path });
    await Promise.all([store.open(), store.close()]);
    await failure(() => store.count({}), 'SCHED_STORE_CLOSED');
    await store.open();
    await Promise.all([store.close(), store.open()]);
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test.each([
    ['full', {}],
    ['normal', { synchronous: 'normal' }],
  ] as const)('a file is in WAL mode and synchronous as asked: %s', async (expected, options) => {
    const connections: DatabaseSync[] = [];
    class Recorded extends DatabaseSync {
      constructor(path: string) {
        super(path);
        connections.push(this);
      }
    }
    const module = { ...process.getBuiltinModule('node:sqlite'), DatabaseSync: Recorded };
    const spy = vi.spyOn(process, 'getBuiltinModule').mockReturnValueOnce(module);
    const store = await opened({ path: place.path, ...options }).finally(() => spy.mockRestore());
    const pragma = (name: string) => connections[0]?.prepare(`PRAGMA ${name}`).get();
    expect(pragma('synchronous')).toEqual({ synchronous: expected === 'full' ? 2 : 1 });
    expect(pragma('journal_mode')).toEqual({ journal_mode: 'wal' });
    await store.close();
    expect(connections.map(({ isOpen }) => isOpen)).toEqual([false]);
  });
});

describe('the schema', () => {
  const tables = () => query(place.path, 'SELECT name FROM sqlite_schema ORDER BY name');

  test('stores with different namespaces share a file and nothing else', async () => {
    const [a, b] = await Promise.all(
      ['a', 'b'].map((namespace) => opened({ path: place.path, namespace })),
    );
    await a?.insert([record('x')]);
    expect(await b?.count({})).toBe(0);
    expect(await b?.remove({ all: true })).toBe(0);
    expect(await a?.count({})).toBe(1);
    await Promise.all([a?.close(), b?.close()]);
    const names = tables().map(({ name }) => String(name));
    expect(names.filter((name) => !/^(sqlite_autoindex_)?[ab]_/.test(name))).toEqual([]);
    expect(names).toContain('b_tasks');
  });

  test('a newer one is refused and left alone', async () => {
    await (await opened({ path: place.path })).close();
    query(place.path, "UPDATE sched_meta SET value = 99 WHERE key = 'schema'");
    const before = tables();
    for (const migrate of [true, false]) {
      const open = () => opened({ path: place.path, migrate });
      const error = await failure(open, 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('version 99');
      expect(error.message).toContain('Install');
    }
    expect(tables()).toEqual(before);
  });

  test('migrate: false creates neither tables nor a file', async () => {
    const options = { path: place.path, migrate: false };
    const error = await failure(() => opened(options), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain('migrate');
    expect(existsSync(place.path)).toBe(false);
    query(place.path, 'CREATE TABLE mine (x)');
    await failure(() => opened(options), 'SCHED_STORE_SCHEMA');
    expect(tables()).toEqual([{ name: 'mine' }]);
    expect(query(place.path, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'delete' }]);
  });

  test('migrate: false refuses an older one', async () => {
    await (await opened({ path: place.path })).close();
    query(place.path, "UPDATE sched_meta SET value = 0 WHERE key = 'schema'");
    const options = { path: place.path, migrate: false };
    await failure(() => opened(options), 'SCHED_STORE_SCHEMA');
  });

  test('migrate: false opens a current one', async () => {
    await (await opened({ path: place.path })).close();
    const store = await opened({ path: place.path, migrate: false });
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    await store.close();
  });

  test.each(['CREATE TABLE sched_tasks (theirs)', 'CREATE TABLE sched_meta (theirs)'])(
    'somebody else’s tables of the same name are left alone: %s',
    async (sql) => {
      query(place.path, sql);
      const error = await failure(() => opened({ path: place.path }), 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('namespace');
      expect(tables()).toHaveLength(1);
    },
  );

  test('tables that vanish are reported as such', async () => {
    const store = await opened({ path: place.path });
    query(place.path, 'DROP TABLE sched_tasks');
    await failure(() => store.get(['a']), 'SCHED_STORE_SCHEMA');
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_SCHEMA');
    await store.close();
  });

  test('an operator’s own UPDATE keeps the due index right', async () => {
    const store = await opened({ path: place.path, clock: () => 1000 });
    await store.insert([record('a'), record('b', { runAt: 5000 })]);
    query(place.path, "UPDATE sched_tasks SET paused = 1 WHERE id = 'a'");
    query(place.path, "UPDATE sched_tasks SET run_at = 900 WHERE id = 'b'");
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(tasks.map(({ id }) => id)).toEqual(['b']);
    expect(nextWakeAt).toBe(2000);
    await store.close();
  });
});

describe('a connection of the user’s own', () => {
  test('is neither closed nor configured', async () => {
    const database = new DatabaseSync(place.path);
    const settings = () =>
      ['journal_mode', 'synchronous', 'busy_timeout', 'cache_size', 'foreign_keys'].map((pragma) =>
        database.prepare(`PRAGMA ${pragma}`).get(),
      );
    database.exec('PRAGMA synchronous = OFF');
    const before = settings();
    const store = await opened({ database });
    await store.insert([record('a')]);
    await store.close();
    expect(settings()).toEqual(before);
    expect(database.isTransaction).toBe(false);
    database.close();
  });

  test('may be set to give bigints and arrays, and to take no bare names', async () => {
    const database = new DatabaseSync(place.path, {
      readBigInts: true,
      returnArrays: true,
      allowBareNamedParameters: false,
    });
    const store = await opened({ database, clock: () => 1000 });
    expect(store.capabilities.processes).toBe(true);
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    const { tasks } = await store.claim(claimAll);
    expect(tasks).toMatchObject([{ id: 'a', runAt: 1000, deliveries: 1, wakeAt: 2000 }]);
    expect(await store.remove({ ids: ['a', 'b'] })).toBe(1);
    expect(await store.count({})).toBe(0);
    database.close();
  });

  test('may be one of Node 22.13, which gives objects alone and tells no transactions', async () => {
    const database = new DatabaseSync(place.path);
    const store = await opened({
      clock: () => 1000,
      database: {
        exec: (sql) => database.exec(sql),
        close: () => database.close(),
        prepare(sql) {
          const statement = database.prepare(sql);
          return {
            all: (...values) => statement.all(...values),
            get: (...values) => statement.get(...values),
            run: (...values) => statement.run(...values),
            setReadBigInts: (isEnabled) => statement.setReadBigInts(isEnabled),
          };
        },
      },
    });
    await store.insert([record('a', { group: 'g', body: '"body"' })]);
    const { tasks } = await store.claim(claimAll);
    expect(tasks).toMatchObject([{ id: 'a', group: 'g', body: '"body"', lapsedOwner: null }]);
    expect(await store.count({ group: 'g' })).toBe(1);
    database.exec('BEGIN');
    const inserting = store.insert([record('b')]);
    await turns(5);
    database.exec('COMMIT');
    expect(await inserting).toEqual(['inserted']);
    database.close();
  });

  test('may be closed and opened again under the store', async () => {
    const database = new DatabaseSync(place.path);
    const store = await opened({ database });
    await store.insert([record('a')]);
    database.close();
    await failure(() => store.get(['a']), 'SCHED_STORE_UNAVAILABLE');
    await failure(() => store.insert([record('b')]), 'SCHED_STORE_UNAVAILABLE');
    database.open();
    expect(await store.insert([record('a')])).toEqual(['exists']);
    database.close();
  });
});

test('a process whose Node lacks node:sqlite is told so', async () => {
  const module = JSON.stringify(new URL('connect.js', import.meta.url).href);
  const script = `
    const { default: connect } = await import(${module});
    const store = connect(${JSON.stringify(place.path)});
    await store.open().catch((error) => console.log(error.code, error.message));
  `;
  const flags = ['--no-experimental-sqlite', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  expect(stdout).toMatch(/^SCHED_STORE_UNSUPPORTED .*node:sqlite.*22\.13/);
  expect(existsSync(place.path)).toBe(false);
});

test('what the README has for the sqlite3 shell works on the tables', async () => {
  const store = await opened({ path: place.path });
  await store.insert([record('reported', { group: 'reports' }), record('nightly-sweep')]);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```sql\n(.*?)^```/gms)].map(([, sql]) => String(sql));
  expect(blocks.length).toBeGreaterThan(5);
  const database = new DatabaseSync(place.path);
  for (const sql of blocks) database.exec(sql);
  database.close();
  const [reported, removed] = await store.get(['reported', 'nightly-sweep']);
  expect(reported).toMatchObject({ paused: false, resumedAt: expect.any(Number), wakeAt: 1000 });
  expect(removed).toBeUndefined();
  await store.close();
});

describe('what is stored', () => {
  const open = () => opened({ path: place.path, clock: () => 1000 });
  testHostileTexts(open);

  test.each([
    ['a character 0', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
    ['the other half', 'a\udfff'],
  ])('is refused where it would not come back as it was: %s', async (_, text) => {
    await expectTextRefused(await open(), text, { twin: text.toWellFormed().replace('\0', '') });
  });
});
