import { MongoDataStore } from '@sched/mongo';
import { clash, createProxy, failure, record, testCutCalls } from '@sched-tooling/adapter-tests';
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
