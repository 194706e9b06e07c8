import type { DataStore, DataStoreOptions } from '../data-store.js';
import type { Json } from '../trigger.js';

/** What users of @sched are promised, and what a failing case names. */
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

/** `contract`: what one client sees. `concurrency`: many clients at once, and many processes. */
export type ConformanceArea = 'contract' | 'concurrency';

/** One case, for any test runner: `test(name, run)`. */
export interface ConformanceCase {
  /** Reads as a sentence, and is unique within the kit. */
  readonly name: string;
  readonly area: ConformanceArea;
  /** The promise that a store breaks when it fails this case. */
  readonly guarantee: Guarantee;
  /**
   * Works in a place of its own and disposes of it.
   *
   * @throws an error whose message begins with the guarantee and says which sentence of the contract was broken
   */
  readonly run: () => Promise<void>;
}

/** A transaction of the user's own, begun outside the store. */
export interface ConformanceTransaction {
  /** What the adapter's `withTransaction` takes. */
  readonly tx: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Says how another process reaches a place. */
export interface ConformanceProcess {
  /** File URL of a JavaScript module whose default export is `(argument) => DataStore`, not opened. */
  readonly module: string;
  readonly argument: Json;
}

/** Where tasks can be kept: a file, a schema, a key prefix. */
export interface ConformancePlace {
  /**
   * A handle on this place that the kit opens and closes. Called several times for one place, with the same options.
   * A store whose handles cannot share tasks, such as one in memory, gives the same instance each time.
   */
  connect(options: DataStoreOptions): DataStore | Promise<DataStore>;
  /** Required of a store that claims the `processes` capability. */
  readonly process?: ConformanceProcess;
  /** Required of a store that claims the `transactions` capability. Called when a handle has opened the place. */
  beginTransaction?(): Promise<ConformanceTransaction>;
  /** Removes the place. Called once, when its handles are closed. */
  dispose?(): Promise<void>;
}

/** The store under test. */
export interface ConformanceTarget {
  /** A fresh, empty place, isolated from every other that was or will be created. */
  create(): ConformancePlace | Promise<ConformancePlace>;
}
