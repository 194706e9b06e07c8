import type { DataStoreOptions, WakeUp } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Knows whether it is open. */
class LifeStore extends MemoryDataStore {
  protected isOpen = false;

  override async open() {
    await super.open();
    this.isOpen = true;
  }

  override async close() {
    this.isOpen = false;
    await super.close();
  }
}

/** A store one of whose calls answers when it is closed. */
function answersClosed(call: 'count' | 'history' | 'watch' | 'release' | 'now'): BrokenStore {
  const answers = { count: 0, history: [], watch: async () => {}, release: [], now: 0 };
  class Store extends MemoryDataStore {
    constructor(options: DataStoreOptions) {
      super(options);
      const intact = super[call].bind(this) as (...args: unknown[]) => Promise<unknown>;
      const lenient = (...args: unknown[]) => intact(...args).catch(() => answers[call]);
      Object.defineProperty(this, call, { value: lenient });
    }
  }
  return broken(
    `answers ${call} when it is closed`,
    'G8',
    `${call} rejects after \`close\``,
    Store,
  );
}

/** Stores that do not open and close as they should. */
export const lifecycleStores: readonly BrokenStore[] = [
  broken(
    'stays closed when it is opened again',
    'G8',
    'The memory store is not open',
    class extends LifeStore {
      #wasClosed = false;

      override async open() {
        if (!this.#wasClosed) await super.open();
      }

      override async close() {
        if (this.isOpen) this.#wasClosed = true;
        await super.close();
      }
    },
  ),
  broken(
    'cannot be closed before it was opened',
    'G8',
    'there is no connection to close',
    class extends LifeStore {
      #wasOpen = false;

      override async open() {
        this.#wasOpen = true;
        await super.open();
      }

      override async close() {
        if (!this.#wasOpen) throw new Error('there is no connection to close');
        await super.close();
      }
    },
  ),
  broken(
    'cannot be opened when it was closed first',
    'G8',
    'The memory store is not open',
    class extends LifeStore {
      #isSpent = false;

      override async open() {
        if (!this.#isSpent) await super.open();
      }

      override async close() {
        if (!this.isOpen) this.#isSpent = true;
        await super.close();
      }
    },
  ),
  broken(
    'stops its watchers when it is opened a second time',
    'G8',
    'opening an open store leaves its watchers',
    class extends LifeStore {
      override async open() {
        if (this.isOpen) await super.close();
        await super.open();
      }
    },
  ),
  broken(
    'gives back all leases when it is opened a second time',
    'G8',
    'opening an open store does nothing',
    class extends LifeStore {
      override async open() {
        if (this.isOpen) {
          const { tasks } = await this.list({ leased: true, limit: 100_000 });
          const leases = tasks.map(({ id, lease }) => ({ id, token: lease?.token ?? 0 }));
          await this.release(leases);
        }
        await super.open();
      }
    },
  ),
  broken(
    'notifies those who watched before it was closed when it is open again',
    'G5',
    '`close` stops the notifications, also when the store is opened again',
    class extends LifeStore {
      readonly #listeners = new Set<(wakeUp: WakeUp) => void>();

      override async watch(listener: (wakeUp: WakeUp) => void) {
        const own = (wakeUp: WakeUp) => listener(wakeUp);
        const stop = await super.watch(own);
        this.#listeners.add(own);
        return async () => {
          this.#listeners.delete(own);
          await stop();
        };
      }

      override async open() {
        const isReopened = !this.isOpen;
        await super.open();
        if (!isReopened) return;
        for (const listener of this.#listeners) await super.watch(listener);
      }
    },
  ),
  ...(['count', 'history', 'watch', 'release', 'now'] as const).map(answersClosed),
];
