import { DatabaseSync } from 'node:sqlite';
import type { SqliteDataStoreOptions } from '@sched/sqlite';
import { SqliteDataStore } from '@sched/sqlite';
import { claimAll, clash, failure, record } from '@sched-tooling/adapter-tests';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDirectory } from './place.js';
import { listeningTo, query, turns } from './support.js';

let place: ReturnType<typeof createDirectory>;
let stores: SqliteDataStore[];
beforeEach(() => {
  place = createDirectory();
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  place.remove();
});

async function open(options: Partial<SqliteDataStoreOptions> = {}): Promise<SqliteDataStore> {
  const source = options.database ? {} : { path: place.path };
  const given = { ...source, clock: () => 1000, ...options } as SqliteDataStoreOptions;
  const store = new SqliteDataStore(given);
  await store.open();
  stores.push(store);
  return store;
}

/** Another connection that has the lock for writing. */
function lock(): { database: DatabaseSync; release: () => void } {
  const database = new DatabaseSync(place.path);
  database.exec('BEGIN IMMEDIATE');
  const release = () => {
    database.exec('COMMIT');
    database.close();
  };
  return { database, release };
}

test('calls about the same tasks at once get along, and leave nothing behind', async () => {
  const [store, other] = [await open(), await open()];
  await clash(store, other, { rounds: 15, count: 60, spawned: 5 });
  expect(await other.count({})).toBe(0);
});

describe('while another connection writes', () => {
  test('calls that write wait and leave the event loop free', async () => {
    const store = await open();
    await store.insert([record('a'), record('b')]);
    const { release } = lock();
    const calls = [
      store.insert([record('c')]),
      store.claim({ ...claimAll, limit: 2 }),
      store.remove({ ids: ['b'] }),
    ];
    let isDone = false;
    const all = Promise.all(calls).finally(() => {
      isDone = true;
    });
    await turns(100);
    expect(isDone).toBe(false);
    release();
    const [inserted] = await all;
    expect(inserted).toEqual(['inserted']);
    expect(await store.count({})).toBe(2);
  });

  test('calls that have nothing to write do not wait', async () => {
    const store = await open({ busyTimeoutMs: Number.POSITIVE_INFINITY });
    await store.insert([record('a', { runAt: 5000 })]);
    const { release } = lock();
    expect(await store.count({})).toBe(1);
    expect(await store.claim(claimAll)).toEqual({ tasks: [], now: 1000, nextWakeAt: 5000 });
    const other = await open({ busyTimeoutMs: Number.POSITIVE_INFINITY });
    expect((await other.get(['a']))[0]?.id).toBe('a');
    release();
  });

  test('a fresh file is not given up: the store opens when the lock is gone', async () => {
    query(place.path, 'PRAGMA journal_mode = WAL');
    const { database, release } = lock();
    database.exec('CREATE TABLE theirs (x)');
    const opening = open();
    await turns(20);
    release();
    expect(await (await opening).count({})).toBe(0);
  });

  test('a wait that is over says so, and the store goes on working', async () => {
    const store = await open({ busyTimeoutMs: 20 });
    await store.insert([record('a')]);
    const { release } = lock();
    const calls = [
      () => store.insert([record('b')]),
      () => store.claim(claimAll),
      () => store.setPaused({ all: true }, true),
    ];
    const errors = await Promise.all(calls.map((call) => failure(call, 'SCHED_STORE_UNAVAILABLE')));
    for (const error of errors) {
      expect(error.message).toContain('20 ms (busyTimeoutMs)');
      expect(error.cause).toMatchObject({ errcode: 5 });
    }
    release();
    expect(await store.insert([record('b')])).toEqual(['inserted']);
    expect((await store.claim(claimAll)).tasks).toHaveLength(2);
  });

  test('an impatient store fails at once', async () => {
    const store = await open({ busyTimeoutMs: 0 });
    const { release } = lock();
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_UNAVAILABLE');
    await failure(() => new SqliteDataStore({ path: place.path }).get([]), 'SCHED_STORE_CLOSED');
    release();
  });

  test('closing waits for the calls that wait', async () => {
    const store = await open();
    await store.insert([record('due')]);
    const { release } = lock();
    const calls = Promise.all([store.insert([record('a')]), store.claim(claimAll)]);
    let isClosed = false;
    const closing = store.close().then(() => {
      isClosed = true;
    });
    await turns(20);
    expect(isClosed).toBe(false);
    release();
    const [inserted, { tasks }] = await calls;
    await closing;
    expect(inserted).toEqual(['inserted']);
    expect(tasks).not.toEqual([]);
    expect(query(place.path, 'SELECT id FROM sched_tasks ORDER BY id')).toHaveLength(2);
  });
});

describe('writes that come together', () => {
  test('share one commit, and so do the records of one call', async () => {
    const database = listeningTo(new DatabaseSync(place.path));
    const store = await open({ database });
    const commits = () => database.log.filter((sql) => sql === 'COMMIT').length;
    const before = commits();
    await store.insert(Array.from({ length: 1000 }, (_, index) => record(`bulk-${index}`)));
    expect(commits() - before).toBe(1);
    const singles = Array.from({ length: 100 }, (_, index) => record(`single-${index}`));
    const answers = await Promise.all(singles.map((single) => store.insert([single])));
    expect(new Set(answers.flat())).toEqual(new Set(['inserted']));
    expect(commits() - before).toBe(2);
    expect(await store.count({})).toBe(1100);
  });

  test('one that cannot be takes no other with it', async () => {
    const store = await open();
    const bad = record('bad', { runAt: 1.5 });
    const outcomes = await Promise.allSettled([
      store.insert([record('a')]),
      store.insert([record('b'), bad]),
      store.insert([record('c')]),
      store.setPaused({ ids: ['a'] }, true),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
    const [a, b, c] = await store.get(['a', 'b', 'c']);
    expect([a?.paused, b, c?.paused]).toEqual([true, undefined, false]);
  });

  test.each([
    ['a fraction of a millisecond', { runAt: 1.5 }],
    ['no name', { name: undefined }],
    ['an object for a body', { body: {} }],
  ])('bad input is refused as such and changes nothing: %s', async (_, members) => {
    const store = await open();
    const bad = { ...record('bad'), ...members } as ReturnType<typeof record>;
    await failure(() => store.insert([record('a'), bad]), 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(0);
  });

  test('a body that SQLite cannot hold is refused before anything is stored', async () => {
    const database = new DatabaseSync(place.path, { limits: { length: 1_000_000 } });
    const store = await open({ database });
    const big = record('big', { body: `"${'x'.repeat(1_000_000)}"` });
    await failure(() => store.insert([record('a'), big]), 'SCHED_PAYLOAD_TOO_LARGE');
    expect(await store.count({})).toBe(0);
  });

  test('a listing goes on only from where a page ended', async () => {
    const store = await open();
    await failure(() => store.list({ limit: 1, after: 'x' }), 'SCHED_ARGUMENT_INVALID');
  });
});

describe('while the user is in a transaction', () => {
  test('the store waits for the end of it when it shares the connection', async () => {
    const database = new DatabaseSync(place.path);
    const store = await open({ database });
    database.exec('BEGIN');
    await store.withTransaction(database).insert([record('theirs')]);
    const calls = [store.insert([record('a')]), store.get(['theirs']), store.claim(claimAll)];
    await turns(20);
    expect(database.isTransaction).toBe(true);
    database.exec('ROLLBACK');
    const [inserted, seen] = await Promise.all(calls);
    expect(inserted).toEqual(['inserted']);
    expect(seen).toEqual([undefined]);
    expect((await store.get(['a', 'theirs'])).map((task) => task?.id)).toEqual(['a', undefined]);
  });

  test('a call that fails in it undoes its own part and no other', async () => {
    const store = await open();
    const database = new DatabaseSync(place.path);
    database.exec('CREATE TABLE theirs (x); BEGIN; INSERT INTO theirs VALUES (1)');
    const inside = store.withTransaction(database);
    await inside.insert([record('a')]);
    const bad = record('bad', { runAt: 1.5 });
    await failure(() => inside.insert([record('b'), bad]), 'SCHED_ARGUMENT_INVALID');
    expect(database.isTransaction).toBe(true);
    database.exec('COMMIT');
    database.close();
    expect((await store.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual(['a']);
    expect(query(place.path, 'SELECT x FROM theirs')).toEqual([{ x: 1 }]);
  });

  test('every other call works in it too', async () => {
    const store = await open();
    await store.insert([record('a'), record('b')]);
    const database = new DatabaseSync(place.path);
    database.exec('BEGIN');
    const inside = store.withTransaction(database);
    const { tasks } = await inside.claim(claimAll);
    const [a, b] = tasks.map(({ id, lease, revision }) => ({ id, token: lease.token, revision }));
    if (!a || !b) throw new Error('both are claimed');
    expect(await inside.extend([a], 500)).toEqual([a.revision]);
    expect(await inside.release([b])).toEqual(['released']);
    const settlement = { ...a, next: null, history: [], spawn: [record('c')] };
    expect(await inside.settle([settlement])).toEqual(['settled']);
    expect(await inside.now()).toBe(1000);
    expect(await inside.history('a', 1)).toEqual([]);
    await inside.open();
    await (await inside.watch(() => {}))();
    expect(database.isTransaction).toBe(true);
    database.exec('COMMIT');
    expect((await store.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual(['b', 'c']);
    database.close();
  });

  test('a transaction that read before another wrote is refused at once', async () => {
    const store = await open({ busyTimeoutMs: Number.POSITIVE_INFINITY });
    const database = new DatabaseSync(place.path);
    database.exec('BEGIN');
    const inside = store.withTransaction(database);
    expect(await inside.get(['a'])).toEqual([undefined]);
    await store.insert([record('a')]);
    const error = await failure(() => inside.insert([record('b')]), 'SCHED_STORE_UNAVAILABLE');
    expect(error.cause).toMatchObject({ errcode: 517 });
    expect(error.message).toContain('BEGIN IMMEDIATE');
    database.close();
  });

  test('a transaction that comes second waits for the first', async () => {
    const store = await open();
    const { release } = lock();
    const database = new DatabaseSync(place.path);
    database.exec('BEGIN');
    const inserting = store.withTransaction(database).insert([record('a')]);
    await turns(20);
    release();
    expect(await inserting).toEqual(['inserted']);
    database.exec('COMMIT');
    database.close();
    expect(await store.count({})).toBe(1);
  });

  test('what is no such transaction is refused', async () => {
    const store = await open();
    for (const tx of [undefined, {}, 'BEGIN', store]) {
      await failure(() => store.withTransaction(tx), 'SCHED_ARGUMENT_INVALID');
    }
    const database = new DatabaseSync(place.path);
    const outside = store.withTransaction(database);
    await failure(() => outside.insert([record('a')]), 'SCHED_ARGUMENT_INVALID');
    await failure(() => outside.count({}), 'SCHED_ARGUMENT_INVALID');
    database.close();
    expect(await store.count({})).toBe(0);
    const elsewhere = new DatabaseSync(':memory:');
    elsewhere.exec('BEGIN');
    const error = await failure(
      () => store.withTransaction(elsewhere).insert([record('a')]),
      'SCHED_STORE_SCHEMA',
    );
    expect(error.message).toContain('this very database');
  });

  test('a memory database of the store’s own cannot be joined', async () => {
    const store = new SqliteDataStore({ path: ':memory:' });
    const join = () => store.withTransaction(new DatabaseSync(':memory:'));
    expect((await failure(join, 'SCHED_STORE_UNSUPPORTED')).message).toContain('database');
  });
});
