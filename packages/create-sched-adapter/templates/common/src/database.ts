// The only file that knows how tasks are kept: here in a Map. Make each function a call of your database, and take care
// that what one transaction reads nobody changes until it has written.

import type { HistoryEntry, TaskRecord } from '@sched/core';

/** A task as it is stored: what callers see, and what only the store needs. */
export interface StoredTask extends TaskRecord {
  /** Grows with each task: the order of listings. */
  readonly serial: number;
  /** The token of the last settlement. */
  readonly settledToken: number | null;
}

/** What a call does inside one transaction. */
export interface Transaction {
  /** A number greater than any that this database ever gave: for serials, tokens and revisions. */
  nextNumber(): Promise<number>;
  get(id: string): Promise<StoredTask | undefined>;
  put(task: StoredTask): Promise<void>;
  delete(id: string): Promise<void>;
  /** Tasks whose `wakeAt` is at most a moment, ordered by `wakeAt`. Needs an index on queue and `wakeAt`. */
  due(queue: string, until: number, limit: number): Promise<StoredTask[]>;
  /** Tasks in the order of their serials, after one of them; of one group, if one is given. Needs an index on both. */
  after(serial: number, limit: number, group?: string): Promise<StoredTask[]>;
  /** The history of a task, oldest first. */
  history(taskId: string): Promise<HistoryEntry[]>;
  putHistory(taskId: string, entries: readonly HistoryEntry[]): Promise<void>;
}

export class Database {
  #number = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #tasks = new Map<string, StoredTask>();
  readonly #history = new Map<string, readonly HistoryEntry[]>();
  readonly #indexes = new Map<string, Index>();

  /** Runs calls one after another. A real database would undo what was written if `work` throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => work(this.#transaction));
    this.#last = result.catch(() => {});
    return result;
  }

  readonly #transaction: Transaction = {
    nextNumber: async () => ++this.#number,
    get: async (id) => this.#tasks.get(id),
    put: async (task) => {
      const copy = structuredClone(task);
      const keys = new Map(indexKeys(copy));
      for (const [name, key] of this.#keysOf(task.id)) {
        const index = this.#index(name);
        if (keys.get(name) === key) {
          // Most entries stay where they are: to take them out and in again would move all behind them.
          index.replace(key, copy);
          keys.delete(name);
        } else index.delete(key, copy);
      }
      for (const [name, key] of keys) this.#index(name).add(key, copy);
      this.#tasks.set(task.id, copy);
    },
    delete: async (id) => {
      const task = this.#tasks.get(id);
      if (!task) return;
      for (const [name, key] of indexKeys(task)) this.#index(name).delete(key, task);
      this.#tasks.delete(id);
    },
    due: async (queue, until, limit) =>
      this.#index(`due ${queue}`).range(Number.NEGATIVE_INFINITY, until, limit),
    after: async (serial, limit, group) =>
      this.#index(group === undefined ? 'all' : `group ${group}`).range(
        serial + 1,
        Number.POSITIVE_INFINITY,
        limit,
      ),
    history: async (taskId) => [...(this.#history.get(taskId) ?? [])],
    putHistory: async (taskId, entries) => {
      this.#history.set(taskId, structuredClone(entries));
    },
  };

  #index(name: string): Index {
    const index = this.#indexes.get(name) ?? new Index();
    this.#indexes.set(name, index);
    return index;
  }

  #keysOf(id: string): [name: string, key: number][] {
    const task = this.#tasks.get(id);
    return task ? indexKeys(task) : [];
  }
}

function indexKeys({ serial, queue, group, wakeAt }: StoredTask): [name: string, key: number][] {
  const keys: [string, number][] = [['all', serial]];
  if (group !== null) keys.push([`group ${group}`, serial]);
  if (wakeAt !== null) keys.push([`due ${queue}`, wakeAt]);
  return keys;
}

/** Tasks in the order of a key, and among equal ones in that of their serials. */
class Index {
  readonly #entries: { readonly key: number; readonly task: StoredTask }[] = [];

  add(key: number, task: StoredTask): void {
    this.#entries.splice(this.#position(key, task.serial), 0, { key, task });
  }

  delete(key: number, task: StoredTask): void {
    this.#entries.splice(this.#position(key, task.serial), 1);
  }

  /** Puts a task in its own place. */
  replace(key: number, task: StoredTask): void {
    this.#entries[this.#position(key, task.serial)] = { key, task };
  }

  range(from: number, until: number, limit: number): StoredTask[] {
    const tasks: StoredTask[] = [];
    for (let at = this.#position(from, Number.NEGATIVE_INFINITY); tasks.length < limit; at++) {
      const entry = this.#entries[at];
      if (!entry || entry.key > until) break;
      tasks.push(entry.task);
    }
    return tasks;
  }

  /** Where the first entry is that is not before this one. */
  #position(key: number, serial: number): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      const isBefore = entry && (entry.key - key || entry.task.serial - serial) < 0;
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const databases = new Map<string, Database>();

/** Connects. Handles of one process with the same URL share their tasks. */
export async function connect(url: string): Promise<Database> {
  const database = databases.get(url) ?? new Database();
  databases.set(url, database);
  return database;
}

/** Removes everything, for tests. */
export async function drop(url: string): Promise<void> {
  databases.delete(url);
}
