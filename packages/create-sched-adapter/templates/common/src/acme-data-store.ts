import type {
  ClaimedTask,
  DataStore,
  HistoryEntry,
  NewTaskRecord,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import type { Database, StoredTask, Transaction } from './database.ts';
import { connect } from './database.ts';
import { available, noLatestHistory, noTransactions, notOpen } from './errors.ts';
import type { AcmeDataStoreOptions } from './options.ts';
import { readOptions } from './options.ts';

/** How many tasks a page of a listing looks at beyond its limit, for those that match. */
const horizon = 1000;

/** Keeps tasks in acme. */
export class AcmeDataStore implements DataStore {
  readonly name = 'acme';
  readonly capabilities = {
    history: true,
    latestHistory: false,
    watch: false,
    transactions: false,
    processes: false,
  };
  readonly #options: Required<AcmeDataStoreOptions>;
  #opening: Promise<Database> | undefined;
  #database: Database | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: AcmeDataStoreOptions) {
    this.#options = readOptions(options);
  }

  async open(): Promise<void> {
    this.#opening ??= available(() => connect(this.#options.url));
    const opening = this.#opening;
    try {
      const database = await opening;
      if (this.#opening === opening) this.#database = database;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#opening = undefined;
    this.#database = undefined;
  }

  now: DataStore['now'] = () => this.#call(async (_, now) => now);

  insert: DataStore['insert'] = (records) =>
    this.#call((tx) => each(records, (record) => insert(tx, record)));

  get: DataStore['get'] = (ids) =>
    this.#call((tx) =>
      each(ids, async (id) => {
        const task = await tx.get(id);
        return task && toRecord(task);
      }),
    );

  update: DataStore['update'] = (id, change, expected) =>
    this.#call(async (tx) => {
      const task = await tx.get(id);
      if (!task) return 'missing';
      if (task.revision !== expected.revision) return 'conflict';
      await save(tx, { ...task, ...change, revision: await tx.nextNumber() });
      return 'updated';
    });

  list: DataStore['list'] = ({ after = '0', limit, ...filter }) =>
    this.#call(async (tx, now) => {
      const seen = await tx.after(Number(after), limit + horizon, filter.group ?? undefined);
      const matching = seen.filter((task) => matches(task, filter, now));
      const tasks = matching.slice(0, limit);
      // A page may be short without being the last.
      const isLast = matching.length <= limit && seen.length < limit + horizon;
      const last = matching.length > limit ? tasks.at(-1) : seen.at(-1);
      return { tasks: tasks.map(toRecord), next: isLast || !last ? null : String(last.serial) };
    });

  count: DataStore['count'] = (filter) =>
    this.#call(async (tx, now) => {
      const all = await tx.after(0, Number.POSITIVE_INFINITY, filter.group ?? undefined);
      return all.filter((task) => matches(task, filter, now)).length;
    });

  remove: DataStore['remove'] = (selector) =>
    this.#call(async (tx) => {
      const tasks = await select(tx, selector);
      await each(tasks, ({ id }) => tx.delete(id));
      return tasks.length;
    });

  setPaused: DataStore['setPaused'] = (selector, paused) =>
    this.#call(async (tx, now) => {
      const tasks = (await select(tx, selector)).filter((task) => task.paused !== paused);
      const change = paused ? { paused } : { paused, resumedAt: now };
      await each(tasks, (task) => save(tx, { ...task, ...change }));
      return tasks.length;
    });

  claim: DataStore['claim'] = ({ queues, limit, owner, leaseMs }) =>
    this.#call(async (tx, now) => {
      const tasks: ClaimedTask[] = [];
      for (const queue of queues) {
        for (const task of await tx.due(queue, now, limit - tasks.length)) {
          const lease = { token: await tx.nextNumber(), owner, expiresAt: now + leaseMs };
          const claimed = await save(tx, { ...task, lease, deliveries: task.deliveries + 1 });
          tasks.push({ ...toRecord(claimed), lease, lapsedOwner: task.lease?.owner ?? null });
        }
      }
      const first = await each(queues, (queue) => tx.due(queue, Number.POSITIVE_INFINITY, 1));
      const moments = first.flat().flatMap(({ wakeAt }) => wakeAt ?? []);
      return { tasks, now, nextWakeAt: moments.length > 0 ? Math.min(...moments) : null };
    });

  extend: DataStore['extend'] = (leases, leaseMs) =>
    this.#call((tx, now) =>
      each(leases, async ({ id, token }) => {
        const task = await tx.get(id);
        if (task?.lease?.token !== token) return 'lost';
        await save(tx, { ...task, lease: { ...task.lease, expiresAt: now + leaseMs } });
        return task.revision;
      }),
    );

  settle: DataStore['settle'] = (settlements) =>
    this.#call((tx, now) =>
      each(settlements, async ({ id, token, revision, next, history, spawn }) => {
        const task = await tx.get(id);
        if (task?.settledToken === token) return 'settled';
        if (task?.lease?.token !== token) return 'lost';
        if (task.revision !== revision) return 'conflict';
        const settled = { lease: null, deliveries: 0, settledToken: token };
        if (next) await save(tx, { ...task, ...next, ...settled, revision: await tx.nextNumber() });
        else await tx.delete(id);
        await each(history, (entry) => this.#append(tx, entry, now));
        await each(spawn, (record) => insert(tx, record));
        return 'settled';
      }),
    );

  release: DataStore['release'] = (leases) =>
    this.#call((tx) =>
      each(leases, async ({ id, token, deferUntil = Number.NEGATIVE_INFINITY }) => {
        const task = await tx.get(id);
        if (task?.lease?.token !== token) return 'lost';
        const runAt = task.runAt === null ? null : Math.max(task.runAt, deferUntil);
        await save(tx, { ...task, lease: null, deliveries: task.deliveries - 1, runAt });
        return 'released';
      }),
    );

  history: DataStore['history'] = (taskId, limit) =>
    this.#call(async (tx, now) =>
      (await this.#fresh(tx, taskId, now))
        .reverse()
        .slice(0, limit)
        .map((entry) => ({ ...entry })),
    );

  async latestHistory(): Promise<never> {
    throw noLatestHistory();
  }

  // Nobody is told of anything: workers poll.
  watch: DataStore['watch'] = () => this.#call(async () => async () => {});

  withTransaction(): DataStore {
    throw noTransactions();
  }

  /** Runs a call in one transaction, with one value of now. */
  async #call<T>(work: (tx: Transaction, now: number) => Promise<T>): Promise<T> {
    const database = this.#database;
    if (!database) throw notOpen();
    const { clock } = this.#options;
    return available(() => database.transaction((tx) => work(tx, clock())));
  }

  async #append(tx: Transaction, entry: HistoryEntry, now: number): Promise<void> {
    const entries = await this.#fresh(tx, entry.taskId, now);
    if (entries.some(({ id }) => id === entry.id)) return;
    const all = [...entries, entry].sort((a, b) => a.at - b.at);
    const { historyLimit } = this.#options;
    await tx.putHistory(entry.taskId, all.slice(Math.max(all.length - historyLimit, 0)));
  }

  async #fresh(tx: Transaction, taskId: string, now: number): Promise<HistoryEntry[]> {
    const oldest = now - this.#options.historyMaxAgeMs;
    return (await tx.history(taskId)).filter(({ at }) => at >= oldest);
  }
}

/** One after another: two items about one task mean the same as in two calls. */
async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (const item of items) answers.push(await work(item));
  return answers;
}

async function insert(tx: Transaction, record: NewTaskRecord): Promise<'inserted' | 'exists'> {
  if (await tx.get(record.id)) return 'exists';
  const { id, name, queue, group, status, paused, runAt, body } = record;
  await save(tx, {
    ...{ id, name, queue, group, status, paused, runAt, body },
    ...{ resumedAt: null, lease: null, deliveries: 0, wakeAt: null, settledToken: null },
    serial: await tx.nextNumber(),
    revision: await tx.nextNumber(),
  });
  return 'inserted';
}

/** The only place that derives `wakeAt`. */
async function save(tx: Transaction, task: StoredTask): Promise<StoredTask> {
  const { status, paused, lease, runAt } = task;
  const wakeAt = status === 'scheduled' && !paused ? (lease?.expiresAt ?? runAt) : null;
  const saved = { ...task, wakeAt };
  await tx.put(saved);
  return saved;
}

async function select(tx: Transaction, selector: TaskSelector): Promise<StoredTask[]> {
  if ('group' in selector) return tx.after(0, Number.POSITIVE_INFINITY, selector.group);
  if ('all' in selector) return tx.after(0, Number.POSITIVE_INFINITY);
  const found = await each([...new Set(selector.ids)], (id) => tx.get(id));
  return found.flatMap((task) => task ?? []);
}

function matches(task: StoredTask, { leased, ...filter }: TaskFilter, now: number): boolean {
  const isLeased = task.lease !== null && now < task.lease.expiresAt;
  if (leased !== undefined && leased !== isLeased) return false;
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  return wanted.every(([member, value]) => Reflect.get(task, member) === value);
}

function toRecord({ serial: _serial, settledToken: _token, ...record }: StoredTask): TaskRecord {
  return { ...record, lease: record.lease && { ...record.lease } };
}
