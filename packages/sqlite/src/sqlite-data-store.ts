import type { DataStoreCapabilities } from '@sched/core';
import { SchedError } from '@sched/core';
import { AdapterStore, type AtEnd, notInTransaction } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import type { SqliteDatabase } from './client.js';
import { connect } from './connect.js';
import { createExecutor } from './executor.js';
import type { Settings, SqliteDataStoreOptions } from './options.js';
import { isDatabase, isFile, joinable, readOptions } from './options.js';
import type { Session } from './session.js';
import { createSession } from './session.js';

/**
 * Tasks in an SQLite file, through the `node:sqlite` that comes with Node. Any number of processes on one machine may
 * share the file, and look in it for what the others have written. The store's clock is the machine's.
 */
export class SqliteDataStore extends AdapterStore {
  readonly name = 'sqlite';
  readonly capabilities: DataStoreCapabilities;
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be, or `database` is not open */
  constructor(options: SqliteDataStoreOptions) {
    const settings = readOptions(options);
    super('SQLite', settings);
    this.#settings = settings;
    const { source } = settings;
    const isShared = isFile(source);
    this.capabilities = {
      history: true,
      latestHistory: true,
      watch: isShared,
      // Nobody else can have a connection to a memory database that the store itself opens.
      transactions: source !== ':memory:',
      processes: isShared,
    };
  }

  protected async connect(atEnd: AtEnd) {
    const executor = await connect(this.#settings, atEnd);
    return createCalls(executor, this.#settings, this.capabilities.watch);
  }

  /**
   * @param tx a `DatabaseSync` on the same file, inside a transaction that the caller has begun
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is something else
   */
  protected override join(tx: unknown) {
    if (!this.capabilities.transactions) {
      throw new SchedError(
        'SCHED_STORE_UNSUPPORTED',
        "path ':memory:' has no transactions to join. Use a file, or a database of your own.",
      );
    }
    if (!isDatabase(tx)) throw notInTransaction(joinable);
    const executor = createExecutor(sessionIn(tx), this.#settings.busyTimeoutMs, true);
    return createCalls(executor, this.#settings);
  }
}

/** The sessions of the users' connections, so that their statements are prepared once. */
const sessions = new WeakMap<SqliteDatabase, Session>();

function sessionIn(database: SqliteDatabase): Session {
  const session = sessions.get(database) ?? createSession(database, true);
  sessions.set(database, session);
  return session;
}
