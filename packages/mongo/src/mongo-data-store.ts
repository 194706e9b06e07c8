import type { DataStoreCapabilities } from '@sched/core';
import type { AtEnd, StoreCalls } from '@sched/core/adapter';
import { AdapterStore, notInTransaction, Watcher } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import { isClient, isSession } from './client.js';
import { assertTransactions, connect, withoutTransactions } from './connect.js';
import { storeError } from './errors.js';
import { listenOn } from './notifications.js';
import type { MongoDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import { heal } from './outbox.js';
import { collectionsOf } from './schema.js';
import { createSession } from './session.js';

/** What a transaction of the user's is joined through. */
const joinable = 'a ClientSession of mongodb';

/**
 * Tasks in MongoDB 4.4 or later, through `mongodb`: a standalone server, a replica set or a sharded cluster. Any number
 * of processes on any number of machines may share them. The store's clock is the server's.
 */
export class MongoDataStore extends AdapterStore {
  readonly name = 'mongo';
  /** Whether the server has change streams and transactions; undefined until it was asked. */
  #isReplicated: boolean | undefined;
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: MongoDataStoreOptions) {
    const settings = readOptions(options);
    super('MongoDB', settings);
    this.#settings = settings;
  }

  /** Whether it can watch and has transactions is certain once it is open: a standalone server can do neither. */
  get capabilities(): DataStoreCapabilities {
    const isReplicated = this.#isReplicated ?? true;
    return {
      history: true,
      // There is an index by time, but of batches, each of which is as old as its newest entry.
      latestHistory: false,
      watch: isReplicated,
      transactions: isReplicated,
      processes: true,
    };
  }

  protected async connect(atEnd: AtEnd): Promise<StoreCalls> {
    const settings = this.#settings;
    const { collections, isReplicated } = await connect(settings, atEnd);
    this.#isReplicated = isReplicated;
    const session = createSession(collections, settings);
    await heal(session);
    const watcher = isReplicated
      ? new Watcher(listenOn(collections.tasks), (error) => storeError(error, settings.source))
      : undefined;
    return createCalls(session, watcher);
  }

  /**
   * @param tx a `ClientSession` of `mongodb` on the same deployment, in a transaction that the caller has started
   * @throws SchedError `SCHED_STORE_UNSUPPORTED` on a standalone server, `SCHED_ARGUMENT_INVALID` when `tx` is
   *   something else
   */
  protected override join(tx: unknown): StoreCalls {
    if (this.#isReplicated === false) throw withoutTransactions();
    if (!isSession(tx) || !isClient(tx.client)) throw notInTransaction(joinable);
    const database = tx.client.db(this.#settings.database);
    let checked = this.#isReplicated ? Promise.resolve() : undefined;
    const check = async () => {
      if (!tx.inTransaction()) throw notInTransaction(joinable);
      checked ??= assertTransactions(database);
      await checked;
    };
    const collections = collectionsOf(database, this.#settings);
    return createCalls(createSession(collections, this.#settings, { session: tx, check }));
  }
}
