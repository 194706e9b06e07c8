import type { DataStoreCapabilities } from '@sched/core';
import { AdapterStore, type AtEnd } from '@sched/core/adapter';
import { createCalls } from './calls.js';
import type { DynamoDBDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import { openSession } from './session.js';

/**
 * Tasks in a table of Amazon DynamoDB. Any number of processes may share them. DynamoDB has no clock that could be
 * asked: the time is that of each process, and leases allow for clocks that differ.
 */
export class DynamoDBDataStore extends AdapterStore {
  readonly name = 'dynamodb';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    latestHistory: false,
    watch: false,
    transactions: false,
    processes: true,
  };
  readonly #settings: Settings;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: DynamoDBDataStoreOptions = {}) {
    const settings = readOptions(options);
    super('DynamoDB', settings);
    this.#settings = settings;
  }

  protected async connect(atEnd: AtEnd) {
    return createCalls(await openSession(this.#settings, atEnd));
  }
}
