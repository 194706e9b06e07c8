import { Collection, type Transaction } from './collection.js';
import { Numbers } from './numbers.js';
import type { Settings } from './options.js';
import type { Collections } from './schema.js';
import { StoreClock } from './store-clock.js';

/** What the calls of the contract work with, each command on its own, or all in a transaction of the user's. */
export interface Session {
  readonly settings: Settings;
  readonly isNested: boolean;
  readonly tasks: Collection;
  readonly history: Collection;
  readonly numbers: Numbers;
  readonly clock: StoreClock;
}

export function createSession(
  { tasks, history, meta }: Collections,
  settings: Settings,
  transaction?: Transaction,
): Session {
  const { source, clock } = settings;
  // A transaction would keep everybody else from the counter, and has the time at which it began.
  const state = new Collection(meta, source);
  return {
    settings,
    isNested: transaction !== undefined,
    tasks: new Collection(tasks, source, transaction),
    history: new Collection(history, source, transaction),
    numbers: new Numbers(state),
    clock: new StoreClock(state, clock),
  };
}
