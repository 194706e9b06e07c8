/** Reads durations and moments as users write them. */

import { SchedError } from './errors.js';
import { show } from './show.js';

/**
 * A length of time: a whole number of milliseconds, or text of whole numbers with units, the largest unit first:
 * `'250ms'`, `'90s'`, `'5m'`, `'1h30m'`, `'2d'`, `'1w'`. Units are `w`, `d`, `h`, `m`, `s` and `ms`.
 *
 * More than zero and at most 100 years ({@link MAX_DURATION_MS}).
 */
export type Duration = number | string;

/**
 * A length of time in parts, each a non-negative whole number. Years, months, weeks and days are calendar units, whose
 * length in milliseconds depends on where they begin. The other units are exact.
 */
export interface CalendarDuration {
  readonly years?: number;
  readonly months?: number;
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

/** A moment: a `Date`, epoch milliseconds, or ISO 8601 text that ends in `Z` or an offset such as `+02:00`. */
export type Time = Date | number | string;

/** A length of time reduced to the three parts that cannot be converted into each other. */
export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly milliseconds: number;
}

/** A day of 24 hours. */
export const DAY_MS = 86_400_000;

/** The longest accepted duration: 100 years of 365.25 days. A longer one is probably a mistake. */
export const MAX_DURATION_MS = 36_525 * DAY_MS;

/** The first accepted moment: the beginning of the year 1, in UTC. */
export const MIN_TIME = -62_135_596_800_000;

/** The last accepted moment: the end of the year 9999, in UTC. */
export const MAX_TIME = 253_402_300_799_999;

/** The part that each unit counts in, and how many of it one unit is. */
const units: Readonly<Record<string, readonly [part: keyof Interval, factor: number]>> = {
  years: ['months', 12],
  months: ['months', 1],
  weeks: ['days', 7],
  days: ['days', 1],
  hours: ['milliseconds', 3_600_000],
  minutes: ['milliseconds', 60_000],
  seconds: ['milliseconds', 1000],
  milliseconds: ['milliseconds', 1],
};

const durationText =
  /^(?:(?<weeks>\d+)w)? ?(?:(?<days>\d+)d)? ?(?:(?<hours>\d+)h)? ?(?:(?<minutes>\d+)m)? ?(?:(?<seconds>\d+)s)? ?(?:(?<milliseconds>\d+)ms)?$/;

/** The parts of ISO 8601 text that name a moment: local date and time, and the offset that makes it one. */
const timeText = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(?:Z|[+-]\d\d:\d\d)$/;

/** The mean length of an interval; exact when it has no months. A Gregorian month has 146,097 / 4,800 days. */
export function meanMs(interval: Interval): number {
  return (interval.months * 30.436875 + interval.days) * DAY_MS + interval.milliseconds;
}

/**
 * Reads a length of time whose days and weeks are calendar units.
 *
 * @param what the name of the option or argument, for the error
 * @throws SchedError `SCHED_DURATION_INVALID` unless it is a whole number of milliseconds, text or parts, and more than
 *   zero and at most 100 years
 */
export function parseInterval(value: Duration | CalendarDuration, what: string): Interval {
  const interval = { months: 0, days: 0, milliseconds: 0 };
  const isText = typeof value === 'string';
  const parts: object | undefined = isText
    ? durationText.exec(value)?.groups
    : typeof value === 'number'
      ? { milliseconds: value }
      : value;
  for (const [name, part] of Object.entries<unknown>({ ...parts })) {
    if (part === undefined) continue;
    const count = (isText ? Number(part) : part) as number;
    const unit = Object.hasOwn(units, name) ? units[name] : undefined;
    if (!unit || !Number.isInteger(count) || count < 0) throw invalidDuration(value, what);
    interval[unit[0]] += count * unit[1];
  }
  const length = meanMs(interval);
  if (!(length > 0 && length <= MAX_DURATION_MS)) throw invalidDuration(value, what);
  return interval;
}

/**
 * Reads an exact length of time, in which a day has 24 hours.
 *
 * @param what the name of the option or argument, for the error
 * @returns a positive whole number of milliseconds, at most {@link MAX_DURATION_MS}
 * @throws SchedError `SCHED_DURATION_INVALID` for anything that is not a {@link Duration}: zero, negative, fractions
 *   of a millisecond, not finite, absurdly long, other text
 */
export function parseDurationMs(value: Duration, what: string): number {
  // An object may have calendar units, which have no exact number of milliseconds.
  if (typeof value === 'object') throw invalidDuration(value, what);
  return meanMs(parseInterval(value, what));
}

/**
 * Reads how long to wait. Unlike other durations, it may be zero.
 *
 * @throws SchedError as {@link parseDurationMs}
 */
export function parseDelayMs(value: Duration, what: string): number {
  return value === 0 || (typeof value === 'string' && /^0+(w|d|h|m|s|ms)$/.test(value))
    ? 0
    : parseDurationMs(value, what);
}

function invalidDuration(value: unknown, what: string): SchedError {
  return new SchedError(
    'SCHED_DURATION_INVALID',
    `${what} is ${show(value)}. It must be more than zero and at most 100 years: a whole number of ` +
      `milliseconds, or text such as '90s', '5m' or '1h30m' (units w, d, h, m, s, ms).`,
    { details: { what } },
  );
}

/**
 * Reads a moment. Text must have `Z` or an offset: without one it would mean another moment on each machine.
 *
 * @param what the name of the option or argument, for the error
 * @returns integer epoch milliseconds, from {@link MIN_TIME} to {@link MAX_TIME}
 * @throws SchedError `SCHED_TIME_INVALID` for anything that is not a {@link Time}: an invalid `Date`, a fraction of a
 *   millisecond, text of another form or without an offset, a date that does not exist, a year outside 1 to 9999
 */
export function parseTime(value: Time, what: string): number {
  let at: number;
  if (typeof value === 'string') {
    const local = timeText.exec(value)?.[1];
    // `Date` turns 30 February into 1 or 2 March instead of refusing it, so check that the text comes back unchanged.
    const written = new Date(`${local}Z`);
    at =
      written.getTime() >= MIN_TIME && written.toISOString().startsWith(`${local}`)
        ? Date.parse(value)
        : Number.NaN;
  } else {
    at = value instanceof Date ? value.getTime() : value;
  }
  if (!(Number.isInteger(at) && at >= MIN_TIME && at <= MAX_TIME)) {
    throw new SchedError(
      'SCHED_TIME_INVALID',
      `${what} is ${show(value)}. It must be a Date, whole epoch milliseconds, or ISO 8601 text with an offset, ` +
        `such as '2026-03-29T09:00:00Z' or '…+02:00' (without one it would mean another moment on each machine), ` +
        'in the years 1 to 9999.',
      { details: { what } },
    );
  }
  return at;
}
