import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, defineTask, every, type RunContext } from '../src/index.js';
import { createTestClock } from '../src/testing/index.js';
import { logEvents } from './support/events.js';
import { type CallListener, createStallingProcess } from './support/stalling-process.js';

const leaseMs = 600;

/** A cluster on one store, of which each process can be blocked. */
function createCluster(processes: number) {
  const clock = createTestClock();
  const store = new MemoryDataStore({ clock: clock.now });
  const members = Array.from({ length: processes }, () => createStallingProcess(clock));
  const runs: string[] = [];
  const worker = (
    index: number,
    handlers: Record<string, (run: RunContext<void>) => unknown>,
    onCall?: CallListener,
  ) => {
    const member = members[index] ?? createStallingProcess(clock);
    const tasks = Object.entries(handlers).map(([name, handler]) =>
      defineTask(name, {
        ...(name.startsWith('once') && { delivery: 'atMostOnce' }),
        ...(name.startsWith('flaky') && { retry: { limit: 1, min: 100, jitter: 0 } }),
        handler: async (run) => {
          runs.push(`${run.task.id}#${run.attempt}`);
          await handler(run);
          await member.resumed();
        },
      }),
    );
    const scheduler = createScheduler({
      ...{ clock: member.clock, store: member.connect(store, onCall), tasks, random: () => 0.5 },
      ...{ lease: leaseMs, owner: `worker ${index}`, concurrency: 3, pollInterval: 1000 },
      announce: false,
    });
    const find = (name: string) => tasks.find((task) => task.name === name) ?? defineTask(name);
    return { scheduler, events: logEvents(scheduler), find };
  };
  return { clock, store, members, runs, worker };
}

describe('A worker that is blocked past its leases does not compete with itself', () => {
  test.each([650, 1300, 10_000])(
    'when a handler blocks it for %i ms, everything runs once',
    async (stallMs) => {
      const { clock, store, members, runs, worker } = createCluster(1);
      const [member] = members;
      const { scheduler, events, find } = worker(0, {
        blocks: async () => {
          await clock.sleep(100);
          member?.stall(stallMs);
        },
        bystander: () => clock.sleep(500),
        'once only': () => clock.sleep(300),
      });
      await scheduler.schedule(find('blocks'), { id: 'blocks' });
      await scheduler.schedule(find('once only'), { id: 'once' });
      for (let i = 0; i < 6; i++) await scheduler.schedule(find('bystander'), { id: `by ${i}` });
      await scheduler.start();
      await clock.advance('2m');
      expect(runs.toSorted()).toEqual(
        ['blocks', 'once', ...Array.from({ length: 6 }, (_, i) => `by ${i}`)]
          .map((id) => `${id}#1`)
          .toSorted(),
      );
      expect(events.of('succeeded')).toHaveLength(8);
      expect(events.of('lost')).toEqual([]);
      expect(await store.count({})).toBe(0);
    },
  );

  /** A bit of everything, with a stall at the given moment. Gives how many moments there are. */
  async function work(stallAt: number, stallMs: number) {
    const { clock, store, members, runs, worker } = createCluster(1);
    const [member] = members;
    let moments = Number.NEGATIVE_INFINITY;
    const { scheduler, events, find } = worker(
      0,
      {
        quick: () => {},
        slow: () => clock.sleep(250),
        'once only': () => clock.sleep(150),
        'flaky one': ({ attempt }) => {
          if (attempt === 1) throw new Error('the first attempt');
        },
        recurring: () => clock.sleep(50),
      },
      () => {
        if (moments++ === stallAt) member?.stall(stallMs);
      },
    );
    for (let i = 0; i < 3; i++) {
      await scheduler.schedule(find('quick'), { id: `quick ${i}` });
      await scheduler.schedule(find('slow'), { id: `slow ${i}` });
    }
    await scheduler.schedule(find('once only'), { id: 'once' });
    await scheduler.schedule(find('flaky one'), { id: 'flaky' });
    const waits = { catchUp: 'all', overlap: 'queueAll' } as const;
    const trigger = every(700, { limit: 3 });
    await scheduler.schedule(find('recurring'), { id: 'recurring', trigger, ...waits });
    moments = 0;
    const started = scheduler.start();
    await clock.advance('30s');
    await started;
    const left = await store.count({});
    const stopped = scheduler.stop();
    await clock.advance('1m');
    await stopped;
    return { moments, runs, events, left };
  }

  const expected = [
    ...['quick 0#1', 'quick 1#1', 'quick 2#1', 'slow 0#1', 'slow 1#1', 'slow 2#1'],
    ...['once#1', 'flaky#1', 'flaky#2', 'recurring#1', 'recurring#1', 'recurring#1'],
  ].toSorted();

  test.each([650, 1300, 10_000])('wherever it stalls, for %i ms', async (stallMs) => {
    const calm = await work(Number.POSITIVE_INFINITY, 0);
    expect(calm.runs.toSorted()).toEqual(expected);
    expect(calm.moments).toBeGreaterThan(30);
    for (let moment = 0; moment < calm.moments; moment++) {
      const { runs, events, left } = await work(moment, stallMs);
      const what = `stalled at ${moment} of ${calm.moments}`;
      expect(runs.toSorted(), what).toEqual(expected);
      expect(events.of('failed'), what).toEqual([]);
      expect(events.of('succeeded'), what).toHaveLength(11);
      expect(left, what).toBe(0);
    }
  });
});

describe('Two workers that are blocked past their leases', () => {
  test('in turn: what has returned is settled by whoever is handed the task next', async () => {
    const { clock, store, members, runs, worker } = createCluster(2);
    const workers = members.map((member, index) =>
      worker(index, { blocks: () => member.stall(2500) }),
    );
    const [first] = workers;
    await first?.scheduler.schedule(first.find('blocks'), { id: 'b', keepFinished: true });
    for (const { scheduler } of workers) await scheduler.start();
    await clock.advance('2m');
    expect(runs).toEqual(['b#1', 'b#1']);
    expect(await first?.scheduler.get('b')).toMatchObject({ state: 'finished' });
    expect(await first?.scheduler.history('b')).toMatchObject([{ outcome: 'succeeded' }]);
    expect((await store.get(['b']))[0]?.body).not.toContain('returned');
  });

  test('a failure that comes back late is an attempt, and not a delivery that was lost', async () => {
    const { clock, members, runs, worker } = createCluster(2);
    const workers = members.map((member, index) =>
      worker(index, {
        'flaky one': () => {
          member.stall(2500);
          throw new Error('as told');
        },
      }),
    );
    const [first] = workers;
    await first?.scheduler.schedule(first.find('flaky one'), { id: 'b', maxDeliveries: 2 });
    for (const { scheduler } of workers) await scheduler.start();
    await clock.advance('5m');
    expect(runs.filter((run) => run === 'b#2').length).toBeGreaterThan(0);
    expect(await first?.scheduler.get('b')).toMatchObject({
      state: 'failed',
      lastRun: { outcome: 'failed', attempt: 2, error: { message: 'as told' } },
    });
  });

  test('a run that another worker has taken is aborted, and what it returns is kept', async () => {
    const { clock, members, runs, worker } = createCluster(2);
    const reasons: unknown[] = [];
    const [stalled] = members;
    const a = worker(0, {
      long: async ({ signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        stalled?.stall(1000);
        await clock.sleep(3000);
      },
    });
    const b = worker(1, { long: () => clock.sleep(60_000) });
    await a.scheduler.schedule(a.find('long'), { id: 'l', keepFinished: true });
    await a.scheduler.start();
    await clock.runUntil(() => runs.length === 1);
    await b.scheduler.start();
    await clock.advance(2000);
    expect(runs).toEqual(['l#1', 'l#1']);
    expect(reasons).toMatchObject([{ code: 'SCHED_LEASE_LOST' }]);
    expect(a.events.of('lost')).toHaveLength(1);
    await clock.advance('2m');
    expect(await b.scheduler.history('l')).toMatchObject([
      { outcome: 'succeeded', owner: 'worker 1' },
    ]);
    expect(runs).toHaveLength(2);
  });
});
