import { describe, expect, it } from 'vitest';
import {
  type Duration,
  MAX_DURATION_MS,
  MAX_TIME,
  MIN_TIME,
  meanMs,
  parseDurationMs,
  parseInterval,
  parseTime,
  type Time,
} from '../src/duration.js';
import { isSchedError } from '../src/errors.js';

/** What a call threw. */
function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('parseDurationMs', () => {
  it.each<[Duration, number]>([
    [1, 1],
    [90_000, 90_000],
    ['250ms', 250],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['1w2d3h4m5s6ms', 788_645_006],
    ['0h5m', 300_000],
    ['36525d', MAX_DURATION_MS],
    [MAX_DURATION_MS, MAX_DURATION_MS],
  ])('reads %j as %d ms', (value, expected) => {
    expect(parseDurationMs(value, 'timeout')).toBe(expected);
  });

  it.each<[unknown]>([
    [0],
    [-1],
    [-0],
    [0.5],
    [1.5],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [Number.MAX_SAFE_INTEGER],
    [MAX_DURATION_MS + 1],
    ['36525d1ms'],
    ['99999999999999999999999d'],
    [`${'9'.repeat(400)}ms`],
    [''],
    [' '],
    ['0s'],
    ['5'],
    ['-5m'],
    ['+5m'],
    ['1.5h'],
    ['5M'],
    ['5 m'],
    ['5 minutes'],
    ['30m1h'],
    ['1h1h'],
    ['1y'],
    ['5m;'],
    ['٥m'],
    [null],
    [undefined],
    [true],
    [{}],
    [{ minutes: 5 }],
    [[5]],
    [new Date(5)],
    [10n],
    [Symbol('5m')],
    [() => 5],
  ])('refuses %o', (value) => {
    const error = thrown(() => parseDurationMs(value as Duration, 'timeout'));
    expect(isSchedError(error, 'SCHED_DURATION_INVALID')).toBe(true);
  });

  it('names the option, the value and an example', () => {
    expect(() => parseDurationMs('soon', 'retry.min')).toThrow(/^retry\.min is "soon"\. .*'1h30m'/);
    expect(() => parseDurationMs({ days: 1 } as never, 'timeout')).toThrow(
      /^timeout is \{"days":1\}\. /,
    );
    expect(thrown(() => parseDurationMs(-5, 'timeout'))).toMatchObject({
      details: { what: 'timeout' },
    });
  });

  it('shows no more of a value than fits on a line', () => {
    const error = thrown(() => parseDurationMs('x'.repeat(1000), 'timeout'));
    expect(String(error).length).toBeLessThan(500);
  });
});

describe('parseInterval', () => {
  it('keeps calendar days and the exact rest of a text apart', () => {
    expect(parseInterval('1w2d3h', 'every')).toEqual({
      months: 0,
      days: 9,
      milliseconds: 10_800_000,
    });
  });

  it('adds up parts that can be converted into each other, and no others', () => {
    expect(
      parseInterval(
        {
          years: 1,
          months: 2,
          weeks: 3,
          days: 4,
          hours: 5,
          minutes: 6,
          seconds: 7,
          milliseconds: 8,
        },
        'every',
      ),
    ).toEqual({ months: 14, days: 25, milliseconds: 18_367_008 });
  });

  it('takes a number as exact', () => {
    expect(parseInterval(86_400_000, 'every')).toEqual({
      months: 0,
      days: 0,
      milliseconds: 86_400_000,
    });
  });

  it.each<[unknown]>([
    [{}],
    [{ days: 0 }],
    [{ days: -1 }],
    [{ days: 2, hours: -1 }],
    [{ days: 1.5 }],
    [{ days: '1' }],
    [{ days: Number.NaN }],
    [{ days: Number.POSITIVE_INFINITY }],
    [{ days: null }],
    [{ day: 1 }],
    [{ days: 1, fortnights: 1 }],
    [{ days: 1, constructor: 1 }],
    [JSON.parse('{"days":1,"__proto__":1}')],
    [{ years: 101 }],
    [{ months: 1e300 }],
    [['days', 1]],
    [null],
  ])('refuses %j', (value) => {
    const error = thrown(() => parseInterval(value as Duration, 'every'));
    expect(isSchedError(error, 'SCHED_DURATION_INVALID')).toBe(true);
  });
});

describe('meanMs', () => {
  it('is exact over the 400 years after which the calendar repeats', () => {
    const years = Date.UTC(2400, 0, 1) - Date.UTC(2000, 0, 1);
    expect(meanMs({ months: 4800, days: 0, milliseconds: 0 })).toBe(years);
  });
});

describe('parseTime', () => {
  const moment = Date.UTC(2026, 2, 29, 7, 30);

  it.each<[Time, number]>([
    [moment, moment],
    [new Date(moment), moment],
    ['2026-03-29T07:30Z', moment],
    ['2026-03-29T07:30:00Z', moment],
    ['2026-03-29T07:30:00.000Z', moment],
    ['2026-03-29T09:30:00+02:00', moment],
    ['2026-03-29T00:00:00.5-07:30', moment + 500],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['0001-01-01T00:00:00Z', MIN_TIME],
    ['9999-12-31T23:59:59.999Z', MAX_TIME],
    [0, 0],
    [-1, -1],
    [MIN_TIME, MIN_TIME],
    [MAX_TIME, MAX_TIME],
  ])('reads %j as %d', (value, expected) => {
    expect(parseTime(value, 'start')).toBe(expected);
  });

  it.each<[unknown]>([
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [0.5],
    [MIN_TIME - 1],
    [MAX_TIME + 1],
    [new Date(Number.NaN)],
    [new Date(8.64e15)],
    [''],
    ['tomorrow'],
    ['1774769400000'],
    ['2026-03-29'],
    ['2026-03-29T07:30:00'],
    ['2026-03-29 07:30:00Z'],
    ['2026-03-29T07:30:00.0001Z'],
    ['2026-02-29T07:30:00Z'],
    ['2026-02-30T07:30:00Z'],
    ['2026-13-01T07:30:00Z'],
    ['2026-00-01T07:30:00Z'],
    ['2026-03-29T24:00:00Z'],
    ['2026-03-29T23:60:00Z'],
    ['2026-03-29T23:59:60Z'],
    ['2026-03-29T07:30:00+99:00'],
    ['2026-03-29T07:30:00+0200'],
    ['0000-12-31T00:00:00Z'],
    ['0001-01-01T00:00:00+00:01'],
    ['9999-12-31T23:59:59-00:01'],
    ['+010000-01-01T00:00:00Z'],
    [null],
    [undefined],
    [true],
    [{}],
    [[moment]],
    [10n],
    [Symbol('now')],
  ])('refuses %o', (value) => {
    const error = thrown(() => parseTime(value as Time, 'start'));
    expect(isSchedError(error, 'SCHED_TIME_INVALID')).toBe(true);
  });

  it('says why text without an offset is refused', () => {
    expect(() => parseTime('2026-03-29T07:30:00', 'start')).toThrow(
      /^start is "2026-03-29T07:30:00"\. .*another moment on each machine/,
    );
  });
});
