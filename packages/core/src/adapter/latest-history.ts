/** For stores that give the newest entries of all tasks. */

import type { HistoryEntry, LatestHistoryResult } from '../data-store.js';
import { checkCursor } from './errors.js';

/**
 * Reads a position that {@link toLatestPage} has made.
 *
 * @param after absent at the start, which is before every entry
 * @returns the moment of the entry, and its number among those of that moment
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function readPosition(after = `${Number.MAX_SAFE_INTEGER}.0`): [at: number, number: string] {
  checkCursor(after, /^-?\d{1,16}\.\d{1,19}$/);
  const [at, number = ''] = after.split('.');
  return [Number(at), number];
}

/**
 * A page of the newest entries, of which one more was read than it holds.
 *
 * @param numberOf tells the entries of one moment apart; those with greater numbers come first
 */
export function toLatestPage<Row>(
  rows: readonly Row[],
  limit: number,
  entryOf: (row: Row) => HistoryEntry,
  numberOf: (row: Row) => number | string,
): LatestHistoryResult {
  const entries = rows.slice(0, limit).map((row) => {
    const entry = entryOf(row);
    return { ...entry, position: `${entry.at}.${numberOf(row)}` };
  });
  return { entries, next: rows.length > limit ? (entries.at(-1)?.position ?? null) : null };
}
