import type { TaskRecord } from '@sched/core';
import { MongoDataStore } from '@sched/mongo';
import {
  claimAll,
  clash,
  createProxy,
  failure,
  record,
  testCutCalls,
} from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { servers, tampered, workbench } from './support.js';

/**
 * Past a proxy: to it and no other server, over one connection, and hardly ever by the driver on its own account, so that
 * what is cut is the call.
 */
const throughProxy = {
  ...{ directConnection: true, maxPoolSize: 1, serverSelectionTimeoutMS: 5000 },
  ...{ heartbeatFrequencyMS: 600_000, serverMonitoringMode: 'poll' },
};

await describeOnEach(servers, 'a connection cut in the middle of a call', ({ url }) => {
  const bench = workbench(url);

  testCutCalls({
    url,
    open: (address, clock) => bench.open({ url: address, options: throughProxy, clock }),
  });

  test.each(['before', 'after'] as const)('opening: %s', async (when) => {
    const proxy = await createProxy(url);
    bench.later(() => proxy.close());
    const database = bench.database();
    const store = new MongoDataStore({ url: proxy.url, options: throughProxy, database });
    proxy.cutNext(when);
    await store.open().catch(() => {});
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('that is idle: the next call has another', async () => {
    const proxy = await createProxy(url);
    bench.later(() => proxy.close());
    const store = await bench.open({ url: proxy.url, options: throughProxy });
    await store.insert([record('a')]);
    proxy.cutAll();
    const isBack = async () => (await store.count({}).catch(() => undefined)) === 1;
    await expect.poll(isBack, { timeout: 10_000 }).toBe(true);
  });
});

await describeOnEach(servers, 'others in the way', ({ url }) => {
  const bench = workbench(url);

  test.each([
    [112, 'in the way'],
    [24, 'in the way'],
    [16908292, 'deadlock detected'],
  ])('are no failure unless they stay there: %i, %s', async (code, message) => {
    const database = bench.database();
    await bench.open({ database });
    const failing = (times: number) => {
      let left = times;
      return tampered(bench.client(), async (write) => {
        if (write === 'updateMany sched' && left-- > 0) {
          throw Object.assign(new Error(message), { code });
        }
      });
    };
    const passing = await bench.open({ database, client: failing(9) });
    await passing.insert([record('a')]);
    expect(await passing.setPaused({ ids: ['a'] }, true)).toBe(1);
    const staying = await bench.open({ database, client: failing(10) });
    const error = await failure(
      () => staying.setPaused({ ids: ['a'] }, false),
      'SCHED_STORE_UNAVAILABLE',
    );
    expect(error.cause).toMatchObject({ code });
  });

  test('a pause that comes before a claim has read what it took is no part of it', async () => {
    const database = bench.database();
    const other = await bench.open({ database });
    const pause = async (write: string) => {
      if (write === 'updateMany sched') await other.setPaused({ ids: ['a'] }, true);
    };
    const client = tampered(bench.client(), async () => {}, pause);
    const store = await bench.open({ database, client });
    await other.insert([record('a')]);
    const { queue } = record('a');
    const request = { queues: [queue], limit: 1, owner: 'worker', leaseMs: 60_000 };
    const [taken] = (await store.claim(request)).tasks;
    expect(taken).toMatchObject({ id: 'a', paused: false, wakeAt: taken?.lease.expiresAt });
    expect(await other.get(['a'])).toMatchObject([{ paused: true, wakeAt: null }]);
  });

  /** What a claim takes of `a` and `b`, and what each is then, when others do something once it has marked them. */
  async function claimThen(
    meanwhile: (other: MongoDataStore, taken: TaskRecord) => Promise<unknown>,
  ) {
    const database = bench.database();
    const other = await bench.open({ database, clock: () => 1100 });
    await other.insert([record('a', { body: '"first"' }), record('b', { runAt: 1001 })]);
    const client = tampered(
      bench.client(),
      async () => {},
      async (write) => {
        if (write !== 'updateMany sched') return;
        const [task] = await other.get(['a']);
        if (task) await meanwhile(other, task);
      },
    );
    const store = await bench.open({ database, client, clock: () => 1001 });
    const before = await other.get(['a', 'b']);
    const { tasks } = await store.claim({ ...claimAll, owner: 'worker', leaseMs: 500 });
    return { before, tasks, after: await other.get(['a', 'b']) };
  }

  test.each<[string, (other: MongoDataStore, task: TaskRecord) => Promise<unknown>]>([
    ['a pause', (other) => other.setPaused({ ids: ['a'] }, true)],
    [
      'a pause that ends again',
      async (other) => {
        await other.setPaused({ ids: ['a'] }, true);
        await other.setPaused({ ids: ['a'] }, false);
      },
    ],
    ['an edit', (other, task) => other.update('a', { name: 'new', body: '"new"' }, task)],
    ['an edit that puts it off', (other, task) => other.update('a', { runAt: 9000 }, task)],
    [
      'an edit that ends it',
      (other, task) => other.update('a', { status: 'finished', runAt: null }, task),
    ],
    [
      'an edit that moves it',
      (other, task) => other.update('a', { queue: 'elsewhere', group: 'g' }, task),
    ],
    [
      'an extension',
      (other, { lease }) => other.extend([{ id: 'a', token: lease?.token ?? 0 }], 1),
    ],
  ])(
    '%s that comes while a claim takes a task is no part of what it takes',
    async (_, meanwhile) => {
      const { before, tasks, after } = await claimThen(meanwhile);
      const lease = { owner: 'worker', expiresAt: 1501 };
      const taken = { deliveries: 1, wakeAt: 1501, lapsedOwner: null };
      expect(tasks).toMatchObject(before.map((task) => ({ ...task, ...taken, lease })));
      expect(after[0]).not.toMatchObject({ ...before[0], lease, deliveries: 1, wakeAt: 1501 });
      expect(after[1]).toMatchObject({ id: 'b', lease, deliveries: 1 });
    },
  );

  test.each<[string, (other: MongoDataStore) => Promise<unknown>]>([
    ['a removal', (other) => other.remove({ ids: ['a'] })],
    [
      'a removal and an insertion',
      async (other) => {
        await other.remove({ ids: ['a'] });
        await other.insert([record('a', { queue: 'elsewhere' })]);
      },
    ],
  ])('%s that comes while a claim takes a task is before the claim', async (_, meanwhile) => {
    const { tasks, after } = await claimThen(meanwhile);
    expect(tasks).toMatchObject([{ id: 'b', deliveries: 1 }]);
    expect(after[0]?.lease ?? null).toBe(null);
  });

  test('what a task was when it was claimed is kept no longer than its lease', async () => {
    const database = bench.database();
    let now = 1000;
    const store = await bench.open({ database, clock: () => now });
    const ids = ['claimed', 'kept', 'released', 'settled'];
    await store.insert(ids.map((id) => record(id, { body: '"first"', group: 'g' })));
    const { tasks } = await store.claim(claimAll);
    for (const task of tasks) {
      await store.update(task.id, { body: '"second"', group: null }, task);
      await store.setPaused({ ids: [task.id] }, true);
      await store.setPaused({ ids: [task.id] }, false);
    }
    const left = async () => {
      const found = await bench
        .collection(database)
        .find({ taken: { $exists: true } })
        .toArray();
      return found.sort((a, b) => (a._id < b._id ? -1 : 1));
    };
    const taken = { body: '"first"', group: 'g', resumedAt: null };
    expect(await left()).toMatchObject(ids.map((_id) => ({ _id, taken, body: '"second"' })));
    const [claimed, , released, settled] = await store.get(ids);
    const tokenOf = (task?: TaskRecord) => task?.lease?.token ?? 0;
    const next = { status: 'finished', runAt: null, body: '"third"' } as const;
    const { revision = 0 } = settled ?? {};
    const settlement = { id: 'settled', token: tokenOf(settled), revision, history: [], spawn: [] };
    expect(await store.settle([{ ...settlement, next }])).toEqual(['settled']);
    const later = { id: 'released', token: tokenOf(released), deferUntil: 5000 };
    expect(await store.release([later])).toEqual(['released']);
    await store.extend([{ id: 'claimed', token: tokenOf(claimed) }], 1);
    now++;
    const again = await store.claim(claimAll);
    expect(again.tasks).toMatchObject([{ id: 'claimed', body: '"second"', group: null }]);
    expect(await left()).toMatchObject([{ _id: 'kept', taken }]);
  });

  test('what is changed while a claim is about to take it is left, or taken as it has become', async () => {
    const database = bench.database();
    const other = await bench.open({ database });
    const ids = ['edited', 'off', 'moved', 'paused', 'resumed', 'released', 'removed', 'left'];
    await other.insert(ids.map((id) => record(id, { runAt: id === 'left' ? 1001 : 1000 })));
    const owned = await other.claim({ ...claimAll, owner: 'vanished', leaseMs: 1 });
    const lost = owned.tasks.find(({ id }) => id === 'released');
    let isDone = false;
    const client = tampered(bench.client(), async (write) => {
      if (write !== 'updateMany sched' || isDone) return;
      isDone = true;
      const [edited, off, moved] = await other.get(['edited', 'off', 'moved']);
      await other.update('edited', { body: '"new"' }, { revision: edited?.revision ?? 0 });
      await other.update(
        'off',
        { status: 'failed', runAt: null },
        { revision: off?.revision ?? 0 },
      );
      await other.update('moved', { queue: 'elsewhere' }, { revision: moved?.revision ?? 0 });
      await other.setPaused({ ids: ['paused', 'resumed'] }, true);
      await other.setPaused({ ids: ['resumed'] }, false);
      await other.release([{ id: 'released', token: lost?.lease.token ?? 0, deferUntil: 1002 }]);
      await other.remove({ ids: ['removed'] });
    });
    const store = await bench.open({ database, client, clock: () => 1002 });
    const { tasks } = await store.claim({ ...claimAll, owner: 'worker', leaseMs: 500 });
    const current = await other.get(tasks.map(({ id }) => id));
    expect(tasks.map(({ id }) => id).sort()).toEqual(['edited', 'left', 'released', 'resumed']);
    expect(tasks).toMatchObject(current);
    const lapsed = tasks.filter(({ lapsedOwner }) => lapsedOwner === 'vanished');
    expect(lapsed.map(({ id }) => id).sort()).toEqual(['edited', 'resumed']);
  });

  test('are no failure, whatever is done to the same tasks at once', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    const other = await bench.open({ database });
    await clash(store, other, { rounds: 8, count: 30, spawned: 3 });
    const sched = bench.collection(database);
    expect(await sched.find({ pending: { $exists: true } }).toArray()).toEqual([]);
    expect(await store.count({})).toBe(await sched.countDocuments());
  }, 60_000);
});

for (const name of ['ferretdb', 'secantusdb'] as const) {
  await describeOn(
    name,
    'a server that crashes',
    (server) => {
      const bench = workbench(server.url);

      test('comes back with its tasks, and whoever watches hears again', async () => {
        const database = bench.database();
        const options = { serverSelectionTimeoutMS: 1000 };
        const watching = await bench.open({ database, options });
        const store = await bench.open({ database, options });
        const heard: string[] = [];
        await watching.watch(({ queue }) => heard.push(queue));
        await store.insert([record('kept')]);
        await server.stop({ kill: true });
        await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
        await failure(() => watching.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
        await failure(
          () => new MongoDataStore({ url: server.url, database, options }).open(),
          'SCHED_STORE_UNAVAILABLE',
        );
        await server.start();
        const count = () => store.count({}).catch(() => undefined);
        await expect.poll(count, { timeout: 20_000 }).toBe(1);
        if (!store.capabilities.watch) return;
        const hears = async () => {
          await store.insert([record(crypto.randomUUID(), { queue: 'later' })]);
          return heard.includes('later');
        };
        await expect.poll(hears, { timeout: 20_000 }).toBe(true);
      });
    },
    { own: true },
  );
}
