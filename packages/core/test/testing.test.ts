import { getEventListeners } from 'node:events';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, cron, defineTask, every, isSchedError } from '../src/index.js';
import { createTestClock } from '../src/testing/index.js';

const start = Date.parse('2030-01-01T00:00:00Z');

describe('a test clock', () => {
  test('begins where it is told to, and stands still by itself', async () => {
    const clock = createTestClock('2031-05-06T07:08:09+02:00');
    const begunAt = performance.now();
    while (performance.now() < begunAt + 2) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.now()).toBe(Date.parse('2031-05-06T05:08:09Z'));
    expect(clock.elapsed()).toBe(0);
    expect(createTestClock().now()).toBe(start);
  });

  test('fires timers in the order of their time, then of their setting, each at its moment', async () => {
    const clock = createTestClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.elapsed()}`);
    clock.setTimeout(note('c'), 20);
    clock.setTimeout(note('a'), 10);
    clock.setTimeout(note('b'), 10);
    clock.setTimeout(note('now'), 0);
    clock.setTimeout(note('past'), -5);
    clock.setTimeout(note('fraction'), 19.2);
    clock.setTimeout(note('later'), 21);
    await clock.advance(20);
    expect(fired).toEqual(['now@0', 'past@0', 'a@10', 'b@10', 'c@20', 'fraction@20']);
    expect(clock.elapsed()).toBe(20);
    await clock.advance(1);
    expect(fired.at(-1)).toBe('later@21');
  });

  test('counts pending timers, and forgets those that are cleared', async () => {
    const clock = createTestClock();
    const handles = Array.from({ length: 50 }, (_, i) =>
      clock.setTimeout(
        () => {
          throw new Error('it was cleared');
        },
        (i * 37) % 11,
      ),
    );
    clock.setTimeout(() => {}, 5);
    expect(clock.pendingTimers).toBe(51);
    for (const handle of handles) clock.clearTimeout(handle);
    clock.clearTimeout(handles[0]);
    clock.clearTimeout(undefined);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(11);
    expect(clock.pendingTimers).toBe(0);
  });

  test('advance(0) lets happen what is due, and nothing else', async () => {
    const clock = createTestClock();
    const fired: number[] = [];
    clock.setTimeout(() => fired.push(0), 0);
    clock.setTimeout(() => fired.push(1), 1);
    await clock.advance(0);
    expect(fired).toEqual([0]);
    expect(clock.elapsed()).toBe(0);
  });

  test('refuses lengths of time that make no sense', async () => {
    const clock = createTestClock();
    const refused = (error: unknown) => isSchedError(error, 'SCHED_DURATION_INVALID');
    await expect(clock.advance(-1)).rejects.toSatisfy(refused);
    await expect(clock.advance(Number.POSITIVE_INFINITY)).rejects.toSatisfy(refused);
    await expect(clock.sleep('soon')).rejects.toSatisfy(refused);
    await expect(clock.runUntil(() => false, Number.NaN)).rejects.toSatisfy(refused);
    expect(() => createTestClock(start, { patience: 0 })).toThrow(/patience/);
  });

  test('runUntil stops as soon as the condition holds, and says so when it never does', async () => {
    const clock = createTestClock();
    const fired: number[] = [];
    for (const delay of [10, 20, 30]) clock.setTimeout(() => fired.push(delay), delay);
    await clock.runUntil(() => fired.length === 2);
    expect(clock.elapsed()).toBe(20);
    await clock.runUntil(async () => fired.length === 3);
    expect(clock.elapsed()).toBe(30);
    await expect(clock.runUntil(() => false, '1h')).rejects.toThrow(
      'The condition did not hold within 1h of virtual time.',
    );
    expect(clock.elapsed()).toBe(30 + 3_600_000);
  });

  test('leaves nothing behind on the signal of a sleep that is over', async () => {
    const clock = createTestClock();
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) void clock.sleep('1s', { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(3);
    await clock.advance('1s');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('sleeps in virtual time, for ever too, and wakes with the reason of an aborted signal', async () => {
    const clock = createTestClock();
    const woken: unknown[] = [];
    const controller = new AbortController();
    const reason = new Error('enough');
    void clock.sleep(10).then(() => woken.push(clock.elapsed()));
    void clock
      .sleep('1h', { signal: controller.signal })
      .catch((error: unknown) => woken.push(error));
    void clock
      .sleep(Number.POSITIVE_INFINITY, { signal: controller.signal })
      .catch((error: unknown) => woken.push(error));
    await clock.advance(100);
    expect(woken).toEqual([10]);
    controller.abort(reason);
    await clock.advance(0);
    expect(woken).toEqual([10, reason, reason]);
    expect(clock.pendingTimers).toBe(0);
    await expect(clock.sleep(1, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('refuses to be moved by two at once', async () => {
    const clock = createTestClock();
    const first = clock.advance('1h');
    await expect(clock.advance('1h')).rejects.toThrow(/being moved already/);
    await first;
    expect(clock.elapsed()).toBe(3_600_000);
  });
});

describe('work that virtual time waits for', () => {
  /** Work in real time, of many turns of the event loop. */
  async function realWork(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  test('is done before time moves', async () => {
    const clock = createTestClock();
    let doneAt: number | undefined;
    clock.setTimeout(() => {
      void clock.hold?.(async () => {
        await realWork();
        doneAt = clock.elapsed();
      });
    }, 10);
    clock.setTimeout(() => {}, 11);
    await clock.advance(1000);
    expect(doneAt).toBe(10);
  });

  test('may itself wait for time, also through a part of it', async () => {
    const clock = createTestClock();
    const work = clock.hold?.(async () => {
      await clock.sleep(10);
      await clock.hold?.(() => clock.sleep(10));
      await realWork();
      return clock.elapsed();
    });
    await clock.advance(1000);
    expect(await work).toBe(20);
  });

  test('is not taken to sleep because something else does', async () => {
    const clock = createTestClock();
    // One sleeps outside of any work, one outlives its work, and one is a part that was given up.
    void clock.sleep('1h');
    void clock.hold?.(async () => void clock.sleep('1h'));
    let doneAt: number | undefined;
    void clock.hold?.(async () => {
      await clock.hold?.(() => Promise.race([clock.sleep('1h'), clock.sleep(10)]));
      await realWork();
      doneAt = clock.elapsed();
    });
    await clock.advance(1000);
    expect(doneAt).toBe(10);
  });

  test('that waits for something else than the clock is found out', async () => {
    const clock = createTestClock(start, { patience: 20 });
    void clock.hold?.(() => new Promise(() => {}));
    await expect(clock.advance(1)).rejects.toThrow(
      /standing still for 20 ms of real time: a handler, or a store, .* has to use clock\.sleep\(\)/s,
    );
  });
});

describe('a scheduler in virtual time', () => {
  function setUp() {
    const clock = createTestClock();
    const store = new MemoryDataStore({ clock: clock.now });
    return { clock, store };
  }

  test('runs a month of an hourly schedule, each run at its very moment', async () => {
    const { clock, store } = setUp();
    const late: number[] = [];
    let claims = 0;
    const claim = store.claim.bind(store);
    store.claim = (request) => {
      claims++;
      return claim(request);
    };
    const task = defineTask('hourly', {
      handler: ({ nominal }) => late.push(clock.now() - nominal.getTime()),
    });
    const scheduler = createScheduler({ store, tasks: [task], clock, triggers: [every, cron] });
    await scheduler.schedule(task, { cron: '0 * * * *' });
    await scheduler.start();
    await clock.advance('30d');
    // From midnight to midnight, both included.
    expect(late).toHaveLength(721);
    expect(new Set(late)).toEqual(new Set([0]));
    // What a month costs: not a single poll, and at most a few calls a run.
    expect(claims).toBeLessThan(721 * 4);
    await scheduler.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('waits for a handler that waits for virtual time', async () => {
    const { clock, store } = setUp();
    const ran: string[] = [];
    const task = defineTask('slow', {
      handler: async ({ nominal }) => {
        await clock.sleep('10m');
        ran.push(`${(nominal.getTime() - start) / 60_000}-${clock.elapsed() / 60_000}`);
      },
    });
    const scheduler = createScheduler({ store, tasks: [task], clock, triggers: [every] });
    await scheduler.schedule(task, { every: '1h' });
    await scheduler.start();
    await clock.advance('2h10m');
    expect(ran).toEqual(['60-70', '120-130']);
    await scheduler.stop();
  });

  test('stands still for a handler that does real work', async () => {
    const { clock, store } = setUp();
    let took: number | undefined;
    const task = defineTask('real', {
      handler: async () => {
        const begunAt = clock.now();
        for (let turn = 0; turn < 50; turn++) await new Promise((go) => setImmediate(go));
        took = clock.now() - begunAt;
      },
    });
    const scheduler = createScheduler({ store, tasks: [task], clock });
    await scheduler.schedule(task);
    await scheduler.start();
    await clock.advance('1h');
    expect(took).toBe(0);
    await scheduler.stop();
  });

  test('tells what is wrong when a handler waits for real time', async () => {
    const clock = createTestClock(start, { patience: 20 });
    const store = new MemoryDataStore({ clock: clock.now });
    let wake = () => {};
    const task = defineTask('real', {
      handler: () =>
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
    });
    const scheduler = createScheduler({ store, tasks: [task], clock });
    await scheduler.schedule(task);
    await scheduler.start();
    await expect(clock.advance('1h')).rejects.toThrow(/clock\.sleep\(\)/);
    wake();
    await scheduler.stop();
  });
});
