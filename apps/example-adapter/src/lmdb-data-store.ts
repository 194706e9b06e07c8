import type { DataStore, DataStoreOptions, TaskFilter, TaskRecord } from '@sched/core';
import { checkMembers, isSchedError, SchedError } from '@sched/core';
import type { Database, StoredTask } from './database.ts';
import {
  append,
  connect,
  entriesOf,
  get,
  insert,
  nextNumber,
  remove,
  save,
  select,
  tasksIn,
} from './database.ts';

export interface LmdbDataStoreOptions extends DataStoreOptions {
  /** The directory that holds the tasks. It is created if it is missing. */
  readonly path: string;
}

const defaults = { clock: Date.now, historyLimit: 100, historyMaxAgeMs: 7 * 86_400_000 };

/** Tasks in an LMDB directory. Any number of processes on one machine may share it. */
export class LmdbDataStore implements DataStore {
  readonly name = 'lmdb';
  readonly capabilities = {
    history: true,
    latestHistory: false,
    watch: false,
    transactions: false,
    processes: true,
  };
  readonly #options: Required<LmdbDataStoreOptions>;
  #db: Database | undefined;

  constructor(options: LmdbDataStoreOptions) {
    const known = ['path', ...Object.keys(defaults)];
    checkMembers('The options of LmdbDataStore', options, known, 'SCHED_STORE_CONFIG');
    this.#options = { ...defaults, ...options };
    const { path, historyLimit, historyMaxAgeMs } = this.#options;
    if (path && historyLimit >= 0 && historyMaxAgeMs >= 1) return;
    const sentence = 'path must be a directory, historyLimit 0 or more, historyMaxAgeMs 1 or more.';
    throw new SchedError('SCHED_STORE_CONFIG', sentence);
  }

  open = async () => {
    this.#db ??= available(() => connect(this.#options.path));
  };

  close = async () => {
    const db = this.#db;
    this.#db = undefined;
    await db?.root.close();
  };

  now: DataStore['now'] = async () => this.#read([], (_, now) => now);

  /** Runs a call that changes nothing, on what is in the database now. */
  #read<T>(input: unknown, work: (db: Database, now: number) => T): T {
    const db = this.#checked(input);
    db.root.resetReadTxn();
    return available(() => work(db, this.#options.clock()));
  }

  /** Runs a call that is applied as a whole or not at all, while no other process writes. */
  #write<T>(input: unknown, work: (db: Database, now: number) => T): T {
    const db = this.#checked(input);
    return available(() => db.root.transactionSync(() => work(db, this.#options.clock())));
  }

  #checked(input: unknown): Database {
    if (!this.#db) throw new SchedError('SCHED_STORE_CLOSED', 'The LMDB store is not open.');
    checkText(input);
    return this.#db;
  }

  insert: DataStore['insert'] = async (records) =>
    this.#write(records, (db) => records.map((record) => insert(db, record)));

  get: DataStore['get'] = async (ids) =>
    this.#read(ids, (db) => ids.map((id) => get(db, id)).map((task) => task && toRecord(task)));

  update: DataStore['update'] = async (id, change, expected) =>
    this.#write([id, change], (db) => {
      const task = get(db, id);
      if (task?.revision !== expected.revision) return task ? 'conflict' : 'missing';
      save(db, { ...task, ...change, revision: nextNumber(db) }, task);
      return 'updated';
    });

  list: DataStore['list'] = async ({ after = '0', limit, ...filter }) =>
    this.#read(filter, (db, now) => {
      const part = typeof filter.group === 'string' ? ['group', filter.group] : ['serial'];
      const rest = tasksIn(db, part, Number(after) + 1);
      const tasks = take(limit + 1, rest, (task) => matches(task, filter, now));
      const last = tasks.length > limit ? tasks[limit - 1] : undefined;
      return { tasks: tasks.slice(0, limit).map(toRecord), next: last ? `${last.serial}` : null };
    });

  count: DataStore['count'] = async (filter) =>
    this.#read(filter, (db, now) => {
      let count = 0;
      for (const task of tasksIn(db, ['serial'])) if (matches(task, filter, now)) count++;
      return count;
    });

  remove: DataStore['remove'] = async (selector) =>
    this.#write(selector, (db) => select(db, selector).map((task) => remove(db, task)).length);

  setPaused: DataStore['setPaused'] = async (selector, paused) =>
    this.#write(selector, (db, now) => {
      const tasks = select(db, selector).filter((task) => task.paused !== paused);
      const change = paused ? { paused } : { paused, resumedAt: now };
      return tasks.map((task) => save(db, { ...task, ...change }, task)).length;
    });

  claim: DataStore['claim'] = async ({ queues, limit, owner, leaseMs }) =>
    this.#write([queues, owner], (db, now) => {
      const due = (queue: string) => tasksIn(db, ['due', queue], -Infinity, now + 1);
      const taken: StoredTask[] = [];
      for (const queue of queues) taken.push(...take(limit - taken.length, due(queue)));
      const tasks = taken.map((task) => {
        const lease = { token: nextNumber(db), owner, expiresAt: now + leaseMs };
        const claimed = save(db, { ...task, lease, deliveries: task.deliveries + 1 }, task);
        return { ...toRecord(claimed), lease, lapsedOwner: task.lease?.owner ?? null };
      });
      const next = queues.flatMap((queue) => take(1, tasksIn(db, ['due', queue])));
      const moments = next.map(({ wakeAt }) => wakeAt ?? Infinity);
      return { tasks, now, nextWakeAt: moments.length > 0 ? Math.min(...moments) : null };
    });

  extend: DataStore['extend'] = async (leases, leaseMs) =>
    this.#write(leases, (db, now) =>
      leases.map(({ id, token }) => {
        const task = get(db, id);
        if (task?.lease?.token !== token) return 'lost';
        save(db, { ...task, lease: { ...task.lease, expiresAt: now + leaseMs } }, task);
        return task.revision;
      }),
    );

  settle: DataStore['settle'] = async (settlements) =>
    this.#write(settlements, (db, now) =>
      settlements.map(({ id, token, revision, next, history, spawn }) => {
        const task = get(db, id);
        if (task?.settledToken === token) return 'settled';
        if (task?.lease?.token !== token) return 'lost';
        if (task.revision !== revision) return 'conflict';
        const settled = { lease: null, deliveries: 0, settledToken: token };
        if (next) save(db, { ...task, ...next, ...settled, revision: nextNumber(db) }, task);
        else remove(db, task);
        const oldest = now - this.#options.historyMaxAgeMs;
        for (const entry of history) append(db, entry, oldest, this.#options.historyLimit);
        for (const record of spawn) insert(db, record);
        return 'settled';
      }),
    );

  release: DataStore['release'] = async (leases) =>
    this.#write(leases, (db) =>
      leases.map(({ id, token, deferUntil = -Infinity }) => {
        const task = get(db, id);
        if (task?.lease?.token !== token) return 'lost';
        const runAt = task.runAt === null ? null : Math.max(task.runAt, deferUntil);
        save(db, { ...task, lease: null, deliveries: task.deliveries - 1, runAt }, task);
        return 'released';
      }),
    );

  history: DataStore['history'] = async (taskId, limit) =>
    this.#read(taskId, (db, now) => {
      const oldest = now - this.#options.historyMaxAgeMs;
      return entriesOf(db, taskId, oldest).reverse().slice(0, limit);
    });

  async latestHistory(): Promise<never> {
    const sentence = 'The LMDB store has no order of history across tasks.';
    throw new SchedError('SCHED_STORE_UNSUPPORTED', sentence);
  }

  watch: DataStore['watch'] = async () => this.#read([], () => async () => {});

  withTransaction(): DataStore {
    throw new SchedError('SCHED_STORE_UNSUPPORTED', 'The LMDB store takes no transactions.');
  }
}

function take<T>(count: number, items: Iterable<T>, wanted = (_: T) => true): T[] {
  const taken: T[] = [];
  if (count > 0) for (const item of items) if (wanted(item) && taken.push(item) === count) break;
  return taken;
}

function matches(task: StoredTask, { leased, ...filter }: TaskFilter, now: number): boolean {
  const isLeased = task.lease !== null && now < task.lease.expiresAt;
  if (leased !== undefined && leased !== isLeased) return false;
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  return wanted.every(([member, value]) => Reflect.get(task, member) === value);
}

function toRecord({ serial: _serial, settledToken: _token, ...record }: StoredTask): TaskRecord {
  return record;
}

/** LMDB keeps UTF-8, which cannot hold half of a surrogate pair. */
function checkText(input: unknown): void {
  if (typeof input === 'string' && !input.isWellFormed()) {
    throw new SchedError('SCHED_ARGUMENT_INVALID', 'LMDB cannot hold half of a surrogate pair.');
  }
  if (typeof input === 'object' && input !== null) Object.values(input).forEach(checkText);
}

/** Tells failures of the database from those of the caller. */
function available<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isSchedError(error)) throw error;
    throw new SchedError('SCHED_STORE_UNAVAILABLE', `LMDB failed: ${error}`, { cause: error });
  }
}
