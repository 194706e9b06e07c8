import type { DataStoreOptions, HistoryEntry, Settlement } from '@sched/core';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';
import { RunKeepingStore } from './kept-runs.js';

/** Stores that keep other runs than they should, or in another order. */
export const historyStores: readonly BrokenStore[] = [
  broken(
    'drops the latest added of equally old runs',
    'G5',
    'so the earliest added goes first',
    class extends RunKeepingStore {
      readonly #added = new Map<HistoryEntry, number>();

      protected override newest(runs: readonly HistoryEntry[]): HistoryEntry[] {
        for (const run of runs) if (!this.#added.has(run)) this.#added.set(run, this.#added.size);
        const order = (run: HistoryEntry) => this.#added.get(run) ?? 0;
        const kept = runs.toSorted((a, b) => b.at - a.at || order(a) - order(b));
        return runs.filter((run) => kept.indexOf(run) < this.limit);
      }
    },
  ),
  broken(
    'drops the run that was added first, whenever it ended',
    'G5',
    'in whatever order they were added',
    class extends RunKeepingStore {
      readonly #added: HistoryEntry[] = [];

      protected override newest(runs: readonly HistoryEntry[]): HistoryEntry[] {
        for (const run of runs) if (!this.#added.includes(run)) this.#added.push(run);
        if (runs.length <= this.limit) return [...runs];
        const [first] = this.#added.filter((run) => runs.includes(run));
        return runs.filter((run) => run !== first);
      }
    },
  ),
  broken(
    'drops one run a settlement, however many it brings',
    'G5',
    'the newest by `at`',
    class extends RunKeepingStore {
      #settlements = 0;
      #lastDrop = -1;

      override settle(settlements: readonly Settlement[]) {
        this.#settlements++;
        return super.settle(settlements);
      }

      protected override newest(runs: readonly HistoryEntry[]): HistoryEntry[] {
        if (runs.length <= this.limit || this.#lastDrop === this.#settlements) return [...runs];
        this.#lastDrop = this.#settlements;
        return runs.slice(0, -1);
      }
    },
  ),
  broken(
    'counts the age of a run from when it was added',
    'G5',
    'not after it was added',
    class extends RunKeepingStore {
      readonly #addedAt = new Map<string, number>();

      override settle(settlements: readonly Settlement[]) {
        for (const { taskId, id } of settlements.flatMap(({ history }) => history)) {
          const key = `${taskId} ${id}`;
          if (!this.#addedAt.has(key)) this.#addedAt.set(key, this.clock());
        }
        return super.settle(settlements);
      }

      protected override isStale({ taskId, id }: HistoryEntry): boolean {
        return (this.#addedAt.get(`${taskId} ${id}`) ?? 0) < this.clock() - this.maxAgeMs;
      }
    },
  ),
  broken(
    'forgets all runs of a task at once, by the age of the newest',
    'G5',
    'an entry older than the limit is not given',
    class extends RunKeepingStore {
      readonly #newest = new Map<string, number>();

      protected override isStale(entry: HistoryEntry): boolean {
        const newest = Math.max(entry.at, this.#newest.get(entry.taskId) ?? entry.at);
        this.#newest.set(entry.taskId, newest);
        return newest < this.clock() - this.maxAgeMs;
      }
    },
  ),
  broken(
    'keeps no more than a hundred runs, whatever it is told',
    'G5',
    'as many entries as the limit says',
    class extends RunKeepingStore {
      constructor(options: DataStoreOptions) {
        super({ ...options, historyLimit: Math.min(100, options.historyLimit ?? 100) });
      }
    },
  ),
  broken(
    'keeps a thousand runs if it is told nothing',
    'G5',
    'the default is to keep 100 entries',
    class extends RunKeepingStore {
      constructor(options: DataStoreOptions) {
        super({ historyLimit: 1000, ...options });
      }
    },
  ),
  broken(
    'keeps runs for a month if it is told nothing',
    'G5',
    'the default is to keep entries for 7 days',
    class extends RunKeepingStore {
      constructor(options: DataStoreOptions) {
        super({ historyMaxAgeMs: 30 * 24 * 3_600_000, ...options });
      }
    },
  ),
  broken(
    'keeps runs for a week at most, whatever it is told',
    'G5',
    'entries are kept for as long as the store was told',
    class extends RunKeepingStore {
      protected override isStale(entry: HistoryEntry): boolean {
        return super.isStale(entry) || entry.at < this.clock() - 7 * 24 * 3_600_000;
      }
    },
  ),
  broken(
    'takes the ids of runs that differ in case for one',
    'G8',
    'a history tells its entries apart byte by byte',
    class extends RunKeepingStore {
      protected override isSame(a: HistoryEntry, b: HistoryEntry): boolean {
        return a.id.toLowerCase() === b.id.toLowerCase();
      }
    },
  ),
  broken(
    'takes the ids of runs that differ in a trailing space for one',
    'G8',
    'a history tells its entries apart byte by byte',
    class extends RunKeepingStore {
      protected override isSame(a: HistoryEntry, b: HistoryEntry): boolean {
        return a.id.trimEnd() === b.id.trimEnd();
      }
    },
  ),
  broken(
    'looks for a run only among the ten newest',
    'G5',
    'an entry that exists already is not added again, wherever it stands',
    class extends RunKeepingStore {
      protected override known(runs: readonly HistoryEntry[]): readonly HistoryEntry[] {
        return runs.slice(0, 10);
      }
    },
  ),
  broken(
    'recognises a run by its id and its moment',
    'G5',
    'an entry is unique by its id within a task',
    class extends RunKeepingStore {
      protected override isSame(a: HistoryEntry, b: HistoryEntry): boolean {
        return a.id === b.id && a.at === b.at;
      }
    },
  ),
  broken(
    'puts a run behind those of the same moment',
    'G5',
    'latest added',
    class extends RunKeepingStore {
      protected override isBefore(entry: HistoryEntry, other: HistoryEntry): boolean {
        return entry.at > other.at;
      }
    },
  ),
  broken(
    'puts a run in front, whenever it ended',
    'G5',
    'newest first by `at`, whenever an entry was added',
    class extends RunKeepingStore {
      protected override isBefore(): boolean {
        return true;
      }
    },
  ),
  broken(
    'orders runs by the digits of their moments',
    'G8',
    'a history is ordered by the value of its moments',
    class extends RunKeepingStore {
      protected override isBefore(entry: HistoryEntry, other: HistoryEntry): boolean {
        return `${entry.at}` >= `${other.at}`;
      }
    },
  ),
  broken(
    'files every run under the task that is settled',
    'G5',
    'an entry for other is in its history and no other',
    class extends RunKeepingStore {
      protected override taskOf(_entry: HistoryEntry, settled: Settlement): string {
        return settled.id;
      }
    },
  ),
  broken(
    'keeps no run of a task that does not exist',
    'G5',
    'an entry for nobody is in its history',
    class extends RunKeepingStore {
      override async settle(settlements: readonly Settlement[]) {
        const ids = settlements.flatMap(({ history }) => history.map(({ taskId }) => taskId));
        const tasks = new Set((await this.get(ids)).map((task) => task?.id));
        return super.settle(
          settlements.map((each) => ({
            ...each,
            history: each.history.filter(({ taskId }) => tasks.has(taskId)),
          })),
        );
      }
    },
  ),
  broken(
    'limits the history of the settled task alone',
    'G5',
    'up to the limit',
    class extends RunKeepingStore {
      protected override newest(runs: readonly HistoryEntry[]): HistoryEntry[] {
        return runs[0]?.taskId === 'settler' ? super.newest(runs) : [...runs];
      }
    },
  ),
  broken(
    'gives no more than 50 runs at a time',
    'G5',
    'that was asked for, the newest',
    class extends RunKeepingStore {
      override history(taskId: string, limit: number) {
        return super.history(taskId, Math.min(limit, 50));
      }
    },
  ),
  broken(
    'cuts the body of a run after 64 KiB',
    'G8',
    'an entry of the history may have a body of 256 KiB',
    class extends RunKeepingStore {
      override async history(taskId: string, limit: number) {
        const entries = await super.history(taskId, limit);
        return entries.map((entry) => ({ ...entry, body: entry.body.slice(0, 65_535) }));
      }
    },
  ),
];
