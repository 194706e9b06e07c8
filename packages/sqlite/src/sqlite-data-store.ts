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
import type { Executor } from './executor.js';
import { nestedExecutor } from './executor.js';
import type { Settings, SqliteDataStoreOptions } from './options.js';
import { isDatabase, isFile, readOptions } from './options.js';
import type { Session } from './session.js';
import { nestedSession } from './session.js';
import type { Statements } from './statements.js';
import { conditions, createStatements } from './statements.js';

/** A task as the statements give it. */
interface TaskRow {
  readonly serial: number;
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly groupName: string | null;
  readonly status: TaskStatus;
  readonly paused: number;
  readonly runAt: number | null;
  readonly body: string;
  readonly resumedAt: number | null;
  readonly token: number | null;
  readonly owner: string;
  readonly expiresAt: number;
  readonly deliveries: number;
  readonly revision: number;
  readonly wakeAt: number | null;
}

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
    if (!this.#opening && !this.#executor) {
      const opening = connect(this.#settings);
      this.#opening = opening;
      opening.then(
        (executor) => {
          if (this.#opening === opening) this.#executor = executor;
        },
        () => {
          if (this.#opening === opening) this.#opening = undefined;
        },
      );
    }
    await this.#opening;
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
      if (row.revision !== expected.revision) return 'conflict';
      session.run(
        this.#sql.update,
        change.name ?? row.name,
        change.queue ?? row.queue,
        change.group === undefined ? row.groupName : change.group,
        change.status ?? row.status,
        change.runAt === undefined ? row.runAt : change.runAt,
        change.body ?? row.body,
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
      const { where, values } = conditions(filter);
      // A group has an index. Whatever else is asked for is looked for task by task, a stretch of them a page.
      const horizon =
        typeof filter.group === 'string'
          ? undefined
          : session.get<TaskRow>(this.#sql.horizon, from, listingHorizon + limit)?.serial;
      const rows = session.all<TaskRow>(
        this.#sql.list(where),
        from,
        horizon ?? Number.MAX_SAFE_INTEGER,
        ...values,
        limit + 1,
      );
      const isFull = rows.length > limit;
      const page = isFull ? rows.slice(0, limit) : rows;
      const next = isFull ? page.at(-1)?.serial : horizon;
      return { tasks: page.map(toRecord), next: next === undefined ? null : String(next) };
    });
  }

  async count(filter: TaskFilter): Promise<number> {
    const { where, values } = conditions(filter);
    return this.#open().call(
      (session) => session.get<{ count: number }>(this.#sql.count(where), ...values)?.count ?? 0,
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
      const now = this.#settings.clock();
      return leases.map(({ id, token }) => {
        const values = [now + leaseMs, id, token, now];
        return session.get<{ revision: number }>(this.#sql.extend, ...values)?.revision ?? 'lost';
      });
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    return this.#open().write((session) => {
      const now = this.#settings.clock();
      const spawned = settlements.reduce((sum, { spawn }) => sum + spawn.length, 0);
      let number = this.#reserve(session, settlements.length + spawned);
      let appended = 0;
      const answers = settlements.map((settlement) => {
        if (!this.#apply(session, settlement, number++)) return this.#refusal(session, settlement);
        for (const entry of settlement.history) appended += this.#append(session, entry);
        for (const record of settlement.spawn) this.#insert(session, record, number++);
        return 'settled';
      });
      // Twice as fast as entries come, so that forgetting catches up at a cost in proportion.
      if (appended > 0) session.run(this.#sql.forgetStale, this.#oldest(now), 2 * appended);
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
    const { historyLimit, clock } = this.#settings;
    return this.#open().call((session) =>
      session
        .all<HistoryEntry>(
          this.#sql.history,
          taskId,
          this.#oldest(clock()),
          Math.min(limit, historyLimit, Number.MAX_SAFE_INTEGER),
        )
        .map((entry) => ({ ...entry })),
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
        "A store on path ':memory:' has no transactions, for nobody else can reach that database. Use a file, or pass a connection of your own as database.",
      );
    }
    if (!isDatabase(tx)) {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        'withTransaction takes a DatabaseSync of node:sqlite that is inside a transaction.',
      );
    }
    const store = new SqliteDataStore(this.#options);
    store.#executor = nestedExecutor(sessionIn(tx), this.#settings.busyTimeoutMs);
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
    const last = session.get<{ value: number }>(this.#sql.reserve, count)?.value ?? 0;
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
    let next: number | null = null;
    for (const queue of queues) {
      const first = session.get<{ wakeAt: number }>(this.#sql.nextWakeAt, queue)?.wakeAt;
      if (first !== undefined && (next === null || first < next)) next = first;
    }
    return next;
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
      const lease = { token: token++, owner, expiresAt };
      session.run(this.#sql.lease, lease.token, owner, expiresAt, row.serial);
      return {
        ...toRecord(row),
        lease,
        deliveries: row.deliveries + 1,
        wakeAt: expiresAt,
        lapsedOwner: row.token === null ? null : row.owner,
      };
    });
  }

  /** @returns whether the settlement was applied; it is unless a fence stands in its way */
  #apply(session: Session, { id, token, revision, next }: Settlement, number: number): boolean {
    if (!next) return session.run(this.#sql.settleByRemoval, id, token, revision) > 0;
    const { status, runAt, body, paused = false } = next;
    const values = [status, runAt, body, Number(paused), number, token, id, token, revision];
    return session.run(this.#sql.settle, ...values) > 0;
  }

  #refusal(session: Session, { id, token }: Settlement): 'settled' | 'conflict' | 'lost' {
    const fences = session.get<{ token: number | null; settledToken: number | null }>(
      this.#sql.fences,
      id,
    );
    if (fences?.settledToken === token) return 'settled';
    return fences?.token === token ? 'conflict' : 'lost';
  }

  /** @returns how many entries were added: none if it was there, or if none are to be kept */
  #append(session: Session, { taskId, id, at, body }: HistoryEntry): number {
    const { historyLimit } = this.#settings;
    if (historyLimit === 0) return 0;
    const added = session.run(this.#sql.append, taskId, id, at, body);
    // Finding the excess means walking past what is kept. Where that is much, it is done now and then only, and
    // reading goes by the limit.
    if (Number.isFinite(historyLimit) && Math.random() * historyLimit < 16) {
      session.run(this.#sql.forgetExcess, taskId, historyLimit);
    }
    return added;
  }

  /** The earliest `at` of an entry that is not too old. */
  #oldest(now: number): number {
    return now - this.#settings.historyMaxAgeMs;
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
    session = nestedSession(database);
    sessions.set(database, session);
  }
  return session;
}

function toRecord(row: TaskRow): TaskRecord {
  const { token, owner, expiresAt } = row;
  return {
    id: row.id,
    name: row.name,
    queue: row.queue,
    group: row.groupName,
    status: row.status,
    paused: row.paused === 1,
    runAt: row.runAt,
    body: row.body,
    resumedAt: row.resumedAt,
    lease: token === null ? null : { token, owner, expiresAt },
    deliveries: row.deliveries,
    revision: row.revision,
    wakeAt: row.wakeAt,
  };
}
