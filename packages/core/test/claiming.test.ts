import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, defineTask } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('slots', () => {
  test('no more handlers run at once than concurrency allows, and no fewer when there is work', async () => {
    const { clock, scheduler: make } = createSetting();
    let running = 0;
    const seen: number[] = [];
    const task = defineTask('work', {
      handler: async () => {
        seen.push(++running);
        await clock.sleep(1000);
        running--;
      },
    });
    const scheduler = make({ tasks: [task], concurrency: 3 });
    for (let i = 0; i < 12; i++) await scheduler.schedule(task);
    await scheduler.start();
    await clock.advance(4000);
    expect(seen).toHaveLength(12);
    expect(Math.max(...seen)).toBe(3);
    expect(running).toBe(0);
  });

  test('queues are worked on in strict order, and the oldest task of a queue comes first', async () => {
    const { clock, scheduler: make } = createSetting();
    const order: string[] = [];
    const task = defineTask<string>('work', {
      handler: async ({ payload }) => {
        order.push(payload);
        await clock.sleep(100);
      },
    });
    const scheduler = make({ tasks: [task], concurrency: 1, queues: ['high', 'middle', 'low'] });
    const schedule = (queue: string, name: string, inMs: number) =>
      scheduler.schedule(task, { payload: name, queue, at: clock.now() + inMs });
    await schedule('low', 'l1', -30);
    await schedule('low', 'l2', -20);
    await schedule('middle', 'm1', -10);
    await schedule('high', 'h2', -2);
    await schedule('high', 'h1', -3);
    await schedule('ignored', 'never', -50);
    // It comes in while others run, and goes first all the same.
    await schedule('high', 'h3', 250);
    await scheduler.start();
    await clock.advance(1000);
    expect(order).toEqual(['h1', 'h2', 'm1', 'h3', 'l1', 'l2']);
  });

  test('stores share the slots, and none of them starves another', async () => {
    const { clock, handle, store } = createSetting();
    const other = new MemoryDataStore({ clock: clock.now });
    let running = 0;
    let most = 0;
    const order: string[] = [];
    const task = defineTask<string>('work', {
      handler: async ({ payload }) => {
        most = Math.max(most, ++running);
        order.push(payload);
        await clock.sleep(1);
        running--;
      },
    });
    const scheduler = createScheduler({
      store: { a: handle(), b: other },
      ...{ tasks: [task], clock, concurrency: 1, announce: false },
    });
    for (let i = 0; i < 100; i++) {
      await scheduler.store('a').schedule(task, { payload: 'a' });
      await scheduler.store('b').schedule(task, { payload: 'b' });
    }
    await scheduler.start();
    await clock.advance(50);
    expect(most).toBe(1);
    expect(order).toHaveLength(51);
    expect(order.filter((store) => store === 'a').length).toBeGreaterThan(20);
    expect(order.filter((store) => store === 'b').length).toBeGreaterThan(20);
    await clock.advance(1000);
    expect(await store.count({})).toBe(0);
    expect(await other.count({})).toBe(0);
    await scheduler.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('claiming ahead', () => {
  test('short tasks are claimed and settled in batches, within the limit of prefetch', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    let ran = 0;
    const task = defineTask('quick', { handler: () => ran++ });
    const scheduler = make({ store: recorded.store, tasks: [task], concurrency: 5, prefetch: 50 });
    await scheduler.scheduleMany(Array.from({ length: 2000 }, () => ({ task })));
    await scheduler.start();
    await clock.advance(100);
    expect(ran).toBe(2000);
    expect(await store.count({})).toBe(0);
    const claims = recorded.calls.filter(({ call }) => call === 'claim');
    for (const { args } of claims) {
      expect((args[0] as { limit: number }).limit).toBeLessThanOrEqual(55);
    }
    expect(claims.length).toBeLessThan(2000 / 20);
    expect(recorded.count('settle')).toBeLessThan(2000 / 4);
  });

  test('fewer are claimed ahead where tasks are large', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    const task = defineTask<string>('quick', { handler: () => {} });
    const scheduler = make({ store: recorded.store, tasks: [task], concurrency: 5 });
    const payload = 'x'.repeat(100_000);
    await scheduler.scheduleMany(Array.from({ length: 300 }, () => ({ task, payload })));
    await scheduler.start();
    await clock.advance(100);
    expect(await store.count({})).toBe(0);
    const limits = recorded.calls
      .filter(({ call }) => call === 'claim')
      .map(({ args }) => (args[0] as { limit: number }).limit);
    // Those of the first claims show how large they are.
    expect(limits.slice(2).length).toBeGreaterThan(2);
    expect(Math.max(...limits.slice(2))).toBeLessThanOrEqual(5 + 80);
  });

  test('nothing is claimed ahead with prefetch 0, or while handlers take long', async () => {
    const { clock, store, scheduler: make } = createSetting();
    for (const [prefetch, lengthMs] of [
      [0, 0],
      [200, 10_000],
    ] as const) {
      const recorded = recordStore(store);
      const task = defineTask('work', { handler: () => lengthMs > 0 && clock.sleep(lengthMs) });
      const scheduler = make({ store: recorded.store, tasks: [task], concurrency: 4, prefetch });
      await scheduler.scheduleMany(Array.from({ length: 40 }, () => ({ task })));
      await scheduler.start();
      await clock.advance('10m');
      expect(await store.count({})).toBe(0);
      for (const { call, args } of recorded.calls) {
        if (call === 'claim') expect((args[0] as { limit: number }).limit).toBeLessThanOrEqual(4);
      }
    }
  });

  test('nothing more is claimed while too much waits to be settled', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isFailing = true;
    const failing = interceptStore(store, async (call, proceed) => {
      if (call === 'settle' && isFailing) throw new Error('not now');
      return proceed();
    });
    let ran = 0;
    const task = defineTask('quick', { handler: () => ran++ });
    const scheduler = make({
      ...{ store: failing, tasks: [task], concurrency: 50, lease: '1h' },
      pollInterval: Number.POSITIVE_INFINITY,
    });
    await scheduler.scheduleMany(Array.from({ length: 5000 }, () => ({ task })));
    await scheduler.start();
    await clock.advance('10m');
    expect(ran).toBeGreaterThanOrEqual(2000);
    expect(ran).toBeLessThan(3100);
    expect((await scheduler.health()).settling).toBe(ran);
    // Its tasks are gone: nothing but their loss makes room again.
    await store.remove({
      ids: [...(await store.list({ limit: 5000 })).tasks].flatMap((each) =>
        each.lease ? [each.id] : [],
      ),
    });
    isFailing = false;
    await clock.advance('1m');
    expect(ran).toBe(5000);
    expect(await store.count({})).toBe(0);
  });

  test('tasks whose slots are long in coming go back, and run elsewhere', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const ran = { a: 0, b: 0 };
    const define = (who: 'a' | 'b') =>
      defineTask<number>('work', {
        handler: async ({ payload }) => {
          ran[who]++;
          if (payload > 0 && who === 'a') await clock.sleep(payload);
        },
      });
    const a = make({ tasks: [define('a')], concurrency: 2, owner: 'a' });
    const events = logEvents(a);
    const task = define('a');
    // Quick ones first, which make it claim ahead; then two that take all the slots for an hour.
    const lengths = [...Array(20).fill(0), 3_600_000, 3_600_000, ...Array(60).fill(0)];
    for (const [index, length] of lengths.entries()) {
      await a.schedule(task, { payload: length, at: clock.now() - 1000 + index });
    }
    await a.start();
    await clock.runUntil(() => ran.a === 22);
    expect((await a.health()).waiting).toBeGreaterThan(0);
    const b = make({ tasks: [define('b')], owner: 'b' });
    await b.start();
    // A heartbeat is a third of the lease.
    await clock.advance(5000);
    expect((await a.health()).waiting).toBe(0);
    expect(ran).toEqual({ a: 22, b: 60 });
    expect(events.of('lost')).toEqual([]);
    await clock.advance('1h');
    expect(ran).toEqual({ a: 22, b: 60 });
    expect(await store.count({})).toBe(0);
  });
});
