import type {
  ClaimedTask,
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  HistoryEntry,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  TaskStatus,
} from '@sched/core';
import { SchedError } from '@sched/core';
import type { SqliteDatabase, SqliteValue } from './client.js';
import { connect } from './connect.js';
import { notInTransaction } from './errors.js';
import type { Executor } from './executor.js';
import { createExecutor } from './executor.js';
import type { Settings, SqliteDataStoreOptions } from './options.js';
import { isDatabase, isFile, readOptions } from './options.js';
import type { Session } from './session.js';
import { createSession } from './session.js';
import type { Statements } from './statements.js';
import { conditions, createStatements } from './statements.js';

/** A task as the statements give it. */
type TaskRow = readonly [
  serial: number,
  id: string,
  name: string,
  queue: string,
  group: string | null,
  status: TaskStatus,
  paused: number,
  runAt: number | null,
  body: string,
  resumedAt: number | null,
  token: number | null,
  owner: string,
  expiresAt: number,
  deliveries: number,
  revision: number,
  wakeAt: number | null,
  settledToken: number | null,
];

/** Fences off stale owners and stale decisions. */
const current = 'id = ? AND lease_token = ? AND revision = ?';

/** How many tasks one page of a listing looks at: the event loop stands still while it does. */
const listingHorizon = 10_000;

/**
 * Tasks in an SQLite file, through the `node:sqlite` that comes with Node. Any number of processes on one machine may
 * share the file. The store's clock is the machine's.
 */
export class SqliteDataStore implements DataStore {
  readonly name = 'sqlite';
  readonly capabilities: DataStoreCapabilities;

  readonly #options: SqliteDataStoreOptions;
  readonly #settings: Settings;
  readonly #sql: Statements;
  #opening: Promise<Executor> | undefined;
  #executor: Executor | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be, or `database` is not open */
  constructor(options: SqliteDataStoreOptions) {
    this.#options = options;
    this.#settings = readOptions(options);
    this.#sql = createStatements(this.#settings.tablePrefix);
    this.capabilities = {
      history: true,
      watch: false,
      // Nobody else can have a connection to a memory database that the store itself opens.
      transactions: this.#settings.source !== ':memory:',
      processes: isFile(this.#settings.source),
    };
  }

  async open(): Promise<void> {
    if (this.#executor) return;
    this.#opening ??= connect(this.#settings);
    const opening = this.#opening;
    try {
      const executor = await opening;
      if (this.#opening === opening) this.#executor = executor;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#executor = undefined;
    const executor = await opening?.catch(() => undefined);
    await executor?.close();
  }

  async now(): Promise<number> {
    this.#open();
    return this.#settings.clock();
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    return this.#open().write((session) => {
      let number = this.#reserve(session, records.length);
      return records.map((record) => this.#insert(session, record, number++));
    });
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    return this.#open().call((session) =>
      ids.map((id) => {
        const row = session.get<TaskRow>(this.#sql.get, id);
        return row && toRecord(row);
      }),
    );
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    return this.#open().write((session) => {
      const row = session.get<TaskRow>(this.#sql.get, id);
      if (!row) return 'missing';
      const task = toRecord(row);
      if (task.revision !== expected.revision) return 'conflict';
      session.run(
        this.#sql.update,
        change.name ?? task.name,
        change.queue ?? task.queue,
        change.group === undefined ? task.group : change.group,
        change.status ?? task.status,
        change.runAt === undefined ? task.runAt : change.runAt,
        change.body ?? task.body,
        this.#reserve(session, 1),
        id,
      );
      return 'updated';
    });
  }

  async list({ after = '0', limit, ...filter }: ListRequest): Promise<ListResult> {
    if (!/^\d{1,16}$/.test(after)) {
      throw new SchedError('SCHED_ARGUMENT_INVALID', `after is not the next of a page: ${after}.`);
    }
    return this.#open().call((session) => {
      const from = Number(after);
      const { where, values } = conditions(filter, this.#settings.clock());
      // A group has an index. Whatever else is asked for is looked for task by task, a stretch of them a page.
      const horizon =
        typeof filter.group === 'string'
          ? undefined
          : session.get<[number]>(this.#sql.horizon, from, listingHorizon + limit)?.[0];
      const rows = session.all<TaskRow>(
        this.#sql.list(where),
        from,
        horizon ?? Number.MAX_SAFE_INTEGER,
        ...values,
        limit + 1,
      );
      // One more was asked for than the page holds.
      const next = rows.length > limit && rows.pop() ? rows.at(-1)?.[0] : horizon;
      return { tasks: rows.map(toRecord), next: next === undefined ? null : String(next) };
    });
  }

  async count(filter: TaskFilter): Promise<number> {
    const { where, values } = conditions(filter, this.#settings.clock());
    return this.#open().call(
      (session) => session.get<[number]>(this.#sql.count(where), ...values)?.[0] ?? 0,
    );
  }

  async remove(selector: TaskSelector): Promise<number> {
    return this.#each(selector, this.#sql.remove, () => []);
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    return this.#each(selector, this.#sql.setPaused, () => [
      Number(paused),
      paused ? null : this.#settings.clock(),
      Number(paused),
    ]);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#open().call((session) => {
      const now = this.#settings.clock();
      const nextWakeAt = this.#nextWakeAt(session, request.queues);
      // Idle workers ask without taking the lock for writing.
      if (nextWakeAt === null || nextWakeAt > now) return { tasks: [], now, nextWakeAt };
      return session.transaction(() => ({
        tasks: this.#take(session, request, now),
        now,
        nextWakeAt: this.#nextWakeAt(session, request.queues),
      }));
    });
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    return this.#open().write((session) => {
      const expiresAt = this.#settings.clock() + leaseMs;
      return leases.map(
        ({ id, token }) =>
          session.get<[number]>(this.#sql.extend, expiresAt, id, token)?.[0] ?? 'lost',
      );
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    return this.#open().write((session) => {
      const parts = settlements.flatMap(({ history, spawn }) => [...history, ...spawn]);
      let number = this.#reserve(session, settlements.length + parts.length);
      const answers = settlements.map((settlement) => {
        if (!this.#apply(session, settlement, number++)) return this.#refusal(session, settlement);
        for (const entry of settlement.history) this.#append(session, entry, number++);
        for (const record of settlement.spawn) this.#insert(session, record, number++);
        return 'settled';
      });
      // At least twice as fast as entries come, so that forgetting catches up at a cost in proportion.
      if (parts.length > 0) session.run(this.#sql.forgetStale, this.#oldest(), 2 * parts.length);
      return answers;
    });
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    return this.#open().write((session) =>
      leases.map(({ id, token, deferUntil = null }) =>
        session.run(this.#sql.release, deferUntil, id, token) > 0 ? 'released' : 'lost',
      ),
    );
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const { historyLimit } = this.#settings;
    return this.#open().call((session) =>
      session
        .all<[string, number, string]>(
          this.#sql.history,
          taskId,
          this.#oldest(),
          Math.min(limit, historyLimit, Number.MAX_SAFE_INTEGER),
        )
        .map(([id, at, body]) => ({ taskId, id, at, body })),
    );
  }

  /** Never notifies: SQLite has no way to tell another process. */
  async watch(): Promise<() => Promise<void>> {
    this.#open();
    return async () => {};
  }

  /**
   * @param tx a `DatabaseSync` on the same file, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  withTransaction(tx: unknown): DataStore {
    if (!this.capabilities.transactions) {
      throw new SchedError(
        'SCHED_STORE_UNSUPPORTED',
        "path ':memory:' has no transactions to join. Use a file, or a database of your own.",
      );
    }
    if (!isDatabase(tx)) throw notInTransaction();
    const store = new SqliteDataStore(this.#options);
    store.#executor = createExecutor(sessionIn(tx), this.#settings.busyTimeoutMs, true);
    return store;
  }

  #open(): Executor {
    if (!this.#executor) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The SQLite store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#executor;
  }

  /** Takes numbers from the store's counter, each for one token, revision or serial. @returns the first of them */
  #reserve(session: Session, count: number): number {
    if (count === 0) return 0;
    const [last = 0] = session.get<[number]>(this.#sql.reserve, count) ?? [];
    return last - count + 1;
  }

  #insert(session: Session, record: NewTaskRecord, number: number): 'inserted' | 'exists' {
    const inserted = session.run(
      this.#sql.insert,
      number,
      record.id,
      record.name,
      record.queue,
      record.group,
      record.status,
      Number(record.paused),
      record.runAt,
      number,
      record.body,
    );
    return inserted > 0 ? 'inserted' : 'exists';
  }

  #nextWakeAt(session: Session, queues: readonly string[]): number | null {
    const firsts = queues.flatMap((queue) => session.all<[number]>(this.#sql.nextWakeAt, queue));
    return firsts.length > 0 ? Math.min(...firsts.flat()) : null;
  }

  #take(
    session: Session,
    { queues, limit, owner, leaseMs }: ClaimRequest,
    now: number,
  ): ClaimedTask[] {
    const due: TaskRow[] = [];
    for (const queue of queues) {
      if (due.length === limit) break;
      due.push(...session.all<TaskRow>(this.#sql.due, queue, now, limit - due.length));
    }
    let token = this.#reserve(session, due.length);
    const expiresAt = now + leaseMs;
    return due.map((row) => {
      const task = toRecord(row);
      const lease = { token: token++, owner, expiresAt };
      session.run(this.#sql.lease, lease.token, owner, expiresAt, row[0]);
      return {
        ...task,
        lease,
        deliveries: task.deliveries + 1,
        wakeAt: expiresAt,
        lapsedOwner: task.lease?.owner ?? null,
      };
    });
  }

  /** @returns whether the settlement was applied; it is unless a fence stands in its way */
  #apply(session: Session, { id, token, revision, next }: Settlement, number: number): boolean {
    if (!next) return session.run(this.#sql.remove(current), id, token, revision) > 0;
    const { status, runAt, body, paused } = next;
    const values = [status, runAt, body, paused ? 1 : 0, number, token, id, token, revision];
    return session.run(this.#sql.settle, ...values) > 0;
  }

  #refusal(session: Session, { id, token }: Settlement): 'settled' | 'conflict' | 'lost' {
    const row = session.get<TaskRow>(this.#sql.get, id);
    if (row?.[16] === token) return 'settled';
    return row?.[10] === token ? 'conflict' : 'lost';
  }

  #append(session: Session, { taskId, id, at, body }: HistoryEntry, number: number): void {
    const { historyLimit } = this.#settings;
    if (historyLimit === 0) return;
    session.run(this.#sql.append, taskId, id, at, number, body);
    // Finding the excess means walking past what is kept. Where that is much, it is done now and then only, and
    // reading goes by the limit.
    if (Math.random() * historyLimit < 8) session.run(this.#sql.forgetExcess, taskId, historyLimit);
  }

  /** The earliest `at` of an entry that is not too old. */
  #oldest(): number {
    return this.#settings.clock() - this.#settings.historyMaxAgeMs;
  }

  /** Runs a statement on the tasks that are meant. @returns how many changed */
  #each(
    selector: TaskSelector,
    statement: (where: string) => string,
    values: () => SqliteValue[],
  ): Promise<number> {
    return this.#open().write((session) => {
      const given = values();
      if ('all' in selector) return session.run(statement('true'), ...given);
      if ('group' in selector) {
        return session.run(statement('group_name = ?'), ...given, selector.group);
      }
      const sql = statement('id = ?');
      return selector.ids.reduce((sum, id) => sum + session.run(sql, ...given, id), 0);
    });
  }
}

/** The sessions of the users' connections, so that their statements are prepared once. */
const sessions = new WeakMap<SqliteDatabase, Session>();

function sessionIn(database: SqliteDatabase): Session {
  let session = sessions.get(database);
  if (!session) {
    session = createSession(database, true);
    sessions.set(database, session);
  }
  return session;
}

function toRecord(row: TaskRow): TaskRecord {
  const [, id, name, queue, group, status, paused, runAt, body, resumedAt, ...rest] = row;
  const [token, owner, expiresAt, deliveries, revision, wakeAt] = rest;
  const lease = token === null ? null : { token, owner, expiresAt };
  const schedule = { status, paused: paused === 1, runAt, resumedAt, wakeAt };
  return { id, name, queue, group, ...schedule, lease, deliveries, revision, body };
}
