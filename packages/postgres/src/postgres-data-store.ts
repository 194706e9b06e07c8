import type { DataStoreCapabilities } from '@sched/core';
import type { AtEnd, StoreCalls } from '@sched/core/adapter';
import { AdapterStore, notInTransaction, Watcher } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import { isPool, isQueryable, joinable } from './client.js';
import { connect } from './connect.js';
import { storeError } from './errors.js';
import { listenOn, Notifier, notify } from './notifications.js';
import type { PostgresDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import { createSession } from './session.js';

/**
 * Tasks in PostgreSQL 13 or later, through `pg`. Any number of processes on any number of machines may share them. The
 * store's clock is the server's.
 */
export class PostgresDataStore extends AdapterStore {
  readonly name = 'postgres';
  #isWatchable: boolean;
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: PostgresDataStoreOptions) {
    const settings = readOptions(options);
    super('PostgreSQL', settings);
    this.#settings = settings;
    const { pool, listen, pooler } = settings;
    this.#isWatchable = listen ? true : listen !== false && !pooler && !(pool && !isPool(pool));
  }

  /** Whether it can watch is certain once it is open: then it is known whether a pooler is in the way. */
  get capabilities(): DataStoreCapabilities {
    return {
      history: true,
      latestHistory: true,
      watch: this.#isWatchable,
      transactions: true,
      processes: true,
    };
  }

  protected async connect(atEnd: AtEnd): Promise<StoreCalls> {
    const settings = this.#settings;
    const { client, isPooled } = await connect(settings, atEnd);
    if (isPooled && !settings.listen) this.#isWatchable = false;
    const notifier = new Notifier(client, settings.channel);
    atEnd(() => notifier.idle());
    const watcher = new Watcher(listenOn(settings), (error) =>
      storeError(error, settings.listen ? 'listen' : settings.source),
    );
    return createCalls(
      createSession(client, settings, { prepares: !settings.pool && !isPooled }),
      settings,
      (wakes) => notifier.send(wakes),
      this.#isWatchable ? watcher : undefined,
    );
  }

  /**
   * @param tx a client of `pg` on the same database, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  protected override join(tx: unknown): StoreCalls {
    if (!isQueryable(tx) || isPool(tx)) throw notInTransaction(joinable);
    return createCalls(
      createSession(tx, this.#settings, { isNested: true }),
      this.#settings,
      async (wakes) => {
        if (wakes.length > 0) await notify(tx, this.#settings.channel, wakes);
      },
    );
  }
}
