import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, defineTask } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

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
      await scheduler.schedule(task, { in: inMs });
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
    await scheduler.schedule(task, { in: '1h' });
    await scheduler.schedule(task, { in: 500 });
    await scheduler.schedule(task, { id: 'e', every: '5m' });
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
    await client.schedule(task);
    await client.schedule(task, { in: 20 });
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
    await client.schedule(task);
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
    await client.schedule(task);
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
    await worker.schedule(task);
    await worker.start();
    await clock.advance('1m');
    expect(late).toEqual([1000]);
    // One a hundredth of a second, and one for what came before the store began to notify.
    expect(claims).toBe(101);
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
      await client.schedule(task);
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
    await scheduler.schedule(task);
    await scheduler.schedule(other, { in: 5 });
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
    await worker.schedule(task, { in: 1000 });
    await worker.schedule(task, { in: 5000 });
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
    await worker.schedule(task, { every: '10m' });
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
    for (let i = 0; i < 5; i++) await scheduler.schedule(task, { in: 100 });
    // These fall due while all slots are taken.
    await scheduler.schedule(task, { in: 5000 });
    await scheduler.schedule(task, { in: 5000 });
    await scheduler.schedule(task, { in: 5500 });
    await scheduler.start();
    await clock.advance('1h');
    expect(begun).toEqual([100, 100, 1100, 1100, 2100, 5000, 5000, 6000]);
  });

  test('for a task that is resumed, or whose queue is changed, by another process', async () => {
    const { clock, late, task, scheduler: make } = lateness();
    const worker = make({ tasks: [task], pollInterval: Number.POSITIVE_INFINITY });
    const client = make({ tasks: [task] });
    await client.schedule(task, { id: 'p', in: 1000 });
    await client.schedule(task, { id: 'q', in: 1000, queue: 'elsewhere' });
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

describe('a machine that was suspended, or whose clock was set', () => {
  /** Timers stand still while the machine is suspended; its clock, which is the store's, does not. */
  function createLaptop() {
    const setting = createSetting();
    const { clock } = setting;
    let leaptMs = 0;
    const wallTime = () => clock.now() + leaptMs;
    const memory = new MemoryDataStore({ clock: wallTime });
    const { store, count } = recordStore(memory);
    const ran: string[] = [];
    const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id) });
    const it = createScheduler({
      ...{ store, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
      clock: { ...clock, wallTime },
    });
    const leap = (ms: number) => {
      leaptMs += ms;
    };
    return { clock, wallTime, it, task, ran, leap, count };
  }

  test('looks within a second for what has become due', async () => {
    const { clock, it, task, ran, leap } = createLaptop();
    await it.start();
    await it.schedule(task, { id: 'soon', in: '1h' });
    await clock.advance('1m');
    expect(ran).toEqual([]);
    leap(3_600_000);
    await clock.advance('1s');
    expect(ran).toEqual(['soon']);
  });

  test('knows the time again afterwards', async () => {
    const { clock, it, task, ran, leap } = createLaptop();
    await it.start();
    await clock.advance('5s');
    leap(3_600_000);
    await clock.advance('1s');
    await it.schedule(task, { id: 'later', in: '10s' });
    await clock.advance(9_999);
    expect(ran).toEqual([]);
    await clock.advance(1);
    expect(ran).toEqual(['later']);
  });

  test('waits for a clock that was set back, as the store goes by it', async () => {
    const { clock, it, task, ran, leap } = createLaptop();
    await it.start();
    await it.schedule(task, { id: 'often', every: '1s' });
    await clock.advance('5s');
    expect(ran).toHaveLength(5);
    leap(-3_600_000);
    await clock.advance('59m');
    expect(ran).toHaveLength(5);
    await clock.advance('2m');
    expect(ran.length).toBeGreaterThan(5);
  });

  test('asks the store nothing while nothing happens', async () => {
    const { clock, it, count } = createLaptop();
    await it.start();
    await clock.advance('5s');
    const before = count('claim');
    await clock.advance('1h');
    expect(count('claim')).toBe(before);
    await it.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
