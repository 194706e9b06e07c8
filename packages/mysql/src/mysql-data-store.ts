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
} from '@sched/core';
import { SchedError } from '@sched/core';
import type { Placed } from './batches.js';
import { batches, bytesOf, inOrder } from './batches.js';
import { isConnection, promising } from './client.js';
import { connect, minPacketBytes } from './connect.js';
import type { MysqlDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import type { Row, Session } from './session.js';
import { createSession, toJson } from './session.js';
import type { Statements } from './statements.js';
import { createStatements } from './statements.js';

/** What belongs to an open store. */
interface Open {
  readonly session: Session;
  readonly maxPacketBytes: number;
  readonly close: () => Promise<void>;
}

/** What one call of a procedure holds: with more it is no faster. */
const maxItems = 1000;

/** What one call of a procedure holds where the server would take more. */
const maxBytes = 16 * 1024 * 1024;

/** What a request has beside its items. */
const overheadBytes = 64 * 1024;

/**
 * Tasks in MySQL 8.0 or MariaDB 10.6 and later, through `mysql2`. Any number of processes on any number of machines may
 * share them. The store's clock is the server's.
 */
export class MysqlDataStore implements DataStore {
  readonly name = 'mysql';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    watch: false,
    transactions: true,
    processes: true,
  };

  readonly #options: MysqlDataStoreOptions;
  readonly #settings: Settings;
  readonly #sql: Statements;
  #opening: Promise<Open> | undefined;
  #opened: Open | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: MysqlDataStoreOptions) {
    this.#options = options;
    this.#settings = readOptions(options);
    this.#sql = createStatements(this.#settings.namespace);
  }

  async open(): Promise<void> {
    if (this.#opened) return;
    this.#opening ??= connect(this.#settings).then(({ client, ...rest }) => ({
      session: createSession(client, this.#settings),
      ...rest,
    }));
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
    return this.#time() ?? Number((await session.all(...this.#sql.now()))[0]?.[0]);
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    const answers = records.map((): 'inserted' | 'exists' => 'exists');
    const parts = this.#batches(records, (record) => ({
      ids: [record.id],
      bytes: bytesOf(textsOf(record)),
    }));
    for (const part of parts) {
      const [rows = []] = await this.#call(
        'insert',
        part.map(({ item }) => withoutNulls(item)),
      );
      for (const { position } of pick(part, rows)) answers[position] = 'inserted';
    }
    return answers;
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    const found = new Map<string, TaskRecord>();
    for (const part of this.#parts(new Set(ids))) {
      const [rows = []] = await this.#call('get', part);
      for (const task of rows.map(toRecord)) found.set(task.id, task);
    }
    return ids.map((id) => found.get(id));
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    { revision }: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    this.#batches([change], () => ({
      ids: [id],
      bytes: bytesOf(Object.values(change).map(String)),
    }));
    const [rows] = await this.#call('update', { ...change, id, revision });
    const [found, number] = rows?.[0] ?? [];
    if (found === null) return 'missing';
    return number === null ? 'conflict' : 'updated';
  }

  async list({ after = '', limit, ...filter }: ListRequest): Promise<ListResult> {
    const { session } = this.#open();
    const { group, ...rest } = filter;
    const isPicky = group === null || Object.values(rest).some((value) => value !== undefined);
    const [end] = isPicky ? await session.all(...this.#sql.horizon(filter, after)) : [];
    const last = end ? String(end[0]) : null;
    const list = this.#sql.list(filter, this.#time(), after, last, Math.trunc(limit) + 1);
    const rows = await session.all(...list);
    const tasks = rows.slice(0, limit).map(toRecord);
    const next = rows.length > limit ? (tasks.at(-1)?.id ?? null) : last;
    return { tasks, next };
  }

  async count(filter: TaskFilter): Promise<number> {
    const [row] = await this.#open().session.all(...this.#sql.count(filter, this.#time()));
    return Number(row?.[0]);
  }

  async remove(selector: TaskSelector): Promise<number> {
    return this.#bulk('remove', selector, {});
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    return this.#bulk('set_paused', selector, { paused: Number(paused) });
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const results = await this.#call('claim', request);
    const [now, nextWakeAt] = results.pop()?.[0] ?? [];
    const { owner, leaseMs } = request;
    const expiresAt = Number(now) + leaseMs;
    const tasks = results.flatMap((rows) =>
      rows
        .map((row): [wakeAt: number, ClaimedTask] => {
          const { lease, ...task } = toRecord(row);
          const claimed = {
            ...task,
            lease: { token: Number(row.at(-1)), owner, expiresAt },
            deliveries: task.deliveries + 1,
            wakeAt: expiresAt,
            lapsedOwner: lease?.owner ?? null,
          };
          return [Number(task.wakeAt), claimed];
        })
        .sort(([a], [b]) => a - b)
        .map(([, task]) => task),
    );
    return { tasks, now: Number(now), nextWakeAt: toNumber(nextWakeAt) };
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    const answers = leases.map((): number | 'lost' => 'lost');
    const parts = this.#batches(leases, ({ id }) => ({ ids: [id], bytes: bytesOf([id]) }));
    for (const part of parts) {
      const request = { leases: part.map(({ item }) => item), leaseMs };
      const [rows = []] = await this.#call('extend', request);
      for (const [place, revision] of rows) {
        const position = part[Number(place) - 1]?.position;
        if (position !== undefined) answers[position] = Number(revision);
      }
    }
    return answers;
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const answers = settlements.map((): 'settled' | 'conflict' | 'lost' => 'lost');
    const parts = this.#batches(settlements, ({ id, next, history, spawn }) => ({
      ids: [id, ...spawn.map((record) => record.id)],
      bytes: bytesOf([
        ...[id, next?.body],
        ...history.flatMap((entry) => [entry.taskId, entry.id, entry.body]),
        ...spawn.flatMap(textsOf),
      ]),
    }));
    for (const part of parts) {
      const [rows] = await this.#call('settle', {
        settlements: part.map(({ item: { id, token, revision, next } }) => ({
          ...{ id, token, revision },
          next: next && withoutNulls({ ...next, paused: next.paused && 1 }),
        })),
        history: this.#entries(part),
        spawn: spawnsOf(part),
        forget: this.#forget(part),
      });
      const verdicts = String(rows?.[0]?.[0]);
      for (const [index, { position }] of part.entries()) {
        answers[position] = verdictOf(verdicts[index]);
      }
    }
    return answers;
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    const answers = leases.map((): 'released' | 'lost' => 'lost');
    const parts = this.#batches(leases, ({ id }) => ({ ids: [id], bytes: bytesOf([id]) }));
    for (const part of parts) {
      const [rows = []] = await this.#call('release', {
        leases: part.map(({ item: { id, token, deferUntil } }) => ({
          ...{ id, token, notBefore: deferUntil },
        })),
      });
      for (const { position } of pick(part, rows)) answers[position] = 'released';
    }
    return answers;
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const { historyLimit, historyMaxAgeMs } = this.#settings;
    const { session } = this.#open();
    const most = Math.min(Math.trunc(limit), historyLimit);
    if (most < 1) return [];
    const age = Math.min(historyMaxAgeMs, Number.MAX_SAFE_INTEGER);
    const rows = await session.all(...this.#sql.history(taskId, this.#time(), age, most));
    return rows.map(([id, at, body]) => ({
      taskId,
      id: String(id),
      at: Number(at),
      body: String(body),
    }));
  }

  async watch(): Promise<() => Promise<void>> {
    this.#open();
    return async () => {};
  }

  /**
   * @param tx a connection of `mysql2` to the same database, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  withTransaction(tx: unknown): DataStore {
    const client = promising(tx);
    if (!isConnection(client)) {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        'withTransaction takes a connection of mysql2 inside a transaction: begin one before, and commit it after.',
      );
    }
    const store = new MysqlDataStore(this.#options);
    store.#opened = {
      session: createSession(client, this.#settings, true),
      maxPacketBytes: this.#opened?.maxPacketBytes ?? minPacketBytes,
      close: async () => {},
    };
    return store;
  }

  #open(): Open {
    if (!this.#opened) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The MySQL store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#opened;
  }

  /** The injected time. */
  #time(): number | null {
    return this.#settings.clock?.() ?? null;
  }

  async #call(procedure: string, request: unknown): Promise<(readonly Row[])[]> {
    return this.#open().session.call(procedure, toJson(request), this.#time());
  }

  #batches<T>(
    items: readonly T[],
    extentOf: (item: T) => { readonly ids: readonly string[]; readonly bytes: number },
  ): Placed<T>[][] {
    const { maxPacketBytes } = this.#open();
    return batches(items, extentOf, {
      maxItems,
      maxBytes: Math.min(maxPacketBytes, maxBytes) - overheadBytes,
    });
  }

  /** Ids in the order of locks, as many at a time as one statement takes. */
  #parts(ids: ReadonlySet<string>): string[][] {
    const parts = this.#batches(inOrder(ids), (id) => ({ ids: [], bytes: bytesOf([id]) }));
    return parts.map((part) => part.map(({ item }) => item));
  }

  async #bulk(procedure: string, selector: TaskSelector, rest: object): Promise<number> {
    const selectors =
      'ids' in selector
        ? this.#parts(new Set(selector.ids)).map((ids) => ({ ids }))
        : ['group' in selector ? { group: selector.group } : {}];
    let changed = 0;
    for (const each of selectors) {
      const [rows] = await this.#call(procedure, { ...each, ...rest });
      changed += Number(rows?.[0]?.[0]);
    }
    return changed;
  }

  /** What is appended to the history by these settlements, in the order in which they were given. */
  #entries(part: readonly Placed<Settlement>[]): object[] {
    if (this.#settings.historyLimit === 0) return [];
    return part
      .map(({ item, position }, index) => ({ entries: item.history, position, p: index + 1 }))
      .sort((a, b) => a.position - b.position)
      .flatMap(({ entries, p }) => entries.map((entry) => ({ ...entry, p })));
  }

  /**
   * What to delete of the history along with these settlements. Finding the excess of a task means walking past what
   * is kept, so it is done for some of them, by chance, and so is the deletion of what is too old: twice as fast as
   * entries come. Reading goes by the limits.
   */
  #forget(part: readonly Placed<Settlement>[]): object | undefined {
    const { historyLimit, historyMaxAgeMs: age } = this.#settings;
    if (historyLimit === 0) return undefined;
    const share = Math.max(4 / historyLimit, 1 / 64);
    const drawn = part.flatMap(({ item }) => item.history).filter(() => Math.random() < share);
    if (drawn.length === 0) return undefined;
    const tasks = Number.isFinite(historyLimit) ? drawn.map(({ taskId }) => taskId) : [];
    return {
      tasks,
      ...(tasks.length > 0 && { keep: historyLimit }),
      ...(Number.isFinite(age) && { age }),
      stale: Math.ceil((2 * drawn.length) / Math.min(1, share)),
    };
  }
}

/** Those items of a part that the first column of these rows names, counted from 1. */
function pick<T>(part: readonly Placed<T>[], rows: readonly Row[]): Placed<T>[] {
  return rows.flatMap(([place]) => part[Number(place) - 1] ?? []);
}

function spawnsOf(part: readonly Placed<Settlement>[]): object[] {
  const spawns = part.flatMap(({ item }, index) =>
    item.spawn.map((record) => ({ ...withoutNulls(record), p: index + 1 })),
  );
  // Of several with one id the first is meant.
  const byId = new Map(spawns.reverse().map((spawn) => [spawn.id, spawn]));
  return inOrder(byId.keys()).flatMap((id) => byId.get(id) ?? []);
}

function textsOf({ id, name, queue, group, body }: NewTaskRecord): (string | null)[] {
  return [id, name, queue, group, body];
}

/** A member that is null is left out, which means the same. */
function withoutNulls<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) as T;
}

function verdictOf(verdict: string | undefined): 'settled' | 'conflict' | 'lost' {
  if (verdict === 'A' || verdict === 'S') return 'settled';
  return verdict === 'C' ? 'conflict' : 'lost';
}

function toNumber(value: Row[number] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function toRecord(row: Row): TaskRecord {
  const [id, name, queue, group, status, paused, runAt, body, resumedAt, token, ...rest] = row;
  const [owner, expiresAt, deliveries, revision, wakeAt] = rest;
  const lease =
    token === null
      ? null
      : { token: Number(token), owner: String(owner), expiresAt: Number(expiresAt) };
  return {
    id: String(id),
    name: String(name),
    queue: String(queue),
    group: group === null ? null : String(group),
    status: status as TaskRecord['status'],
    paused: Boolean(Number(paused)),
    runAt: toNumber(runAt),
    body: String(body),
    resumedAt: toNumber(resumedAt),
    lease,
    deliveries: Number(deliveries),
    revision: Number(revision),
    wakeAt: toNumber(wakeAt),
  };
}
