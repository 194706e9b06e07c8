import type { ClaimedTask, DataStore, WakeUp } from '@sched/core';
import { PostgresDataStore } from '@sched/postgres';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { createProxy } from './proxy.js';
import { claimAll, failure, record, records, settlement, workbench } from './support.js';

/** A call of the contract, and what it answers when it is made again after its connection was cut. */
interface Fault {
  readonly name: string;
  readonly call: (store: DataStore, task: ClaimedTask) => Promise<unknown>;
  /** Where the server never got the first one. */
  readonly before: unknown;
  /** Where the server had done it. */
  readonly after: unknown;
}

const leaseOf = ({ id, lease }: ClaimedTask) => ({ id, token: lease.token });
const entry = { taskId: 'held', id: 'run', at: 1000, body: '{}' };

const faults: Fault[] = [
  {
    name: 'insert',
    call: (store) => store.insert([record('new')]),
    before: ['inserted'],
    after: ['exists'],
  },
  {
    name: 'get',
    call: async (store) => (await store.get(['free'])).map((task) => task?.id),
    before: ['free'],
    after: ['free'],
  },
  {
    name: 'update',
    call: (store, { revision }) => store.update('held', { body: '1' }, { revision }),
    before: 'updated',
    after: 'conflict',
  },
  {
    name: 'list',
    call: async (store) => (await store.list({ limit: 1 })).tasks.map(({ id }) => id),
    before: ['free'],
    after: ['free'],
  },
  { name: 'count', call: (store) => store.count({}), before: 2, after: 2 },
  { name: 'remove', call: (store) => store.remove({ ids: ['free'] }), before: 1, after: 0 },
  { name: 'setPaused', call: (store) => store.setPaused({ all: true }, true), before: 2, after: 0 },
  {
    name: 'claim',
    call: async (store) => (await store.claim(claimAll)).tasks.map(({ id }) => id),
    before: ['free'],
    after: [],
  },
  {
    name: 'extend',
    call: async (store, task) => {
      const [revision] = await store.extend([leaseOf(task)], 500);
      return revision === task.revision;
    },
    before: true,
    after: true,
  },
  {
    name: 'settle',
    call: (store, task) =>
      store.settle([settlement(task, { history: [entry], spawn: [record('s')] })]),
    before: ['settled'],
    after: ['settled'],
  },
  {
    name: 'release',
    call: (store, task) => store.release([leaseOf(task)]),
    before: ['released'],
    after: ['lost'],
  },
  { name: 'history', call: (store) => store.history('held', 9), before: [], after: [] },
];

await describeOnEach(
  ['postgres', 'pgbouncer'],
  'a connection cut in the middle of a call',
  ({ url }) => {
    const bench = workbench(url);

    /** A store whose every call goes through a proxy, with a task that is claimed and one that is due. */
    async function prepared() {
      const proxy = await createProxy(url);
      bench.later(() => proxy.close());
      // No NOTIFY of the last call may be under way when the next one is cut.
      const store = await bench.open({ connection: { connectionString: proxy.url, max: 1 } });
      await store.insert([record('held', { runAt: 900 })]);
      const [task] = (await store.claim(claimAll)).tasks;
      if (!task) throw new Error('a task was claimed');
      await store.insert([record('free')]);
      return { proxy, store, task };
    }

    test.each(faults)('before the server gets it: $name', async ({ call, before }) => {
      const { proxy, store, task } = await prepared();
      const records = (await store.list({ limit: 9 })).tasks;
      proxy.cutNext('before');
      const error = await failure(() => call(store, task), 'SCHED_STORE_UNAVAILABLE');
      expect(error.cause).toBeInstanceOf(Error);
      expect((await store.list({ limit: 9 })).tasks).toEqual(records);
      expect(await call(store, task)).toEqual(before);
      expect(proxy.cuts).toBe(1);
    });

    test.each(faults)('after the server has done it: $name', async ({ call, after }) => {
      const { proxy, store, task } = await prepared();
      proxy.cutNext('after');
      await failure(() => call(store, task), 'SCHED_STORE_UNAVAILABLE');
      expect(await call(store, task)).toEqual(after);
      expect(proxy.cuts).toBe(1);
    });

    test('a settlement whose answer was lost is applied once', async () => {
      const { proxy, store, task } = await prepared();
      proxy.cutNext('after');
      const settle = () =>
        store.settle([settlement(task, { history: [entry], spawn: [record('spawned')] })]);
      await failure(settle, 'SCHED_STORE_UNAVAILABLE');
      await store.remove({ ids: ['spawned'] });
      expect(await settle()).toEqual(['settled']);
      expect(await store.history('held', 9)).toEqual([entry]);
      expect(await store.get(['spawned'])).toEqual([undefined]);
    });

    test('a task whose claim lost its answer is claimed again when the lease is over', async () => {
      const { proxy } = await prepared();
      let now = 1000;
      const connection = { connectionString: proxy.url };
      const store = await bench.open({ connection, clock: () => now });
      await store.insert([record('a')]);
      proxy.cutNext('after');
      await failure(() => store.claim(claimAll), 'SCHED_STORE_UNAVAILABLE');
      expect(await store.claim(claimAll)).toEqual({ tasks: [], now: 1000, nextWakeAt: 2000 });
      now = 2000;
      expect((await store.claim(claimAll)).tasks).toMatchObject([
        { id: 'a', deliveries: 2, lapsedOwner: 'me' },
      ]);
    });

    test.each(['before', 'after'] as const)('opening: %s', async (when) => {
      const proxy = await createProxy(url);
      bench.later(() => proxy.close());
      const store = new PostgresDataStore({ url: proxy.url, schema: bench.schema() });
      proxy.cutNext(when);
      await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
      await store.open();
      expect(await store.count({})).toBe(0);
      await store.close();
    });

    test('that is idle: the next call has another', async () => {
      const { proxy, store } = await prepared();
      const victims = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'`;
      const schema = bench.schema();
      const other = await bench.open({ connection: { connectionString: proxy.url }, schema });
      expect(await other.count({})).toBe(0);
      await bench.query(victims, [schema]);
      const isBack = async () => (await other.count({}).catch(() => undefined)) === 0;
      await expect.poll(isBack).toBe(true);
      expect(await store.count({})).toBe(2);
    });
  },
);

await describeOn('postgres', 'another transaction in the way', ({ url }) => {
  const bench = workbench(url);

  /** A pool whose next statements fail so. */
  function failing(code: string, times: number) {
    const pool = bench.pool();
    let left = times;
    return {
      pool: {
        totalCount: 0,
        connect: () => pool.connect(),
        async query(text: string, values?: unknown[]) {
          if (/sched_|_insert/.test(text) && left-- > 0) {
            throw Object.assign(new Error('in the way'), { code });
          }
          return pool.query(text, values);
        },
      },
      left: () => left,
    };
  }

  test.each(['40001', '40P01'])('is no failure unless it stays there: %s', async (code) => {
    const schema = bench.schema();
    await bench.open({ schema });
    const passing = await bench.open({ schema, pool: failing(code, 4).pool });
    expect(await passing.insert([record('a')])).toEqual(['inserted']);
    const staying = await bench.open({ schema, pool: failing(code, 5).pool });
    const error = await failure(() => staying.count({}), 'SCHED_STORE_UNAVAILABLE');
    expect(error.cause).toMatchObject({ code });
  });

  test('calls about the same tasks at once never lock each other out', async () => {
    // A database of its own, for its own count of deadlocks.
    const name = `test_${crypto.randomUUID().slice(0, 8)}`;
    await bench.query(`CREATE DATABASE ${name}`);
    bench.later(() => bench.query(`DROP DATABASE ${name} WITH (FORCE)`));
    const address = new URL(url);
    address.pathname = name;
    const connection = { connectionString: address.href };
    const store = await bench.open({ connection, schema: 'deadlocks' });
    const other = await bench.open({ connection, schema: 'deadlocks' });
    const ids = records(60, 'task-').map(({ id }) => id);
    for (let round = 0; round < 15; round++) {
      await store.insert(records(60, 'task-', { group: 'g' }));
      const { tasks } = await store.claim(claimAll);
      const leases = tasks.map(leaseOf);
      const spawn = records(5, 'spawned-');
      await Promise.all([
        store.extend(leases, 1000),
        other.settle(tasks.map((task) => settlement(task, { spawn: spawn.toReversed() }))),
        store.settle(tasks.toReversed().map((task) => settlement(task, { spawn }))),
        other.setPaused({ group: 'g' }, true),
        store.setPaused({ all: true }, false),
        other.release(leases.toReversed()),
        store.insert(records(60, 'task-').toReversed()),
        other.remove({ ids: ids.toReversed() }),
        store.claim(claimAll),
        other.remove({ all: true }),
      ]);
    }
    const client = await bench.client(address.href);
    const { rows } = await client.query(
      'SELECT pg_stat_force_next_flush(), deadlocks::int FROM pg_stat_database WHERE datname = $1',
      [name],
    );
    expect(rows).toMatchObject([{ deadlocks: 0 }]);
  });
});

await describeOn(
  'postgres',
  'a server that crashes',
  (postgres) => {
    const bench = workbench(postgres.url);

    test('comes back with its tasks, and whoever watches hears again', async () => {
      const schema = bench.schema();
      const watching = await bench.open({ schema });
      const store = await bench.open({ schema });
      const heard: WakeUp[] = [];
      await watching.watch((wakeUp) => heard.push(wakeUp));
      await store.insert([record('kept')]);
      await expect.poll(() => heard).toHaveLength(1);
      await postgres.stop({ kill: true });
      await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
      await failure(() => watching.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
      await failure(
        () => new PostgresDataStore({ url: postgres.url, schema }).open(),
        'SCHED_STORE_UNAVAILABLE',
      );
      await postgres.start();
      expect(await store.count({})).toBe(1);
      const hears = async () => {
        await store.insert([record(crypto.randomUUID(), { queue: 'later' })]);
        return heard.some(({ queue }) => queue === 'later');
      };
      await expect.poll(hears, { timeout: 20_000 }).toBe(true);
    });
  },
  { own: true },
);
