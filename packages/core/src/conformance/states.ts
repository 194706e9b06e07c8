import type { ClaimedTask, DataStore } from '../data-store.js';
import type { VirtualClock } from './harness.js';
import { again, claimOne, finish, leaseMs, leaseOf, read, record } from './records.js';

/** Brings a task `a` into a state. Returns its last claim, if it ever had one. */
export type Preparation = (
  store: DataStore,
  clock: VirtualClock,
) => Promise<ClaimedTask | undefined>;

const create: Preparation = async (store, clock) => {
  const members = { name: 'mail', group: 'g', body: '"kept"', runAt: clock.now - 5 };
  await store.insert([record('a', members)]);
  return undefined;
};

const lease = async (store: DataStore, clock: VirtualClock): Promise<ClaimedTask> => {
  await create(store, clock);
  return claimOne(store, { owner: 'alice' });
};

const leaseAgain = async (store: DataStore, clock: VirtualClock): Promise<ClaimedTask> => {
  await lease(store, clock);
  clock.advance(leaseMs);
  return claimOne(store, { owner: 'bob' });
};

const pause = (store: DataStore, paused: boolean) => store.setPaused({ ids: ['a'] }, paused);

const edit = async (store: DataStore, change: Parameters<DataStore['update']>[1]) =>
  store.update('a', change, await read(store, 'a'));

/** Every state that a task can be in, as far as one call after another can tell. */
export const states: Readonly<Record<string, Preparation>> = {
  'is due': create,
  'was resumed': async (store, clock) => {
    await create(store, clock);
    await pause(store, true);
    clock.advance(3);
    await pause(store, false);
    clock.advance(3);
    return undefined;
  },
  'is not due': async (store, clock) => {
    await create(store, clock);
    await edit(store, { runAt: clock.now + 100_000 });
    return undefined;
  },
  'was given back': async (store, clock) => {
    const task = await lease(store, clock);
    await store.release([leaseOf(task)]);
    return task;
  },
  'was given back after another had vanished': async (store, clock) => {
    const task = await leaseAgain(store, clock);
    await store.release([leaseOf(task)]);
    return task;
  },
  'was settled': async (store, clock) => {
    const task = await leaseAgain(store, clock);
    await store.settle([again(task, clock.now)]);
    return task;
  },
  'is leased': lease,
  'is leased for the second time': leaseAgain,
  'is leased and was resumed before': async (store, clock) => {
    await create(store, clock);
    await pause(store, true);
    await pause(store, false);
    clock.advance(4);
    return claimOne(store);
  },
  'was let lapse': async (store, clock) => {
    const task = await leaseAgain(store, clock);
    clock.advance(leaseMs + 7);
    return task;
  },
  'was paused while it is leased': async (store, clock) => {
    const task = await lease(store, clock);
    await pause(store, true);
    return task;
  },
  'was paused and let lapse': async (store, clock) => {
    const task = await lease(store, clock);
    await pause(store, true);
    clock.advance(leaseMs);
    return task;
  },
  'was paused and resumed while it is leased': async (store, clock) => {
    const task = await lease(store, clock);
    await pause(store, true);
    clock.advance(9);
    await pause(store, false);
    return task;
  },
  'was finished while it is leased': async (store, clock) => {
    const task = await lease(store, clock);
    await edit(store, { status: 'finished', runAt: null });
    return task;
  },
  'was put off while it is leased': async (store, clock) => {
    const task = await lease(store, clock);
    await edit(store, { runAt: clock.now + 100_000 });
    return task;
  },
  'was moved while it is leased': async (store, clock) => {
    const task = await lease(store, clock);
    await edit(store, { queue: 'elsewhere', group: null, name: 'other' });
    return task;
  },
  'is paused': async (store, clock) => {
    await create(store, clock);
    await pause(store, true);
    return undefined;
  },
  'is paused for the second time': async (store, clock) => {
    await create(store, clock);
    await pause(store, true);
    await pause(store, false);
    clock.advance(2);
    await pause(store, true);
    clock.advance(2);
    return undefined;
  },
  'has finished': async (store, clock) => {
    const task = await lease(store, clock);
    await store.settle([finish(task)]);
    return task;
  },
  'has failed and is paused': async (store, clock) => {
    const task = await lease(store, clock);
    await pause(store, true);
    const next = { status: 'failed', runAt: null, body: '"why"' } as const;
    await store.settle([finish(task, { next })]);
    return task;
  },
};
