import type { AdapterSettings } from './options.js';

/** What to delete of the history. */
export interface Forgetting {
  /** Tasks that may have more entries than are kept. */
  readonly tasks: readonly string[];
  /** How many entries are kept; absent where there is no limit. */
  readonly keep?: number;
  /** The age of the oldest that are kept, in milliseconds; absent where there is no limit. */
  readonly age?: number;
  /** How many that are too old to delete at most. */
  readonly stale: number;
}

/**
 * Draws what to delete of the history along with a call that adds to it. Finding the excess of a task means walking
 * past what is kept, so it is done for some of them, by chance, and so is the deletion of what is too old: twice as fast
 * as entries come. Reading has to go by the limits.
 *
 * @param taskIds of the entries that are added
 * @returns nothing where nothing is to be done this time
 */
export function drawForgetting(
  { historyLimit, historyMaxAgeMs }: AdapterSettings,
  taskIds: readonly string[],
): Forgetting | undefined {
  const share = Math.max(4 / historyLimit, 1 / 64);
  const drawn = taskIds.filter(() => Math.random() < share);
  if (drawn.length === 0) return undefined;
  const isLimited = Number.isFinite(historyLimit);
  return {
    tasks: isLimited ? [...new Set(drawn)] : [],
    ...(isLimited && { keep: historyLimit }),
    ...(Number.isFinite(historyMaxAgeMs) && { age: historyMaxAgeMs }),
    stale: Math.ceil((2 * drawn.length) / Math.min(1, share)),
  };
}
