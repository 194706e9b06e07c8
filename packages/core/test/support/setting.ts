import { MemoryDataStore } from '@sched/memory';
import {
  createScheduler,
  type DataStore,
  type Scheduler,
  type SchedulerOptions,
} from '../../src/index.js';
import { createTestClock, type TestClock } from '../../src/testing/index.js';
import { interceptStore } from './intercepted-store.js';

/** Virtual time, a store in it, and schedulers on that store. */
export interface Setting {
  readonly clock: TestClock;
  readonly store: MemoryDataStore;
  /** A scheduler with a handle of its own, as another process would have, unless it is given one. */
  scheduler(options?: Partial<SchedulerOptions>): Scheduler;
  /** A handle on the store that closes only itself. */
  handle(): DataStore;
}

export function createSetting(): Setting {
  const clock = createTestClock();
  const store = new MemoryDataStore({ clock: clock.now });
  const handle = () =>
    interceptStore(store, async (call, proceed) => (call === 'close' ? undefined : proceed()));
  return {
    clock,
    store,
    handle,
    scheduler: (options = {}) =>
      createScheduler({
        ...{ store: handle(), clock, random: () => 0.5, announce: false, ...options },
      }),
  };
}
