import type { DataStore, DataStoreOptions } from '../data-store.js';
import type { Json } from '../trigger.js';

/** The promises to users of @sched. A failing case names the one that is broken. */
export const guarantees = {
  G1: 'nothing lost',
  G2: 'one owner',
  G3: 'delivery is a choice',
  G4: 'never early',
  G5: 'on time, or explained',
  G6: 'edits are safe',
  G7: 'cost follows the work',
  G8: 'bad input is harmless',
} as const;

export type Guarantee = keyof typeof guarantees;

/** What a case puts a store through. A report says which levels a store passes as a whole. */
export const levels = {
  contract: 'what one client sees',
  concurrency: 'many clients at once, and many processes',
  faults: 'calls that fail, hang, or are applied and lose their answer',
  scale: 'what a call costs while the backlog grows',
  worker: 'the real worker over the store, judged by the history of its runs',
} as const;

export type ConformanceLevel = keyof typeof levels;

/** One case, for any test runner: `test(name, run)`. */
export interface ConformanceCase {
  /** A sentence, unique within the kit. */
  readonly name: string;
  readonly level: ConformanceLevel;
  /** The promise that a store breaks when it fails this case. One that makes random calls may name another. */
  readonly guarantee: Guarantee;
  /**
   * Runs in its own place and disposes of it.
   *
   * @throws an error whose message begins with the guarantee and says which sentence of the contract was broken
   */
  readonly run: () => Promise<void>;
}

/** A user's transaction, begun outside the store. */
export interface ConformanceTransaction {
  /** What the adapter's `withTransaction` takes. */
  readonly tx: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** How another process reaches a place. */
export interface ConformanceProcess {
  /** File URL of a JavaScript module whose default export is `(argument) => DataStore`, not opened. */
  readonly module: string;
  readonly argument: Json;
}

/** Where a server listens. */
export interface ConformanceAddress {
  readonly host: string;
  readonly port: number;
}

/** Where tasks can be kept: a file, a schema, a key prefix. */
export interface ConformancePlace {
  /**
   * Returns a handle on this place, which the kit opens and closes. Called several times for one place, with the same
   * options. A store whose handles cannot share tasks, such as one in memory, returns the same instance each time.
   *
   * @param address only for a place that has one: the handle reaches its server there, and not at its own address
   */
  connect(options: DataStoreOptions, address?: ConformanceAddress): DataStore | Promise<DataStore>;
  /**
   * Where the server of this place listens, if all that handles ask of it goes over TCP to one address. The kit puts a
   * proxy before it, and cuts and stops what goes through.
   */
  readonly address?: ConformanceAddress;
  /** Stops the server, which loses all its connections, and starts it again; absent where nobody may. */
  restart?(): Promise<void>;
  /**
   * How much the database has done for this place so far, by its own counters, such as rows or keys read; each only
   * ever grows. The kit compares what calls add to them. Without this, it can only compare how long calls take.
   */
  work?(): Promise<Readonly<Record<string, number>>>;
  /** Required if the store claims the `processes` capability. */
  readonly process?: ConformanceProcess;
  /** Required if the store claims the `transactions` capability. Called after a handle has opened the place. */
  beginTransaction?(): Promise<ConformanceTransaction>;
  /** Removes the place. Called once, after its handles are closed. */
  dispose?(): Promise<void>;
}

/** The store under test. */
export interface ConformanceTarget {
  /** Creates a fresh, empty place, isolated from all others, earlier and later ones. */
  create(): ConformancePlace | Promise<ConformancePlace>;
  /**
   * The most time that a case may take, that a place may take to be made, and that it may take to be disposed of, in
   * milliseconds: for what hangs. A store may take half of it to come back when its server does. Default 2 minutes.
   */
  readonly limitMs?: number;
}
