import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, type DataStore } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore } from './support/intercepted-store.js';
import { longTask } from './support/long-task.js';
import { createSetting } from './support/setting.js';

describe('the end of a scheduler', () => {
  test('comes with the block that it is used in', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 0);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.start();
    await scheduler[Symbol.asyncDispose]();
    expect(events.types()).toEqual(['ready', 'stopped']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('comes once, however often it is asked for', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 10_000);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: null });
    await scheduler.start();
    await clock.advance(1000);
    const both = Promise.all([scheduler.stop(), scheduler.stop()]);
    await clock.advance(9000);
    await both;
    await scheduler.stop();
    expect(events.of('stopped')).toHaveLength(1);
  });

  test('may come before the beginning', async () => {
    const { clock, scheduler: make } = createSetting();
    const scheduler = make();
    await scheduler.stop();
    await expect(scheduler.start()).rejects.toMatchObject({ code: 'SCHED_CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('may come in the middle of the beginning', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const calls: string[] = [];
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'open') await clock.sleep(1000);
      calls.push(call);
      return proceed();
    });
    const scheduler = make({ store: slow });
    const events = logEvents(scheduler);
    const started = scheduler.start();
    await clock.advance(500);
    await scheduler.stop();
    // A program that stops itself so early has done nothing wrong.
    await started;
    await clock.advance('1m');
    expect(events.types()).toEqual(['stopped']);
    expect(calls).not.toContain('claim');
    // It opened after all, so it is closed after all.
    expect(calls.at(-1)).toBe('close');
    expect(clock.pendingTimers).toBe(0);
  });

  test('refuses a deadline that is none, and goes on', async () => {
    const { clock, scheduler: make } = createSetting();
    const scheduler = make();
    await scheduler.start();
    await expect(scheduler.stop({ deadline: -1 })).rejects.toMatchObject({
      code: 'SCHED_DURATION_INVALID',
    });
    expect((await scheduler.health()).state).toBe('running');
    await scheduler.stop({ deadline: '1s' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('is final: whatever is asked of it afterwards is refused', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 0);
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, { payload: null, id: 't', in: '1h' });
    await scheduler.start();
    await scheduler.stop();
    const uses: Record<string, () => Promise<unknown>> = {
      start: () => scheduler.start(),
      schedule: () => scheduler.schedule(task, { payload: null }),
      scheduleMany: () => scheduler.scheduleMany([{ task }]),
      get: () => scheduler.get('t'),
      list: () => scheduler.list().next(),
      count: () => scheduler.count(),
      update: () => scheduler.update('t', { queue: 'q' }),
      pause: () => scheduler.pause('t'),
      remove: () => scheduler.remove('t'),
      runNow: () => scheduler.runNow('t'),
      cancel: () => scheduler.cancel('t'),
      history: () => scheduler.history('t'),
      sync: () => scheduler.sync([]),
    };
    for (const [name, use] of Object.entries(uses)) {
      await expect(use(), name).rejects.toMatchObject({ code: 'SCHED_CLOSED' });
    }
    expect(await scheduler.health()).toMatchObject({
      state: 'stopped',
      stores: { default: { isUp: false, error: { code: 'SCHED_CLOSED' } } },
    });
    expect(clock.pendingTimers).toBe(0);
  });

  test('gives up the calls that users have under way', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const hanging = interceptStore(store, async (call, proceed) => {
      if (call === 'count') await clock.sleep(Number.POSITIVE_INFINITY);
      return proceed();
    });
    const scheduler = make({ store: hanging });
    await scheduler.start();
    const counted = scheduler.count().catch((error: unknown) => error);
    await clock.advance(100);
    await scheduler.stop();
    expect(await counted).toMatchObject({ code: 'SCHED_CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });
});

test('start waits for the beginning also when it is asked for twice', async () => {
  const { clock, store, scheduler: make } = createSetting();
  const slow = interceptStore(store, async (call, proceed) => {
    if (call === 'open') await clock.sleep('10s');
    return call === 'close' ? undefined : proceed();
  });
  const scheduler = make({ store: slow });
  const resolved: string[] = [];
  void scheduler.start().then(() => resolved.push('first'));
  void scheduler.start().then(() => resolved.push('second'));
  await clock.advance('9s');
  expect(resolved).toEqual([]);
  await clock.advance('1s');
  expect(resolved).toEqual(['first', 'second']);
  await scheduler.start();
  await scheduler.stop();
});

describe('the store', () => {
  function createClosable(closeMs = 0) {
    const setting = createSetting();
    const { clock, store } = setting;
    const calls: string[] = [];
    const closable: DataStore = interceptStore(store, async (call, proceed) => {
      if (call === 'close' && closeMs > 0) await clock.sleep(closeMs);
      if (call === 'open' || call === 'close') calls.push(call);
      return proceed();
    });
    const use = () => createScheduler({ store: closable, clock });
    return { ...setting, closable, calls, use };
  }

  test('is closed by the last of the schedulers that use it', async () => {
    const { calls, use } = createClosable();
    const [a, b, c] = [use(), use(), use()];
    await a.start();
    await b.count();
    await a.stop();
    expect(calls.filter((call) => call === 'close')).toEqual([]);
    // One that has never used it does not close it either.
    await c.stop();
    expect(await b.count()).toBe(0);
    await b.stop();
    expect(calls.filter((call) => call === 'close')).toHaveLength(1);
  });

  test('is closed once by a scheduler that has it under two aliases', async () => {
    const { clock, closable, calls } = createClosable();
    const scheduler = createScheduler({ store: { a: closable, b: closable }, clock });
    await scheduler.start();
    await scheduler.stop();
    expect(calls.filter((call) => call === 'close')).toHaveLength(1);
  });

  test('can be used by another scheduler after it was closed', async () => {
    const { calls, use } = createClosable();
    for (let i = 0; i < 3; i++) {
      const scheduler = use();
      await scheduler.count();
      await scheduler.stop();
    }
    expect(calls).toEqual(['open', 'close', 'open', 'close', 'open', 'close']);
  });

  test('is not closed under the feet of one that is about to open it', async () => {
    const { clock, calls, use } = createClosable(1000);
    const [a, b] = [use(), use()];
    await a.count();
    const stopped = a.stop();
    await clock.advance(10);
    const counted = b.count();
    await clock.advance('1m');
    await stopped;
    expect(await counted).toBe(0);
    expect(calls).toEqual(['open', 'close', 'open']);
    await clock.advance('1m');
    expect(await b.count()).toBe(0);
  });

  test('is not closed while another scheduler is opening it', async () => {
    const { clock, store } = createSetting();
    const calls: string[] = [];
    let opens = 0;
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'open' && ++opens === 2) await clock.sleep(1000);
      if (call === 'open' || call === 'close') calls.push(call);
      return proceed();
    });
    const [a, b] = [
      createScheduler({ store: slow, clock }),
      createScheduler({ store: slow, clock }),
    ];
    await a.count();
    const counted = b.count();
    await clock.advance(10);
    await a.stop();
    await clock.advance('1m');
    expect(await counted).toBe(0);
    expect(calls).toEqual(['open', 'open']);
  });

  test('that answers open too late is closed with the scheduler all the same', async () => {
    const { clock, store } = createSetting();
    const calls: string[] = [];
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'open') await clock.sleep('1h');
      calls.push(call);
      return proceed();
    });
    const scheduler = createScheduler({ store: slow, clock, storeTimeout: '5s' });
    const counted = scheduler.count().catch((error: unknown) => error);
    await clock.advance('10s');
    expect(await counted).toMatchObject({ code: 'SCHED_STORE_TIMEOUT' });
    await scheduler.stop();
    expect(calls).toEqual(['close']);
    await clock.advance('2h');
    expect(calls).toEqual(['close', 'open', 'close']);
  });

  test('closes only itself when there are several', async () => {
    const { clock, handle } = createSetting();
    const other = new MemoryDataStore({ clock: clock.now });
    const failing = interceptStore(handle(), async (call, proceed) => {
      if (call === 'close') throw new Error('no');
      return proceed();
    });
    const scheduler = createScheduler({ store: { failing, other }, clock });
    await scheduler.start();
    await scheduler.stop();
    await expect(other.count({})).rejects.toMatchObject({ code: 'SCHED_STORE_CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });
});
