import { claimAll, claimOne, leaseOf, record, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

const maxClockSkewMs = 500;

await describeOn('dynamodb', 'processes whose clocks differ', (server) => {
  const bench = workbench(server);

  /** Two stores of one place, the clock of one of them ahead of the other. */
  async function pair(aheadMs: number) {
    const clock = { now: 1000 };
    const namespace = bench.namespace();
    const open = (offset: number) =>
      bench.open({ namespace, maxClockSkewMs, clock: () => clock.now + offset });
    return { clock, behind: await open(0), ahead: await open(aheadMs) };
  }

  test('a lease is over for its owner when it says so, and for others when that is so on every clock', async () => {
    const { clock, behind, ahead } = await pair(maxClockSkewMs);
    await behind.insert([record('a')]);
    const { tasks, nextWakeAt } = await behind.claim(claimAll);
    const [task] = tasks;
    if (!task) throw new Error('a task was claimed');
    expect(task).toMatchObject({ lease: { expiresAt: 2000 }, wakeAt: 2500 });
    expect(nextWakeAt).toBe(2500);
    clock.now = 1999;
    // It is 2499 there: as late as it can be while the owner takes the lease for live.
    expect(await ahead.claim(claimAll)).toMatchObject({ tasks: [], nextWakeAt: 2500 });
    expect(await behind.extend([leaseOf(task)], 1000)).toEqual([task.revision]);
    clock.now = 2998;
    expect(await ahead.claim(claimAll)).toMatchObject({ tasks: [], nextWakeAt: 3499 });
    clock.now = 2999;
    expect(await ahead.claim(claimAll)).toMatchObject({
      tasks: [{ id: 'a', lapsedOwner: 'me', lease: { expiresAt: 4499 }, wakeAt: 4999 }],
    });
    expect(await behind.extend([leaseOf(task)], 1000)).toEqual(['lost']);
    expect(await behind.settle([settlement(task)])).toEqual(['lost']);
  });

  test('a lease that is over for its owner and not yet for others is revived with the same allowance', async () => {
    const { clock, behind, ahead } = await pair(maxClockSkewMs);
    await behind.insert([record('a')]);
    const task = await claimOne(behind);
    clock.now = 2100;
    expect(await behind.count({ leased: true })).toBe(0);
    expect(await behind.extend([leaseOf(task)], 1000)).toEqual([task.revision]);
    expect(await behind.get(['a'])).toMatchObject([{ lease: { expiresAt: 3100 }, wakeAt: 3600 }]);
    expect(await behind.count({ leased: true })).toBe(1);
    clock.now = 3099;
    expect((await ahead.claim(claimAll)).tasks).toEqual([]);
    clock.now = 3100;
    expect((await ahead.claim(claimAll)).tasks).toHaveLength(1);
  });

  test('the same where the owner is ahead', async () => {
    const { clock, behind, ahead } = await pair(maxClockSkewMs);
    clock.now = 500;
    await ahead.insert([record('a')]);
    const task = await claimOne(ahead);
    expect(task.lease.expiresAt).toBe(2000);
    clock.now = 2499;
    expect((await behind.claim(claimAll)).tasks).toEqual([]);
    clock.now = 2500;
    expect((await behind.claim(claimAll)).tasks).toHaveLength(1);
  });

  test('a task is due where the clock of whoever claims says so', async () => {
    const { clock, behind, ahead } = await pair(maxClockSkewMs);
    await behind.insert([record('a', { runAt: 1500 }), record('b', { runAt: 1501 })]);
    expect((await behind.claim(claimAll)).tasks).toEqual([]);
    expect(await ahead.claim({ ...claimAll, leaseMs: 1 })).toMatchObject({
      tasks: [{ id: 'a' }],
      now: 1500,
      nextWakeAt: 1501,
    });
    clock.now = 1501;
    expect((await behind.claim(claimAll)).tasks).toMatchObject([{ id: 'b' }]);
  });

  test('a lease that ends early is over at once', async () => {
    const { behind, ahead } = await pair(maxClockSkewMs);
    await behind.insert([record('a'), record('b')]);
    const { tasks } = await behind.claim(claimAll);
    const [first, second] = tasks;
    if (!first || !second) throw new Error('two tasks were claimed');
    await behind.release([leaseOf(first)]);
    await behind.settle([settlement(second)]);
    expect((await ahead.claim(claimAll)).tasks).toHaveLength(2);
  });

  test('a store without a clock of its own allows for a second', async () => {
    for (const [options, skewMs] of [
      [{}, 1000],
      [{ maxClockSkewMs: 7 }, 7],
    ] as const) {
      const store = await bench.openInRealTime(options);
      await store.insert([record('a')]);
      const task = await claimOne(store);
      expect(task.wakeAt).toBe(task.lease.expiresAt + skewMs);
    }
  });
});
