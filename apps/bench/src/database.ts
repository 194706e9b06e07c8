import type { DataStore, DataStoreOptions } from '@sched/core';

/** A task as the bare loop keeps it. */
interface BareTask {
  readonly id: string;
  readonly due: number;
  readonly body: string;
}

/**
 * What the driver can do at the most, with the same durability: bulk insert, batched claim, batched completion, over a
 * table with nothing but an id, a time and a body. No history, no tokens, no retries, no other queues.
 */
export interface BareLoop {
  insert(tasks: readonly BareTask[]): Promise<void>;
  /** Takes up to `limit` tasks that are due, the oldest first, and moves each to the end of its lease. */
  claim(limit: number, now: number, leaseEnd: number): Promise<readonly string[]>;
  complete(ids: readonly string[]): Promise<void>;
}

/** Somewhere in a database, fresh and empty. */
export interface Place {
  /** A store that is not open yet. */
  connect(options?: DataStoreOptions): DataStore;
  openBareLoop(): Promise<BareLoop>;
  /** Ends everything that was opened, and removes the place. */
  dispose(): Promise<void>;
}

/** What is measured on one database. */
export interface Database {
  readonly name: string;
  /** The server that it needs, of those that `@sched-tooling/services` starts; none for one in the process. */
  readonly service?: string;
  /** How many tasks are added and run. */
  readonly count: number;
  /** How many far-future ones are beside them. */
  readonly farFuture: number;
  /** @param url of its server */
  createPlace(url: string): Promise<Place>;
}
