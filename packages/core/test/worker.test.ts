import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/clock.js';
import {
  createScheduler,
  defineTask,
  every,
  type NewTaskRecord,
  type RunContext,
  type Settlement,
  type StandardSchema,
  type TriggerKind,
} from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('the main path', () => {
  test('a task runs once when it is due, and its handler knows everything about it', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const runs: RunContext<unknown>[] = [];
    const task = defineTask('greet', {
      handler: (run) => runs.push(run),
      queue: 'polite',
      group: 'people',
    });
    const scheduler = make({ tasks: [task], queues: ['polite'], owner: 'me' });
    const events = logEvents(scheduler);
    const at = clock.now() + 60_000;
    await scheduler.schedule(task, { name: 'Ada' }, { id: 'ada', at });
    await scheduler.start();
    await clock.advance(59_999);
    expect(runs).toHaveLength(0);
    await clock.advance(1);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      payload: { name: 'Ada' },
      nominal: new Date(at),
      attempt: 1,
      task: { id: 'ada', name: 'greet', queue: 'polite', group: 'people' },
    });
    expect(runs[0]?.token).toBeGreaterThan(0);
    expect(runs[0]?.signal.aborted).toBe(false);
    expect(events.types()).toEqual(['scheduled', 'ready', 'claimed', 'started', 'succeeded']);
    expect(await store.count({})).toBe(0);
    expect(await scheduler.history('ada')).toMatchObject([
      { outcome: 'succeeded', nominal: new Date(at), attempt: 1, owner: 'me' },
    ]);
    await scheduler.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a failing task is tried again after its delay, and then kept as failed', async () => {
    const { clock, scheduler: make } = createSetting();
    const attempts: string[] = [];
    const task = defineTask('fail', {
      handler: ({ attempt }) => {
        attempts.push(`${attempt}@${clock.elapsed()}`);
        throw new Error(`no. ${attempt}`);
      },
      retry: { limit: 2, min: 1000, jitter: 0 },
    });
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, null, { id: 'f' });
    await scheduler.start();
    await clock.advance('1h');
    expect(attempts).toEqual(['1@0', '2@1000', '3@3000']);
    expect(await scheduler.get('f')).toMatchObject({
      state: 'failed',
      lastRun: { outcome: 'failed', error: { message: 'no. 3' } },
    });
  });

  test('what a handler throws is recorded, whatever it is', async () => {
    const { clock, scheduler: make } = createSetting();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const hostile = {
      get message() {
        throw new Error('look elsewhere');
      },
    };
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const thrown = [
      new TypeError('typed'),
      'text',
      42,
      undefined,
      null,
      Symbol('s'),
      10n,
      () => {},
      {},
      circular,
      Object.create(null),
      hostile,
      proxy,
    ];
    const task = defineTask<{ which: number }>('throw', {
      handler: ({ payload: { which } }) => {
        throw thrown[which];
      },
      retry: 0,
    });
    const rejects = defineTask<{ which: number }>('reject', {
      handler: ({ payload: { which } }) => Promise.reject(thrown[which]),
      retry: 0,
    });
    const scheduler = make({ tasks: [task, rejects] });
    for (const definition of [task, rejects]) {
      for (const which of thrown.keys()) {
        await scheduler.schedule(definition, { which }, { id: `${definition.name} ${which}` });
      }
    }
    await scheduler.start();
    await clock.advance('1m');
    expect(await scheduler.count({ status: 'failed' })).toBe(2 * thrown.length);
    expect((await scheduler.get('throw 0'))?.lastRun?.error).toEqual({
      name: 'TypeError',
      message: 'typed',
    });
    expect((await scheduler.get('reject 1'))?.lastRun?.error?.message).toBe('text');
    expect((await scheduler.health()).running).toBe(0);
  });
});

describe('a payload that its schema refuses when it is to run', () => {
  test('fails without another attempt, and is kept', async () => {
    const { clock, scheduler: make } = createSetting();
    let isStrict = false;
    let calls = 0;
    const schema: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          isStrict ? { issues: [{ message: 'too small' }] } : { value: value as number },
      },
    };
    const task = defineTask('work', { payload: schema, handler: () => calls++, retry: 5 });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, 1, { id: 'w', in: 1000 });
    isStrict = true;
    await scheduler.start();
    await clock.advance('1h');
    expect(calls).toBe(0);
    expect(events.of('failed')).toMatchObject([
      { id: 'w', attempt: 1, error: { code: 'SCHED_PAYLOAD_INVALID' } },
    ]);
    expect(await scheduler.get('w')).toMatchObject({ state: 'failed', payload: 1 });
    isStrict = false;
    await scheduler.retry('w');
    await clock.advance(0);
    expect(calls).toBe(1);
  });
});

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
    for (let i = 0; i < 12; i++) await scheduler.schedule(task, null);
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
      scheduler.schedule(task, name, { queue, at: clock.now() + inMs });
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
      ...{ tasks: [task], clock, concurrency: 1 },
    });
    for (let i = 0; i < 100; i++) {
      await scheduler.store('a').schedule(task, 'a');
      await scheduler.store('b').schedule(task, 'b');
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
    await scheduler.scheduleMany(Array.from({ length: 3000 }, () => ({ task })));
    await scheduler.start();
    await clock.advance('10m');
    expect(ran).toBeGreaterThanOrEqual(1000);
    expect(ran).toBeLessThan(1300);
    expect((await scheduler.health()).settling).toBe(ran);
    // Its tasks are gone: nothing but their loss makes room again.
    await store.remove({
      ids: [...(await store.list({ limit: 3000 })).tasks].flatMap((each) =>
        each.lease ? [each.id] : [],
      ),
    });
    isFailing = false;
    await clock.advance('1m');
    expect(ran).toBe(3000);
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
      await a.schedule(task, length, { at: clock.now() - 1000 + index });
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

describe('waking up', () => {
  function lateness(setting = createSetting()) {
    const late: number[] = [];
    const task = defineTask('tick', {
      handler: ({ nominal }) => late.push(setting.clock.now() - nominal.getTime()),
    });
    return { ...setting, late, task };
  }

  test('by a timer, at exactly the due moment', async () => {
    const { clock, late, task, scheduler: make } = lateness();
    const scheduler = make({ tasks: [task], pollInterval: Number.POSITIVE_INFINITY });
    const events = logEvents(scheduler);
    for (const inMs of [1, 2, 999, 1000, 86_400_000, 40 * 86_400_000]) {
      await scheduler.schedule(task, null, { in: inMs });
    }
    await scheduler.start();
    await clock.advance('50d');
    expect(late).toEqual([0, 0, 0, 0, 0, 0]);
    expect(events.of('started').map(({ latenessMs }) => latenessMs)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('when the next occurrence is earlier than the timer', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    const silent = interceptStore(store, (_, proceed) => proceed(), { watch: false });
    const scheduler = make({
      ...{ store: silent, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    await scheduler.start();
    await clock.advance(10);
    await scheduler.schedule(task, null, { in: '1h' });
    await scheduler.schedule(task, null, { in: 500 });
    await scheduler.schedule(task, null, { id: 'e', every: '5m' });
    await clock.advance('1h');
    expect(late).toHaveLength(14);
    expect(new Set(late)).toEqual(new Set([0]));
    await scheduler.runNow('e');
    await clock.advance(1);
    expect(late).toHaveLength(15);
  });

  test('when another process schedules something, by its notification', async () => {
    const { clock, late, task, scheduler: make } = lateness();
    const worker = make({ tasks: [task], pollInterval: Number.POSITIVE_INFINITY });
    const client = make({ tasks: [task] });
    await worker.start();
    await clock.advance('10m');
    await client.schedule(task, null);
    await client.schedule(task, null, { in: 20 });
    await clock.advance(20);
    expect(late).toEqual([0, 0]);
    expect((await client.health()).state).toBe('idle');
  });

  test('for what came while the notifications were being set up', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'watch') await clock.sleep(5000);
      return proceed();
    });
    const worker = make({
      ...{ store: slow, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    const client = make({ tasks: [task] });
    await worker.start();
    await clock.advance(2000);
    await client.schedule(task, null);
    await clock.advance('1m');
    expect(late).toEqual([3000]);
  });

  test('for what came after a claim was made and before it was answered', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'watch') await clock.sleep(5000);
      const answer = await proceed();
      if (call === 'claim' && clock.elapsed() === 0) await clock.sleep(6000);
      return answer;
    });
    const worker = make({
      ...{ store: slow, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    const client = make({ tasks: [task] });
    await worker.start();
    await clock.advance(2000);
    await client.schedule(task, null);
    await clock.advance('1m');
    expect(late).toEqual([4000]);
  });

  test('again soon, but not at once, when others are taking what is due', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    let claims = 0;
    const contended = interceptStore(store, async (call, proceed) => {
      if (call !== 'claim' || clock.elapsed() >= 1000) return proceed();
      claims++;
      return { tasks: [], now: clock.now(), nextWakeAt: clock.now() };
    });
    const worker = make({
      ...{ store: contended, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    await worker.schedule(task, null);
    await worker.start();
    await clock.advance('1m');
    expect(late).toEqual([1000]);
    expect(claims).toBe(100);
  });

  test('by a poll, where the store does not notify', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    const silent = interceptStore(store, (_, proceed) => proceed(), { watch: false });
    const client = make({ tasks: [task] });
    for (const [pollInterval, expected] of [
      [undefined, 5000],
      [700, 700],
    ] as const) {
      const worker = make({
        ...{ store: silent, tasks: [task] },
        ...(pollInterval !== undefined && { pollInterval }),
      });
      late.length = 0;
      await worker.start();
      await clock.advance(expected * 10);
      await client.schedule(task, null);
      await clock.advance(expected - 1);
      expect(late).toEqual([]);
      await clock.advance(1);
      expect(late).toEqual([expected]);
      await worker.stop();
    }
  });

  test('for a retry that was settled while a claim was on its way', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const slow = interceptStore(
      store,
      async (call, proceed) => {
        const answer = await proceed();
        if (call === 'claim' && clock.elapsed() === 5) await clock.sleep(100);
        return answer;
      },
      { watch: false },
    );
    const attempts: number[] = [];
    const task = defineTask('flaky', {
      handler: async ({ attempt }) => {
        attempts.push(clock.elapsed());
        await clock.sleep(10);
        if (attempt === 1) throw new Error('once');
      },
      retry: { limit: 1, min: 20, jitter: 0 },
    });
    const other = defineTask('other', { handler: () => {} });
    const scheduler = make({
      ...{ store: slow, tasks: [task, other], pollInterval: Number.POSITIVE_INFINITY },
    });
    await scheduler.schedule(task, null);
    await scheduler.schedule(other, null, { in: 5 });
    await scheduler.start();
    await clock.advance('1h');
    // Due at 30, while the claim that began at 5 knows nothing of it and comes back at 105.
    expect(attempts).toEqual([0, 105]);
  });

  test('in time, also after an answer that was long on its way', async () => {
    const { clock, late, task, store, scheduler: make } = lateness();
    const slow = interceptStore(
      store,
      async (call, proceed) => {
        const answer = await proceed();
        if (call === 'claim' && clock.elapsed() === 1000) await clock.sleep(500);
        return answer;
      },
      { watch: false },
    );
    const worker = make({
      ...{ store: slow, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    await worker.schedule(task, null, { in: 1000 });
    await worker.schedule(task, null, { in: 5000 });
    await worker.start();
    await clock.advance('1h');
    expect(late).toEqual([500, 0]);
  });

  test('by the clock of the store, when that is set to another time', async () => {
    const { clock, scheduler: make } = createSetting();
    let setBy = -3_600_000;
    const other = new MemoryDataStore({ clock: () => clock.now() + setBy });
    const ran: number[] = [];
    const late: number[] = [];
    const task = defineTask('tick', {
      handler: ({ nominal }) => {
        ran.push(nominal.getTime());
        late.push(clock.now() + setBy - nominal.getTime());
      },
    });
    const worker = make({ store: other, tasks: [task], pollInterval: 1000 });
    await worker.schedule(task, null, { every: '10m' });
    await worker.start();
    await clock.advance('1h');
    expect(ran).toHaveLength(6);
    setBy = 7_200_000;
    await clock.advance('30m');
    setBy = 0;
    await clock.advance('4h');
    // Never early, never twice, and at most a poll late.
    expect(Math.min(...late)).toBe(0);
    expect(Math.max(...late)).toBeLessThanOrEqual(1000);
    expect(new Set(ran).size).toBe(ran.length);
    expect(ran.length).toBeGreaterThan(18);
  });

  test('for a slot that is freed while there is more to do than was claimed', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const silent = interceptStore(store, (_, proceed) => proceed(), { watch: false });
    const begun: number[] = [];
    const task = defineTask('work', {
      handler: async () => {
        begun.push(clock.elapsed());
        await clock.sleep(1000);
      },
    });
    const scheduler = make({
      ...{ store: silent, tasks: [task], concurrency: 2, pollInterval: Number.POSITIVE_INFINITY },
    });
    for (let i = 0; i < 5; i++) await scheduler.schedule(task, null, { in: 100 });
    // These fall due while all slots are taken.
    await scheduler.schedule(task, null, { in: 5000 });
    await scheduler.schedule(task, null, { in: 5000 });
    await scheduler.schedule(task, null, { in: 5500 });
    await scheduler.start();
    await clock.advance('1h');
    expect(begun).toEqual([100, 100, 1100, 1100, 2100, 5000, 5000, 6000]);
  });

  test('for a task that is resumed, or whose queue is changed, by another process', async () => {
    const { clock, late, task, scheduler: make } = lateness();
    const worker = make({ tasks: [task], pollInterval: Number.POSITIVE_INFINITY });
    const client = make({ tasks: [task] });
    await client.schedule(task, null, { id: 'p', in: 1000 });
    await client.schedule(task, null, { id: 'q', in: 1000, queue: 'elsewhere' });
    await client.pause('p');
    await worker.start();
    await clock.advance(3000);
    await client.resume('p');
    await clock.advance(500);
    await client.update('q', { queue: 'default' });
    await clock.advance(1);
    expect(late).toEqual([2000, 2500]);
  });
});

describe('a process that only schedules', () => {
  test('asks for the time of the store now and then, and not with every call', async () => {
    const { clock, scheduler: make } = createSetting();
    let setBy = 0;
    const store = new MemoryDataStore({ clock: () => clock.now() + setBy });
    const recorded = recordStore(store);
    const task = defineTask('work');
    const client = make({ store: recorded.store, tasks: [task] });
    for (let i = 0; i < 50; i++) await client.schedule(task, null, { in: '1h' });
    expect(recorded.count('now')).toBe(1);
    setBy = 7_200_000;
    await clock.advance('1m1s');
    await client.schedule(task, null, { id: 'later', in: '1h' });
    expect(recorded.count('now')).toBe(2);
    const [record] = await store.get(['later']);
    expect(record?.runAt).toBe(clock.now() + setBy + 3_600_000);
  });
});

describe('inside a transaction of the user', () => {
  test('the store is neither opened nor closed', async () => {
    const { store, handle, scheduler: make } = createSetting();
    await store.open();
    const inside = recordStore(store);
    const given: unknown[] = [];
    const outside = {
      ...handle(),
      withTransaction(tx: unknown) {
        given.push(tx);
        return inside.store;
      },
    };
    const task = defineTask('work');
    const scheduler = make({ store: outside, tasks: [task] });
    const tx = { isMine: true };
    await scheduler.withTransaction(tx).schedule(task, null, { id: 'w', in: '1h' });
    await scheduler.stop();
    expect(given).toEqual([tx]);
    expect(inside.calls.map(({ call }) => call)).toEqual(['now', 'insert']);
    expect(await store.count({})).toBe(1);
  });
});

describe('in real time', () => {
  test('tasks run, are tried again, and the scheduler ends', async () => {
    const store = new MemoryDataStore();
    const late: number[] = [];
    const task = defineTask('work', {
      handler: ({ attempt, nominal }) => {
        late.push(Date.now() - nominal.getTime());
        if (attempt === 1) throw new Error('once');
      },
      retry: { limit: 1, min: 1 },
    });
    const scheduler = createScheduler({ store, tasks: [task] });
    const succeeded = new Promise((resolve) => scheduler.on('succeeded', resolve));
    await scheduler.start();
    await scheduler.schedule(task, null, { id: 'w', in: 20 });
    expect(await succeeded).toMatchObject({ id: 'w', attempt: 2 });
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    await scheduler.stop();
  });

  test('a timer that is set for years does not fire at once', async () => {
    let hasFired = false;
    const handle = systemClock.setTimeout(() => {
      hasFired = true;
    }, 2 ** 40);
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, 5));
    expect(hasFired).toBe(false);
    systemClock.clearTimeout(handle);
    systemClock.clearTimeout(undefined);
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
    await worker.schedule(task, 2000, { id: 'settled' });
    await worker.schedule(task, 0, { id: 'claimed', in: '2m' });
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
      await a.scheduler.schedule(a.task, null, { id: `t${i}`, in: 1 + (i % 50) });
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
    await client.schedule(shape, { n: 3 });
    await client.schedule(shape, { n: 4 }, { every: '1h' });
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
    await b.schedule(define('b', 0), null, { id: 'w' });
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
    await a.schedule(define('a'), null, { id: 'once', delivery: 'atMostOnce' });
    await a.schedule(define('a'), null, {
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
      if (i === 0) await victim.schedule(task, null, { id: 'k' });
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

describe('tasks that a worker can do nothing with', () => {
  test('a task without a handler waits, reported once, for a worker that has one', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const order = defineTask('order');
    const ran: number[] = [];
    const client = make({ tasks: [order] });
    await client.schedule(order, { n: 1 }, { id: 'o', in: '1m' });
    const [before] = await store.get(['o']);
    const recorded = recordStore(store);
    const old = make({ store: recorded.store, owner: 'old' });
    const events = logEvents(old);
    await old.start();
    await clock.advance('1m');
    expect(events.of('deferred')).toMatchObject([
      { id: 'o', name: 'order', reason: 'noHandler', error: { code: 'SCHED_TASK_UNKNOWN' } },
    ]);
    await clock.advance('1h');
    expect(events.of('deferred')).toHaveLength(1);
    // The later it is, the longer the pause, up to a minute.
    expect(recorded.count('release')).toBeLessThan(70);
    expect(recorded.count('claim')).toBeLessThan(140);
    const [after] = await store.get(['o']);
    expect(after).toMatchObject({ body: before?.body, revision: before?.revision, deliveries: 0 });

    // The rolling deploy reaches the next machine.
    const next = make({
      owner: 'new',
      tasks: [defineTask('order', { handler: () => ran.push(clock.now()) })],
    });
    await next.start();
    await clock.runUntil(() => ran.length === 1, '1m');
    expect(await next.history('o')).toMatchObject([
      { outcome: 'succeeded', attempt: 1, owner: 'new' },
    ]);
  });

  test('a task that is a little late is only put off a little', async () => {
    const { clock, scheduler: make } = createSetting();
    const ran: number[] = [];
    const old = make({ owner: 'old' });
    const next = make({
      tasks: [defineTask('order', { handler: () => ran.push(clock.elapsed()) })],
    });
    const client = make({ tasks: [defineTask('order')] });
    await client.schedule(defineTask('order'), null, { in: 1000 });
    await old.start();
    await clock.advance(1500);
    await next.start();
    await clock.advance('1h');
    // Half past the second, when little else is due, and ahead of the one that cannot run it.
    expect(ran).toEqual([2500]);
  });

  test('a definition without a handler is none', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('shape');
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 's' });
    await worker.start();
    await clock.advance('10m');
    expect(events.of('deferred')).toMatchObject([{ id: 's', reason: 'noHandler' }]);
    expect(await worker.get('s')).toMatchObject({ state: 'scheduled' });
  });

  test('records that cannot be read are left alone and reported once, and the rest goes on', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const ran: string[] = [];
    const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id) });
    const client = make({ tasks: [task] });
    await client.schedule(task, null, { id: 'sample' });
    const [sample] = await store.get(['sample']);
    await client.remove('sample');
    const good = JSON.parse(sample?.body ?? '') as Record<string, unknown>;
    const bodies: Record<string, string> = {
      'unknown trigger': JSON.stringify({ ...good, trigger: { kind: 'acme/tide' } }),
      'damaged trigger': JSON.stringify({ ...good, trigger: { kind: 'at', at: 'noon' } }),
      'newer version': JSON.stringify({ ...good, v: 99 }),
      'other codec': JSON.stringify({ ...good, encoded: { codec: 'rot13', text: 'nope' } }),
      'not JSON': '{"v":1,',
      'not a body': '[1,2,3]',
      empty: '',
      'bad overlap': JSON.stringify({ ...good, policies: { overlap: null } }),
      'bad catch-up': JSON.stringify({ ...good, policies: { catchUp: 7 } }),
      'bad children': JSON.stringify({
        ...good,
        policies: { overlap: { mode: 'allow', maxRunning: 1 } },
        children: 'Max and Moritz',
      }),
    };
    const record = (id: string, body: string): NewTaskRecord => ({
      ...{ id, name: 'work', queue: 'default', group: null, status: 'scheduled', paused: false },
      ...{ runAt: clock.now(), body },
    });
    await store.insert(Object.entries(bodies).map(([id, body]) => record(id, body)));
    await client.schedule(task, null, { id: 'readable' });
    await client.schedule(task, null, { id: 'hourly', every: '1h' });

    const recorded = recordStore(store);
    const worker = make({ store: recorded.store, tasks: [task] });
    const events = logEvents(worker);
    await worker.start();
    await clock.advance('3h');
    expect(ran).toEqual(['readable', 'hourly', 'hourly', 'hourly']);
    expect(
      events
        .of('deferred')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(Object.keys(bodies).sort());
    for (const { reason, error } of events.of('deferred')) {
      expect(reason).toBe('unreadable');
      expect(error.code).toMatch(/^SCHED_(RECORD_UNREADABLE|TRIGGER_UNKNOWN|T[A-Z]+_INVALID)$/);
    }
    expect(events.of('storeError')).toEqual([]);
    for (const [id, body] of Object.entries(bodies)) {
      const [stored] = await store.get([id]);
      expect(stored).toMatchObject({ body, deliveries: 0, lease: null, status: 'scheduled' });
      expect(await worker.get(id)).toMatchObject({ id });
    }
    // Once a minute, and all of them together.
    expect(recorded.count('claim')).toBeLessThan(3 * 60 * 4);
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a trigger that throws holds up nothing but its own task', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isBroken = false;
    const kind: TriggerKind = {
      kind: 'acme/fragile',
      parse: () => ({
        kind: 'acme/fragile',
        type: kind,
        next(after) {
          if (isBroken) throw new Error('the tide tables are gone');
          return Math.floor(after / 60_000) * 60_000 + 60_000;
        },
        previous: (before) => Math.ceil(before / 60_000) * 60_000 - 60_000,
        toJSON: () => ({ kind: 'acme/fragile' }),
      }),
    };
    const ran: string[] = [];
    const task = defineTask('work', {
      handler: ({ task: { id } }) => {
        ran.push(id);
        if (id === 'while running' && ran.length < 4) isBroken = true;
      },
    });
    const trigger = kind.parse({ kind: 'acme/fragile' }, () => {
      throw new Error('it has no parts');
    });
    const scheduler = make({ tasks: [task], triggers: [kind, every] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, null, { id: 'while running', trigger });
    await scheduler.schedule(task, null, { id: 'replacing', trigger, overlap: 'replace' });
    await scheduler.schedule(task, null, { id: 'sound', every: '1m' });
    await scheduler.start();
    await clock.advance('10m');
    expect(ran.filter((id) => id === 'sound')).toHaveLength(10);
    expect(ran.filter((id) => id === 'while running').length).toBeLessThanOrEqual(2);
    expect(await store.count({})).toBe(3);
    const about = events.all.filter((event) => 'error' in event && event.type !== 'listenerError');
    expect(about.length).toBeGreaterThan(0);
    expect(events.of('storeError')).toEqual([]);
    expect((await scheduler.health()).running).toBe(0);

    isBroken = false;
    for (const id of ['while running', 'replacing']) {
      if ((await scheduler.get(id))?.state === 'failed') await scheduler.retry(id);
    }
    const before = ran.length;
    await clock.advance('10m');
    expect(ran.slice(before).filter((id) => id === 'replacing').length).toBeGreaterThan(8);
    await scheduler.stop();
  });
});

describe('a task about which nothing can be decided when it is claimed', () => {
  for (const overlap of ['skip', { mode: 'allow', maxRunning: 1 }] as const) {
    test(`is put off and reported, with overlap ${JSON.stringify(overlap)}`, async () => {
      const { clock, store, scheduler: make } = createSetting();
      let isBroken = false;
      const kind: TriggerKind = {
        kind: 'acme/forgetful',
        parse: () => ({
          kind: 'acme/forgetful',
          type: kind,
          next: (after) => Math.floor(after / 60_000) * 60_000 + 60_000,
          previous(before) {
            if (isBroken) throw new Error('who knows');
            return Math.ceil(before / 60_000) * 60_000 - 60_000;
          },
          toJSON: () => ({ kind: 'acme/forgetful' }),
        }),
      };
      const trigger = kind.parse({ kind: 'acme/forgetful' }, () => {
        throw new Error('it has no parts');
      });
      const ran: string[] = [];
      const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id), overlap });
      const scheduler = make({ tasks: [task], triggers: [kind, every] });
      const events = logEvents(scheduler);
      await scheduler.schedule(task, null, { id: 'f', trigger });
      await scheduler.schedule(task, null, { id: 'sound', every: '1m', overlap: 'skip' });
      await scheduler.start();
      await clock.advance('1m30s');
      const before = ran.filter((id) => id.startsWith('f')).length;
      const [stored] = await store.get(['f']);
      isBroken = true;
      await clock.advance('10m');
      expect(ran.filter((id) => id.startsWith('f'))).toHaveLength(before);
      expect(ran.filter((id) => id === 'sound')).toHaveLength(11);
      expect(events.of('deferred')).toMatchObject([
        { id: 'f', reason: 'unreadable', error: { code: 'SCHED_RECORD_UNREADABLE' } },
      ]);
      expect(events.of('deferred')[0]?.error.message).toContain('who knows');
      expect(events.of('storeError')).toEqual([]);
      expect(events.of('lost')).toEqual([]);
      expect((await store.get(['f']))[0]).toMatchObject({
        ...{ body: stored?.body, revision: stored?.revision, lease: null, deliveries: 0 },
      });
      isBroken = false;
      await clock.advance('3m');
      expect(ran.filter((id) => id.startsWith('f')).length).toBeGreaterThan(before);
    });
  }
});

describe('children of a schedule that allows overlap', () => {
  test('are limited by how many of them are still there, and the rest is skipped', async () => {
    const { clock, scheduler: make } = createSetting();
    let running = 0;
    let most = 0;
    const task = defineTask('long', {
      handler: async () => {
        most = Math.max(most, ++running);
        await clock.sleep('150s');
        running--;
      },
      overlap: { mode: 'allow', maxRunning: 2 },
    });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, null, { id: 'l', every: '1m' });
    await scheduler.start();
    await clock.advance('12m30s');
    expect(most).toBe(2);
    const spawned = events.of('spawned').length;
    const skipped = events.of('skipped');
    expect(spawned + skipped.length).toBe(12);
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['overlap']));
    expect(spawned).toBeGreaterThanOrEqual(8);
  });

  test('are asked after again later when the store does not say how many there are', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isFailing = true;
    let claims = 0;
    const failing = interceptStore(store, async (call, proceed) => {
      if (call === 'claim') claims++;
      if (call === 'get' && isFailing) throw new Error('not now');
      return proceed();
    });
    let ran = 0;
    const task = defineTask('long', {
      handler: () => ran++,
      overlap: { mode: 'allow', maxRunning: 1 },
    });
    const scheduler = make({ store: failing, tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, null, { id: 'l', every: '1m' });
    await scheduler.start();
    await clock.advance('1m');
    expect(ran).toBe(1);
    await clock.advance('1m30s');
    expect(ran).toBe(1);
    // Not spun on, and not the task's fault.
    expect(claims).toBeLessThan(100);
    expect(events.of('storeError')).toMatchObject(
      events.of('storeError').map(() => ({ call: 'get' })),
    );
    expect(events.of('storeError').length).toBeGreaterThan(0);
    expect(events.of('deferred')).toEqual([]);
    isFailing = false;
    await clock.advance('2m');
    expect(ran).toBeGreaterThanOrEqual(3);
  });
});

describe('edits while a task is held', () => {
  test('an edited payload holds from the next run, and the run in progress counts', async () => {
    const { clock, scheduler: make } = createSetting();
    const seen: unknown[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload }) => {
        seen.push(payload);
        await clock.sleep('1m');
      },
    });
    const scheduler = make({ tasks: [task] });
    const other = make({ tasks: [task] });
    await scheduler.schedule(task, 1, { id: 'e', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    await other.update('e', { payload: 2 });
    await clock.advance('1h');
    expect(seen).toEqual([1, 2]);
    expect(await scheduler.history('e')).toMatchObject([{ outcome: 'succeeded' }]);
  });

  test('a new schedule replaces what would have followed the run', async () => {
    const { clock, scheduler: make } = createSetting();
    const ran: number[] = [];
    const task = defineTask('work', {
      handler: async () => {
        ran.push(clock.elapsed() / 60_000);
        await clock.sleep('1m');
      },
    });
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, null, { id: 'e', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    await scheduler.reschedule('e', { in: '5h' });
    await clock.advance('1d');
    expect(ran).toEqual([60, 360]);
    expect(await scheduler.history('e')).toHaveLength(2);
  });

  test('a new schedule is not taken for the old one, however often it is edited on the way', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const client = make({ tasks: [defineTask('work')], triggers: [every] });
    const edits = [
      () => client.reschedule('e', { in: '5h' }),
      () => client.update('e', { payload: 'new' }),
      () => client.update('e', { payload: 'newer' }),
    ];
    const edited = interceptStore(store, async (call, proceed) => {
      if (call === 'settle') await edits.shift()?.();
      return proceed();
    });
    const ran: number[] = [];
    const task = defineTask('work', {
      handler: ({ nominal }) =>
        ran.push((nominal.getTime() - Date.parse('2030-01-01')) / 3_600_000),
    });
    const worker = make({ store: edited, tasks: [task] });
    await worker.schedule(task, 'old', { id: 'e', every: '1h' });
    await worker.start();
    await clock.advance('1h');
    expect(edits).toEqual([]);
    expect(await worker.get('e')).toMatchObject({
      payload: 'newer',
      nominal: new Date('2030-01-01T06:00:00Z'),
      runAt: new Date('2030-01-01T06:00:00Z'),
      lastRun: { outcome: 'succeeded', nominal: new Date('2030-01-01T01:00:00Z') },
    });
    await clock.advance('1d');
    expect(ran).toEqual([1, 6]);
    expect(await worker.history('e')).toMatchObject([
      { outcome: 'succeeded', nominal: new Date('2030-01-01T06:00:00Z') },
      { outcome: 'succeeded', nominal: new Date('2030-01-01T01:00:00Z') },
    ]);
  });

  test('a settlement that the store refuses for good does not hold up the others', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const { SchedError } = await import('../src/errors.js');
    const picky = interceptStore(store, async (call, proceed, args) => {
      if (call === 'settle' && (args[0] as Settlement[]).some(({ id }) => id === 'big')) {
        throw new SchedError('SCHED_PAYLOAD_TOO_LARGE', 'The body is too large.');
      }
      return proceed();
    });
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ store: picky, tasks: [task] });
    const events = logEvents(scheduler);
    for (const id of ['a', 'big', 'b']) await scheduler.schedule(task, null, { id });
    await scheduler.start();
    await clock.advance(1000);
    expect(
      events
        .of('succeeded')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['a', 'b']);
    expect(await store.count({})).toBe(1);
    // And it is not run over and over.
    await clock.advance('1h');
    expect(events.of('started').length).toBeLessThanOrEqual(2 + 5);
  });

  test('claims say nothing to the worker that it does not know', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ store: recorded.store, tasks: [task], owner: 'me', lease: '20s' });
    await scheduler.schedule(task, null);
    await scheduler.start();
    await clock.advance(0);
    const [claim] = recorded.calls.filter(({ call }) => call === 'claim');
    expect(claim).toMatchObject({
      args: [{ queues: ['default'], limit: 10, owner: 'me', leaseMs: 20_000 }],
      answer: { tasks: [{ lease: { expiresAt: clock.now() + 20_000 } }] },
    });
  });
});
