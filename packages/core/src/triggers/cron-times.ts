/**
 * Which local times a cron expression names, without regard to time zones: the arithmetic of calendar and clock.
 *
 * Local times are numbers, as in `time-zone.ts`; days are counted from 1 January 1970, and months from March of the
 * year 0, so that the leap day is the last of its year.
 */

import { DAY_MS } from '../duration.js';
import { type CronFields, has, LAST, type NumberSet } from './cron-parse.js';

/** The local times that an expression names. */
export interface CronTimes {
  /** The first that is not before `localMs`; `Infinity` when there is none. */
  atOrAfter(localMs: number): number;
  /** The last that is not after `localMs`; `-Infinity` when there is none. */
  atOrBefore(localMs: number): number;
}

/** After 400 years the calendar repeats, weekdays included. What does not occur in these months never will. */
const MONTHS_OF_ALL_CALENDARS = 4800;

const DAY_SECONDS = 86_400;

export function cronTimes(fields: CronFields): CronTimes {
  const { seconds, minutes, hours, months } = fields;
  const firstTime = timeFrom(0);
  const lastTime = timeUpTo(DAY_SECONDS - 1);

  // The days that match in a month, for each of the 28 calendars that a month can have: bit 0 is its first day.
  const calendars: number[] = [];

  // The month that was looked at last, since the next question is likely to be about the same one.
  let month = 0;
  let monthStart = 0;
  let monthEnd = 0;
  let days = 0;

  function turnTo(index: number): void {
    month = index;
    monthStart = firstDayOf(index);
    monthEnd = firstDayOf(index + 1);
    const inYear = index - 12 * Math.floor(index / 12);
    days = 0;
    if (has(months, inYear < 10 ? inYear + 3 : inYear - 9)) {
      const length = monthEnd - monthStart;
      const firstWeekday = (((monthStart + 4) % 7) + 7) % 7;
      const calendar = firstWeekday * 4 + length - 28;
      days = calendars[calendar] ??= matchingDays(fields, firstWeekday, length);
    }
  }

  function turnToMonthOf(day: number): void {
    if (day >= monthStart && day < monthEnd) return;
    // A month has 30.436875 days on average, and none begins more than two days off that average.
    let index = Math.floor((day - firstDayOf(0)) / 30.436875);
    while (firstDayOf(index) > day) index--;
    while (firstDayOf(index + 1) <= day) index++;
    turnTo(index);
  }

  function dayFrom(day: number): number {
    turnToMonthOf(day);
    let candidates = days & (-1 << (day - monthStart));
    for (let n = 0; candidates === 0; n++) {
      if (n > MONTHS_OF_ALL_CALENDARS) return Number.POSITIVE_INFINITY;
      turnTo(month + 1);
      candidates = days;
    }
    return monthStart + lowestBit(candidates);
  }

  function dayUpTo(day: number): number {
    turnToMonthOf(day);
    let candidates = days & (-1 >>> (31 - (day - monthStart)));
    for (let n = 0; candidates === 0; n++) {
      if (n > MONTHS_OF_ALL_CALENDARS) return Number.NEGATIVE_INFINITY;
      turnTo(month - 1);
      candidates = days;
    }
    return monthStart + highestBit(candidates);
  }

  /** The first second of the day that is not before `time`, or -1. */
  function timeFrom(time: number): number {
    let hour = Math.floor(time / 3600);
    if (has(hours, hour)) {
      const minute = Math.floor(time / 60) % 60;
      if (has(minutes, minute)) {
        const second = next(seconds, time % 60);
        if (second >= 0) return time - (time % 60) + second;
      }
      const later = next(minutes, minute + 1);
      if (later >= 0) return hour * 3600 + later * 60 + next(seconds, 0);
    }
    hour = next(hours, hour + 1);
    return hour < 0 ? -1 : hour * 3600 + next(minutes, 0) * 60 + next(seconds, 0);
  }

  /** The last second of the day that is not after `time`, or -1. */
  function timeUpTo(time: number): number {
    let hour = Math.floor(time / 3600);
    if (has(hours, hour)) {
      const minute = Math.floor(time / 60) % 60;
      if (has(minutes, minute)) {
        const second = previous(seconds, time % 60);
        if (second >= 0) return time - (time % 60) + second;
      }
      const earlier = previous(minutes, minute - 1);
      if (earlier >= 0) return hour * 3600 + earlier * 60 + previous(seconds, 59);
    }
    hour = previous(hours, hour - 1);
    return hour < 0 ? -1 : hour * 3600 + previous(minutes, 59) * 60 + previous(seconds, 59);
  }

  return {
    atOrAfter(localMs) {
      const second = Math.ceil(localMs / 1000);
      const day = Math.floor(second / DAY_SECONDS);
      const found = dayFrom(day);
      const time = found === day ? timeFrom(second - day * DAY_SECONDS) : firstTime;
      return time >= 0
        ? found * DAY_MS + time * 1000
        : dayFrom(day + 1) * DAY_MS + firstTime * 1000;
    },
    atOrBefore(localMs) {
      const second = Math.floor(localMs / 1000);
      const day = Math.floor(second / DAY_SECONDS);
      const found = dayUpTo(day);
      const time = found === day ? timeUpTo(second - day * DAY_SECONDS) : lastTime;
      return time >= 0 ? found * DAY_MS + time * 1000 : dayUpTo(day - 1) * DAY_MS + lastTime * 1000;
    },
  };
}

/** The first day of a month, which are counted from March of the year 0. */
function firstDayOf(month: number): number {
  const year = Math.floor(month / 12);
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  // From March on, five months have 153 days in all, and so have the next five. Year 0 began in March, 719,468 days
  // before 1970: https://howardhinnant.github.io/date_algorithms.html#days_from_civil
  return year * 365 + leapDays + Math.floor((153 * (month - 12 * year) + 2) / 5) - 719_468;
}

/** The days of a month that match, as bits, its first day as bit 0. */
function matchingDays(fields: CronFields, firstWeekday: number, length: number): number {
  let ofMonth = 0;
  for (let day = 1; day <= length; day++) {
    const fromLast = length - day;
    if (has(fields.days, day) || has(fields.daysFromLast, fromLast)) ofMonth |= 1 << (day - 1);
    if (has(fields.weekdays, day) || has(fields.weekdaysFromLast, fromLast)) {
      const dayOfWeek = (firstWeekday + day - 1) % 7;
      // The nearest weekday, but never in another month.
      let shift = 0;
      if (dayOfWeek === 6) shift = day === 1 ? 2 : -1;
      if (dayOfWeek === 0) shift = fromLast === 0 ? -2 : 1;
      ofMonth |= 1 << (day - 1 + shift);
    }
  }
  let ofWeek = 0;
  for (let day = 1; day <= length; day++) {
    const occurrences = fields.daysOfWeek[(firstWeekday + day - 1) % 7];
    if (!occurrences) continue;
    const isLast = day + 7 > length && has(occurrences, LAST);
    if (isLast || has(occurrences, Math.ceil(day / 7))) ofWeek |= 1 << (day - 1);
  }
  return fields.needsBothDayFields ? ofMonth & ofWeek : ofMonth | ofWeek;
}

/** The smallest member of a set that is at least `n` (0 to 63), or -1. */
function next(set: NumberSet, n: number): number {
  if (n < 32) {
    const bits = set[0] & (-1 << n);
    if (bits !== 0) return lowestBit(bits);
  }
  const bits = set[1] & (-1 << Math.max(n - 32, 0));
  return bits === 0 ? -1 : 32 + lowestBit(bits);
}

/** The largest member of a set that is at most `n` (-1 to 63), or -1. */
function previous(set: NumberSet, n: number): number {
  if (n < 0) return -1;
  if (n >= 32) {
    const bits = set[1] & (-1 >>> (63 - n));
    if (bits !== 0) return 32 + highestBit(bits);
  }
  const bits = set[0] & (-1 >>> (31 - Math.min(n, 31)));
  return bits === 0 ? -1 : highestBit(bits);
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function highestBit(bits: number): number {
  return 31 - Math.clz32(bits);
}
