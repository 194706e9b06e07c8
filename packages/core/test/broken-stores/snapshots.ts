import type {
  ClaimRequest,
  ClaimResult,
  HistoryEntry,
  Lease,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Settlement,
  TaskRecord,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore } from './broken-store.js';
import { RunKeepingStore } from './kept-runs.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };

/** Keeps objects of its callers in place of copies, and shows tasks with what these say by now. */
class SharingStore extends DistortingStore {
  readonly #shared = new Map<string, Partial<TaskRecord>>();

  protected share(id: string, given: Partial<TaskRecord>): void {
    this.#shared.set(id, given);
  }

  protected override show<T extends TaskRecord>(task: T): T {
    const given = this.#shared.get(task.id);
    return given?.body === undefined ? task : { ...task, body: given.body };
  }
}

/** Stores in which callers can write. */
export const snapshotStores: readonly BrokenStore[] = [
  broken(
    'keeps the records that it is given to insert',
    'G6',
    'what insert took is a snapshot',
    class extends SharingStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const answers = await super.insert(records);
        for (const [index, record] of records.entries()) {
          if (answers[index] === 'inserted') this.share(record.id, record);
        }
        return answers;
      }
    },
  ),
  broken(
    'keeps the change that it is given for an edit',
    'G6',
    'what update took is a snapshot',
    class extends SharingStore {
      override async update(id: string, change: Change, expected: Expected) {
        const answer = await super.update(id, change, expected);
        if (answer === 'updated') this.share(id, change);
        return answer;
      }
    },
  ),
  broken(
    'keeps what a settlement says of the next run',
    'G6',
    'what settle took as next is a snapshot',
    class extends SharingStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        for (const [index, { id, next }] of settlements.entries()) {
          if (answers[index] === 'settled' && next) this.share(id, next);
        }
        return answers;
      }
    },
  ),
  broken(
    'keeps the records that a settlement spawns',
    'G6',
    'what settle took as spawn is a snapshot',
    class extends SharingStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        for (const record of settlements.flatMap(({ spawn }) => spawn)) {
          this.share(record.id, record);
        }
        return answers;
      }
    },
  ),
  broken(
    'keeps the entries that it is given for a history',
    'G6',
    'what settle took as history is a snapshot',
    class extends RunKeepingStore {
      readonly #given = new Map<string, HistoryEntry>();

      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        for (const entry of settlements.flatMap(({ history }) => history)) {
          this.#given.set(`${entry.taskId} ${entry.id}`, entry);
        }
        return answers;
      }

      override async history(taskId: string, limit: number) {
        const entries = await super.history(taskId, limit);
        return entries.map((entry) => this.#given.get(`${taskId} ${entry.id}`) ?? entry);
      }
    },
  ),
  broken(
    'gives the entries of a history that it keeps',
    'G6',
    'what history gave is a snapshot',
    class extends RunKeepingStore {
      readonly #entries = new Map<string, HistoryEntry>();

      override async history(taskId: string, limit: number) {
        const entries = await super.history(taskId, limit);
        return entries.map((entry) => {
          const key = `${taskId} ${entry.id}`;
          const kept = this.#entries.get(key) ?? entry;
          this.#entries.set(key, kept);
          return kept;
        });
      }
    },
  ),
  broken(
    'gives the leases that it keeps when it claims',
    'G6',
    'what claim took and gave is a snapshot',
    class extends DistortingStore {
      readonly #leases = new Map<string, Lease>();

      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        for (const { id, lease } of result.tasks) this.#leases.set(`${id} ${lease.token}`, lease);
        return result;
      }

      protected override show<T extends TaskRecord>(task: T): T {
        const { lease } = task;
        const kept = lease && this.#leases.get(`${task.id} ${lease.token}`);
        return kept ? { ...task, lease: { ...lease, owner: kept.owner } } : task;
      }
    },
  ),
  broken(
    'gives the tasks that it keeps when it lists',
    'G6',
    'what list took and gave is a snapshot',
    class extends MemoryDataStore {
      readonly #pages = new Map<string, readonly TaskRecord[]>();

      override async list(request: ListRequest): Promise<ListResult> {
        const { tasks, next } = await super.list(request);
        const key = JSON.stringify([request.group, tasks]);
        const kept = this.#pages.get(key) ?? tasks;
        this.#pages.set(key, kept);
        return { tasks: kept, next };
      }
    },
  ),
];
