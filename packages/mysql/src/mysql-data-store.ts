import type { DataStoreCapabilities } from '@sched/core';
import { AdapterStore, type AtEnd, notInTransaction, type StoreCalls } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import { isConnection, promising } from './client.js';
import { connect, minPacketBytes } from './connect.js';
import { Numbers } from './numbers.js';
import type { MysqlDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import { createSession } from './session.js';

/**
 * Tasks in MySQL 8.0 or MariaDB 10.6 and later, through `mysql2`. Any number of processes on any number of machines may
 * share them. The store's clock is the server's.
 */
export class MysqlDataStore extends AdapterStore {
  readonly name = 'mysql';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    latestHistory: false,
    watch: true,
    transactions: true,
    processes: true,
  };
  /** What the server takes at once; what every server has to take, until it is known. */
  #maxPacketBytes = minPacketBytes;
  readonly #numbers = new Numbers();
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: MysqlDataStoreOptions) {
    const settings = readOptions(options);
    super('MySQL', settings);
    this.#settings = settings;
  }

  protected async connect(atEnd: AtEnd): Promise<StoreCalls> {
    const { client, maxPacketBytes } = await connect(this.#settings, atEnd);
    this.#maxPacketBytes = maxPacketBytes;
    const session = createSession(client, this.#settings);
    return createCalls(session, this.#settings, this.#numbers, maxPacketBytes);
  }

  /**
   * @param tx a connection of `mysql2` to the same database, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  protected override join(tx: unknown): StoreCalls {
    const client = promising(tx);
    if (!isConnection(client)) throw notInTransaction('a connection of mysql2');
    const session = createSession(client, this.#settings, true);
    return createCalls(session, this.#settings, this.#numbers, this.#maxPacketBytes);
  }
}
