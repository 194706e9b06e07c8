import { describe, expect, test } from 'vitest';
import { defineTask } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('several workers', () => {
  test('two that race for the same tasks run each of them once', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const ran = new Map<string, number>();
    const owners = new Set<string>();
    const create = (owner: string) => {
      const task = defineTask('work', {
        handler: async ({ task: { id } }) => {
          owners.add(owner);
          ran.set(id, (ran.get(id) ?? 0) + 1);
          await clock.sleep(1);
        },
      });
      return { task, scheduler: make({ tasks: [task], owner, concurrency: 3 }) };
    };
    const a = create('a');
    const b = create('b');
    for (let i = 0; i < 200; i++) {
      await a.scheduler.schedule(a.task, { id: `t${i}`, in: 1 + (i % 50) });
    }
    await Promise.all([a.scheduler.start(), b.scheduler.start()]);
    await clock.advance('1m');
    expect(ran.size).toBe(200);
    expect(new Set(ran.values())).toEqual(new Set([1]));
    expect(owners).toEqual(new Set(['a', 'b']));
    expect(await store.count({})).toBe(0);
  });

  test('one may schedule without running, and another run without scheduling', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    const shape = defineTask<{ n: number }>('sum');
    const client = make({ store: recorded.store, tasks: [shape] });
    await client.schedule(shape, { payload: { n: 3 } });
    await client.schedule(shape, { payload: { n: 4 }, every: '1h' });
    await clock.advance('10m');
    expect(recorded.count('claim')).toBe(0);
    let sum = 0;
    const worker = make({
      tasks: [defineTask<{ n: number }>('sum', { handler: ({ payload }) => (sum += payload.n) })],
    });
    await worker.start();
    await clock.advance('50m');
    expect(sum).toBe(7);
  });

  test('what a dead worker held runs elsewhere when its lease is over, and what it says later is refused', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isCut = false;
    const cut = interceptStore(store, async (_, proceed) => {
      if (isCut) throw new Error('cut off');
      return proceed();
    });
    const effects: string[] = [];
    const define = (who: string, lengthMs: number) =>
      defineTask('work', {
        handler: async ({ token }) => {
          effects.push(`${who} began at ${clock.elapsed()}`);
          await clock.sleep(lengthMs);
          effects.push(`${who} ended at ${clock.elapsed()}`);
          tokens.push(token);
        },
      });
    const tokens: number[] = [];
    const a = make({ store: cut, tasks: [define('a', 60_000)], owner: 'a', abortGrace: '10m' });
    const b = make({ tasks: [define('b', 10_000)], owner: 'b' });
    const aEvents = logEvents(a);
    const bEvents = logEvents(b);
    await b.schedule(define('b', 0), { id: 'w' });
    await a.start();
    await clock.runUntil(() => effects.length === 1);
    await b.start();
    isCut = true;
    await clock.advance(30_000);
    isCut = false;
    await clock.advance('1h');
    expect(effects).toEqual([
      'a began at 0',
      'b began at 15000',
      'b ended at 25000',
      'a ended at 60000',
    ]);
    expect(bEvents.of('claimed')).toMatchObject([{ id: 'w', lapsedOwner: 'a' }]);
    expect(aEvents.of('succeeded')).toEqual([]);
    expect(aEvents.of('lost')).toMatchObject([{ id: 'w' }]);
    expect(await b.history('w')).toMatchObject([{ outcome: 'succeeded', owner: 'b' }]);
    expect(tokens[0]).toBeGreaterThan(tokens[1] as number);
    expect(await store.count({})).toBe(0);
  });

  test('the first answer that a worker hears is judged by the time of the store, also when it is late', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const begun: string[] = [];
    const define = (who: string) =>
      defineTask('work', {
        handler: async ({ task: { id } }) => {
          begun.push(`${who} ${id}`);
          await clock.sleep(1000);
        },
      });
    let isDead = false;
    const dying = interceptStore(store, async (_, proceed) => {
      if (isDead) await clock.sleep(Number.POSITIVE_INFINITY);
      return proceed();
    });
    const a = make({ store: dying, tasks: [define('a')], concurrency: 1, owner: 'a' });
    await a.schedule(define('a'), { id: 'once', delivery: 'atMostOnce' });
    await a.schedule(define('a'), {
      ...{ id: 'picky', every: '1m', catchUp: { mode: 'none', grace: 1000 } },
    });
    await a.start();
    await clock.advance(500);
    isDead = true;
    await clock.advance('10m30s');

    let claims = 0;
    const slowUntil = clock.elapsed() + 5000;
    const slow = interceptStore(store, async (call, proceed) => {
      if (call !== 'claim' || clock.elapsed() >= slowUntil) return proceed();
      // Those that are made meanwhile never reach the store.
      if (++claims > 1) await clock.sleep(Number.POSITIVE_INFINITY);
      const answer = await proceed();
      await clock.sleep(5000);
      return answer;
    });
    const b = make({
      ...{ store: slow, tasks: [define('b')], owner: 'b', lease: '1m', storeTimeout: 1000 },
    });
    const events = logEvents(b);
    await b.start();
    await clock.advance(20_000);
    expect(begun).toEqual(['a once']);
    expect(events.of('failed')).toMatchObject([
      { id: 'once', error: { code: 'SCHED_DELIVERY_LOST' } },
    ]);
    expect(events.of('skipped')).toMatchObject([{ id: 'picky', reason: 'missed', count: 10 }]);
  });

  test('a task that keeps killing its worker is failed after so many deliveries', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const task = defineTask('killer', { handler: () => clock.sleep('1d'), maxDeliveries: 3 });
    let deliveries = 0;
    for (let i = 0; i < 5; i++) {
      let isDead = false;
      const handle = interceptStore(store, async (_, proceed) => {
        if (isDead) await clock.sleep(Number.POSITIVE_INFINITY);
        return proceed();
      });
      const victim = make({ store: handle, tasks: [task], owner: `v${i}` });
      const events = logEvents(victim);
      if (i === 0) await victim.schedule(task, { id: 'k' });
      await victim.start();
      await clock.advance(1000);
      deliveries += events.of('started').length;
      isDead = true;
      await clock.advance('5m');
    }
    expect(deliveries).toBe(3);
    const reader = make({ tasks: [task] });
    expect(await reader.get('k')).toMatchObject({
      state: 'failed',
      lastRun: { error: { code: 'SCHED_DELIVERY_EXHAUSTED' } },
    });
  });
});

describe('after an outage', () => {
  test('whatever is answered first hurries the rest', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isDown = false;
    const down = interceptStore(store, async (_, proceed) => {
      if (isDown) throw new Error('down');
      return proceed();
    });
    const done: string[] = [];
    const task = defineTask<number>('work', { handler: ({ payload }) => clock.sleep(payload) });
    const worker = make({ store: down, tasks: [task] });
    worker.on('succeeded', ({ id }) => done.push(`${id}@${clock.elapsed()}`));
    await worker.schedule(task, { payload: 2000, id: 'settled' });
    await worker.schedule(task, { payload: 0, id: 'claimed', in: '2m' });
    await worker.start();
    await clock.advance(1000);
    isDown = true;
    await clock.advance('10m');
    isDown = false;
    // The tries to settle and to claim are half a minute apart by then, those to prolong a lease a heartbeat.
    const upAt = clock.elapsed();
    await clock.advance(5000);
    const times = done.map((entry) => Number(entry.split('@')[1]));
    expect(done.map((entry) => entry.split('@')[0]).sort()).toEqual(['claimed', 'settled']);
    expect(new Set(times).size).toBe(1);
    expect(times[0]).toBeGreaterThan(upAt);
  });
});
