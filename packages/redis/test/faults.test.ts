import type { ClaimedTask, DataStore, WakeUp } from '@sched/core';
import { RedisDataStore } from '@sched/redis';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { createProxy } from './proxy.js';
import { claimAll, failure, record, settlement, workbench } from './support.js';

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
    before: ['held'],
    after: ['held'],
  },
  { name: 'count', call: (store) => store.count({}), before: 2, after: 2 },
  { name: 'remove', call: (store) => store.remove({ ids: ['free'] }), before: 1, after: 0 },
  {
    name: 'setPaused',
    call: (store) => store.setPaused({ ids: ['free', 'held'] }, true),
    before: 2,
    after: 0,
  },
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

await describeOn('redis', 'a connection cut in the middle of a call', (server) => {
  const bench = workbench(server);

  /** A store whose every call goes through a proxy, with a task that is claimed and one that is due. */
  async function prepared() {
    const proxy = await createProxy(server.url);
    bench.later(() => proxy.close());
    // The server has seen every script, so that one message is one call.
    const other = await bench.open();
    await other.insert([record('held')]);
    const [known] = (await other.claim(claimAll)).tasks;
    if (!known) throw new Error('a task was claimed');
    for (const { call } of faults) await call(other, known);

    const store = await bench.open({ url: proxy.url });
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

  test.each(['before', 'after'] as const)('opening: %s', async (when) => {
    const proxy = await createProxy(server.url);
    bench.later(() => proxy.close());
    const store = new RedisDataStore({ url: proxy.url, namespace: bench.namespace() });
    proxy.cutNext(when);
    await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('whoever watches hears again, and is told of what it may have missed', async () => {
    const proxy = await createProxy(server.url);
    bench.later(() => proxy.close());
    const namespace = bench.namespace();
    const store = await bench.open({ namespace });
    const watching = await bench.open({ url: proxy.url, namespace });
    await watching.claim({ ...claimAll, queues: ['q', 'r'] });
    const heard: WakeUp[] = [];
    await watching.watch((wakeUp) => heard.push(wakeUp));
    proxy.cutAll();
    await expect
      .poll(() => heard)
      .toEqual([
        { queue: 'q', wakeAt: 0 },
        { queue: 'r', wakeAt: 0 },
      ]);
    await store.insert([record('a')]);
    await expect.poll(() => heard).toContainEqual({ queue: 'q', wakeAt: 1000 });
  });
});

await describeOn('redis', 'scripts', (server) => {
  const bench = workbench(server);

  test('are sent again when the server has forgotten them', async () => {
    const store = await bench.open();
    await store.insert([record('a')]);
    await bench.redis().script('FLUSH');
    const answers = await Promise.all([
      store.insert([record('a')]),
      store.insert([record('b')]),
      store.claim(claimAll),
    ]);
    expect(answers).toMatchObject([['exists'], ['inserted'], { tasks: [{}, {}] }]);
  });
});

await describeOn(
  'redis',
  'a server',
  (server) => {
    const bench = workbench(server);

    test('that crashes comes back with its tasks, and whoever watches hears again', async () => {
      const namespace = bench.namespace();
      const watching = await bench.open({ namespace });
      const store = await bench.open({ namespace });
      const heard: WakeUp[] = [];
      await watching.watch((wakeUp) => heard.push(wakeUp));
      await store.insert([record('kept')]);
      await expect.poll(() => heard).toHaveLength(1);
      await server.stop({ kill: true });
      await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
      await failure(() => watching.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
      const options = { url: server.url, namespace };
      await failure(() => new RedisDataStore(options).open(), 'SCHED_STORE_UNAVAILABLE');
      await server.start();
      const count = () => store.count({}).catch(() => undefined);
      await expect.poll(count, { timeout: 20_000 }).toBe(1);
      const hears = async () => {
        await store.insert([record(crypto.randomUUID(), { queue: 'later' })]);
        return heard.some(({ queue }) => queue === 'later');
      };
      await expect.poll(hears, { timeout: 20_000 }).toBe(true);
    });

    test('that has no memory left refuses what it cannot keep, as a whole', async () => {
      const store = await bench.open();
      await store.insert([record('a'), record('b', { runAt: 5000 })]);
      const [task] = (await store.claim(claimAll)).tasks;
      if (!task) throw new Error('a task was claimed');
      const before = (await store.list({ limit: 9 })).tasks;
      const admin = bench.redis();
      await admin.config('SET', 'maxmemory', '1');
      const settle = () =>
        store.settle([settlement(task, { history: [{ ...entry, taskId: 'a' }] })]);
      for (const call of [
        () => store.insert([record('c')]),
        () => store.update('b', { group: 'g' }, before[1] ?? task),
        () => store.setPaused({ all: true }, true),
        settle,
        () => store.settle([settlement(task, { next: null, spawn: [record('d')] })]),
        () => store.release([leaseOf(task)]),
      ]) {
        const error = await failure(call, 'SCHED_STORE_UNAVAILABLE');
        expect(error.message).toContain('maxmemory');
      }
      expect((await store.list({ limit: 9 })).tasks).toEqual(before);
      expect(await store.history('a', 9)).toEqual([]);
      await admin.config('SET', 'maxmemory', '0');
      expect(await settle()).toEqual(['settled']);
    });

    test('that becomes a replica is left for whatever has taken its place', async () => {
      const { port, password } = new URL(server.url);
      const connectionName = crypto.randomUUID();
      const store = await bench.open({
        connection: { port: Number(port), password, connectionName },
      });
      const admin = bench.redis();
      const connection = async () => {
        const all = String(await admin.client('LIST'));
        return all
          .split('\n')
          .find((line) => line.includes(connectionName))
          ?.split(' ')[0];
      };
      const before = await connection();
      await admin.replicaof('127.0.0.1', '1');
      const error = await failure(() => store.insert([record('a')]), 'SCHED_STORE_UNAVAILABLE');
      expect(error.message).toContain('READONLY');
      await admin.replicaof('NO', 'ONE');
      const insert = () => store.insert([record('a')]).catch(() => undefined);
      await expect.poll(insert, { timeout: 20_000 }).toEqual(['inserted']);
      expect(before).toMatch(/^id=/);
      expect(await connection()).not.toBe(before);
    });

    test('that lost everything has tokens and revisions that were never there before', async () => {
      const store = await bench.open();
      const claimed = async () => {
        await store.insert([record('a')]);
        const [task] = (await store.claim(claimAll)).tasks;
        if (!task) throw new Error('a task was claimed');
        return task;
      };
      const before = await claimed();
      await bench.redis().flushall();
      const after = await claimed();
      expect(after.lease.token).toBeGreaterThan(before.lease.token);
      expect(after.revision).toBeGreaterThan(before.revision);
      expect(await store.settle([settlement(before)])).toEqual(['lost']);
    });
  },
  { own: true },
);
