import type { WakeUp } from '@sched/core';
import { RedisDataStore } from '@sched/redis';
import {
  claimAll,
  createProxy,
  failure,
  record,
  settlement,
  testCutCalls,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

const entry = { taskId: 'held', id: 'run', at: 1000, body: '{}' };

await describeOn('redis', 'a connection cut in the middle of a call', (server) => {
  const bench = workbench(server);

  testCutCalls({ url: server.url, open: (url, clock) => bench.open({ url, clock }) });

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
      ]) {
        const error = await failure(call, 'SCHED_STORE_UNAVAILABLE');
        expect(error.message).toContain('maxmemory');
      }
      expect((await store.list({ limit: 9 })).tasks).toEqual(before);
      expect(await store.history('a', 9)).toEqual([]);
      expect(await store.remove({ ids: ['b'] })).toBe(1);
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
