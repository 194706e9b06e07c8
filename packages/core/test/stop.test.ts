import { describe, expect, test } from 'vitest';
import { defineTask, type SchedError, type Scheduler, type TaskDefinition } from '../src/index.js';
import type { TestClock } from '../src/testing/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, type StoreCall } from './support/intercepted-store.js';
import { longTask } from './support/long-task.js';
import { createSetting } from './support/setting.js';

/** Stops, lets time pass until that is done, and says how long it took. */
async function stopTimed(
  clock: TestClock,
  scheduler: Scheduler,
  deadline?: number,
): Promise<number> {
  const begunAt = clock.elapsed();
  let endedAt: number | undefined;
  const stopped = scheduler.stop(deadline === undefined ? {} : { deadline }).then(() => {
    endedAt = clock.elapsed();
  });
  await clock.runUntil(() => endedAt !== undefined);
  await stopped;
  return clock.elapsed() - begunAt;
}

describe('a graceful stop', () => {
  test('waits for what is running, settles it, and leaves nothing behind', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const task = longTask(clock, 20_000);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: null, id: 'l' });
    await scheduler.start();
    await clock.advance(1000);
    expect((await scheduler.health()).state).toBe('running');
    const stopped = scheduler.stop();
    expect((await scheduler.health()).state).toBe('stopping');
    await clock.advance(18_999);
    expect(events.types()).not.toContain('stopped');
    await clock.advance(1);
    await stopped;
    expect(events.types().slice(-2)).toEqual(['succeeded', 'stopped']);
    expect(await store.count({})).toBe(0);
    expect((await scheduler.health()).state).toBe('stopped');
    expect(clock.pendingTimers).toBe(0);
  });

  test('is over at once when nothing runs', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 1);
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, { payload: null, in: '1h' });
    await scheduler.start();
    await clock.advance('1m');
    expect(await stopTimed(clock, scheduler)).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('takes no more tasks', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const task = longTask(clock, 10_000);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: null, id: 'a' });
    await scheduler.schedule(task, { payload: null, id: 'b', in: 5000 });
    await scheduler.start();
    await clock.advance(1000);
    const stopped = scheduler.stop();
    await clock.advance(2000);
    await make({ tasks: [task] }).schedule(task, { payload: null, id: 'c' });
    await clock.advance(10_000);
    await stopped;
    expect(events.of('started')).toMatchObject([{ id: 'a' }]);
    expect(await store.get(['b', 'c'])).toMatchObject([{ lease: null }, { lease: null }]);
  });

  test('lets a handler that is still running use the scheduler', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const task: TaskDefinition<unknown> = defineTask('chain', {
      handler: async () => {
        await clock.sleep(5000);
        await scheduler.schedule(task, { payload: null, id: 'next', in: '1h' });
      },
    });
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, { payload: null });
    await scheduler.start();
    await clock.advance(1000);
    expect(await stopTimed(clock, scheduler)).toBe(4000);
    expect(await store.get(['next'])).toMatchObject([{ id: 'next' }]);
    expect(await store.count({})).toBe(1);
  });

  test('releases what waits for a slot, so that others have it at once and it counts as undelivered', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const ran: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id } }) => {
        ran.push(id);
        if (payload > 0) await clock.sleep(payload);
      },
    });
    const scheduler = make({ tasks: [task], concurrency: 1 });
    const events = logEvents(scheduler);
    for (let i = 0; i < 10; i++)
      await scheduler.schedule(task, { payload: 0, at: clock.now() - 100 + i });
    await scheduler.schedule(task, { payload: 60_000, id: 'long', at: clock.now() - 50 });
    for (const id of ['x', 'y'])
      await scheduler.schedule(task, { payload: 0, id, at: clock.now() - 40 });
    await scheduler.start();
    await clock.runUntil(() => ran.includes('long'));
    expect((await scheduler.health()).waiting).toBe(2);
    const stopped = scheduler.stop({ deadline: '2m' });
    await clock.advance(0);
    expect((await scheduler.health()).waiting).toBe(0);
    expect(await store.get(['x', 'y'])).toMatchObject([
      { lease: null, deliveries: 0 },
      { lease: null, deliveries: 0 },
    ]);
    expect(ran).not.toContain('x');
    const other = make({ tasks: [task] });
    const otherEvents = logEvents(other);
    await other.start();
    await clock.advance(0);
    expect(otherEvents.of('succeeded')).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
    await clock.advance('1m');
    await stopped;
    expect(events.of('succeeded')).toHaveLength(11);
    await other.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('at the deadline', () => {
  test('runs are aborted, and go elsewhere at once as the same attempt', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const define = (who: string) =>
      defineTask('long', {
        handler: async ({ attempt, signal }) => {
          log.push(`${who} began attempt ${attempt} at ${clock.elapsed()}`);
          try {
            await clock.sleep('1h', { signal });
          } catch (error) {
            log.push(`${who} ${(error as SchedError).code} at ${clock.elapsed()}`);
            throw error;
          }
        },
      });
    const a = make({ tasks: [define('a')] });
    const b = make({ tasks: [define('b')] });
    const events = logEvents(a);
    await a.schedule(define('a'), { id: 'l' });
    await a.start();
    await clock.advance(1000);
    await b.start();
    expect(await stopTimed(clock, a, 3000)).toBe(3000);
    expect(log).toEqual([
      'a began attempt 1 at 0',
      'a SCHED_STOPPED at 4000',
      'b began attempt 1 at 4000',
    ]);
    expect(events.of('interrupted')).toMatchObject([{ id: 'l', error: { code: 'SCHED_STOPPED' } }]);
    expect(events.of('failed')).toEqual([]);
    await clock.advance('2h');
    expect(await b.history('l')).toMatchObject([
      { outcome: 'succeeded', attempt: 1 },
      { outcome: 'interrupted', attempt: 1 },
    ]);
    await b.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('of nothing, runs are aborted straight away', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 3_600_000);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: null, id: 'l' });
    await scheduler.start();
    await clock.advance(1000);
    expect(await stopTimed(clock, scheduler, 0)).toBe(0);
    expect(events.of('interrupted')).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a task that runs at most once has failed, and runs nowhere else', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = longTask(clock, 3_600_000);
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: null, id: 'l', delivery: 'atMostOnce' });
    await scheduler.start();
    await clock.advance(1000);
    await stopTimed(clock, scheduler, 1000);
    expect(events.of('failed')).toMatchObject([{ id: 'l', error: { code: 'SCHED_STOPPED' } }]);
    const other = make({ tasks: [task] });
    const otherEvents = logEvents(other);
    await other.start();
    await clock.advance('1h');
    expect(otherEvents.of('started')).toEqual([]);
    expect(await other.get('l')).toMatchObject({ state: 'failed' });
  });

  test('a handler that ignores it is left behind after the grace, and its task to its lease', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const stuck = defineTask('long', { handler: () => clock.sleep('1h') });
    const scheduler = make({ tasks: [stuck], abortGrace: 4000 });
    const events = logEvents(scheduler);
    await scheduler.schedule(stuck, { id: 'l' });
    await scheduler.start();
    await clock.advance(6000);
    const other = make({ tasks: [longTask(clock, 10)] });
    const otherEvents = logEvents(other);
    await other.start();
    expect(await stopTimed(clock, scheduler, 3000)).toBe(7000);
    expect(events.of('abandoned')).toMatchObject([{ id: 'l', error: { code: 'SCHED_TIMEOUT' } }]);
    expect(events.of('interrupted')).toEqual([]);
    expect(otherEvents.of('started')).toEqual([]);
    // Last prolonged at 10 s.
    await clock.advance(12_000);
    expect(otherEvents.of('claimed')).toMatchObject([{ id: 'l' }]);
    expect(clock.elapsed()).toBe(25_000);
    expect(await stopTimed(clock, other)).toBe(10);
    expect(await store.count({})).toBe(0);
    // What the handler still waits for.
    expect(clock.pendingTimers).toBe(1);
  });
});

describe('a store that lets one down during a stop', () => {
  test('a claim on its way is waited for, and what it brings is given back', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const slow = interceptStore(store, async (call, proceed) => {
      const answer = await proceed();
      if (call === 'claim') await clock.sleep(2000);
      return answer;
    });
    const task = longTask(clock, 1000);
    const scheduler = make({ store: slow, tasks: [task] });
    const events = logEvents(scheduler);
    const client = make({ tasks: [task] });
    await client.schedule(task, { payload: null, id: 'l' });
    await scheduler.start();
    await clock.advance(500);
    expect(await store.get(['l'])).toMatchObject([{ deliveries: 1 }]);
    expect(await stopTimed(clock, scheduler)).toBe(1500);
    expect(events.of('started')).toEqual([]);
    await store.open();
    expect(await store.get(['l'])).toMatchObject([{ lease: null, deliveries: 0 }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('what is being given back is waited for', async () => {
    const { clock, store, handle, scheduler: make } = createSetting();
    const slow = interceptStore(handle(), async (call, proceed) => {
      if (call === 'release') await clock.sleep(2000);
      return proceed();
    });
    const task = defineTask('orphan');
    const scheduler = make({ store: slow });
    await make({ tasks: [task] }).schedule(task, { id: 'o' });
    await scheduler.start();
    await clock.advance(500);
    expect(await stopTimed(clock, scheduler)).toBe(1500);
    expect(await store.get(['o'])).toMatchObject([{ lease: null, deliveries: 0 }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a claim that is answered when all is over is left to its lease', async () => {
    const { clock, store, handle, scheduler: make } = createSetting();
    const slow = interceptStore(handle(), async (call, proceed) => {
      const answer = await proceed();
      if (call === 'claim') await clock.sleep('20m');
      return answer;
    });
    const task = longTask(clock, 1000);
    const scheduler = make({ store: slow, tasks: [task], abortGrace: 1000 });
    const events = logEvents(scheduler);
    await make({ tasks: [task] }).schedule(task, { payload: null, id: 'l' });
    await scheduler.start();
    await clock.advance(500);
    expect(await stopTimed(clock, scheduler, 2000)).toBe(3100);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance('1h');
    expect(events.types().at(-1)).toBe('stopped');
    expect(await store.get(['l'])).toMatchObject([{ deliveries: 1 }]);
  });

  const faults: Record<string, (clock: TestClock) => Promise<never>> = {
    fails: () => Promise.reject(new Error('no')),
    hangs: async (clock) => {
      await clock.sleep(Number.POSITIVE_INFINITY);
      throw new Error('it was to hang');
    },
  };
  const calls: readonly (readonly StoreCall[])[] = [
    ['settle'],
    ['release'],
    ['extend'],
    ['claim'],
    ['watch'],
    ['close'],
    ['claim', 'settle', 'release', 'extend', 'get', 'close', 'now', 'history'],
  ];
  for (const [kind, fail] of Object.entries(faults)) {
    for (const broken of calls) {
      test(`one that ${kind} at ${broken.join(', ')} does not keep it from ending`, async () => {
        const { clock, store, handle, scheduler: make } = createSetting();
        let isBroken = broken.includes('watch');
        const bad = interceptStore(handle(), async (call, proceed) =>
          isBroken && broken.includes(call) ? fail(clock) : proceed(),
        );
        const task = longTask(clock, 60_000);
        const scheduler = make({ store: bad, tasks: [task], concurrency: 2 });
        const events = logEvents(scheduler);
        await make({ tasks: [task] }).scheduleMany(Array.from({ length: 4 }, () => ({ task })));
        await scheduler.start();
        await clock.advance(1000);
        expect(events.of('started')).toHaveLength(2);
        isBroken = true;
        // The deadline, the grace, and a little for a last try; and a store may take 5 s to close.
        expect(await stopTimed(clock, scheduler, 5000)).toBeLessThanOrEqual(5000 + 5100 + 5000);
        expect(events.types().at(-1)).toBe('stopped');
        expect(clock.pendingTimers).toBe(0);
        await clock.advance('10m');
        expect(events.types().at(-1)).toBe('stopped');

        // Whatever was not recorded is not lost.
        const other = make({ tasks: [task] });
        await other.start();
        await clock.advance('1h');
        expect(await store.count({})).toBe(0);
        await other.stop();
        expect(clock.pendingTimers).toBe(0);
      });
    }
  }

  test('settles what it can before it ends, without waiting for the next try', async () => {
    const { clock, store, handle, scheduler: make } = createSetting();
    let isDown = false;
    const bad = interceptStore(handle(), async (_, proceed) => {
      if (isDown) throw new Error('down');
      return proceed();
    });
    const task = longTask(clock, 5000);
    const scheduler = make({ store: bad, tasks: [task], lease: '1h' });
    await scheduler.schedule(task, { payload: null, id: 'l' });
    await scheduler.start();
    await clock.advance(1000);
    isDown = true;
    // The tries are half a minute apart by then.
    await clock.advance('10m');
    expect((await scheduler.health()).settling).toBe(1);
    isDown = false;
    expect(await stopTimed(clock, scheduler, 1000)).toBe(0);
    expect(await store.count({})).toBe(0);
  });
});
