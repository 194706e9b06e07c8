import type {
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskSelector,
  WakeUp,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** A store that keeps some notifications to itself. */
class SilentStore extends MemoryDataStore {
  #isSilent: (wakeUp: WakeUp) => boolean = () => false;

  override watch(listener: (wakeUp: WakeUp) => void) {
    return super.watch((wakeUp) => {
      if (!this.#isSilent(wakeUp)) listener(wakeUp);
    });
  }

  /** The memory store notifies before its call answers, so the silence ends with the call. */
  protected async silently<T>(isSilent: (wakeUp: WakeUp) => boolean, call: () => Promise<T>) {
    this.#isSilent = isSilent;
    const answer = await call();
    this.#isSilent = () => false;
    return answer;
  }

  /** Is silent about all queues but those of these tasks. */
  protected async tellingOf<T>(ids: readonly string[], call: () => Promise<T>): Promise<T> {
    const tasks = await this.get(ids);
    return this.silently(({ queue }) => !tasks.some((task) => task?.queue === queue), call);
  }
}

/** Stores that notify of almost everything. */
export const notificationStores: readonly BrokenStore[] = [
  notifying(
    'does not notify of the later tasks of an insert',
    'inserted',
    class extends SilentStore {
      override insert(records: readonly NewTaskRecord[]) {
        const queue = records[0]?.queue;
        return this.silently(
          (wakeUp) => wakeUp.queue !== queue,
          () => super.insert(records),
        );
      }
    },
  ),
  notifying(
    'does not notify of an insert that finds one of its tasks there already',
    'inserted among some that exist',
    class extends SilentStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const tasks = await this.get(records.map(({ id }) => id));
        return this.silently(
          () => tasks.some((task) => task !== undefined),
          () => super.insert(records),
        );
      }
    },
  ),
  notifying(
    'does not notify of an edit of the time',
    'moved to an earlier time',
    class extends SilentStore {
      override update(id: string, change: Change, expected: { readonly revision: number }) {
        return this.silently(
          () => change.status === undefined && change.queue === undefined,
          () => super.update(id, change, expected),
        );
      }
    },
  ),
  notifying(
    'does not notify of an edit of the queue',
    'moved to this queue',
    class extends SilentStore {
      override update(id: string, change: Change, expected: { readonly revision: number }) {
        return this.silently(
          () => change.queue !== undefined,
          () => super.update(id, change, expected),
        );
      }
    },
  ),
  notifying(
    'does not notify of an edit that revives a finished task',
    'scheduled again by an edit after it finished',
    class extends SilentStore {
      override async update(id: string, change: Change, expected: { readonly revision: number }) {
        const [task] = await this.get([id]);
        return this.silently(
          () => task?.status === 'finished',
          () => super.update(id, change, expected),
        );
      }
    },
  ),
  notifying(
    'does not notify of the later tasks that are resumed by their ids',
    'resumed by its id',
    class extends SilentStore {
      override setPaused(selector: TaskSelector, paused: boolean) {
        const resume = () => super.setPaused(selector, paused);
        return 'ids' in selector ? this.tellingOf(selector.ids.slice(0, 2), resume) : resume();
      }
    },
  ),
  notifying(
    'does not notify of a group that is resumed',
    'resumed with its group',
    class extends SilentStore {
      override setPaused(selector: TaskSelector, paused: boolean) {
        return this.silently(
          () => 'group' in selector,
          () => super.setPaused(selector, paused),
        );
      }
    },
  ),
  notifying(
    'does not notify when all tasks are resumed',
    'resumed with all others',
    class extends SilentStore {
      override setPaused(selector: TaskSelector, paused: boolean) {
        return this.silently(
          () => 'all' in selector,
          () => super.setPaused(selector, paused),
        );
      }
    },
  ),
  notifying(
    'does not notify of a task that is resumed while it is leased',
    'resumed while it is leased',
    class extends SilentStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const ids = 'ids' in selector ? selector.ids : [];
        const isLeased = (await this.get(ids)).some((task) => task?.lease);
        return this.silently(
          () => isLeased,
          () => super.setPaused(selector, paused),
        );
      }
    },
  ),
  notifying(
    'does not notify of what a settlement spawns',
    'spawned',
    class extends SilentStore {
      override settle(settlements: readonly Settlement[]) {
        const ids = settlements.map(({ id }) => id);
        return this.tellingOf(ids, () => super.settle(settlements));
      }
    },
  ),
  notifying(
    'does not notify of the later settlements of a call',
    'settled with an earlier run than its lease would end',
    class extends SilentStore {
      override settle(settlements: readonly Settlement[]) {
        const ids = settlements.slice(0, 1).map(({ id }) => id);
        const settle = () => super.settle(settlements);
        const spawns = settlements.some(({ spawn }) => spawn.length > 0);
        return spawns ? settle() : this.tellingOf(ids, settle);
      }
    },
  ),
  notifying(
    'does not notify of the later releases of a call',
    'released',
    class extends SilentStore {
      override release(leases: readonly LeaseRef[]) {
        const ids = leases.slice(0, 1).map(({ id }) => id);
        return this.tellingOf(ids, () => super.release(leases));
      }
    },
  ),
  notifying(
    'does not notify of a task that is put off',
    'released and put off to before the end of its lease',
    class extends SilentStore {
      override release(leases: readonly Release[]) {
        return this.silently(
          () => leases.some(({ deferUntil }) => deferUntil !== undefined),
          () => super.release(leases),
        );
      }
    },
  ),
  notifying(
    'notifies the watcher that came last',
    'inserted',
    class extends MemoryDataStore {
      #last = 0;

      override watch(listener: (wakeUp: WakeUp) => void) {
        const own = ++this.#last;
        return super.watch((wakeUp) => {
          if (own === this.#last) listener(wakeUp);
        });
      }
    },
  ),
  notifying(
    'says that tasks wake a millisecond later than they do',
    'inserted',
    class extends MemoryDataStore {
      override watch(listener: (wakeUp: WakeUp) => void) {
        return super.watch(({ queue, wakeAt }) => listener({ queue, wakeAt: wakeAt + 1 }));
      }
    },
  ),
  notifying(
    'names the queue that a task was moved from',
    'moved to this queue',
    class extends MemoryDataStore {
      #names = new Map<string, string>();

      override async update(id: string, change: Change, expected: { readonly revision: number }) {
        const [task] = await this.get([id]);
        if (task && change.queue !== undefined) this.#names.set(change.queue, task.queue);
        return super.update(id, change, expected);
      }

      override watch(listener: (wakeUp: WakeUp) => void) {
        return super.watch(({ queue, wakeAt }) =>
          listener({ queue: this.#names.get(queue) ?? queue, wakeAt }),
        );
      }
    },
  ),
  broken(
    'notifies nobody once it was closed',
    'G5',
    'watch notifies after `open` as before',
    class extends MemoryDataStore {
      #isClosed = false;

      override async close() {
        this.#isClosed = true;
        return super.close();
      }

      override watch(listener: (wakeUp: WakeUp) => void) {
        return super.watch((wakeUp) => {
          if (!this.#isClosed) listener(wakeUp);
        });
      }
    },
  ),
];

function notifying(name: string, what: string, Store: Parameters<typeof broken>[3]): BrokenStore {
  return broken(name, 'G5', `watch notifies soon after a task is ${what}: of`, Store);
}
