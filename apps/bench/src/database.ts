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
  /** Takes up to `limit` tasks that are due, the oldest first, and moves each to the end of its lease. Gives their bodies by id. */
  claim(limit: number, now: number, leaseEnd: number): Promise<ReadonlyMap<string, string>>;
  complete(ids: readonly string[]): Promise<void>;
  count(): Promise<number>;
  close(): Promise<void>;
}

/** Somewhere in a database, fresh and empty. Plain data, so that other processes can be told of it. */
export interface Place {
  /** The name of the database. */
  readonly database: string;
  /** Of the server, and of a database of its own there if servers of this kind have several. */
  readonly url: string;
  /** A name that nothing else has. */
  readonly name: string;
}

/** How many tasks there are on one database, at scale 1. */
export interface Amounts {
  /** Added and run. */
  readonly count: number;
  /** Far in the future, beside them. */
  readonly farFuture: number;
}

/** What is measured on. */
export interface Database extends Amounts {
  readonly name: string;
  /** The server that it needs, of those that `@sched-tooling/services` starts; none for one in the process. */
  readonly service?: string;
  /** What an acknowledged write survives. */
  readonly durability: string;
  /** Whether a place is gone with the process that opened it. */
  readonly inProcess?: boolean;
  /** @param url of its server */
  createPlace(url: string, name: string): Promise<Place>;
  /** Removes the place; nobody uses it any more. */
  removePlace(place: Place): Promise<unknown>;
  /** How many statements its server has been sent, in a unit of its own. */
  countStatements?(place: Place): Promise<number>;
  /** A store of ours that is not open yet. */
  store(place: Place, options: DataStoreOptions): DataStore;
  /** Makes the bare table if it is not there. */
  openBareLoop?(place: Place): Promise<BareLoop>;
}
