import type { ClaimedTask, DataStore } from '@sched/core';
import { isSchedError } from '@sched/core';
import { expect, test } from 'vitest';
import { cleanup } from './cleanup.js';
import { createProxy } from './proxy.js';
import { claimAll, claimOne, leaseOf, record, settlement } from './records.js';

/** A call of the contract, and what it answers. */
interface Fault {
  readonly name: string;
  readonly call: (store: DataStore, task: ClaimedTask) => Promise<unknown>;
  /** The first time. */
  readonly first: unknown;
  /** When it is made again, after it was done. */
  readonly again: unknown;
}

const entry = { taskId: 'held', id: 'run', at: 1000, body: '{}' };

const faults: readonly Fault[] = [
  {
    name: 'insert',
    call: (store) => store.insert([record('new')]),
    first: ['inserted'],
    again: ['exists'],
  },
  {
    name: 'get',
    call: async (store) => (await store.get(['free'])).map((task) => task?.id),
    first: ['free'],
    again: ['free'],
  },
  {
    name: 'update',
    call: (store, { revision }) => store.update('held', { body: '1' }, { revision }),
    first: 'updated',
    again: 'conflict',
  },
  {
    name: 'list',
    call: async (store) => (await store.list({ limit: 9 })).tasks.map(({ id }) => id).sort(),
    first: ['free', 'held'],
    again: ['free', 'held'],
  },
  { name: 'count', call: (store) => store.count({}), first: 2, again: 2 },
  { name: 'remove', call: (store) => store.remove({ ids: ['free'] }), first: 1, again: 0 },
  {
    name: 'setPaused',
    call: (store) => store.setPaused({ ids: ['free'] }, true),
    first: 1,
    again: 0,
  },
  {
    name: 'claim',
    call: async (store) => (await store.claim(claimAll)).tasks.map(({ id }) => id),
    first: ['free'],
    again: [],
  },
  {
    name: 'extend',
    call: async (store, task) => {
      const [revision] = await store.extend([leaseOf(task)], 500);
      return revision === task.revision;
    },
    first: true,
    again: true,
  },
  {
    name: 'settle',
    call: (store, task) =>
      store.settle([settlement(task, { history: [entry], spawn: [record('s')] })]),
    first: ['settled'],
    again: ['settled'],
  },
  {
    name: 'release',
    call: (store, task) => store.release([leaseOf(task)]),
    first: ['released'],
    again: ['lost'],
  },
  { name: 'history', call: (store) => store.history('held', 9), first: [], again: [] },
];

/** A store whose calls are to be cut. */
export interface CutTarget {
  /** The address of its server. */
  readonly url: string;
  /** As {@link createProxy} takes it. */
  readonly isDone?: (answer: Buffer) => boolean;
  /** As {@link createProxy} takes it: the request of a call that decides, where it makes several. */
  readonly isMeant?: (request: Buffer) => boolean;
  /** Opens a store that reaches the server by this address, has a place of its own, and goes by this clock. */
  open(url: string, clock: () => number): Promise<DataStore>;
}

/**
 * Cuts the connection in the middle of each call of the contract. Such a call fails with `SCHED_STORE_UNAVAILABLE`, or
 * succeeds because the driver made it again by itself; either way it is done as a whole or not at all, and is safe to
 * repeat.
 */
export function testCutCalls({ url, isDone, isMeant, open }: CutTarget): void {
  const later = cleanup();

  /** A store with a task, `held`, that it has claimed, and another, `free`, that is due. */
  async function prepared() {
    const proxy = await createProxy(url, isDone, isMeant);
    later(() => proxy.close());
    const clock = { now: 1000 };
    const store = await open(proxy.url, () => clock.now);
    await store.insert([record('held', { runAt: 900 })]);
    const task = await claimOne(store);
    await store.insert([record('free')]);
    return { proxy, store, task, clock };
  }

  /** What a call came to: its answer, or that it failed as it must. */
  async function outcome(call: () => Promise<unknown>) {
    try {
      return { answer: await call() };
    } catch (error) {
      if (!isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) throw error;
      expect(error.cause).toBeInstanceOf(Error);
      return undefined;
    }
  }

  test.each(faults)('before the server gets it: $name', async ({ call, first, again }) => {
    const { proxy, store, task } = await prepared();
    const tasks = (await store.list({ limit: 9 })).tasks;
    proxy.cutNext('before');
    const cut = await outcome(() => call(store, task));
    if (cut) {
      expect(cut.answer).toEqual(first);
      expect(await call(store, task)).toEqual(again);
    } else {
      expect((await store.list({ limit: 9 })).tasks).toEqual(tasks);
      expect(await call(store, task)).toEqual(first);
    }
    expect(proxy.cuts).toBe(1);
  });

  test.each(faults)('after the server has done it: $name', async ({ call, first, again }) => {
    const { proxy, store, task } = await prepared();
    proxy.cutNext('after');
    const cut = await outcome(() => call(store, task));
    if (cut) expect(cut.answer).toEqual(first);
    expect(await call(store, task)).toEqual(again);
    expect(proxy.cuts).toBe(1);
  });

  test('a settlement whose answer was lost is applied once', async () => {
    const { proxy, store, task } = await prepared();
    const settle = () =>
      store.settle([settlement(task, { history: [entry], spawn: [record('spawned')] })]);
    proxy.cutNext('after');
    await outcome(settle);
    await store.remove({ ids: ['spawned'] });
    expect(await settle()).toEqual(['settled']);
    expect(await store.history('held', 9)).toEqual([entry]);
    expect(await store.get(['spawned'])).toEqual([undefined]);
  });

  test('a task whose claim lost its answer is claimed again when the lease is over', async () => {
    const { proxy, store, clock } = await prepared();
    await store.remove({ ids: ['held'] });
    proxy.cutNext('after');
    await outcome(() => store.claim(claimAll));
    expect(await store.claim(claimAll)).toEqual({ tasks: [], now: 1000, nextWakeAt: 2000 });
    clock.now = 2000;
    expect((await store.claim(claimAll)).tasks).toMatchObject([
      { id: 'free', deliveries: 2, lapsedOwner: 'me' },
    ]);
  });
}
