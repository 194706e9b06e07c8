import type { DataStoreCapabilities } from '@sched/core';
import { AdapterStore, type AtEnd } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import type { RedisDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import { openSession } from './session.js';

/**
 * Tasks in Redis or Valkey: one server, one watched by Sentinels, or a cluster. Any number of processes may share
 * them. The store's clock is the server's; with several shards in a cluster, that of each shard's server.
 */
export class RedisDataStore extends AdapterStore {
  readonly name = 'redis';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    latestHistory: false,
    watch: true,
    transactions: false,
    processes: true,
  };
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: RedisDataStoreOptions) {
    const settings = readOptions(options);
    super('Redis', settings);
    this.#settings = settings;
  }

  protected async connect(atEnd: AtEnd) {
    return createCalls(await openSession(this.#settings, atEnd), this.#settings);
  }
}
