import type {
  ClaimedTask,
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  DataStoreOptions,
  HistoryEntry,
  LatestHistoryRequest,
  LatestHistoryResult,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  WakeUp,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { earliest, matchesFilter, readAdapterOptions } from '@sched/core/adapter';
import { RunHistory } from './run-history.js';
import { WakeHeap } from './wake-heap.js';

/** How many removed tasks the listing may hold at any rate. */
const spareListing = 1000;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** A record as it is kept: mutable, with its place in the heap and its place in the listing order. */
interface StoredTask extends Mutable<TaskRecord> {
  readonly serial: number;
  /** The token of the last settlement; null if there was none. */
  settledToken: number | null;
  position: number;
}

/**
 * Tasks in the memory of one process. The reference implementation of the contract: every other store behaves like
 * this one. What it holds is gone with the process.
 *
 * Handles that are to share tasks, such as two schedulers in one process, share the instance.
 */
export class MemoryDataStore implements DataStore {
  readonly name = 'memory';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    latestHistory: true,
    watch: true,
    transactions: false,
    processes: false,
  };

  readonly #clock: () => number;
  readonly #history: RunHistory;
  readonly #tasks = new Map<string, StoredTask>();
  /** In order of insertion, which is the listing order. Holds removed tasks too, though not for long. */
  #listing: StoredTask[] = [];
  readonly #groups = new Map<string, Set<StoredTask>>();
  readonly #due = new Map<string, WakeHeap<StoredTask>>();
  readonly #listeners = new Set<(wakeUp: WakeUp) => void>();
  /** The source of every token and revision, so that neither ever repeats or falls, whatever is removed. */
  #counter = 0;
  #serial = 0;
  #isOpen = false;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option is out of range */
  constructor(options: DataStoreOptions = {}) {
    const settings = readAdapterOptions('MemoryDataStore', options, {});
    this.#clock = settings.clock ?? Date.now;
    this.#history = new RunHistory(settings.historyLimit, settings.historyMaxAgeMs);
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#listeners.clear();
  }

  async now(): Promise<number> {
    this.#assertOpen();
    return this.#clock();
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    this.#assertOpen();
    return records.map((record) => this.#insert(record));
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    this.#assertOpen();
    return ids.map((id) => {
      const task = this.#tasks.get(id);
      return task && snapshot(task);
    });
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    this.#assertOpen();
    const task = this.#tasks.get(id);
    if (!task) return 'missing';
    if (task.revision !== expected.revision) return 'conflict';
    this.#unlink(task);
    if (change.name !== undefined) task.name = change.name;
    if (change.queue !== undefined) task.queue = change.queue;
    if (change.group !== undefined) task.group = change.group;
    if (change.status !== undefined) task.status = change.status;
    if (change.runAt !== undefined) task.runAt = change.runAt;
    if (change.body !== undefined) task.body = change.body;
    task.revision = ++this.#counter;
    this.#link(task);
    return 'updated';
  }

  async list({ after, limit, ...filter }: ListRequest): Promise<ListResult> {
    this.#assertOpen();
    const now = this.#clock();
    const from = after === undefined ? 0 : Number(after);
    const tasks: TaskRecord[] = [];
    let last = from;
    for (const task of this.#candidates(filter, from)) {
      if (!matchesFilter(task, filter, now)) continue;
      if (tasks.length === limit) return { tasks, next: String(last) };
      tasks.push(snapshot(task));
      last = task.serial;
    }
    return { tasks, next: null };
  }

  async count(filter: TaskFilter): Promise<number> {
    this.#assertOpen();
    const now = this.#clock();
    let count = 0;
    for (const task of this.#candidates(filter)) if (matchesFilter(task, filter, now)) count++;
    return count;
  }

  async remove(selector: TaskSelector): Promise<number> {
    this.#assertOpen();
    const tasks = this.#select(selector);
    for (const task of tasks) this.#delete(task);
    return tasks.length;
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    this.#assertOpen();
    const now = this.#clock();
    const changed = this.#select(selector).filter((task) => task.paused !== paused);
    for (const task of changed) {
      task.paused = paused;
      if (!paused) task.resumedAt = now;
      this.#place(task);
    }
    return changed.length;
  }

  async claim({ queues, limit, owner, leaseMs }: ClaimRequest): Promise<ClaimResult> {
    this.#assertOpen();
    const now = this.#clock();
    const tasks: ClaimedTask[] = [];
    for (const queue of queues) {
      const heap = this.#due.get(queue);
      while (heap && tasks.length < limit) {
        const task = heap.peek();
        if (!task || (task.wakeAt as number) > now) break;
        const lapsedOwner = task.lease?.owner ?? null;
        const lease = { token: ++this.#counter, owner, expiresAt: now + leaseMs };
        task.lease = lease;
        task.deliveries++;
        this.#place(task);
        tasks.push({ lapsedOwner, ...snapshot(task), lease: { ...lease } });
      }
    }
    const firsts = queues.map((queue) => this.#due.get(queue)?.peek()?.wakeAt);
    return { tasks, now, nextWakeAt: earliest(firsts) };
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    this.#assertOpen();
    const now = this.#clock();
    return leases.map((ref) => {
      const task = this.#tasks.get(ref.id);
      if (task?.lease?.token !== ref.token) return 'lost';
      task.lease = { ...task.lease, expiresAt: now + leaseMs };
      this.#place(task);
      return task.revision;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    this.#assertOpen();
    const now = this.#clock();
    return settlements.map((settlement) => {
      const task = this.#tasks.get(settlement.id);
      if (task?.settledToken === settlement.token) return 'settled';
      if (task?.lease?.token !== settlement.token) return 'lost';
      if (task.revision !== settlement.revision) return 'conflict';
      const { next } = settlement;
      if (next) {
        task.status = next.status;
        task.runAt = next.runAt;
        task.body = next.body;
        if (next.paused) task.paused = true;
        task.lease = null;
        task.deliveries = 0;
        task.revision = ++this.#counter;
        task.settledToken = settlement.token;
        this.#place(task);
      } else {
        this.#delete(task);
      }
      for (const entry of settlement.history) this.#history.append(entry, now);
      for (const record of settlement.spawn) this.#insert(record);
      return 'settled';
    });
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    this.#assertOpen();
    return leases.map(({ id, token, deferUntil }) => {
      const task = this.#tasks.get(id);
      if (task?.lease?.token !== token) return 'lost';
      task.lease = null;
      task.deliveries--;
      if (deferUntil !== undefined && task.runAt !== null) {
        task.runAt = Math.max(task.runAt, deferUntil);
      }
      this.#place(task);
      return 'released';
    });
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    this.#assertOpen();
    return this.#history.newest(taskId, limit, this.#clock());
  }

  async latestHistory(request: LatestHistoryRequest): Promise<LatestHistoryResult> {
    this.#assertOpen();
    return this.#history.latest(request, this.#clock());
  }

  async watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>> {
    this.#assertOpen();
    const own = (wakeUp: WakeUp) => listener(wakeUp);
    this.#listeners.add(own);
    return async () => {
      this.#listeners.delete(own);
    };
  }

  withTransaction(): DataStore {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      'The memory store has no transactions. Schedule after your own work has succeeded, or use a database store.',
    );
  }

  #assertOpen(): void {
    if (!this.#isOpen) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The memory store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
  }

  #insert(record: NewTaskRecord): 'inserted' | 'exists' {
    if (this.#tasks.has(record.id)) return 'exists';
    const task: StoredTask = {
      id: record.id,
      serial: ++this.#serial,
      name: record.name,
      queue: record.queue,
      group: record.group,
      status: record.status,
      paused: record.paused,
      runAt: record.runAt,
      body: record.body,
      resumedAt: null,
      lease: null,
      deliveries: 0,
      revision: ++this.#counter,
      settledToken: null,
      wakeAt: null,
      position: -1,
    };
    this.#tasks.set(task.id, task);
    this.#listing.push(task);
    this.#link(task);
    return 'inserted';
  }

  #delete(task: StoredTask): void {
    this.#unlink(task);
    this.#tasks.delete(task.id);
    const { size } = this.#tasks;
    if (this.#listing.length > 2 * size + spareListing) this.#listing = [...this.#tasks.values()];
  }

  /** Enters a task under its group and its queue; undone by `#unlink` before either of them changes. */
  #link(task: StoredTask): void {
    if (task.group !== null) {
      const members = this.#groups.get(task.group);
      if (members) members.add(task);
      else this.#groups.set(task.group, new Set([task]));
    }
    this.#place(task);
  }

  #unlink(task: StoredTask): void {
    if (task.group !== null) {
      const members = this.#groups.get(task.group);
      members?.delete(task);
      if (members?.size === 0) this.#groups.delete(task.group);
    }
    task.wakeAt = null;
    this.#due.get(task.queue)?.place(task);
  }

  /** Moves a task to where it now belongs in its queue, and says so if it is to wake earlier than before. */
  #place(task: StoredTask): void {
    const before = task.wakeAt;
    task.wakeAt = wakeAt(task);
    let heap = this.#due.get(task.queue);
    if (!heap) {
      heap = new WakeHeap();
      this.#due.set(task.queue, heap);
    }
    heap.place(task);
    if (task.wakeAt !== null && (before === null || task.wakeAt < before)) {
      this.#notify({ queue: task.queue, wakeAt: task.wakeAt });
    }
  }

  #notify(wakeUp: WakeUp): void {
    for (const listener of this.#listeners) queueMicrotask(() => listener(wakeUp));
  }

  #select(selector: TaskSelector): StoredTask[] {
    if ('all' in selector) return [...this.#tasks.values()];
    if ('group' in selector) return [...(this.#groups.get(selector.group) ?? [])];
    const tasks = new Set<StoredTask>();
    for (const id of selector.ids) {
      const task = this.#tasks.get(id);
      if (task) tasks.add(task);
    }
    return [...tasks];
  }

  /** A superset of what the filter matches of the tasks after a serial, in listing order. */
  #candidates({ group }: TaskFilter, after = 0): Iterable<StoredTask> {
    if (typeof group !== 'string') return this.#listedAfter(after);
    const members = [...(this.#groups.get(group) ?? [])];
    return members.filter(({ serial }) => serial > after).sort((a, b) => a.serial - b.serial);
  }

  *#listedAfter(serial: number): Generator<StoredTask> {
    const listing = this.#listing;
    let [low, high] = [0, listing.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((listing[middle]?.serial ?? 0) <= serial) low = middle + 1;
      else high = middle;
    }
    for (; low < listing.length; low++) {
      const task = listing[low];
      if (task && this.#tasks.get(task.id) === task) yield task;
    }
  }
}

function wakeAt(task: StoredTask): number | null {
  if (task.status !== 'scheduled' || task.paused) return null;
  return task.lease ? task.lease.expiresAt : task.runAt;
}

/** Leases are replaced, never changed, so sharing one with a snapshot is safe as long as callers cannot write to it. */
function snapshot(task: StoredTask): TaskRecord {
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    group: task.group,
    status: task.status,
    paused: task.paused,
    runAt: task.runAt,
    body: task.body,
    resumedAt: task.resumedAt,
    lease: task.lease && { ...task.lease },
    deliveries: task.deliveries,
    revision: task.revision,
    wakeAt: task.wakeAt,
  };
}
