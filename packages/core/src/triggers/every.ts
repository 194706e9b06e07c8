import {
  type CalendarDuration,
  type Duration,
  MAX_TIME,
  MIN_TIME,
  meanMs,
  parseDurationMs,
  parseInterval,
  parseTime,
  type Time,
} from '../duration.js';
import { show } from '../show.js';
import { timeZone } from '../time-zone.js';
import type { Trigger, TriggerContext, TriggerJson, TriggerKind } from '../trigger.js';
import { invalidTrigger, readOptions } from './check.js';

/** How {@link every} counts, and where it begins and ends. */
export interface EveryOptions {
  /**
   * A moment that the occurrences are counted from, in both directions: `anchor + n × interval`, for negative `n` too.
   * It moves the grid and limits nothing. By default `start`, or else the moment at which the schedule was declared.
   */
  readonly anchor?: Time;
  /** No occurrence is before this moment. Without an anchor, it is itself the first occurrence. */
  readonly start?: Time;
  /** No occurrence is after this moment; one may be exactly at it. */
  readonly end?: Time;
  /**
   * How many occurrences there are: the first so many at or after `start`, or, without `start`, after the moment at
   * which the schedule was declared. There are none before those. Counted by steps of the interval, whether or not
   * they ran; two steps that a gap of a whole day pushes onto one moment count as two.
   */
  readonly limit?: number;
  /** The largest delay between a nominal time and its run, by which tasks of one schedule are spread out. */
  readonly jitter?: Duration;
  /** The IANA time zone whose calendar and clock the days, weeks, months and years are those of. `'UTC'` by default. */
  readonly timeZone?: string;
}

/** {@link every}: the function that makes the trigger, and the kind that reads it back. */
export interface EveryKind extends TriggerKind {
  /**
   * @param interval in text, `d` and `w` are days and weeks of the calendar; for exactly 24 hours write `'24h'`
   * @throws SchedError `SCHED_DURATION_INVALID`, `SCHED_TIME_INVALID`, `SCHED_TIME_ZONE_UNKNOWN`, or
   *   `SCHED_TRIGGER_INVALID` for other options that cannot be
   */
  (interval: Duration | CalendarDuration, options?: EveryOptions): Trigger;
  readonly kind: 'every';
}

/**
 * One occurrence in each interval: `every('5m')`, `every({ months: 1 }, { anchor, timeZone: 'Europe/Berlin' })`.
 *
 * Occurrences are counted from the anchor and never from the last run, so they do not drift: occurrence `n` is the
 * anchor and `n` intervals. Without an anchor or a start, the anchor is the moment at which the schedule was declared,
 * and the first occurrence is one interval after it, never at it.
 *
 * Days, weeks, months and years keep the wall-clock time that the anchor has in `timeZone`, across changes of its
 * offset. A day that a month lacks becomes its last day, for that month only: from 31 January a month on is 28
 * February, and two months on 31 March. A wall-clock time that does not exist becomes the first moment after the gap,
 * and one that comes twice means its first pass. Smaller units are exact; where both are given, the calendar's part is
 * added `n` times first, and the exact part `n` times to that.
 */
export const every: EveryKind = /* @__PURE__ */ Object.assign(createEvery, {
  kind: 'every' as const,
  parse: parseEvery,
});

function createEvery(length: Duration | CalendarDuration, options: EveryOptions = {}): Trigger {
  const interval = parseInterval(length, 'every');
  const given = readOptions('every', options, {
    anchor: parseTime,
    start: parseTime,
    end: parseTime,
    limit: parseLimit,
    jitter: parseDurationMs,
    timeZone: (name: string) => timeZone(name).name,
  });
  const { anchor, start, end = MAX_TIME, limit } = given;
  if (start !== undefined && end < start) {
    throw invalidTrigger('end is before start, so there is no occurrence at all.');
  }
  const zone = timeZone(given.timeZone ?? 'UTC');
  const { months, days, milliseconds } = interval;
  const isExact = months === 0 && days === 0;
  const mean = meanMs(interval);

  /** The occurrence nearest to `from`, strictly after it or strictly before. */
  function find(from: number, forward: boolean, context: TriggerContext): number | null {
    const origin = anchor ?? start ?? context.declaredAt;
    const originLocal = origin + zone.offsetAt(origin);

    /** The moment `n` steps from the origin, which is never less than that of a smaller `n`. */
    function momentOf(n: number): number {
      // The origin stays where it is, also in the second pass of a fold.
      if (isExact || n === 0) return origin + n * milliseconds;
      const wall = new Date(originLocal);
      const day = wall.getUTCDate();
      // Day 0 of the following month is the last day of this one.
      wall.setUTCMonth(wall.getUTCMonth() + n * months + 1, 0);
      wall.setUTCDate(Math.min(day, wall.getUTCDate()) + n * days);
      const local = wall.getTime();
      return (zone.momentsOf(local)[0] ?? zone.gapEnd(local) ?? local) + n * milliseconds;
    }

    /** The largest `n` whose moment is at or before `at`. */
    function stepAt(at: number): number {
      // An exact interval divides exactly. Unequal months and changes of the offset put others out by one or two.
      let n = Math.floor((at - origin) / mean);
      while (momentOf(n) > at) n--;
      while (momentOf(n + 1) <= at) n++;
      return n;
    }

    const isOneSided = anchor === undefined || limit !== undefined;
    const first = start ?? (isOneSided ? context.declaredAt + 1 : MIN_TIME);
    const at = forward ? Math.max(from, first - 1) : Math.min(from - 1, end);
    // Also when `from` is not a number.
    if (!(at >= first - 1 && at <= end)) return null;
    const last = limit === undefined ? Number.POSITIVE_INFINITY : stepAt(first - 1) + limit;
    const n = forward ? stepAt(at) + 1 : Math.min(stepAt(at), last);
    const moment = momentOf(n);
    return n <= last && moment >= first && moment <= end ? moment : null;
  }

  return {
    kind: 'every',
    type: every,
    jitterMs: given.jitter ?? 0,
    next: (after, context) => find(after, true, context),
    previous: (before, context) => find(before, false, context),
    toJSON: () => ({
      kind: 'every',
      every: isExact
        ? milliseconds
        : Object.fromEntries(Object.entries(interval).filter(([, count]) => count > 0)),
      ...given,
    }),
  };
}

function parseEvery({ kind: _, every: interval, ...options }: TriggerJson): Trigger {
  return createEvery(interval as Duration, options);
}

function parseLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit > 0) return limit;
  throw invalidTrigger(`limit is ${show(limit)}. It must be a whole number, 1 or more.`);
}
