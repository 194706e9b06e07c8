import type {
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
  WakeUp,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { chunks, inParts, maxInserted } from './batches.js';
import type { Horizons } from './claims.js';
import { claimFrom } from './claims.js';
import type { MongoSessionLike } from './client.js';
import { isClient, isSession } from './client.js';
import type { Connection } from './connect.js';
import { assertTransactions, connect, withoutTransactions } from './connect.js';
import {
  checkBodies,
  checkRecord,
  checkTexts,
  Pending,
  toDocument,
  toRecord,
  visible,
} from './documents.js';
import { forget, readHistory } from './history.js';
import { extendLeases, releaseLeases } from './leases.js';
import { countTasks, listTasks } from './listings.js';
import { Numbers } from './numbers.js';
import type { MongoDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import type { Delivery } from './outbox.js';
import { deliverOf, deliverSpawned, heal, occupy } from './outbox.js';
import { paused, removed, selected, updated } from './pipelines.js';
import type { Collections } from './session.js';
import { collectionsOf, createSession, databaseOf } from './session.js';
import { settle } from './settlements.js';
import { StoreClock } from './store-clock.js';
import { Watcher } from './watcher.js';

/** What belongs to an open store. */
interface Open extends Delivery {
  readonly clock: StoreClock;
  readonly horizons: Horizons;
  readonly watcher: Watcher | undefined;
  readonly close: () => Promise<void>;
}

/** How often what others have left undone is looked for, in milliseconds. */
const healEveryMs = 5000;

/**
 * Tasks in MongoDB 4.4 or later, through `mongodb`: a standalone server, a replica set or a sharded cluster. Any number
 * of processes on any number of machines may share them. The store's clock is the server's.
 */
export class MongoDataStore implements DataStore {
  readonly name = 'mongo';

  readonly #settings: Settings;
  readonly #options: MongoDataStoreOptions;
  #opening: Promise<Open> | undefined;
  #opened: Open | undefined;
  #isReplicated = true;
  /** Those that were claimed from last. */
  #queues: readonly string[] = [];
  #lookedAt = 0;
  #left: ReadonlySet<string> = new Set();

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: MongoDataStoreOptions) {
    this.#settings = readOptions(options);
    this.#options = options;
  }

  /** Whether it can watch and has transactions is certain once it is open: a standalone server can do neither. */
  get capabilities(): DataStoreCapabilities {
    const isReplicated = this.#isReplicated;
    return { history: true, watch: isReplicated, transactions: isReplicated, processes: true };
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
    return this.#open().clock.now();
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    const open = this.#open();
    for (const record of records) checkRecord(record);
    const answers = records.map((): 'inserted' | 'exists' => 'exists');
    const positions = new Map<string, number>();
    for (const [position, { id }] of records.entries()) {
      if (!positions.has(id)) positions.set(id, position);
    }
    for (const part of chunks([...positions.values()], maxInserted)) {
      const first = await open.numbers.unique(part.length);
      const documents = part.map((position, index) =>
        toDocument(records[position] as NewTaskRecord, first + index),
      );
      const serials = await occupy(open, documents, true);
      for (const [index, position] of part.entries()) {
        if (serials[index] === first + index) answers[position] = 'inserted';
      }
    }
    return answers;
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    const { session } = this.#open();
    checkTexts(...ids);
    const found = new Map<string, TaskRecord>();
    for (const part of chunks(ids)) {
      const filter = { _id: { $in: part }, status: { $in: visible } };
      for (const task of await session.find(session.tasks, filter)) {
        found.set(task._id, toRecord(task));
      }
    }
    return ids.map((id) => found.get(id));
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    const { session, numbers } = this.#open();
    const { name, queue, group, status, body } = change;
    checkTexts(id, name, queue, group, status);
    checkBodies(body === undefined ? [] : [body]);
    const revision = await numbers.unique();
    const pipeline = updated(change, revision);
    const there = { _id: id, status: { $in: visible } };
    const current = { ...there, revision: expected.revision };
    const { matchedCount } = await session.run((options) =>
      session.tasks.updateMany(current, pipeline, options),
    );
    if (matchedCount > 0) return 'updated';
    const [task] = await session.find(session.tasks, there, { projection: { revision: 1 } });
    if (!task) return 'missing';
    // The driver may have made the call again, whose first answer was lost.
    return task.revision === revision ? 'updated' : 'conflict';
  }

  async list(request: ListRequest): Promise<ListResult> {
    const { session, clock } = this.#open();
    return listTasks(session, clock, request);
  }

  async count(filter: TaskFilter): Promise<number> {
    const { session, clock } = this.#open();
    return countTasks(session, clock, filter);
  }

  async remove(selector: TaskSelector): Promise<number> {
    const { session } = this.#open();
    const { tasks, run } = session;
    return this.#forEachPart(selector, async (part) => {
      const there = selected(part);
      const empty = { outbox: { $exists: false } };
      const { deletedCount } = await run((options) =>
        tasks.deleteMany({ ...there, ...empty }, options),
      );
      // Those that have something in their outbox stay until it is delivered, but are gone for everybody.
      const { matchedCount } = await run((options) => tasks.updateMany(there, removed(), options));
      if (matchedCount > 0) {
        const rest = { pending: { $gte: Pending.other }, status: 'removed', ...empty };
        await run((options) => tasks.deleteMany(rest, options));
      }
      return deletedCount + matchedCount;
    });
  }

  async setPaused(selector: TaskSelector, isPaused: boolean): Promise<number> {
    const { session, clock } = this.#open();
    const now = isPaused ? null : await clock.now();
    return this.#forEachPart(selector, async (part) => {
      const others = { ...selected(part), paused: !isPaused };
      const { matchedCount } = await session.run((options) =>
        session.tasks.updateMany(others, paused(isPaused, now), options),
      );
      return matchedCount;
    });
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const open = this.#open();
    checkTexts(request.owner, ...request.queues);
    this.#queues = request.queues;
    await this.#heal(open);
    return claimFrom(open, open.clock, open.horizons, request);
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    const { session, clock } = this.#open();
    checkTexts(...leases.map(({ id }) => id));
    return extendLeases(session, clock, leases, leaseMs);
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const open = this.#open();
    for (const settlement of settlements) check(settlement);
    const isKept = this.#settings.historyLimit > 0;
    const given = isKept ? settlements : settlements.map((each) => ({ ...each, history: [] }));
    const answers: ('settled' | 'conflict' | 'lost')[] = [];
    for (const part of inParts(given, idsOf)) answers.push(...(await settle(open, part)));
    const added = given.flatMap(({ history }) => history.map(({ taskId }) => taskId));
    if (!open.session.isNested) {
      // What was settled is settled, whatever comes of this; the next call tries again.
      await forget(open.session, open.clock, this.#settings, added).catch(() => {});
    }
    return answers;
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    const { session } = this.#open();
    checkTexts(...leases.map(({ id }) => id));
    return releaseLeases(session, leases);
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const open = this.#open();
    checkTexts(taskId);
    await deliverOf(open, taskId);
    return readHistory(open.session, open.clock, this.#settings, taskId, limit);
  }

  async watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>> {
    const { watcher } = this.#open();
    return watcher ? watcher.watch(listener) : async () => {};
  }

  /**
   * @param tx a `ClientSession` of `mongodb` on the same deployment, in a transaction that the caller has started
   * @throws SchedError `SCHED_STORE_UNSUPPORTED` on a standalone server, `SCHED_ARGUMENT_INVALID` when `tx` is
   *   something else
   */
  withTransaction(tx: unknown): DataStore {
    if (!this.#isReplicated) throw withoutTransactions();
    if (!isSession(tx) || !isClient(tx.client)) {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        'withTransaction takes a ClientSession of mongodb in a transaction: start one before, and commit it after.',
      );
    }
    const store = new MongoDataStore(this.#options);
    const database = databaseOf(tx.client, this.#settings);
    const collections = collectionsOf(database, this.#settings);
    const check = this.#opened ? undefined : () => assertTransactions(database);
    store.#opened = this.#toOpen(collections, tx, check);
    return store;
  }

  async #start({ collections, isReplicated, close }: Connection): Promise<Open> {
    this.#isReplicated = isReplicated;
    const open = this.#toOpen(collections);
    try {
      await heal(open);
    } catch (error) {
      await close();
      throw error;
    }
    const watcher = isReplicated
      ? new Watcher(collections.tasks, this.#settings.source, () => this.#queues)
      : undefined;
    return {
      ...open,
      watcher,
      async close() {
        await watcher?.close();
        await close();
      },
    };
  }

  #toOpen(
    collections: Collections,
    transaction?: MongoSessionLike,
    check?: () => Promise<void>,
  ): Open {
    const outside = createSession(collections, this.#settings);
    const session = transaction
      ? createSession(collections, this.#settings, transaction, check)
      : outside;
    return {
      session,
      numbers: new Numbers(outside),
      clock: new StoreClock(outside, this.#settings.clock),
      horizons: new Map(),
      watcher: undefined,
      close: async () => {},
    };
  }

  #open(): Open {
    if (!this.#opened) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The MongoDB store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#opened;
  }

  /** Does at times what others have left undone, if it was there the last time too. */
  async #heal(open: Open): Promise<void> {
    if (open.session.isNested || performance.now() - this.#lookedAt < healEveryMs) return;
    this.#lookedAt = performance.now();
    this.#left = await heal(open, this.#left);
  }

  async #forEachPart(
    selector: TaskSelector,
    change: (part: TaskSelector) => Promise<number>,
  ): Promise<number> {
    const isById = 'ids' in selector;
    checkTexts(...(isById ? selector.ids : 'group' in selector ? [selector.group] : []));
    const open = this.#open();
    if (!open.session.isNested) await deliverSpawned(open);
    if (!isById) return change(selector);
    let sum = 0;
    for (const ids of chunks([...new Set(selector.ids)])) sum += await change({ ids });
    return sum;
  }
}

/** @throws SchedError when a settlement cannot be stored */
function check({ id, next, history, spawn }: Settlement): void {
  checkTexts(id, ...history.flatMap((entry) => [entry.taskId, entry.id]));
  for (const record of spawn) checkRecord(record);
  checkBodies([...(next ? [next] : []), ...history, ...spawn].map(({ body }) => body));
}

function idsOf({ id, spawn }: Settlement): string[] {
  return [id, ...spawn.map((record) => record.id)];
}
