/**
 * What a cron schedule does, worked out the slow way: minute by minute over what the platform's wall clock shows.
 */

import type { CronOptions } from '../../src/triggers/cron.js';
import { type Expression, followsRealTime, matches } from './cron-expressions.js';
import { MINUTE_MS, wallClock } from './wall-clock.js';

export interface Minute {
  readonly at: number;
  /** What the clock shows, as if it were UTC. */
  readonly wall: number;
  /** The wall times between that of the minute before and this one, which the clock never showed. */
  readonly missing: readonly number[];
  /** Whether the clock has shown this before. */
  readonly isRepeated: boolean;
}

/** Every minute between two moments. `from` has to be a day or more before any moment that is asked about. */
export function minutes(zone: string, from: number, to: number): Minute[] {
  // No table is needed of which moment a wall time comes first at, so it is an empty one.
  const { wallAt } = wallClock(zone, 0, 0);
  const seen = new Set<number>();
  const result: Minute[] = [];
  let shown = wallAt(from - MINUTE_MS);
  for (let at = from; at < to; at += MINUTE_MS) {
    const wall = wallAt(at);
    const missing: number[] = [];
    for (let never = shown + MINUTE_MS; never < wall; never += MINUTE_MS) missing.push(never);
    result.push({ at, wall, missing, isRepeated: seen.has(wall) });
    seen.add(wall);
    shown = wall;
  }
  return result;
}

/** The occurrences of a schedule in a table of minutes. */
export function modelOccurrences(
  expression: Expression,
  table: readonly Minute[],
  { gap = 'shift', fold = 'first' }: Pick<CronOptions, 'gap' | 'fold'> = {},
): number[] {
  const isFree = followsRealTime(expression);
  const seconds = Array.from({ length: 60 }, (_, second) => second * 1000).filter((ms) =>
    expression.second.matches(new Date(ms)),
  );
  // Offsets are whole minutes, so a minute either has all of the schedule's seconds or none.
  const anySecond = seconds[0] ?? 0;
  const isMeant = (wall: number) => matches(expression, new Date(wall + anySecond));
  const found = new Set<number>();
  for (const { at, wall, missing, isRepeated } of table) {
    if (!isFree && gap === 'shift' && missing.some(isMeant)) found.add(at);
    if (!isFree && fold === 'first' && isRepeated) continue;
    if (isMeant(wall)) for (const ms of seconds) found.add(at + ms);
  }
  return [...found].sort((a, b) => a - b);
}
