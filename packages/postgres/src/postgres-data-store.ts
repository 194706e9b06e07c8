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
  WakeUp,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { assertSizes, batches } from './batches.js';
import { ClaimStarts } from './claim-starts.js';
import { isPool, isQueryable } from './client.js';
import type { Connection } from './connect.js';
import { connect, createListener } from './connect.js';
import type { Wake } from './notifications.js';
import { Notifier, notify, Watcher } from './notifications.js';
import type { PostgresDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import type { Session } from './session.js';
import { createSession } from './session.js';
import type { Statements } from './statements.js';
import { createStatements } from './statements.js';

/** A task as the statements give it. */
type TaskRow = readonly [
  id: string,
  name: string,
  queue: string,
  group: string | null,
  status: TaskStatus,
  paused: boolean,
  runAt: number | null,
  body: string,
  resumedAt: number | null,
  token: number | null,
  owner: string,
  expiresAt: number,
  deliveries: number,
  revision: number,
  wakeAt: number | null,
  lapsedOwner?: string | null,
];

/** What belongs to an open store. */
interface Open {
  readonly session: Session;
  /** Says that tasks have come to wake. @returns when that has been said */
  readonly tell: (wakes: readonly Wake[] | null) => Promise<void>;
  readonly watcher: Watcher | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Tasks in PostgreSQL 13 or later, through `pg`. Any number of processes on any number of machines may share them. The
 * store's clock is the server's.
 */
export class PostgresDataStore implements DataStore {
  readonly name = 'postgres';

  readonly #options: PostgresDataStoreOptions;
  readonly #settings: Settings;
  readonly #sql: Statements;
  readonly #starts = new ClaimStarts();
  /** Those that were claimed from last. */
  #queues: readonly string[] = [];
  #isWatchable: boolean;
  #opening: Promise<Open> | undefined;
  #opened: Open | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: PostgresDataStoreOptions) {
    const settings = readOptions(options);
    const { pool, listen, pooler, prefix } = settings;
    this.#options = options;
    this.#settings = settings;
    this.#sql = createStatements(prefix);
    this.#isWatchable = listen ? true : listen !== false && !pooler && !(pool && !isPool(pool));
  }

  /** Whether it can watch is certain once it is open: then it is known whether a pooler is in the way. */
  get capabilities(): DataStoreCapabilities {
    return { history: true, watch: this.#isWatchable, transactions: true, processes: true };
  }

  async open(): Promise<void> {
    if (this.#opened) return;
    this.#opening ??= connect(this.#settings).then((connection) => this.#start(connection));
    const opening = this.#opening;
    try {
      const opened = await opening;
      if (this.#opening === opening) this.#opened = opened;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#opened = undefined;
    await (await opening?.catch(() => undefined))?.close();
  }

  async now(): Promise<number> {
    const { session } = this.#open();
    return this.#time() ?? one(await session.all<number>(this.#sql.now, null));
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    const { session, tell } = this.#open();
    assertSizes(records.map(({ body }) => body));
    const answers: ('inserted' | 'exists')[] = [];
    for (const part of batches(records, ({ body }) => [body])) {
      const [positions] = await session.all<number[] | null>(this.#sql.insert, part, this.#time());
      const inserted = new Set(positions);
      answers.push(...part.map((_, position) => (inserted.has(position) ? 'inserted' : 'exists')));
      await tell(wakesOf(part, inserted));
    }
    return answers;
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    const rows = await this.#open().session.all<TaskRow>(this.#sql.get, ids);
    const rowsById = new Map(rows.map((row) => [row[0], row]));
    return ids.map((id) => {
      const row = rowsById.get(id);
      return row && toRecord(row);
    });
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    { revision }: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    const { session, tell } = this.#open();
    assertSizes([change.body ?? '']);
    const [found, changed, wakes] = one(
      await session.all<[number, number, Wake[] | null]>(
        this.#sql.update,
        { ...change, id, revision },
        this.#time(),
      ),
    );
    await tell(wakes);
    if (found === 0) return 'missing';
    return changed === 0 ? 'conflict' : 'updated';
  }

  async list({ after, limit, ...filter }: ListRequest): Promise<ListResult> {
    // The next text after another, byte by byte: no text has a character 0.
    const from = after === undefined ? '' : `${after}\u0001`;
    const rows = await this.#open().session.all<[string | null, ...TaskRow]>(
      this.#sql.list(filter),
      { ...filter, from, limit, now: this.#time() },
    );
    const tasks = rows.flatMap(([, ...row]) => (row[0] === null ? [] : [toRecord(row)]));
    const page = tasks.slice(0, limit);
    const next = tasks.length > limit ? page.at(-1)?.id : rows[0]?.[0];
    return { tasks: page, next: next ?? null };
  }

  async count(filter: TaskFilter): Promise<number> {
    const { session } = this.#open();
    return one(
      await session.all<number>(this.#sql.count(filter), { ...filter, now: this.#time() }),
    );
  }

  async remove(selector: TaskSelector): Promise<number> {
    return one(await this.#open().session.all<number>(this.#sql.remove(selector), selector));
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    const { session, tell } = this.#open();
    const sql = this.#sql.setPaused(selector, paused);
    const [changed, wakes] = one(
      await session.all<[number, Wake[] | null]>(sql, selector, this.#time()),
    );
    await tell(wakes);
    return changed;
  }

  async claim({ queues, limit, owner, leaseMs }: ClaimRequest): Promise<ClaimResult> {
    const { session } = this.#open();
    this.#queues = queues;
    const start = this.#starts.begin(queues);
    const { starts, probe, after } = start;
    const rows = await session.all<TaskRow | ClaimEnd>(
      this.#sql.claim,
      { starts, limit, owner, leaseMs, probe, after },
      this.#time(),
    );
    const [now, firsts, writers] = rows.pop() as ClaimEnd;
    this.#starts.end(start, now, rows.length, firsts ?? [], writers);
    const wakeAts = (firsts ?? []).flatMap((first) => (first ? [first[0]] : []));
    return {
      tasks: (rows as TaskRow[]).map(
        (row) => ({ ...toRecord(row), lapsedOwner: row[15] }) as ClaimedTask,
      ),
      now,
      nextWakeAt: wakeAts.length > 0 ? Math.min(...wakeAts) : null,
    };
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    const { session } = this.#open();
    const answers = leases.map((): number | 'lost' => 'lost');
    const rows = await session.all<[number, number]>(
      this.#sql.extend,
      leases,
      this.#time(),
      leaseMs,
    );
    for (const [position, revision] of rows) answers[position] = revision;
    return answers;
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const { session, tell } = this.#open();
    const { historyLimit } = this.#settings;
    assertSizes(settlements.flatMap(bodiesOf));
    const answers: ('settled' | 'conflict' | 'lost')[] = [];
    const given =
      historyLimit > 0 ? settlements : settlements.map((each) => ({ ...each, history: [] }));
    for (const part of batches(given, bodiesOf, idsOf)) {
      const [verdicts, wakes, spawned] = one(
        await session.all<[Verdict[], Wake[] | null, number[] | null]>(
          this.#sql.settle,
          part,
          this.#time(),
          this.#forget(part),
        ),
      );
      answers.push(...verdicts.map((verdict) => (verdict === 'applied' ? 'settled' : verdict)));
      const spawns = part.flatMap(({ spawn }, at) => (verdicts[at] === 'applied' ? spawn : []));
      const told = tell([...(wakes ?? []), ...wakesOf(spawns, new Set(spawned))]);
      // It has to be said before the user commits; otherwise nobody waits for it.
      if (session.isNested) await told;
    }
    return answers;
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    const { session, tell } = this.#open();
    const [positions, wakes] = one(
      await session.all<[number[] | null, Wake[] | null]>(this.#sql.release, leases, this.#time()),
    );
    const told = tell(wakes);
    if (session.isNested) await told;
    const released = new Set(positions);
    return leases.map((_, position) => (released.has(position) ? 'released' : 'lost'));
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const { historyLimit, historyMaxAgeMs: age } = this.#settings;
    const rows = await this.#open().session.all<[string, number, string]>(
      this.#sql.history,
      { taskId, age, limit: Math.min(limit, historyLimit) },
      this.#time(),
    );
    return rows.map(([id, at, body]) => ({ taskId, id, at, body }));
  }

  async watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>> {
    const { watcher } = this.#open();
    return watcher && this.#isWatchable ? watcher.watch(listener) : async () => {};
  }

  /**
   * @param tx a client of `pg` on the same database, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  withTransaction(tx: unknown): DataStore {
    if (!isQueryable(tx) || isPool(tx)) {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        'withTransaction takes a client of pg inside a transaction: BEGIN one before, and COMMIT it after.',
      );
    }
    const store = new PostgresDataStore(this.#options);
    store.#opened = {
      session: createSession(tx, this.#settings, true),
      tell: async (wakes) => {
        if (wakes?.length) await notify(tx, this.#settings.channel, wakes);
      },
      watcher: undefined,
      close: async () => {},
    };
    return store;
  }

  #start({ client, isPooled, close }: Connection): Open {
    const settings = this.#settings;
    const notifier = new Notifier(client, settings.channel);
    const watcher = new Watcher(
      () => createListener(settings),
      settings,
      () => this.#queues,
    );
    if (isPooled && !settings.listen) this.#isWatchable = false;
    return {
      session: createSession(client, settings),
      tell: (wakes) => notifier.send(wakes ?? []),
      watcher,
      async close() {
        await Promise.all([watcher.close(), notifier.close()]);
        await close();
      },
    };
  }

  #open(): Open {
    if (!this.#opened) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The PostgreSQL store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#opened;
  }

  /** The injected time. */
  #time(): number | null {
    return this.#settings.clock?.() ?? null;
  }

  /**
   * What to delete of the history along with these settlements. Finding the excess of a task means walking past what
   * is kept, so it is done for some of them, by chance, and so is the deletion of what is too old: twice as fast as
   * entries come. Reading goes by the limits.
   */
  #forget(settlements: readonly Settlement[]): object | null {
    const { historyLimit, historyMaxAgeMs: age } = this.#settings;
    const share = Math.max(4 / historyLimit, 1 / 64);
    const drawn = settlements.flatMap(({ history }) => history).filter(() => Math.random() < share);
    if (drawn.length === 0) return null;
    const tasks = Number.isFinite(historyLimit) ? drawn.map(({ taskId }) => taskId) : [];
    return {
      tasks,
      keep: historyLimit,
      age,
      stale: Math.ceil((2 * drawn.length) / Math.min(1, share)),
    };
  }
}

type ClaimEnd = readonly [
  now: number,
  firsts: readonly (readonly [at: number, serial: number] | null)[] | null,
  writers: readonly string[] | null,
];

type Verdict = 'applied' | 'settled' | 'conflict' | 'lost';

function bodiesOf({ next, history, spawn }: Settlement): string[] {
  return [...history, ...spawn, ...(next ? [next] : [])].map(({ body }) => body);
}

function idsOf({ id, spawn }: Settlement): string[] {
  return [id, ...spawn.map((record) => record.id)];
}

/** Where those that were inserted wake. */
function wakesOf(records: readonly NewTaskRecord[], inserted: ReadonlySet<number>): Wake[] {
  return records.flatMap(({ queue, runAt, paused, status }, position): Wake[] =>
    inserted.has(position) && runAt !== null && !paused && status === 'scheduled'
      ? [[queue, runAt]]
      : [],
  );
}

/** The one answer of a statement that always gives one. */
function one<T>([answer]: readonly T[]): T {
  return answer as T;
}

function toRecord(row: TaskRow): TaskRecord {
  const [id, name, queue, group, status, paused, runAt, body, resumedAt, token, ...rest] = row;
  const [owner, expiresAt, deliveries, revision, wakeAt] = rest;
  const lease = token === null ? null : { token, owner, expiresAt };
  return {
    ...{ id, name, queue, group, status, paused, runAt, body, resumedAt },
    ...{ lease, deliveries, revision, wakeAt },
  };
}
