import { describe, expect, it } from 'vitest';
import { isSchedError, type SchedErrorCode } from '../src/errors.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { type CronOptions, cron } from '../src/triggers/cron.js';
import { after, between } from './support/cron.js';
import { codeOf, declared, forward } from './support/occurrences.js';

const context = declared(0);

/** The days on which an expression fires at midnight. */
function days(from: string, count: number, expression: string): string[] {
  return after(`${from}T00:00Z`, count, `0 0 ${expression}`).map((at) => at.replace('T00:00Z', ''));
}

describe('the fields of the clock', () => {
  it.each<[string, string, string[]]>([
    ['* * * * *', '2026-01-01T00:00Z', ['2026-01-01T00:01Z', '2026-01-01T00:02Z']],
    ['*/20 * * * *', '2026-01-01T00:00Z', ['2026-01-01T00:20Z', '2026-01-01T00:40Z']],
    ['*/40 * * * *', '2026-01-01T00:00Z', ['2026-01-01T00:40Z', '2026-01-01T01:00Z']],
    ['10-50/20 * * * *', '2026-01-01T00:10Z', ['2026-01-01T00:30Z', '2026-01-01T00:50Z']],
    ['59 23 31 12 *', '2026-01-01T00:00Z', ['2026-12-31T23:59Z', '2027-12-31T23:59Z']],
    ['0,30 9,17 * * *', '2026-01-01T09:00Z', ['2026-01-01T09:30Z', '2026-01-01T17:00Z']],
    ['30 9-10 * * *', '2026-01-01T09:30Z', ['2026-01-01T10:30Z', '2026-01-02T09:30Z']],
    ['05 09 * * *', '2026-01-01T00:00Z', ['2026-01-01T09:05Z', '2026-01-02T09:05Z']],
    ['15 30 9 * * *', '2026-01-01T00:00Z', ['2026-01-01T09:30:15Z', '2026-01-02T09:30:15Z']],
    ['*/30 59 23 * * *', '2026-01-01T23:59:30Z', ['2026-01-02T23:59Z', '2026-01-02T23:59:30Z']],
    ['  0   12\t*  * *  ', '2026-01-01T00:00Z', ['2026-01-01T12:00Z', '2026-01-02T12:00Z']],
  ])('%s after %s', (expression, from, expected) => {
    expect(after(from, 2, expression)).toEqual(expected);
  });

  it('names moments strictly after and strictly before, to the millisecond', () => {
    const noon = cron('0 12 * * *');
    const at = Date.parse('2026-03-01T12:00Z');
    expect(noon.next(at - 1, context)).toBe(at);
    expect(noon.next(at, context)).toBe(at + 86_400_000);
    expect(noon.next(at - 0.5, context)).toBe(at);
    expect(noon.previous(at + 1, context)).toBe(at);
    expect(noon.previous(at, context)).toBe(at - 86_400_000);
    expect(noon.previous(at + 0.5, context)).toBe(at);
  });

  it('goes back beyond 1970, and to the ends of the calendar', () => {
    expect(after('1899-12-31T23:58Z', 2, '59 23 * * *')).toEqual([
      '1899-12-31T23:59Z',
      '1900-01-01T23:59Z',
    ]);
    const newYear = cron('0 0 1 1 *');
    expect(newYear.previous(Date.parse('0001-01-01T00:00Z'), context)).toBeNull();
    expect(newYear.next(Number.NEGATIVE_INFINITY, context)).toBe(Date.parse('0001-01-01T00:00Z'));
    expect(newYear.next(Date.parse('9999-01-01T00:00Z'), context)).toBeNull();
    expect(newYear.previous(Number.POSITIVE_INFINITY, context)).toBe(
      Date.parse('9999-01-01T00:00Z'),
    );
    expect(newYear.next(Number.POSITIVE_INFINITY, context)).toBeNull();
    expect(newYear.previous(Number.NEGATIVE_INFINITY, context)).toBeNull();
    expect(newYear.next(Number.NaN, context)).toBeNull();
    expect(newYear.previous(Number.NaN, context)).toBeNull();
  });
});

describe('the fields of the calendar', () => {
  it.each<[string, string, string[]]>([
    ['1 * *', '2026-01-01', ['2026-02-01', '2026-03-01', '2026-04-01']],
    ['31 * *', '2026-01-31', ['2026-03-31', '2026-05-31', '2026-07-31']],
    ['29 2 *', '2026-01-01', ['2028-02-29', '2032-02-29', '2036-02-29']],
    ['29 2 *', '2096-03-01', ['2104-02-29', '2108-02-29', '2112-02-29']],
    ['29 2 *', '1996-03-01', ['2000-02-29', '2004-02-29', '2008-02-29']],
    ['1 JAN,jul *', '2026-01-01', ['2026-07-01', '2027-01-01', '2027-07-01']],
    ['1 oct-DEC *', '2026-10-01', ['2026-11-01', '2026-12-01', '2027-10-01']],
    ['1 */5 *', '2026-01-01', ['2026-06-01', '2026-11-01', '2027-01-01']],
    ['* * MON', '2026-01-01', ['2026-01-05', '2026-01-12', '2026-01-19']],
    ['* * 0', '2026-01-01', ['2026-01-04', '2026-01-11', '2026-01-18']],
    ['* * 7', '2026-01-01', ['2026-01-04', '2026-01-11', '2026-01-18']],
    ['* * sun', '2026-01-01', ['2026-01-04', '2026-01-11', '2026-01-18']],
    ['* * 5-7', '2026-01-01', ['2026-01-02', '2026-01-03', '2026-01-04']],
    ['* * SAT-SUN', '2026-01-01', ['2026-01-03', '2026-01-04', '2026-01-10']],
    ['* * SUN-MON', '2026-01-01', ['2026-01-04', '2026-01-05', '2026-01-11']],
    ['* * SUN-SUN', '2026-01-01', ['2026-01-02', '2026-01-03', '2026-01-04']],
    ['* * 0-7/7', '2026-01-01', ['2026-01-04', '2026-01-11', '2026-01-18']],
    ['* * */3', '2026-01-01', ['2026-01-03', '2026-01-04', '2026-01-07']],
    ['* * 1-5/2', '2026-01-01', ['2026-01-02', '2026-01-05', '2026-01-07']],
  ])('%s after %s', (expression, from, expected) => {
    expect(days(from, 3, expression)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    // The last day of a month, and days before it
    ['L * *', '2026-01-31', ['2026-02-28', '2026-03-31', '2026-04-30']],
    ['L 2 *', '2026-03-01', ['2027-02-28', '2028-02-29', '2029-02-28']],
    ['L-3 * *', '2026-01-01', ['2026-01-28', '2026-02-25', '2026-03-28']],
    ['L-30 * *', '2026-01-01', ['2026-03-01', '2026-05-01', '2026-07-01']],
    ['L-28 2 *', '2026-01-01', ['2028-02-01', '2032-02-01', '2036-02-01']],
    ['15,L * *', '2026-01-01', ['2026-01-15', '2026-01-31', '2026-02-15']],
    ['l,l-1 * *', '2026-01-01', ['2026-01-30', '2026-01-31', '2026-02-27']],
    // The weekday nearest to a day: 1 February 2026 is a Sunday, 1 August 2026 a Saturday, 31 May 2026 a Sunday
    ['15W * *', '2026-02-01', ['2026-02-16', '2026-03-16', '2026-04-15']],
    ['1W 2 *', '2026-01-01', ['2026-02-02', '2027-02-01', '2028-02-01']],
    ['1W 8 *', '2026-01-01', ['2026-08-03', '2027-08-02', '2028-08-01']],
    ['31W 5 *', '2026-01-01', ['2026-05-29', '2027-05-31', '2028-05-31']],
    ['31w * *', '2026-02-01', ['2026-03-31', '2026-05-29', '2026-07-31']],
    ['LW * *', '2026-01-01', ['2026-01-30', '2026-02-27', '2026-03-31']],
    ['L-1W * *', '2026-01-01', ['2026-01-30', '2026-02-27', '2026-03-30']],
    // The n-th of a day of the week, and the last
    ['* * FRI#2', '2026-01-01', ['2026-01-09', '2026-02-13', '2026-03-13']],
    ['* * 4#1', '2026-01-01', ['2026-02-05', '2026-03-05', '2026-04-02']],
    ['* * MON#5', '2026-01-01', ['2026-03-30', '2026-06-29', '2026-08-31']],
    ['* * 7#1', '2026-01-01', ['2026-01-04', '2026-02-01', '2026-03-01']],
    ['* * FRIL', '2026-01-01', ['2026-01-30', '2026-02-27', '2026-03-27']],
    ['* * 5l', '2026-01-01', ['2026-01-30', '2026-02-27', '2026-03-27']],
    ['* * 7L', '2026-01-01', ['2026-01-25', '2026-02-22', '2026-03-29']],
    ['* * MON#1,fril', '2026-01-01', ['2026-01-05', '2026-01-30', '2026-02-02']],
    ['* 2 SUNL', '2026-02-28', ['2027-02-28', '2028-02-27', '2029-02-25']],
  ])('%s after %s', (expression, from, expected) => {
    expect(days(from, 3, expression)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    // Both restricted: a day that matches either
    ['13 * FRI', '2026-01-01', ['2026-01-02', '2026-01-09', '2026-01-13', '2026-01-16']],
    ['1-7 1 0-6', '2026-01-05', ['2026-01-06', '2026-01-07', '2026-01-08', '2026-01-09']],
    ['L * MON#1', '2026-01-01', ['2026-01-05', '2026-01-31', '2026-02-02', '2026-02-28']],
    // One begins with a star: a day that matches both
    ['*/13 * FRI', '2026-01-01', ['2026-02-27', '2026-03-27', '2026-05-01', '2026-08-14']],
    ['13 * */5', '2026-01-01', ['2026-02-13', '2026-03-13', '2026-09-13', '2026-11-13']],
    ['*,13 * FRI', '2026-01-01', ['2026-01-02', '2026-01-09', '2026-01-16', '2026-01-23']],
    ['13 * *', '2026-01-01', ['2026-01-13', '2026-02-13', '2026-03-13', '2026-04-13']],
    // A question mark is a star
    ['13 * ?', '2026-01-01', ['2026-01-13', '2026-02-13', '2026-03-13', '2026-04-13']],
    ['? * FRI', '2026-01-01', ['2026-01-02', '2026-01-09', '2026-01-16', '2026-01-23']],
    ['? 1 ?', '2026-01-01', ['2026-01-02', '2026-01-03', '2026-01-04', '2026-01-05']],
  ])('combines the fields for days as Vixie did: %s after %s', (expression, from, expected) => {
    expect(days(from, 4, expression)).toEqual(expected);
  });

  it('finds what is rare: 29 February on a Sunday, across 2100', () => {
    expect(days('2061-01-01', 3, '29 2 */7')).toEqual(['2088-02-29', '2128-02-29', '2156-02-29']);
  });

  it.each(['0 0 31 2 *', '0 0 30 2 ?', '0 0 31 4,6,9,11 *', '0 0 L-29 2 *', '0 0 30-31 2 */2'])(
    'ends when nothing will ever match: %s',
    (expression) => {
      for (const timeZone of ['UTC', 'Europe/Berlin']) {
        const never = cron(expression, { timeZone });
        for (const at of [
          Number.NEGATIVE_INFINITY,
          0,
          Date.UTC(2026, 0),
          Number.POSITIVE_INFINITY,
        ]) {
          expect(never.next(at, context)).toBeNull();
          expect(never.previous(at, context)).toBeNull();
        }
      }
    },
  );
});

describe('names for whole expressions', () => {
  it.each([
    ['@yearly', '0 0 1 1 *'],
    ['@annually', '0 0 1 1 *'],
    ['@monthly', '0 0 1 * *'],
    ['@weekly', '0 0 * * 0'],
    ['@daily', '0 0 * * *'],
    ['@midnight', '0 0 * * *'],
    ['@hourly', '0 * * * *'],
    [' @Daily ', '0 0 * * *'],
  ])('%s is %s', (name, expression) => {
    const from = '2026-02-27T10:00Z';
    expect(after(from, 5, name)).toEqual(after(from, 5, expression));
  });

  it('follow the clock as what they stand for: @hourly in real time, @daily not', () => {
    const timeZone = 'America/Sao_Paulo';
    // The clocks went from 00:00 to 01:00.
    const night = ['2018-11-04T02:30Z', '2018-11-04T03:30Z'] as const;
    expect(between(...night, '@hourly', { timeZone })).toEqual(['2018-11-04T03:00Z']);
    expect(between(...night, '@daily', { timeZone })).toEqual(['2018-11-04T03:00Z']);
    // The clocks went from 00:00 back to 23:00.
    const autumn = ['2018-02-18T00:30Z', '2018-02-18T03:30Z'] as const;
    expect(between(...autumn, '@hourly', { timeZone })).toEqual([
      '2018-02-18T01:00Z',
      '2018-02-18T02:00Z',
      '2018-02-18T03:00Z',
    ]);
    expect(between(...autumn, '@daily', { timeZone })).toEqual(['2018-02-18T03:00Z']);
  });
});

describe('time zones', () => {
  it('reads the expression in UTC unless told otherwise', () => {
    expect(after('2026-07-01T00:00Z', 1, '0 9 * * *')).toEqual(['2026-07-01T09:00Z']);
    expect(after('2026-07-01T00:00Z', 1, '0 9 * * *', { timeZone: 'UTC' })).toEqual([
      '2026-07-01T09:00Z',
    ]);
  });

  it('keeps local time across a change of the clocks', () => {
    const timeZone = 'Europe/Berlin';
    expect(after('2026-03-26T23:00Z', 4, '0 9 * * *', { timeZone })).toEqual([
      '2026-03-27T08:00Z',
      '2026-03-28T08:00Z',
      '2026-03-29T07:00Z',
      '2026-03-30T07:00Z',
    ]);
  });

  it('takes days of the month and of the week from the local calendar', () => {
    // Noon on Sunday 1 March in UTC is two in the morning of Monday the 2nd on Kiritimati.
    expect(
      after('2026-02-28T00:00Z', 2, '0 2 * * MON', { timeZone: 'Pacific/Kiritimati' }),
    ).toEqual(['2026-03-01T12:00Z', '2026-03-08T12:00Z']);
  });

  it('counts seconds on the local clock, also where it was seconds off', () => {
    // Until 1972 the clocks of Monrovia were 44 minutes and 30 seconds behind.
    expect(after('1970-01-01T00:00Z', 2, '0 * * * *', { timeZone: 'Africa/Monrovia' })).toEqual([
      '1970-01-01T00:44:30Z',
      '1970-01-01T01:44:30Z',
    ]);
  });
});

describe('start and end', () => {
  const start = '2026-01-02T12:00:00Z';
  const end = '2026-01-04T12:00:00Z';
  const all = ['2026-01-02T12:00Z', '2026-01-03T12:00Z', '2026-01-04T12:00Z'];

  it('are both inclusive', () => {
    expect(between('2025-01-01T00:00Z', '2027-01-01T00:00Z', '0 12 * * *', { start, end })).toEqual(
      all,
    );
    const inside = { start: Date.parse(start) + 1, end: Date.parse(end) - 1 };
    expect(between('2025-01-01T00:00Z', '2027-01-01T00:00Z', '0 12 * * *', inside)).toEqual([
      '2026-01-03T12:00Z',
    ]);
  });

  it('bound the search from any distance', () => {
    const trigger = cron('0 12 * * *', { start, end });
    expect(trigger.next(Number.NEGATIVE_INFINITY, context)).toBe(Date.parse(start));
    expect(trigger.next(Date.parse(end), context)).toBeNull();
    expect(trigger.previous(Number.POSITIVE_INFINITY, context)).toBe(Date.parse(end));
    expect(trigger.previous(Date.parse(start), context)).toBeNull();
  });

  it('also bound what a gap has shifted', () => {
    const timeZone = 'Europe/Berlin';
    const at = Date.parse('2026-03-29T01:00Z');
    const night = ['2026-03-28T12:00Z', '2026-03-29T12:00Z'] as const;
    const run = (options: CronOptions) => between(...night, '30 2 * * *', { timeZone, ...options });
    expect(run({ start: at, end: at })).toEqual(['2026-03-29T01:00Z']);
    expect(run({ start: at + 1 })).toEqual([]);
    expect(run({ end: at - 1 })).toEqual([]);
  });

  it('may be dates, epoch milliseconds or text with an offset', () => {
    const given = [new Date(start), Date.parse(start), '2026-01-02T14:00:00+02:00'];
    const triggers = given.map((time) => JSON.stringify(cron('0 12 * * *', { start: time })));
    expect(new Set(triggers).size).toBe(1);
  });
});

describe('bad expressions', () => {
  it.each<[string, SchedErrorCode, string, number]>([
    ['', 'SCHED_CRON_SYNTAX', 'expression', 1],
    ['   ', 'SCHED_CRON_SYNTAX', 'expression', 1],
    ['* * * *', 'SCHED_CRON_SYNTAX', 'expression', 8],
    ['* * * * * * 2026', 'SCHED_CRON_SYNTAX', 'expression', 13],
    ['@often', 'SCHED_CRON_SYNTAX', 'expression', 1],
    ['@constructor', 'SCHED_CRON_SYNTAX', 'expression', 1],
    ['@daily *', 'SCHED_CRON_SYNTAX', 'expression', 1],
    ['@reboot', 'SCHED_CRON_UNSUPPORTED', 'expression', 1],
    [' @every 5m', 'SCHED_CRON_UNSUPPORTED', 'expression', 2],
    ['60 * * * *', 'SCHED_CRON_RANGE', 'minute', 1],
    ['60 * * * * *', 'SCHED_CRON_RANGE', 'second', 1],
    ['* 60 * * * *', 'SCHED_CRON_RANGE', 'minute', 3],
    ['  0  24 * * *', 'SCHED_CRON_RANGE', 'hour', 6],
    ['* * 0 * *', 'SCHED_CRON_RANGE', 'day of month', 5],
    ['* * 32 * *', 'SCHED_CRON_RANGE', 'day of month', 5],
    ['* * * 0 *', 'SCHED_CRON_RANGE', 'month', 7],
    ['* * * 13 *', 'SCHED_CRON_RANGE', 'month', 7],
    ['* * * * 8', 'SCHED_CRON_RANGE', 'day of week', 9],
    ['1,2,61 * * * *', 'SCHED_CRON_RANGE', 'minute', 5],
    ['5-61 * * * *', 'SCHED_CRON_RANGE', 'minute', 3],
    ['99999999999999999999 * * * *', 'SCHED_CRON_RANGE', 'minute', 1],
    ['5-1 * * * *', 'SCHED_CRON_RANGE', 'minute', 1],
    ['* * * NOV-FEB *', 'SCHED_CRON_RANGE', 'month', 7],
    ['* * * * 1,FRI-MON', 'SCHED_CRON_RANGE', 'day of week', 11],
    ['* * * * FRI-00', 'SCHED_CRON_RANGE', 'day of week', 9],
    ['1-SUN * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['* * * * FRI-0', 'SCHED_CRON_RANGE', 'day of week', 9],
    ['*/0 * * * *', 'SCHED_CRON_RANGE', 'minute', 3],
    ['*/61 * * * *', 'SCHED_CRON_RANGE', 'minute', 3],
    ['* */25 * * *', 'SCHED_CRON_RANGE', 'hour', 5],
    ['* * * * */8', 'SCHED_CRON_RANGE', 'day of week', 11],
    ['* * 32W * *', 'SCHED_CRON_RANGE', 'day of month', 5],
    ['* * L-0 * *', 'SCHED_CRON_RANGE', 'day of month', 7],
    ['* * L-31 * *', 'SCHED_CRON_RANGE', 'day of month', 7],
    ['* * * * FRI#6', 'SCHED_CRON_RANGE', 'day of week', 13],
    ['* * * * 5#0', 'SCHED_CRON_RANGE', 'day of week', 11],
    ['* * * * 8L', 'SCHED_CRON_RANGE', 'day of week', 9],
    ['a * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['1,,2 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['1, * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['-5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['5- * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['1-2-3 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 5],
    ['*/5/5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 5],
    ['*/ * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['/5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['*/-5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 3],
    ['*5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['1.5 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['1e1 * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['٣ * * * *', 'SCHED_CRON_SYNTAX', 'minute', 1],
    ['* MON * * *', 'SCHED_CRON_SYNTAX', 'hour', 3],
    ['* * * JANUARY *', 'SCHED_CRON_SYNTAX', 'month', 7],
    ['* * * MON *', 'SCHED_CRON_SYNTAX', 'month', 7],
    ['* * * * MONDAY', 'SCHED_CRON_SYNTAX', 'day of week', 9],
    ['* * * * JUL', 'SCHED_CRON_SYNTAX', 'day of week', 9],
    ['* * * * FRI#', 'SCHED_CRON_SYNTAX', 'day of week', 13],
    ['* * * * FRI#L', 'SCHED_CRON_SYNTAX', 'day of week', 13],
    ['5/15 * * * *', 'SCHED_CRON_UNSUPPORTED', 'minute', 3],
    ['* * * * MON/2', 'SCHED_CRON_UNSUPPORTED', 'day of week', 13],
    ['? * * * *', 'SCHED_CRON_UNSUPPORTED', 'minute', 1],
    ['* * ?,5 * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * ?/2 * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['H * * * *', 'SCHED_CRON_UNSUPPORTED', 'minute', 1],
    ['1~9 * * * *', 'SCHED_CRON_UNSUPPORTED', 'minute', 1],
    ['* L * * *', 'SCHED_CRON_UNSUPPORTED', 'hour', 3],
    ['* 5L * * *', 'SCHED_CRON_UNSUPPORTED', 'hour', 3],
    ['* 15W * * *', 'SCHED_CRON_UNSUPPORTED', 'hour', 3],
    ['* * W * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * 5L * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * FRI#2 * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * 15W-20 * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * L/2 * *', 'SCHED_CRON_UNSUPPORTED', 'day of month', 5],
    ['* * * 5#2 *', 'SCHED_CRON_UNSUPPORTED', 'month', 7],
    ['* * * * L', 'SCHED_CRON_UNSUPPORTED', 'day of week', 9],
    ['* * * * 15W', 'SCHED_CRON_UNSUPPORTED', 'day of week', 9],
    ['* * * * MON-FRI#1', 'SCHED_CRON_UNSUPPORTED', 'day of week', 13],
  ])('%j is %s in the %s field at column %i', (expression, code, field, column) => {
    try {
      cron(expression);
      expect.unreachable();
    } catch (error) {
      if (!isSchedError(error)) throw error;
      expect([error.code, error.details]).toEqual([code, { expression, field, column }]);
      expect(error.message).toContain(`${field}, column ${column}: `);
      expect(error.message).toMatch(/ Write .+\.$/);
    }
  });

  it.each([
    ['60 * * * *', 'Cron "60 * * * *", minute, column 1: "60" is out of range. Write 0 to 59.'],
    [
      '0 9 * * FRI-MON',
      'Cron "0 9 * * FRI-MON", day of week, column 9: the range "FRI-MON" runs backwards. Write FRI-7,0-MON.',
    ],
    ['5/15 * * * *', 'Cron "5/15 * * * *", minute, column 3: a step needs a range. Write 5-59/15.'],
  ])('%j is explained: %s', (expression, message) => {
    expect(() => cron(expression)).toThrow(message);
  });

  it('what an error says to write instead can be written', () => {
    for (const [expression, instead] of [
      ['0 9 * * FRI-MON', '0 9 * * FRI-7,0-MON'],
      ['5/15 * * * *', '5-59/15 * * * *'],
      ['0 0 * NOV-FEB *', '0 0 * NOV-12,1-FEB *'],
    ] as const) {
      expect(codeOf(() => cron(expression))).toMatch(/^SCHED_CRON_/);
      expect(codeOf(() => cron(instead))).toBeUndefined();
    }
  });

  it.each([undefined, null, 5, {}, [], new Date(0)])('refuses %j as an expression', (value) => {
    expect(codeOf(() => cron(value as unknown as string))).toBe('SCHED_CRON_SYNTAX');
  });
});

describe('bad options', () => {
  it.each<[unknown, SchedErrorCode]>([
    [{ timeZone: 'Europe/Berln' }, 'SCHED_TIME_ZONE_UNKNOWN'],
    [{ timeZone: '' }, 'SCHED_TIME_ZONE_UNKNOWN'],
    [{ timeZone: null }, 'SCHED_TIME_ZONE_UNKNOWN'],
    [{ gap: 'shove' }, 'SCHED_TRIGGER_INVALID'],
    [{ fold: 'second' }, 'SCHED_TRIGGER_INVALID'],
    [{ fold: null }, 'SCHED_TRIGGER_INVALID'],
    [{ start: 'tomorrow' }, 'SCHED_TIME_INVALID'],
    [{ end: '2026-01-01T00:00:00' }, 'SCHED_TIME_INVALID'],
    [{ start: new Date(Number.NaN) }, 'SCHED_TIME_INVALID'],
    [{ start: 2, end: 1 }, 'SCHED_TRIGGER_INVALID'],
    [{ jitter: 0 }, 'SCHED_DURATION_INVALID'],
    [{ jitter: 'soon' }, 'SCHED_DURATION_INVALID'],
    [{ timezone: 'Europe/Berlin' }, 'SCHED_TRIGGER_INVALID'],
    [null, 'SCHED_TRIGGER_INVALID'],
    ['Europe/Berlin', 'SCHED_TRIGGER_INVALID'],
  ])('%j is %s', (options, code) => {
    expect(codeOf(() => cron('0 9 * * *', options as CronOptions))).toBe(code);
  });

  it('takes an option that is undefined for one that is not there', () => {
    const options = { timeZone: undefined, gap: undefined, start: undefined, jitter: undefined };
    expect(cron('0 9 * * *', options as unknown as CronOptions).toJSON()).toEqual({
      kind: 'cron',
      expression: '0 9 * * *',
    });
  });
});

describe('the stored form', () => {
  const registry = createTriggerRegistry([cron]);

  it('holds what was given and nothing else, so that equal declarations are equal text', () => {
    expect(JSON.stringify(cron('0 9 * * *'))).toBe('{"kind":"cron","expression":"0 9 * * *"}');
    expect(
      JSON.stringify(
        cron('@daily', {
          jitter: '30s',
          end: new Date(2000),
          start: '1970-01-01T00:00:01Z',
          fold: 'both',
          gap: 'skip',
          timeZone: 'Europe/Berlin',
        }),
      ),
    ).toBe(
      '{"kind":"cron","expression":"@daily","timeZone":"Europe/Berlin","gap":"skip","fold":"both",' +
        '"start":1000,"end":2000,"jitterMs":30000}',
    );
    expect(JSON.stringify(cron('0 9 * * *', { jitter: '1m' }))).toBe(
      JSON.stringify(cron('0 9 * * *', { jitter: 60_000 })),
    );
  });

  it('makes an equal trigger', () => {
    const options: CronOptions = {
      timeZone: 'Europe/Berlin',
      gap: 'skip',
      fold: 'both',
      start: Date.UTC(2026, 0),
      end: Date.UTC(2027, 0),
      jitter: '5m',
    };
    const trigger = cron('30 2 * * *', options);
    const read = registry.parse(JSON.parse(JSON.stringify(trigger)));
    expect(JSON.stringify(read)).toBe(JSON.stringify(trigger));
    expect([read.kind, read.type, read.jitterMs]).toEqual(['cron', cron, 300_000]);
    const year = [0, Number.POSITIVE_INFINITY, context] as const;
    expect(forward(read, ...year)).toEqual(forward(trigger, ...year));
    expect(forward(read, ...year)).toHaveLength(365);
  });

  it('can be changed by nobody', () => {
    const trigger = cron('0 9 * * *');
    Object.assign(trigger.toJSON(), { expression: '* * * * *' });
    expect(trigger.toJSON()).toEqual({ kind: 'cron', expression: '0 9 * * *' });
  });

  it.each<[object, SchedErrorCode]>([
    [{}, 'SCHED_CRON_SYNTAX'],
    [{ expression: 5 }, 'SCHED_CRON_SYNTAX'],
    [{ expression: '61 * * * *' }, 'SCHED_CRON_RANGE'],
    [{ expression: '0 9 * * *', timeZone: 'Mars/Phobos' }, 'SCHED_TIME_ZONE_UNKNOWN'],
    [{ expression: '0 9 * * *', timeZone: 5 }, 'SCHED_TIME_ZONE_UNKNOWN'],
    [{ expression: '0 9 * * *', gap: 5 }, 'SCHED_TRIGGER_INVALID'],
    [{ expression: '0 9 * * *', jitterMs: 'x' }, 'SCHED_DURATION_INVALID'],
    [{ expression: '0 9 * * *', jitterMs: null }, 'SCHED_DURATION_INVALID'],
    [{ expression: '0 9 * * *', start: null }, 'SCHED_TIME_INVALID'],
    [{ expression: '0 9 * * *', holidays: 'DE' }, 'SCHED_TRIGGER_INVALID'],
  ])('is refused when it is damaged: %j', (json, code) => {
    expect(codeOf(() => cron.parse({ kind: 'cron', ...json }, registry.parse))).toBe(code);
  });
});

describe('cron, written as elsewhere', () => {
  it.each([
    [
      'TZ=Europe/Berlin 0 9 * * *',
      'SCHED_CRON_UNSUPPORTED',
      'Write cron: "0 9 * * *", timeZone: "Europe/Berlin".',
    ],
    [
      ' CRON_TZ=UTC 0 9 * * *',
      'SCHED_CRON_UNSUPPORTED',
      'column 2: CRON_TZ does not belong to the expression. Write cron: "0 9 * * *", timeZone: "UTC".',
    ],
    ['@every 1h30m', 'SCHED_CRON_UNSUPPORTED', 'Write every: "1h30m" in place of cron.'],
    ['@every', 'SCHED_CRON_UNSUPPORTED', 'Write every: "5m" in place of cron.'],
    ['0 9 * * FRI#L', 'SCHED_CRON_SYNTAX', 'Write 1 to 5, or FRIL for the last in the month.'],
    ['0 9 * * 5#l', 'SCHED_CRON_SYNTAX', 'Write 1 to 5, or 5L for the last in the month.'],
  ])('%s is refused, with what to write here', (expression, code, advice) => {
    let thrown: unknown;
    try {
      cron(expression);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, message: expect.stringContaining(advice) });
  });
});
