import { inspect } from 'node:util';
import type { MongoDataStoreOptions } from '@sched/mongo';
import { MongoDataStore } from '@sched/mongo';
import {
  claimAll,
  failure,
  record,
  settlement,
  testOptionNames,
} from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { describe, expect, test } from 'vitest';
import { servers, tampered, workbench } from './support.js';

const secret = 'correct-horse-battery';

describe('options', () => {
  test.each([
    ['neither url nor client', {}, /either url or client/],
    [
      'what there is not',
      { url: 'mongodb://localhost', colection: 'x' },
      /Did you mean collection/,
    ],
    ['both', { url: 'mongodb://localhost', client: { db: () => {} } }, /either url or client/],
    ['a client that is none', { client: {} }, /client must be/],
    ['another scheme', { url: `postgres://u:${secret}@localhost` }, /url must look like/],
    ['a database with a space', { url: 'mongodb://localhost', database: 'a b' }, /database must/],
    ['no database', { url: 'mongodb://localhost', database: '' }, /database must/],
    ['a system collection', { url: 'mongodb://localhost', collection: 'system_x' }, /collection/],
    ['half an entry of history', { url: 'mongodb://localhost', historyLimit: 0.5 }, /historyLimit/],
    ['no age at all', { url: 'mongodb://localhost', historyMaxAgeMs: 0 }, /historyMaxAgeMs/],
  ])('that cannot be are refused: %s', async (_, options, message) => {
    const make = () => new MongoDataStore(options as unknown as MongoDataStoreOptions);
    const error = await failure(make, 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(message);
    expect(inspect(error)).not.toContain(secret);
  });

  const make = (options: unknown) => new MongoDataStore(options as MongoDataStoreOptions);
  const names = { url: 'mongodb://localhost', database: 'a', collection: 'a', namespace: 'a' };
  testOptionNames(make, { ...names, options: {}, migrate: false, writeConcern: { w: 1 } });

  test.each(["a'b", 'a"b', 'a.b', 'a b', 'a$b', 'a{b}', '$a', 'a\0', '', '1a', 'x'.repeat(300)])(
    'a name is refused that is none: %j',
    async (name) => {
      for (const option of ['namespace', 'collection']) {
        const options = { url: 'mongodb://localhost', [option]: name };
        const error = await failure(() => new MongoDataStore(options), 'SCHED_STORE_CONFIG');
        expect(error.message).toMatch(option);
      }
    },
  );
});

describe('a server that cannot be reached', () => {
  test.each([
    ['nobody listens', 'mongodb://127.0.0.1:1/', 'SCHED_STORE_UNAVAILABLE', /host, port/],
    ['no such host', 'mongodb://no-such-host.invalid/', 'SCHED_STORE_UNAVAILABLE', /host, port/],
    ['half an address', `mongodb://user:${secret}@`, 'SCHED_STORE_CONFIG', /url/],
    ['an unknown option', `mongodb://u:${secret}@localhost/?nope=1`, 'SCHED_STORE_CONFIG', /url/],
  ] as const)('is said to be so: %s', async (_, url, code, message) => {
    const options = { serverSelectionTimeoutMS: 300 };
    const store = new MongoDataStore({ url, options });
    const error = await failure(() => store.open(), code);
    expect(error.message).toMatch(message);
    expect(error.cause).toBeInstanceOf(Error);
    expect(inspect(error)).not.toContain(secret);
    await store.close();
  });
});

await describeOnEach(servers, 'opening', ({ url, name }) => {
  const bench = workbench(url);

  // The one MongoDB there may be asks for none.
  if (name !== 'mongodb') {
    test('with a wrong password says which setting to look at', async () => {
      const address = Object.assign(new URL(url), { password: secret });
      const store = new MongoDataStore({ url: address.href });
      const error = await failure(() => store.open(), 'SCHED_STORE_CONFIG');
      expect(error.message).toMatch(/url.*password/);
      expect(inspect(error)).not.toContain(secret);
    });
  }

  test('with TLS that the server does not speak says so', async () => {
    const options = { tls: true, serverSelectionTimeoutMS: 500 };
    // Some servers say what they think of it, and some hang up.
    const error = await new MongoDataStore({ url, options }).open().catch((error) => error);
    expect(error.code).toMatch(/^SCHED_STORE_(CONFIG|UNAVAILABLE)$/);
    expect(error.message).toMatch(/tls/);
    expect(inspect(error)).not.toContain('sched:sched');
  });

  test('a server that is too old is refused', async () => {
    const client = bench.client();
    const old = {
      db: () => ({
        ...tampered(client, async () => {}).db(),
        command: async () => ({ version: '4.2.25', ok: 1 }),
      }),
    };
    const store = new MongoDataStore({ client: old });
    const error = await failure(() => store.open(), 'SCHED_STORE_UNSUPPORTED');
    expect(error.message).toMatch(/4\.2\.25.*4\.4/);
  });

  test('a schema of a newer version is refused, and nothing changed', async () => {
    const database = bench.database();
    await (await bench.open({ database })).insert([record('a')]);
    const meta = bench.collection(database, 'sched.meta');
    await meta.updateOne({ _id: 'state' }, { $set: { schema: 2 } });
    const before = await meta.findOne({ _id: 'state' });
    for (const migrate of [true, false]) {
      const store = new MongoDataStore({ url, database, migrate });
      const error = await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
      expect(error.message).toMatch(/version 2/);
    }
    expect(await meta.findOne({ _id: 'state' })).toEqual(before);
  });

  test('migrate: false creates nothing, and finds what is there', async () => {
    const database = bench.database();
    const store = new MongoDataStore({ url, database, migrate: false });
    await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
    expect(await bench.client().db(database).listCollections().toArray()).toEqual([]);
    await bench.open({ database });
    await store.open();
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    await store.close();
  });

  test('says what the server can do', async () => {
    const { capabilities } = await bench.open();
    const isReplicated = name !== 'ferretdb';
    expect(capabilities).toEqual({
      ...{ history: true, latestHistory: false, processes: true },
      ...{ watch: isReplicated, transactions: isReplicated },
    });
  });
});

await describeOnEach(servers, 'collections', ({ url }) => {
  const bench = workbench(url);

  test('of different names share nothing; namespace is another word for collection', async () => {
    const database = bench.database();
    const one = await bench.open({ database, collection: 'one' });
    const same = await bench.open({ database, namespace: 'one' });
    const other = await bench.open({ database, collection: 'one_history' });
    await one.insert([record('a')]);
    const [task] = (await same.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    await same.settle([
      settlement(task, { history: [{ taskId: 'a', id: 'r', at: 1, body: '1' }] }),
    ]);
    expect([await one.count({}), await other.count({})]).toEqual([1, 0]);
    expect(await other.history('a', 9)).toEqual([]);
    const names = await bench.client().db(database).listCollections().toArray();
    expect(
      names
        .map((each) => each.name)
        .filter((each) => /^one\b/.test(each))
        .sort(),
    ).toEqual(['one', 'one.history', 'one.meta']);
  });

  test('a lost counter does not make tokens start anew', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    await store.insert([record('a')]);
    const [first] = (await store.claim({ ...claimAll, leaseMs: 1 })).tasks;
    await bench.collection(database, 'sched.meta').deleteMany({});
    const later = await bench.open({ database, clock: () => 2000 });
    const [second] = (await later.claim(claimAll)).tasks;
    expect(second?.lease.token).toBeGreaterThan(first?.lease.token ?? 0);
  });
});

await describeOnEach(servers, 'a client of the user’s own', ({ url }) => {
  const bench = workbench(url);

  test('is used as it is and left as it was, whatever it is set to', async () => {
    const client = bench.client({
      ...{ useBigInt64: true, ignoreUndefined: true, readPreference: 'secondaryPreferred' },
      ...{ writeConcern: { w: 0 }, readConcern: { level: 'available' } },
    });
    await client.connect();
    const options = JSON.stringify(client.options.writeConcern);
    const database = bench.database();
    const store = new MongoDataStore({ client, database });
    await store.open();
    await store.insert([record('a', { runAt: 2 ** 42 })]);
    await store.insert([record('b', { runAt: 5 })]);
    expect(await store.get(['a'])).toMatchObject([{ runAt: 2 ** 42, wakeAt: 2 ** 42 }]);
    const { tasks, now } = await store.claim(claimAll);
    expect(tasks.map(({ id }) => id)).toEqual(['b']);
    expect(Number.isSafeInteger(now)).toBe(true);
    await store.close();
    await failure(() => store.count({}), 'SCHED_STORE_CLOSED');
    expect(await client.db(database).collection('sched').countDocuments()).toBe(2);
    expect(JSON.stringify(client.options.writeConcern)).toBe(options);
  });
});

await describeOnEach(servers, 'time', ({ url }) => {
  const bench = workbench(url);

  test('is the server’s, to the millisecond', async () => {
    const store = new MongoDataStore({ url, database: bench.database() });
    await store.open();
    bench.later(() => store.close());
    const before = Date.now();
    const now = await store.now();
    // On one machine the two clocks are the same.
    expect(Math.abs(now - before)).toBeLessThan(5000);
    await store.insert([record('due', { runAt: now }), record('later', { runAt: now + 600_000 })]);
    const claim = { ...claimAll, leaseMs: 1000 };
    const first = await store.claim(claim);
    expect(first.tasks.map(({ id }) => id)).toEqual(['due']);
    expect(first.tasks[0]?.lease.expiresAt).toBe(first.now + 1000);
    expect(first.nextWakeAt).toBe(first.now + 1000);
    // The second knows what to expect of the server's clock.
    const second = await store.claim(claim);
    expect(second.now).toBeGreaterThanOrEqual(first.now);
    expect(second).toMatchObject({ tasks: [], nextWakeAt: first.now + 1000 });
  });
});
