import type { DataStoreCapabilities, DataStoreOptions, TaskRecord, WakeUp } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

class NeverClosed extends MemoryDataStore {
  override async close() {
    // Others are still at work.
  }
}

/** Stores that claim what they cannot do, or can do what they do not claim, and targets that mix places up. */
export const capabilityStores: readonly BrokenStore[] = [
  broken(
    'claims a history and keeps none',
    'G5',
    'newest first',
    class extends MemoryDataStore {
      override async history() {
        return [];
      }
    },
  ),
  broken(
    'keeps a history that it does not claim',
    'G5',
    'without the capability history gives an empty list',
    class extends MemoryDataStore {
      override readonly capabilities = only({ watch: true });
    },
  ),
  broken(
    'claims to give the newest entries and gives none',
    'G5',
    'newest first by `at`, of whatever task',
    class extends MemoryDataStore {
      override async latestHistory() {
        return { entries: [], next: null };
      }
    },
  ),
  broken(
    'gives the newest entries without claiming to',
    'G5',
    'without the capability latestHistory fails with SCHED_STORE_UNSUPPORTED',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true, latestHistory: false, watch: true });
    },
  ),
  broken(
    'answers that there are no newest entries where it cannot tell',
    'G5',
    'without the capability latestHistory fails with SCHED_STORE_UNSUPPORTED',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true, latestHistory: false, watch: true });

      override async latestHistory() {
        return { entries: [], next: null };
      }
    },
  ),
  broken(
    'claims newest entries of a history that it does not claim',
    'G8',
    'a store without a history has no newest entries',
    class extends MemoryDataStore {
      override readonly capabilities = only({ latestHistory: true, watch: true });
    },
  ),
  broken(
    'claims to notify and never does',
    'G5',
    'watch notifies soon after a task is inserted',
    class extends MemoryDataStore {
      override async watch() {
        return async () => {};
      }
    },
  ),
  broken(
    'notifies without claiming to',
    'G5',
    'without the capability watch never notifies',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true });
    },
  ),
  broken(
    'goes on notifying a watcher that has stopped',
    'G5',
    'a watcher that has stopped is not notified',
    class extends MemoryDataStore {
      override async watch(listener: (wakeUp: WakeUp) => void) {
        await super.watch(listener);
        return async () => {};
      }
    },
  ),
  broken(
    'claims to join transactions and cannot',
    'G1',
    'its target has to give `beginTransaction`',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true, watch: true, transactions: true });
    },
  ),
  broken(
    'joins transactions without claiming to',
    'G1',
    'withTransaction throws SCHED_STORE_UNSUPPORTED',
    class extends MemoryDataStore {
      override withTransaction() {
        return this;
      }
    },
  ),
  broken(
    'claims to work with several processes and gives no way to try',
    'G2',
    'its target has to give `process`',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true, watch: true, processes: true });
    },
  ),
  broken(
    'claims to outlive its handles and loses everything when one is closed',
    'G1',
    'every record is as it was',
    class extends MemoryDataStore {
      override readonly capabilities = only({ history: true, watch: true, processes: true });

      override async close() {
        const tasks: readonly TaskRecord[] = await this.list({ limit: 100_000 }).then(
          (page) => page.tasks,
          () => [],
        );
        if (tasks.length > 0) await this.remove({ all: true });
        return super.close();
      }
    },
  ),
  {
    name: 'is the same place each time one is created',
    breaks: 'G1',
    because: 'a place is empty at first',
    target: { create: () => ({ connect: (options) => shared(options) }) },
  },
  {
    name: 'gives each handle tasks of its own',
    breaks: 'G1',
    because: 'which exists',
    target: { create: () => ({ connect: (options) => new MemoryDataStore(options) }) },
  },
];

let store: MemoryDataStore | undefined;

function shared(options: DataStoreOptions): MemoryDataStore {
  store ??= new NeverClosed(options);
  return store;
}

function only(claimed: Partial<DataStoreCapabilities>): DataStoreCapabilities {
  const { history = false } = claimed;
  return {
    ...{ history, latestHistory: history, watch: false, transactions: false, processes: false },
    ...claimed,
  };
}
