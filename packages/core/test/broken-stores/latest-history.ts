import type {
  DataStoreOptions,
  LatestHistoryEntry,
  LatestHistoryRequest,
  LatestHistoryResult,
  Settlement,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { ConformanceTarget } from '../../src/conformance/index.js';
import type { BrokenStore } from './broken-store.js';
import { broken, turn } from './broken-store.js';

type Entries = readonly LatestHistoryEntry[];

/**
 * A store that makes each page of the newest entries out of all of them. Its members are what a broken store replaces.
 */
export class ArrangingStore extends MemoryDataStore {
  /** At how many entries it has looked for pages. */
  looks = 0;

  /** At how many it looks for one. */
  protected looked(_start: number, _limit: number, all: number): number {
    return all;
  }

  /** The entries as they are given, from those that the contract would have given. */
  protected arranged(all: Entries): Entries {
    return all;
  }

  /** How many entries are before what follows a position. */
  protected startOf(all: Entries, after: string): number {
    const [at = 0, number = 0] = numbersOf(after);
    const index = all.findIndex(({ position }) => {
      const [own = 0, ownNumber = 0] = numbersOf(position);
      return own < at || (own === at && ownNumber < number);
    });
    return index < 0 ? all.length : index;
  }

  /** Where to go on after a page. */
  protected nextOf(all: Entries, end: number): string | null {
    return end < all.length ? (all[end - 1]?.position ?? null) : null;
  }

  override async latestHistory(request: LatestHistoryRequest): Promise<LatestHistoryResult> {
    const { after, limit } = request;
    const all = this.arranged((await super.latestHistory({ limit: 1_000_000 })).entries);
    const start = after === undefined ? 0 : this.startOf(all, after);
    this.looks += this.looked(start, limit, all.length);
    return { entries: all.slice(start, start + limit), next: this.nextOf(all, start + limit) };
  }
}

/** The moment of an entry, and its number. */
const numbersOf = (position: string) => position.split('.').map(Number);

const taskOf = ({ taskId }: LatestHistoryEntry) => taskId;

/** A store that knows the moments of all that was added, also of what it has forgotten since. */
class RememberingStore extends ArrangingStore {
  protected readonly added: number[] = [];

  override async settle(settlements: readonly Settlement[]) {
    this.added.push(...settlements.flatMap(({ history }) => history.map(({ at }) => at)));
    return super.settle(settlements);
  }
}

/** Stores that give the newest entries of all tasks otherwise than they should. */
export const latestHistoryStores: readonly BrokenStore[] = [
  broken(
    'gives the entries of all tasks in the order in which they were added',
    'G5',
    'newest first by `at`, whenever an entry was added',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        const added = ({ position }: LatestHistoryEntry) => numbersOf(position)[1] ?? 0;
        return all.toSorted((a, b) => added(b) - added(a));
      }

      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'gives the entries of all tasks task by task',
    'G5',
    'newest first by `at`, of whatever task',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return [...Map.groupBy(all, taskOf).values()].flat();
      }

      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'gives the entries of all tasks oldest first',
    'G5',
    'newest first by `at`, of whatever task',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return all.toReversed();
      }
    },
  ),
  broken(
    'gives of each task only the newest entry',
    'G5',
    'newest first by `at`, of whatever task',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return [...Map.groupBy(all, taskOf).values()].flatMap((own) => own.slice(0, 1));
      }
    },
  ),
  broken(
    'gives no more than one page of the newest entries',
    'G5',
    'returned exactly once: in pages of',
    class extends ArrangingStore {
      protected override nextOf() {
        return null;
      }
    },
  ),
  broken(
    'never says that a page is the last',
    'G5',
    'come to an end',
    class extends ArrangingStore {
      protected override nextOf(all: Entries, end: number) {
        return super.nextOf(all, end) ?? `${-8.64e15}.0`;
      }
    },
  ),
  broken(
    'gives the newest entries that it has, however few are asked for',
    'G5',
    'a page has no more entries than its limit',
    class extends ArrangingStore {
      override latestHistory({ after }: LatestHistoryRequest) {
        return super.latestHistory({ limit: 50, ...(after !== undefined && { after }) });
      }
    },
  ),
  broken(
    'begins a page with the last entry of the one before',
    'G5',
    'returned exactly once: in pages of',
    class extends ArrangingStore {
      protected override startOf(all: Entries, after: string) {
        return Math.max(0, super.startOf(all, after) - 1);
      }

      protected override nextOf(all: Entries, end: number) {
        return super.nextOf(all, end < all.length ? end + 1 : end);
      }
    },
  ),
  broken(
    'goes on with what is older, and leaves out what is as old as the last',
    'G5',
    'returned exactly once',
    class extends ArrangingStore {
      protected override startOf(all: Entries, after: string) {
        const [at = 0] = numbersOf(after);
        const index = all.findIndex((each) => each.at < at);
        return index < 0 ? all.length : index;
      }
    },
  ),
  broken(
    'counts how many entries it has given, and passes over so many',
    'G5',
    'no entry is returned twice',
    class extends ArrangingStore {
      protected override startOf(_all: Entries, after: string) {
        return Number(after);
      }

      protected override arranged(all: Entries) {
        return all.map((each, index) => ({ ...each, position: `${index + 1}` }));
      }
    },
  ),
  broken(
    'forgets one that it should keep along with the first thousand',
    'G5',
    'returned exactly once, however many are forgotten',
    class extends RememberingStore {
      protected override arranged(all: Entries) {
        return this.added.length - all.length > 1000 ? all.slice(0, -1) : all;
      }
    },
  ),
  broken(
    'ends where it has passed over ten thousand that are forgotten',
    'G5',
    'returned exactly once, however many are forgotten',
    class extends RememberingStore {
      protected override startOf(all: Entries, after: string) {
        const index = super.startOf(all, after);
        const [from = 0] = numbersOf(after);
        const to = all[index]?.at ?? from;
        const passed = this.added.filter((at) => at > to && at < from);
        return passed.length > 10_000 ? all.length : index;
      }
    },
  ),
  broken(
    'begins anew after an entry that is forgotten',
    'G5',
    'no entry is returned twice',
    class extends ArrangingStore {
      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'ends after an entry that is forgotten',
    'G5',
    'whatever is forgotten meanwhile',
    class extends ArrangingStore {
      protected override startOf(all: Entries, after: string) {
        const index = all.findIndex(({ position }) => position === after);
        return index < 0 ? all.length : index + 1;
      }
    },
  ),
  broken(
    'orders what is equally old otherwise each time it is asked',
    'G5',
    'of equal `at` the store keeps to its order',
    class extends ArrangingStore {
      #calls = 0;

      protected override arranged(all: Entries) {
        const parity = this.#calls++ % 2;
        return parity === 0
          ? all
          : all.toSorted((a, b) => b.at - a.at || (a.taskId < b.taskId ? -1 : 1));
      }

      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'orders what is equally old by the ids of the runs',
    'G5',
    'those of one task are in the order of its history',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return all.toSorted((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
      }

      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'orders the entries of all tasks by the digits of their moments',
    'G8',
    'the entries of all tasks are ordered by the value of their moments',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return all.toSorted((a, b) => (`${a.at}` < `${b.at}` ? 1 : -1));
      }

      protected override startOf(all: Entries, after: string) {
        return all.findIndex(({ position }) => position === after) + 1;
      }
    },
  ),
  broken(
    'gives the position of an entry by how many are newer',
    'G5',
    'a position stays the same as long as the entry is kept',
    class extends ArrangingStore {
      protected override startOf(all: Entries, after: string) {
        const plain = (position: string) => position.split(' ')[0] ?? '';
        const bare = all.map((each) => ({ ...each, position: plain(each.position) }));
        return super.startOf(bare, plain(after));
      }

      protected override arranged(all: Entries) {
        return all.map((each, index) => ({ ...each, position: `${each.position} ${index}` }));
      }
    },
  ),
  broken(
    'gives the entries of all tasks however old they are',
    'G5',
    'what is older than the store keeps is not returned',
    class extends MemoryDataStore {
      readonly #all: MemoryDataStore;

      constructor(options: DataStoreOptions) {
        super(options);
        this.#all = new MemoryDataStore({ ...options, historyMaxAgeMs: Number.POSITIVE_INFINITY });
      }

      override async open() {
        await this.#all.open();
        return super.open();
      }

      override async close() {
        await this.#all.close();
        return super.close();
      }

      override async settle(settlements: readonly Settlement[]) {
        const [answers] = await Promise.all([
          super.settle(settlements),
          copyHistory(this.#all, settlements),
        ]);
        return answers;
      }

      override latestHistory(request: LatestHistoryRequest) {
        return this.#all.latestHistory(request);
      }
    },
  ),
  broken(
    'gives only the entries of tasks that are there',
    'G5',
    'each entry is filed under the task that it names',
    class extends ArrangingStore {
      override async latestHistory(request: LatestHistoryRequest) {
        const page = await super.latestHistory(request);
        const tasks = await this.get(page.entries.map(taskOf));
        return { ...page, entries: page.entries.filter((_, index) => tasks[index]) };
      }
    },
  ),
  broken(
    'forgets the newest entries of all tasks when all tasks are removed',
    'G5',
    'history outlives its task',
    class extends ArrangingStore {
      #forgotten = new Set<string>();

      override async remove(selector: Parameters<MemoryDataStore['remove']>[0]) {
        if ('all' in selector) {
          const { entries } = await super.latestHistory({ limit: 1_000_000 });
          this.#forgotten = new Set(entries.map(({ position }) => position));
        }
        return super.remove(selector);
      }

      protected override arranged(all: Entries) {
        return all.filter(({ position }) => !this.#forgotten.has(position));
      }
    },
  ),
  broken(
    'gives the entries of all tasks without what they say',
    'G5',
    'newest first by `at`, of whatever task',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return all.map((each) => ({ ...each, body: '{}' }));
      }
    },
  ),
  broken(
    'gives entries of tasks whose ids differ in case under the one or the other',
    'G8',
    'each entry is given as it was written',
    class extends ArrangingStore {
      protected override arranged(all: Entries) {
        return all.map((each) => ({ ...each, taskId: each.taskId.toLowerCase() }));
      }
    },
  ),
  broken(
    'gives the newest entries of all tasks that it keeps',
    'G6',
    'what latestHistory gave is a snapshot',
    class extends ArrangingStore {
      readonly #shown = new Map<string, LatestHistoryEntry>();

      protected override arranged(all: Entries) {
        return all.map((each) => {
          const key = each.position;
          if (!this.#shown.has(key)) this.#shown.set(key, each);
          return this.#shown.get(key) ?? each;
        });
      }
    },
  ),
  broken(
    'reads a page of the newest entries in two steps, by their numbers',
    'G5',
    'no entry is returned twice',
    class extends ArrangingStore {
      override async latestHistory(request: LatestHistoryRequest) {
        const before = await super.latestHistory({ limit: 1_000_000 });
        const start = request.after === undefined ? 0 : this.startOf(before.entries, request.after);
        await turn();
        const { entries } = await super.latestHistory({ limit: 1_000_000 });
        const end = start + request.limit;
        return { entries: entries.slice(start, end), next: this.nextOf(entries, end) };
      }
    },
  ),
  {
    name: 'makes an order of all entries for each page of the newest',
    breaks: 'G7',
    because: 'first page of the newest entries costs what it is about',
    target: countedTarget(ArrangingStore),
  },
  {
    name: 'goes through all newer entries for a page further down',
    breaks: 'G7',
    because: 'page in the middle of the newest entries costs what it is about',
    target: countedTarget(
      class extends ArrangingStore {
        protected override looked(start: number, limit: number) {
          return start + limit;
        }
      },
    ),
  },
];

/** Places that say how many entries have been looked at: busy as the machine is, times would not tell. */
function countedTarget(Store: typeof ArrangingStore): ConformanceTarget {
  return {
    create() {
      let store: ArrangingStore | undefined;
      return {
        connect(options) {
          store ??= new Store(options);
          return store;
        },
        work: async () => ({ looks: store?.looks ?? 0 }),
      };
    },
  };
}

/** Keeps the same history in another store. */
async function copyHistory(store: MemoryDataStore, settlements: readonly Settlement[]) {
  for (const { history } of settlements) {
    const id = `of ${crypto.randomUUID()}`;
    const settler = { id, name: 'job', queue: id, group: null, paused: false, body: '{}' };
    await store.insert([{ ...settler, status: 'scheduled', runAt: -8.64e15 }]);
    const { tasks } = await store.claim({ queues: [id], limit: 1, owner: 'copy', leaseMs: 1000 });
    for (const { lease, revision } of tasks) {
      const settlement = { id, token: lease.token, revision, next: null, spawn: [] };
      await store.settle([{ ...settlement, history }]);
    }
  }
}
