import type { WakeUp } from '@sched/core';
import { MongoDataStore } from '@sched/mongo';
import { claimAll, createProxy, failure, record } from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import type { ClientSession } from 'mongodb';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOn('ferretdb', 'a standalone server', ({ url }) => {
  const bench = workbench(url);

  test('has no transactions, and says so', async () => {
    const store = await bench.open();
    const session = bench.client().startSession();
    const error = await failure(() => store.withTransaction(session), 'SCHED_STORE_UNSUPPORTED');
    expect(error.message).toMatch(/replica set/);
    await session.endSession();
  });

  test('has none for a store that was not opened either', async () => {
    const database = bench.database();
    await bench.open({ database });
    const client = bench.client();
    const session = client.startSession();
    session.startTransaction();
    const store = new MongoDataStore({ client, database }).withTransaction(session);
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_UNSUPPORTED');
    await session.abortTransaction().catch(() => {});
    await session.endSession();
  });
});

await describeOnEach(['secantusdb', 'mongodb'], 'a transaction of the user’s own', ({ url }) => {
  const bench = workbench(url);

  function session(client = bench.client()): ClientSession {
    const given = client.startSession();
    bench.later(() => given.endSession());
    return given;
  }

  test('holds the user’s writes and the store’s together', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    await bench.collection(database, 'orders').insertOne({ _id: 'first' });
    const client = bench.client();
    const orders = client.db(database).collection('orders');
    const tx = session(client);
    for (const isCommitted of [false, true]) {
      tx.startTransaction();
      await orders.insertOne({ state: 'paid' }, { session: tx });
      const inside = store.withTransaction(tx);
      expect(await inside.insert([record('a'), record('a'), record('b')])).toEqual([
        ...['inserted', 'exists', 'inserted'],
      ]);
      expect(await inside.setPaused({ ids: ['a'] }, true)).toBe(1);
      expect(await inside.remove({ ids: ['b'] })).toBe(1);
      await (isCommitted ? tx.commitTransaction() : tx.abortTransaction());
      expect(await orders.countDocuments()).toBe(isCommitted ? 2 : 1);
      expect(await store.count({})).toBe(isCommitted ? 1 : 0);
    }
    expect(await store.get(['a', 'b'])).toMatchObject([{ paused: true }, undefined]);
  });

  test('survives an id that exists', async () => {
    const store = await bench.open();
    await store.insert([record('there')]);
    const tx = session();
    tx.startTransaction();
    const inside = store.withTransaction(tx);
    expect(await inside.insert([record('there'), record('new')])).toEqual(['exists', 'inserted']);
    await tx.commitTransaction();
    expect(await store.count({})).toBe(2);
  });

  test('a conflict is made known to the driver, which begins anew', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    await store.insert([record('a')]);
    const tx = session();
    let attempts = 0;
    await tx.withTransaction(async () => {
      const inside = store.withTransaction(tx);
      await inside.count({});
      if (++attempts === 1) await store.setPaused({ ids: ['a'] }, true);
      try {
        await inside.setPaused({ ids: ['a'] }, attempts === 1);
        await inside.update('a', { body: '"in"' }, await one(inside.get(['a'])));
      } catch (error) {
        // The driver looks for its own error.
        throw (error as Error).cause;
      }
    });
    expect(attempts).toBe(2);
    expect(await store.get(['a'])).toMatchObject([{ paused: false, body: '"in"' }]);
  });

  test('is refused when it is none', async () => {
    const store = await bench.open();
    for (const tx of [null, {}, bench.client(), 'session']) {
      await failure(() => store.withTransaction(tx), 'SCHED_ARGUMENT_INVALID');
    }
    const inside = store.withTransaction(session());
    const error = await failure(() => inside.insert([record('a')]), 'SCHED_ARGUMENT_INVALID');
    expect(error.message).toMatch(
      /a ClientSession of mongodb inside a transaction: begin one before/,
    );
    expect(await store.count({})).toBe(0);
  });

  test('needs no store that is open', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    const tx = session();
    tx.startTransaction();
    const closed = new MongoDataStore({ url, database });
    await closed.withTransaction(tx).insert([record('a')]);
    await tx.commitTransaction();
    expect(await store.count({})).toBe(1);
  });
});

async function one<T>(found: Promise<readonly (T | undefined)[]>): Promise<T> {
  const [first] = await found;
  if (first === undefined) throw new Error('there is one');
  return first;
}

await describeOnEach(['secantusdb', 'mongodb'], 'whoever watches', ({ url }) => {
  const bench = workbench(url);

  test('hears nothing of claims and leases', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.insert([record('a')]);
    const [task] = (await store.claim(claimAll)).tasks;
    await store.extend([{ id: 'a', token: task?.lease.token ?? 0 }], 5000);
    await store.insert([record('end', { queue: 'end', runAt: 7 })]);
    await expect.poll(() => heard.at(-1)).toEqual({ queue: 'end', wakeAt: 7 });
    expect(heard).toEqual([
      { queue: 'q', wakeAt: 1000 },
      { queue: 'end', wakeAt: 7 },
    ]);
  });

  test('is told to look at its queues after an interruption', async () => {
    const proxy = await createProxy(url);
    bench.later(() => proxy.close());
    const database = bench.database();
    const options = { directConnection: true };
    const store = await bench.open({ url: proxy.url, options, database });
    const other = await bench.open({ database });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.claim({ ...claimAll, queues: ['q', 'r'] });
    proxy.cutAll();
    const isBack = () => heard.some(({ queue, wakeAt }) => queue === 'r' && wakeAt === 0);
    await expect.poll(isBack, { timeout: 20_000 }).toBe(true);
    await other.insert([record('a', { runAt: 77 })]);
    await expect.poll(() => heard.some(({ wakeAt }) => wakeAt === 77)).toBe(true);
  });
});
