import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import {
  type Clock,
  createScheduler,
  defineTask,
  type LeaseRef,
  type SchedError,
} from '../src/index.js';
import { createTestClock } from '../src/testing/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

/** A setting with a handle that can be cut off, and a task that waits to be told to end. */
function createCutSetting() {
  const setting = createSetting();
  const { clock, store } = setting;
  const line = { isCut: false };
  const cut = interceptStore(store, async (call, proceed) => {
    if (line.isCut) throw new Error('cut off');
    return call === 'close' ? undefined : proceed();
  });
  const aborts: string[] = [];
  /** Runs for so long, and notes when and why it was told to stop; then it goes on or stops, as it is told to. */
  const long = (lengthMs: number, heedsSignal = true) =>
    defineTask('long', {
      handler: async ({ signal }) => {
        signal.addEventListener('abort', () => {
          aborts.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`);
        });
        await clock.sleep(lengthMs, heedsSignal ? { signal } : {});
      },
      retry: 0,
    });
  return { ...setting, line, cut, aborts, long };
}

describe('heartbeats', () => {
  test('keep the leases of all tasks alive, with one call for all of them', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    const recorded = recordStore(store);
    const task = long(3_600_000);
    const worker = make({ store: recorded.store, tasks: [task], concurrency: 20 });
    const other = make({ tasks: [task], concurrency: 20 });
    const events = logEvents(other);
    for (let i = 0; i < 20; i++) await worker.schedule(task, null, { id: `t${i}` });
    await worker.start();
    await clock.advance(1);
    await other.start();
    await clock.advance('59m');
    expect(aborts).toEqual([]);
    expect(events.of('claimed')).toEqual([]);
    // Every third of the default lease of 15 s.
    expect(recorded.count('extend')).toBe((59 * 60) / 5);
    for (const { call, args, answer } of recorded.calls) {
      if (call !== 'extend') continue;
      expect(args[0] as LeaseRef[]).toHaveLength(20);
      expect(args[1]).toBe(15_000);
      expect(new Set((answer as unknown[]).map((each) => typeof each))).toEqual(
        new Set(['number']),
      );
    }
    await clock.advance('2m');
    expect(await store.count({})).toBe(0);
    const after = recorded.count('extend');
    await clock.advance('1h');
    expect(recorded.count('extend')).toBe(after);
    await worker.stop();
    await other.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('follow the length of the lease', async () => {
    const { clock, store, long, scheduler: make } = createCutSetting();
    const recorded = recordStore(store);
    const task = long(60_000);
    const worker = make({ store: recorded.store, tasks: [task], lease: 300 });
    await worker.schedule(task, null);
    await worker.start();
    await clock.advance(30_050);
    expect(recorded.count('extend')).toBe(300);
  });

  test('outlast an outage that is shorter than the lease', async () => {
    const { clock, line, cut, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ store: cut, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    // From just before one heartbeat to just before the lease, last prolonged at 5 s, is over.
    await clock.advance(9900);
    line.isCut = true;
    // Too late for the last of the tries; what helps is that a claim is answered.
    await clock.advance(9700);
    line.isCut = false;
    await clock.advance(60_000);
    expect(aborts).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
    expect(events.of('storeRecovered')).toHaveLength(1);
  });

  test('are repeated soon when they fail, and not with the next beat', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    let isFailing = false;
    const failing = interceptStore(store, async (call, proceed) => {
      if (call === 'extend' && isFailing) throw new Error('not now');
      return proceed();
    });
    const task = long(60_000);
    const worker = make({ store: failing, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(9900);
    isFailing = true;
    await clock.advance(9000);
    isFailing = false;
    await clock.advance(60_000);
    expect(aborts).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
    // With growing pauses between them.
    expect(events.of('storeError').length).toBeLessThan(12);
  });

  test('go on while one of them is never answered', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    let extends_ = 0;
    const hanging = interceptStore(store, async (call, proceed) => {
      if (call === 'extend' && ++extends_ === 1) await clock.sleep(Number.POSITIVE_INFINITY);
      return proceed();
    });
    const task = long(60_000);
    const worker = make({ store: hanging, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(70_000);
    expect(aborts).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
    expect(events.of('storeError')).toMatchObject([
      { call: 'extend', error: { code: 'SCHED_STORE_TIMEOUT' } },
    ]);
  });

  test('leave alone what only waits for a moment', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    let ran = 0;
    const task = defineTask('short', {
      handler: async () => {
        ran++;
        await clock.sleep(10);
      },
    });
    const worker = make({ store: recorded.store, tasks: [task], concurrency: 2, lease: 300 });
    await worker.scheduleMany(Array.from({ length: 1000 }, () => ({ task })));
    await worker.start();
    await clock.advance(6000);
    expect(ran).toBe(1000);
    expect(recorded.count('extend')).toBeGreaterThan(10);
    expect(recorded.count('release')).toBe(0);
    expect(recorded.count('claim')).toBeLessThan(300);
  });

  test('say nothing about what has been settled', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let settles = 0;
    const hanging = interceptStore(store, async (call, proceed) => {
      const answer = await proceed();
      if (call === 'settle' && ++settles === 1) await clock.sleep(Number.POSITIVE_INFINITY);
      return answer;
    });
    const task = defineTask('work', { handler: () => {} });
    const worker = make({ store: hanging, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    // It is gone from the store, and nobody here knows.
    await clock.advance('10m');
    expect(events.of('lost')).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
  });

  test('keep paused tasks alive that were running already', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    await worker.pause('t');
    await clock.advance(70_000);
    expect(aborts).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
  });
});

describe('a lease is lost', () => {
  test('when the task is removed: the signal is aborted with the next heartbeat', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(6000);
    await make({ tasks: [task] }).remove('t');
    await clock.advance('5m');
    expect(aborts).toEqual(['SCHED_LEASE_LOST@10000']);
    expect(events.of('lost')).toMatchObject([
      { id: 't', name: 'long', store: 'default', token: events.of('started')[0]?.token },
    ]);
    expect(events.types()).not.toContain('failed');
    expect(await worker.history('t')).toEqual([]);
    expect((await worker.health()).running).toBe(0);
  });

  test('when the task is removed and made again: the new one is somebody else', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    await worker.remove('t');
    await worker.schedule(task, null, { id: 't' });
    await clock.advance('5m');
    expect(aborts).toEqual(['SCHED_LEASE_LOST@5000']);
    const [first, second] = events.of('started');
    expect(second?.token).toBeGreaterThan(first?.token ?? 0);
    expect(events.of('succeeded')).toMatchObject([{ id: 't', token: second?.token }]);
  });

  test('when the store cannot be reached until it is over, at that very moment', async () => {
    const { clock, line, cut, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ store: cut, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(6000);
    line.isCut = true;
    await clock.advance('1m');
    // It was last prolonged at 5 s.
    expect(aborts).toEqual(['SCHED_LEASE_LOST@20000']);
    expect(events.of('lost')).toHaveLength(1);
    line.isCut = false;
    await clock.advance('5m');
    // Nothing was recorded, so it runs again.
    expect(events.of('started')).toHaveLength(2);
    expect(events.of('succeeded')).toHaveLength(1);
  });

  test('when the store hangs until it is over', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    const hanging = interceptStore(store, async (call, proceed) => {
      if (call === 'extend') await clock.sleep(Number.POSITIVE_INFINITY);
      return proceed();
    });
    const task = long(60_000);
    const worker = make({ store: hanging, tasks: [task] });
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(16_000);
    expect(aborts).toEqual(['SCHED_LEASE_LOST@15000']);
  });

  test('while it waits for a slot: it never starts', async () => {
    const { clock, scheduler: make } = createSetting();
    const started: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id } }) => {
        started.push(id);
        if (payload > 0) await clock.sleep(payload);
      },
    });
    const worker = make({ tasks: [task], concurrency: 1 });
    for (let i = 0; i < 10; i++) await worker.schedule(task, 0, { at: clock.now() - 100 + i });
    await worker.schedule(task, 60_000, { id: 'long', at: clock.now() - 50 });
    await worker.schedule(task, 0, { id: 'behind', at: clock.now() - 40 });
    await worker.start();
    await clock.runUntil(() => started.includes('long'));
    expect((await worker.health()).waiting).toBe(1);
    await worker.remove('behind');
    await clock.advance('2h');
    expect(started).not.toContain('behind');
    expect((await worker.health()).waiting).toBe(0);
  });
});

describe('a task that waits for a slot and is removed', () => {
  test('does not start when the slot is free', async () => {
    const { clock, scheduler: make } = createSetting();
    const started: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id } }) => {
        started.push(id);
        if (payload > 0) await clock.sleep(payload);
      },
    });
    const worker = make({ tasks: [task], concurrency: 1 });
    const events = logEvents(worker);
    for (let i = 0; i < 10; i++) await worker.schedule(task, 0, { at: clock.now() - 100 + i });
    await worker.schedule(task, 6000, { id: 'long', at: clock.now() - 50 });
    await worker.start();
    await clock.advance(3000);
    await worker.schedule(task, 0, { id: 'behind' });
    await clock.advance(1000);
    expect((await worker.health()).waiting).toBe(1);
    await worker.remove('behind');
    await clock.advance(1500);
    expect(events.of('lost')).toMatchObject([{ id: 'behind' }]);
    expect((await worker.health()).waiting).toBe(0);
    await clock.advance('1m');
    expect(started).not.toContain('behind');
    expect(events.of('lost')).toHaveLength(1);
  });
});

describe('a handler that goes on after its lease is lost', () => {
  test('is heard when nobody has taken the task over', async () => {
    const { clock, line, cut, long, aborts, scheduler: make } = createCutSetting();
    const task = long(40_000, false);
    const worker = make({ store: cut, tasks: [task], abortGrace: '1h' });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    line.isCut = true;
    // The other one is idle: nobody claims before the handler ends.
    await clock.advance(38_999);
    line.isCut = false;
    await clock.advance(1);
    await clock.advance(100);
    expect(aborts).toEqual(['SCHED_LEASE_LOST@15000']);
    expect(events.of('lost')).toHaveLength(1);
    expect(events.of('succeeded')).toMatchObject([{ id: 't', durationMs: 40_000 }]);
    await clock.advance('1h');
    expect(events.of('started')).toHaveLength(1);
  });

  test('is refused when somebody has', async () => {
    const { clock, line, cut, store, long, aborts, scheduler: make } = createCutSetting();
    const task = long(40_000, false);
    const worker = make({ store: cut, tasks: [task], abortGrace: '1h', owner: 'a' });
    const other = make({ tasks: [long(40_000)], owner: 'b' });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await other.start();
    await clock.advance(1000);
    line.isCut = true;
    await clock.advance(38_000);
    line.isCut = false;
    await clock.advance(2000);
    expect(aborts).toEqual(['SCHED_LEASE_LOST@15000']);
    expect(events.of('succeeded')).toEqual([]);
    expect(events.of('lost')).toHaveLength(1);
    expect((await store.get(['t']))[0]?.lease?.owner).toBe('b');
    await clock.advance('1h');
    expect(await other.history('t')).toMatchObject([{ outcome: 'succeeded', owner: 'b' }]);
    expect(events.of('started')).toHaveLength(1);
  });

  test('is not even asked when it fails, since it fails for having been aborted', async () => {
    const { clock, line, cut, long, scheduler: make } = createCutSetting();
    const task = long(40_000);
    const worker = make({ store: cut, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    line.isCut = true;
    await clock.advance(14_500);
    line.isCut = false;
    await clock.advance('10m');
    expect(events.of('failed')).toEqual([]);
    expect(events.of('succeeded')).toHaveLength(1);
  });
});

describe('a handler that blocks the process past its lease', () => {
  /** A clock that can leap while nothing else happens, as it does for a process whose event loop is blocked. */
  function createBlockable() {
    const clock = createTestClock();
    let leaptMs = 0;
    const blockable: Clock = {
      ...clock,
      elapsed: () => clock.elapsed() + leaptMs,
    };
    const now = () => clock.now() + leaptMs;
    const store = new MemoryDataStore({ clock: now });
    const block = (forMs: number) => {
      leaptMs += forMs;
    };
    return { clock, blockable, store, block };
  }

  test('is heard, if it ends before anybody else takes the task', async () => {
    const { clock, blockable, store, block } = createBlockable();
    const task = defineTask('block', { handler: () => block(60_000) });
    const scheduler = createScheduler({ store, clock: blockable, tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, null, { id: 'b' });
    await scheduler.start();
    await clock.advance('1m');
    expect(events.of('succeeded')).toMatchObject([{ id: 'b', durationMs: 60_000 }]);
    expect(events.of('lost')).toEqual([]);
    expect(await store.count({})).toBe(0);
  });

  test('is told with the next heartbeat, and refused once the task runs elsewhere', async () => {
    const { clock, blockable, store, block } = createBlockable();
    const aborted: unknown[] = [];
    const task = defineTask('block', {
      handler: async ({ signal }) => {
        signal.addEventListener('abort', () => aborted.push(signal.reason));
        block(60_000);
        await clock.sleep(10_000);
      },
    });
    const share = () =>
      interceptStore(store, async (call, proceed) => (call === 'close' ? undefined : proceed()));
    const scheduler = createScheduler({ store: share(), clock: blockable, tasks: [task] });
    const events = logEvents(scheduler);
    const calm = defineTask('block', { handler: () => clock.sleep(10_000) });
    const other = createScheduler({
      ...{ store: share(), clock: blockable, tasks: [calm], owner: 'other', pollInterval: 1000 },
    });
    await scheduler.schedule(task, null, { id: 'b' });
    await scheduler.start();
    await clock.runUntil(() => events.of('started').length === 1);
    await other.start();
    await clock.advance(12_000);
    expect(aborted).toMatchObject([{ code: 'SCHED_LEASE_LOST' }]);
    await clock.advance('1m');
    expect(events.of('succeeded')).toEqual([]);
    expect(await other.history('b')).toMatchObject([{ outcome: 'succeeded', owner: 'other' }]);
  });
});

describe('edits of a running task', () => {
  test('are noticed with the next heartbeat, and looked at once', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    const recorded = recordStore(store);
    const task = long(60_000);
    const worker = make({ store: recorded.store, tasks: [task] });
    const other = make({ tasks: [task] });
    await other.schedule(task, null, { id: 't', every: '1d' });
    await worker.start();
    await clock.advance('1d');
    await clock.advance(7000);
    await other.update('t', { queue: 'elsewhere' });
    await clock.advance(13_500);
    expect(recorded.count('get')).toBe(1);
    await other.update('t', { payload: 'new' });
    await clock.advance(10_000);
    expect(recorded.count('get')).toBe(2);
    await clock.advance('1m');
    expect(aborts).toEqual([]);
    const [stored] = await store.get(['t']);
    expect(stored).toMatchObject({ queue: 'elsewhere', lease: null });
    expect(await other.get('t')).toMatchObject({
      payload: 'new',
      lastRun: { outcome: 'succeeded' },
      runAt: new Date(Date.parse('2030-01-03T00:00:00Z')),
    });
  });

  test('are left alone when this worker cannot read them', async () => {
    const { clock, store, long, scheduler: make } = createCutSetting();
    const task = long(20_000);
    const worker = make({ tasks: [task], owner: 'old' });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    const [stored] = await store.get(['t']);
    const body = JSON.stringify({ ...JSON.parse(stored?.body ?? ''), v: 2 });
    await store.update('t', { body }, { revision: stored?.revision ?? 0 });
    await clock.advance('10m');
    expect(events.of('started')).toHaveLength(1);
    expect(events.of('lost')).toHaveLength(1);
    expect(events.of('deferred')).toMatchObject([{ id: 't', reason: 'unreadable' }]);
    expect((await store.get(['t']))[0]).toMatchObject({ body });
  });
});

describe('cancel', () => {
  test('aborts a run in this process at once: it has failed, and is not tried again', async () => {
    const { clock, aborts, scheduler: make } = createCutSetting();
    const task = defineTask('long', {
      handler: async ({ signal }) => {
        signal.addEventListener('abort', () =>
          aborts.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`),
        );
        await clock.sleep('1h', { signal });
      },
      retry: 5,
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 't' });
    await worker.start();
    await clock.advance(1234);
    expect(await worker.cancel('t')).toBe(true);
    await clock.advance('10m');
    expect(aborts).toEqual(['SCHED_CANCELLED@1234']);
    expect(events.of('failed')).toMatchObject([{ id: 't', error: { code: 'SCHED_CANCELLED' } }]);
    expect(await worker.get('t')).toMatchObject({ state: 'failed' });
    expect(await worker.cancel('t')).toBe(false);
  });

  test('aborts a run elsewhere with the heartbeat of its worker', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(3_600_000);
    const worker = make({ tasks: [task] });
    const client = make({ tasks: [task] });
    await client.schedule(task, null, { id: 't', every: '1d' });
    await worker.start();
    await clock.advance('1d');
    await clock.advance(6000);
    expect(await client.cancel('t')).toBe(true);
    await clock.advance('10m');
    expect(aborts).toEqual([`SCHED_CANCELLED@${86_400_000 + 10_000}`]);
    expect(await client.history('t')).toMatchObject([
      { outcome: 'failed', error: { code: 'SCHED_CANCELLED' } },
    ]);
    // The schedule goes on, and the next run is not cancelled.
    await clock.advance('1d');
    await clock.advance('1h');
    expect(await client.history('t')).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'failed' },
    ]);
  });

  test('says when there is nothing to cancel', async () => {
    const { clock, line, cut, long, scheduler: make } = createCutSetting();
    const task = long(3_600_000);
    const worker = make({ store: cut, tasks: [task] });
    await worker.schedule(task, null, { id: 'later', in: '1d' });
    await worker.schedule(task, null, { id: 'lapsed' });
    await worker.start();
    await clock.advance(1000);
    line.isCut = true;
    await clock.advance('1m');
    // A client that has never asked the store for its time.
    const client = make({ tasks: [task] });
    expect(await client.cancel('later')).toBe(false);
    expect(await client.cancel('lapsed')).toBe(false);
    expect(await make({ tasks: [task] }).get('lapsed')).toMatchObject({ state: 'scheduled' });
    await expect(client.cancel('nobody')).rejects.toMatchObject({ code: 'SCHED_TASK_NOT_FOUND' });
  });

  test('reaches a run that is waiting for its slot elsewhere, once it has begun', async () => {
    const { clock, scheduler: make } = createSetting();
    const started: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id }, signal }) => {
        started.push(id);
        if (payload > 0) await clock.sleep(payload, { signal });
      },
      retry: 0,
    });
    const worker = make({ tasks: [task], concurrency: 1, lease: '1m' });
    for (let i = 0; i < 10; i++) await worker.schedule(task, 0, { at: clock.now() - 100 + i });
    await worker.schedule(task, 10_000, { id: 'first', at: clock.now() - 50 });
    await worker.schedule(task, 3_600_000, { id: 'second', at: clock.now() - 40 });
    await worker.start();
    await clock.runUntil(() => started.includes('first'));
    expect((await worker.health()).waiting).toBe(1);
    expect(await worker.cancel('second')).toBe(true);
    await clock.advance('5m');
    expect(await worker.get('second')).toMatchObject({
      state: 'failed',
      lastRun: { error: { code: 'SCHED_CANCELLED' } },
    });
  });
});

describe('runs that are aborted', () => {
  test('replace: by the next occurrence, which then runs', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const minutes = () => clock.elapsed() / 60_000;
    const task = defineTask('replaced', {
      handler: async ({ nominal, signal }) => {
        const at = (nominal.getTime() - Date.parse('2030-01-01T00:00:00Z')) / 60_000;
        log.push(`${at} began at ${minutes()}`);
        try {
          await clock.sleep(at === 120 ? '10m' : '90m', { signal });
        } catch (error) {
          log.push(`${at} ${(error as SchedError).code} at ${minutes()}`);
          throw error;
        }
      },
      overlap: 'replace',
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 'r', every: '1h' });
    await worker.start();
    await clock.advance('2h30m');
    expect(log).toEqual(['60 began at 60', '60 SCHED_REPLACED at 120', '120 began at 120']);
    expect(events.of('interrupted')).toMatchObject([
      { id: 'r', error: { code: 'SCHED_REPLACED' } },
    ]);
    expect(events.of('failed')).toEqual([]);
    expect(await worker.history('r')).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'interrupted', reason: 'superseded' },
    ]);
  });

  test('timeout: at its moment, and tried again', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const task = defineTask('slow', {
      handler: async ({ attempt, signal }) => {
        signal.addEventListener('abort', () =>
          log.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`),
        );
        await clock.sleep(attempt === 1 ? '10m' : '1m', { signal });
        log.push(`done@${clock.elapsed()}`);
      },
      timeout: '2m',
      retry: { limit: 1, min: '1m', jitter: 0 },
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 's' });
    await worker.start();
    await clock.advance('10m');
    expect(log).toEqual(['SCHED_TIMEOUT@120000', 'done@240000']);
    expect(events.of('retried')).toMatchObject([{ id: 's', error: { code: 'SCHED_TIMEOUT' } }]);
    expect(events.of('succeeded')).toMatchObject([{ id: 's', attempt: 2 }]);
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('the first reason counts', async () => {
    const { clock, scheduler: make } = createSetting();
    const reasons: unknown[] = [];
    const task = defineTask('slow', {
      handler: async ({ signal }) => {
        await clock.sleep('1h', { signal }).catch(() => {});
        reasons.push(signal.reason);
        await clock.sleep(3000);
        throw new Error('something else');
      },
      timeout: '1m',
      retry: 0,
    });
    const worker = make({ tasks: [task] });
    await worker.schedule(task, null, { id: 's' });
    await worker.start();
    await clock.advance('1m1s');
    await worker.cancel('s');
    await clock.advance('1m');
    expect(reasons).toMatchObject([{ code: 'SCHED_TIMEOUT' }]);
    expect(await worker.get('s')).toMatchObject({ lastRun: { error: { code: 'SCHED_TIMEOUT' } } });
  });

  test('a handler that never ends gives up its slot after the grace, and is heard no more', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const late: (() => void)[] = [];
    const task = defineTask<string>('stuck', {
      handler: async ({ payload }) => {
        log.push(`${payload}@${clock.elapsed()}`);
        if (payload === 'stuck') await clock.sleep('1h');
        late.push(() => log.push('late'));
        if (payload === 'stuck') throw new Error('much too late');
      },
      timeout: '1m',
      retry: 0,
    });
    const worker = make({ tasks: [task], concurrency: 1, abortGrace: '10s' });
    const events = logEvents(worker);
    await worker.schedule(task, 'stuck', { id: 'a', at: clock.now() - 1 });
    await worker.schedule(task, 'next', { id: 'b' });
    await worker.start();
    await clock.advance('2h');
    expect(log).toEqual(['stuck@0', 'next@70000']);
    expect(events.of('abandoned')).toMatchObject([
      { id: 'a', error: { code: 'SCHED_TIMEOUT', message: expect.stringContaining('10000 ms') } },
    ]);
    expect(events.of('failed')).toMatchObject([{ id: 'a', durationMs: 70_000 }]);
    expect(await worker.get('a')).toMatchObject({ state: 'failed' });
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a handler that ends well in spite of its timeout has succeeded', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('slow', { handler: () => clock.sleep('62s'), timeout: '1m' });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, null, { id: 's' });
    await worker.start();
    await clock.advance('5m');
    expect(events.of('succeeded')).toMatchObject([{ id: 's' }]);
    expect(events.of('abandoned')).toEqual([]);
  });
});
