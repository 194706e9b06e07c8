/**
 * Finds the local times that a cron expression names, regardless of time zones: calendar and clock arithmetic.
 *
 * Local times are numbers, as in `time-zone.ts`. Days count from 1 January 1970. Months count from March of the year
 * -1200: from March, so that a leap day is the last day of its year, and from so early that no month is negative.
 */

import { DAY_MS } from '../duration.js';
import { type CronFields, has, LAST, type NumberSet } from './cron-parse.js';

/**
 * Finds the local time that an expression names nearest to `localMs`. Forward: not before it (`Infinity` when there is
 * none). Otherwise: not after it (`-Infinity` when there is none).
 */
export type CronTimes = (localMs: number, forward: boolean) => number;

/** The calendar repeats after 400 years, weekdays included. A day that does not occur in these months never will. */
const MONTHS_OF_ALL_CALENDARS = 4800;

const DAY_SECONDS = 86_400;

/** From 1 March of the year -1200 to 1 January 1970. */
const DAYS_BEFORE_1970 = 1_157_759;

export function cronTimes(fields: CronFields): CronTimes {
  const { seconds, minutes, hours, months } = fields;

  // The matching days of a month, for each of the 28 calendars that a month can have. Bit 0 is the first day.
  const calendars: number[] = [];

  // The month of the last question, because the next one is probably about the same month.
  let month = 0;
  let monthStart = 0;
  let monthEnd = 0;
  let days = 0;

  function isInMonths(index: number): boolean {
    const fromMarch = index % 12;
    return has(months, fromMarch < 10 ? fromMarch + 3 : fromMarch - 9);
  }

  function turnTo(index: number): void {
    month = index;
    monthStart = firstDayOf(index);
    monthEnd = firstDayOf(index + 1);
    days = 0;
    if (isInMonths(index)) {
      const length = monthEnd - monthStart;
      const firstWeekday = (((monthStart + 4) % 7) + 7) % 7;
      const calendar = firstWeekday * 4 + length - 28;
      days = calendars[calendar] ??= matchingDays(fields, firstWeekday, length);
    }
  }

  /** The nearest matching day in the given direction, starting with `day` itself. */
  function findDay(day: number, forward: boolean): number {
    if (day < monthStart || day >= monthEnd) {
      // A month has 30.436875 days on average, so this is wrong by one at most.
      let index = Math.floor((day - firstDayOf(0)) / 30.436875);
      while (firstDayOf(index) > day) index--;
      while (firstDayOf(index + 1) <= day) index++;
      turnTo(index);
    }
    const step = forward ? 1 : -1;
    const lastMonth = month + step * MONTHS_OF_ALL_CALENDARS;
    const skipped = day - monthStart;
    let candidates = days & (forward ? -1 << skipped : -1 >>> (31 - skipped));
    while (candidates === 0) {
      if (month === lastMonth) return step * Number.POSITIVE_INFINITY;
      let index = month;
      do index += step;
      while (index !== lastMonth && !isInMonths(index));
      turnTo(index);
      candidates = days;
    }
    return monthStart + nearestBit(candidates, forward);
  }

  /** The nearest matching second of the day, starting with `time` itself; -1 when there is none. */
  function findTime(time: number, forward: boolean): number {
    const step = forward ? 1 : -1;
    const hour = Math.floor(time / 3600);
    if (has(hours, hour)) {
      const minute = Math.floor(time / 60) % 60;
      if (has(minutes, minute)) {
        const second = find(seconds, time % 60, forward);
        if (second >= 0) return time - (time % 60) + second;
      }
      const other = find(minutes, minute + step, forward);
      if (other >= 0) return hour * 3600 + other * 60 + outermost(seconds, forward);
    }
    const other = find(hours, hour + step, forward);
    return other < 0
      ? -1
      : other * 3600 + outermost(minutes, forward) * 60 + outermost(seconds, forward);
  }

  return (localMs, forward) => {
    const second = forward ? Math.ceil(localMs / 1000) : Math.floor(localMs / 1000);
    let day = Math.floor(second / DAY_SECONDS);
    let time = second - day * DAY_SECONDS;
    let found = findDay(day, forward);
    if (found === day) {
      time = findTime(time, forward);
      if (time >= 0) return found * DAY_MS + time * 1000;
      day += forward ? 1 : -1;
      found = findDay(day, forward);
    }
    time = findTime(forward ? 0 : DAY_SECONDS - 1, forward);
    return found * DAY_MS + time * 1000;
  };
}

/** The first day of a month. */
function firstDayOf(month: number): number {
  const year = Math.floor(month / 12);
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  // From March on, five months have 153 days in total, and so do the next five:
  // https://howardhinnant.github.io/date_algorithms.html#days_from_civil
  return year * 365 + leapDays + Math.floor((153 * (month % 12) + 2) / 5) - DAYS_BEFORE_1970;
}

/** The matching days of a month, as bits. Bit 0 is the first day. */
function matchingDays(fields: CronFields, firstWeekday: number, length: number): number {
  let ofMonth = 0;
  let ofWeek = 0;
  for (let day = 1; day <= length; day++) {
    const fromLast = length - day;
    const dayOfWeek = (firstWeekday + day - 1) % 7;
    const bit = 1 << (day - 1);
    if (has(fields.days, day) || has(fields.daysFromLast, fromLast)) ofMonth |= bit;
    if (has(fields.weekdays, day) || has(fields.weekdaysFromLast, fromLast)) {
      // The nearest day from Monday to Friday, but never in another month.
      if (dayOfWeek === 6) ofMonth |= day === 1 ? bit << 2 : bit >> 1;
      else if (dayOfWeek === 0) ofMonth |= fromLast === 0 ? bit >> 2 : bit << 1;
      else ofMonth |= bit;
    }
    const nths = fields.daysOfWeek[dayOfWeek];
    if (nths && (has(nths, Math.ceil(day / 7)) || (fromLast < 7 && has(nths, LAST)))) ofWeek |= bit;
  }
  return fields.needsBothDayFields ? ofMonth & ofWeek : ofMonth | ofWeek;
}

/** The number in a set nearest to `n` (-1 to 63) in the given direction, starting with `n` itself; -1 when none. */
function find(set: NumberSet, n: number, forward: boolean): number {
  // Shifts count modulo 32, so they serve either half of the set.
  let mask = forward ? -1 << n : -1 >>> (31 - n);
  for (let half = n >> 5; half === 0 || half === 1; half += forward ? 1 : -1) {
    const bits = set[half] & mask;
    if (bits !== 0) return half * 32 + nearestBit(bits, forward);
    mask = -1;
  }
  return -1;
}

function outermost(set: NumberSet, forward: boolean): number {
  return find(set, forward ? 0 : 63, forward);
}

/** The lowest bit when going forward, otherwise the highest. */
function nearestBit(bits: number, forward: boolean): number {
  return 31 - Math.clz32(forward ? bits & -bits : bits);
}
