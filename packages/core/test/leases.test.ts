import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { type Clock, createScheduler, defineTask } from '../src/index.js';
import { createTestClock } from '../src/testing/index.js';
import { createCutSetting } from './support/cut-setting.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('a lease is lost', () => {
  test('when the task is removed: the signal is aborted with the next heartbeat', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    await worker.remove('t');
    await worker.schedule(task, { id: 't' });
    await clock.advance('5m');
    // It was handed the new one itself.
    expect(aborts).toEqual(['SCHED_LEASE_LOST@1000']);
    const [first, second] = events.of('started');
    expect(second?.token).toBeGreaterThan(first?.token ?? 0);
    expect(events.of('succeeded')).toMatchObject([{ id: 't', token: second?.token }]);
  });

  test('when the store cannot be reached until it is over, at that very moment', async () => {
    const { clock, line, cut, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ store: cut, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    for (let i = 0; i < 10; i++)
      await worker.schedule(task, { payload: 0, at: clock.now() - 100 + i });
    await worker.schedule(task, { payload: 60_000, id: 'long', at: clock.now() - 50 });
    await worker.schedule(task, { payload: 0, id: 'behind', at: clock.now() - 40 });
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
    for (let i = 0; i < 10; i++)
      await worker.schedule(task, { payload: 0, at: clock.now() - 100 + i });
    await worker.schedule(task, { payload: 6000, id: 'long', at: clock.now() - 50 });
    await worker.start();
    await clock.advance(3000);
    await worker.schedule(task, { payload: 0, id: 'behind' });
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
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    const scheduler = createScheduler({ store, clock: blockable, tasks: [task], announce: false });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'b' });
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
        await clock.sleep(1000);
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
    await scheduler.schedule(task, { id: 'b' });
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
    await other.schedule(task, { id: 't', every: '1d' });
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
    await worker.schedule(task, { id: 't' });
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
