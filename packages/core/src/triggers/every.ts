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

/** How {@link every} counts, and where it starts and ends. */
export interface EveryOptions {
  /**
   * The moment from which to count occurrences, in both directions: `anchor + n × interval`, also for negative `n`. It
   * moves the grid but sets no limit. By default `start`, or else the moment at which the schedule was declared.
   */
  readonly anchor?: Time;
  /** No occurrence is before this moment. Without an anchor, it is itself the first occurrence. */
  readonly start?: Time;
  /** No occurrence is after this moment; one may be exactly at it. */
  readonly end?: Time;
  /**
   * How many occurrences there are: the first ones at or after `start`, or, without `start`, after the moment at which
   * the schedule was declared. There are none before those. Counts steps of the interval, whether or not they ran. Two
   * steps that a gap of a whole day moves to one moment count as two.
   */
  readonly limit?: number;
  /** The largest delay between a nominal time and its run. It spreads out tasks with the same schedule. */
  readonly jitter?: Duration;
  /** The IANA time zone whose calendar and clock define days, weeks, months and years. `'UTC'` by default. */
  readonly timeZone?: string;
}

/** The type of {@link every}, which is both the function that makes the trigger and the kind that reads it back. */
export interface EveryKind extends TriggerKind {
  /**
   * @param interval in text, `d` and `w` are calendar days and weeks; for exactly 24 hours write `'24h'`
   * @throws SchedError `SCHED_DURATION_INVALID`, `SCHED_TIME_INVALID`, `SCHED_TIME_ZONE_UNKNOWN`, or
   *   `SCHED_TRIGGER_INVALID` for other invalid options
   */
  (interval: Duration | CalendarDuration, options?: EveryOptions): Trigger;
  readonly kind: 'every';
}

/**
 * One occurrence per interval: `every('5m')`, `every({ months: 1 }, { anchor, timeZone: 'Europe/Berlin' })`.
 *
 * Counts occurrences from the anchor, never from the last run, so they do not drift: occurrence `n` is the anchor plus
 * `n` intervals. Without an anchor or a start, the anchor is the moment at which the schedule was declared, and the
 * first occurrence is one interval after it, never at it.
 *
 * Days, weeks, months and years keep the anchor's wall-clock time in `timeZone` when the zone's offset changes. A day
 * that a month does not have becomes its last day, for that month only: one month after 31 January is 28 February, and
 * two months after it is 31 March. A wall-clock time that does not exist becomes the first moment after the gap. One
 * that comes twice means the first time. Smaller units are exact. If both kinds are given, the calendar part is added
 * `n` times first, and then the exact part `n` times.
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

  /** The occurrence nearest to `from`, strictly after or strictly before it. */
  function find(from: number, forward: boolean, context: TriggerContext): number | null {
    const origin = anchor ?? start ?? context.declaredAt;
    const originLocal = origin + zone.offsetAt(origin);

    /** The moment `n` steps from the origin. Never earlier than that of a smaller `n`. */
    function momentOf(n: number): number {
      // The origin stays unchanged, even if it is in the second pass of a fold.
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
      // This is right for an exact interval. Unequal months and changes of the offset make others wrong by one or two.
      let n = Math.floor((at - origin) / mean);
      while (momentOf(n) > at) n--;
      while (momentOf(n + 1) <= at) n++;
      return n;
    }

    const isOneSided = anchor === undefined || limit !== undefined;
    const first = start ?? (isOneSided ? context.declaredAt + 1 : MIN_TIME);
    const at = forward ? Math.max(from, first - 1) : Math.min(from - 1, end);
    // Written so that it also catches a `from` that is NaN.
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
