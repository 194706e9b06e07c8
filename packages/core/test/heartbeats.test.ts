import { describe, expect, test } from 'vitest';
import { defineTask, type LeaseRef } from '../src/index.js';
import { createCutSetting } from './support/cut-setting.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('heartbeats', () => {
  test('keep the leases of all tasks alive, with one call for all of them', async () => {
    const { clock, store, long, aborts, scheduler: make } = createCutSetting();
    const recorded = recordStore(store);
    const task = long(3_600_000);
    const worker = make({ store: recorded.store, tasks: [task], concurrency: 20 });
    const other = make({ tasks: [task], concurrency: 20 });
    const events = logEvents(other);
    for (let i = 0; i < 20; i++) await worker.schedule(task, { id: `t${i}` });
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
    await worker.schedule(task);
    await worker.start();
    await clock.advance(30_050);
    expect(recorded.count('extend')).toBe(300);
  });

  test('outlast an outage that is shorter than the lease', async () => {
    const { clock, line, cut, long, aborts, scheduler: make } = createCutSetting();
    const task = long(60_000);
    const worker = make({ store: cut, tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
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
    await worker.schedule(task, { id: 't' });
    await worker.start();
    await clock.advance(1000);
    await worker.pause('t');
    await clock.advance(70_000);
    expect(aborts).toEqual([]);
    expect(events.of('succeeded')).toMatchObject([{ id: 't' }]);
  });
});
