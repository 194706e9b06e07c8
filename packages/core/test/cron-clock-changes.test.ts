import { describe, expect, it } from 'vitest';
import type { CronOptions } from '../src/triggers/cron.js';
import { between } from './support/cron.js';

/** A night in which the clocks change, and what a schedule does in it by default and under the other choices. */
interface Night {
  readonly zone: string;
  readonly from: string;
  readonly to: string;
  readonly runs: readonly [expression: string, options: CronOptions, expected: readonly string[]][];
}

const nights: Record<string, Night> = {
  'Berlin, forward from 02:00 to 03:00 at 01:00Z': {
    zone: 'Europe/Berlin',
    from: '2026-03-28T22:30Z',
    to: '2026-03-29T02:00Z',
    runs: [
      ['30 2 * * *', {}, ['29T01:00']],
      ['30 2 * * *', { gap: 'shift' }, ['29T01:00']],
      ['30 2 * * *', { gap: 'skip' }, []],
      // Once, however many times the gap swallowed, and also when the moment after it is one of the schedule's own
      ['0,15,30,45 2 * * *', {}, ['29T01:00']],
      ['0-59 2 * * *', {}, ['29T01:00']],
      ['0 2,3 * * *', {}, ['29T01:00']],
      ['0 2,3 * * *', { gap: 'skip' }, ['29T01:00']],
      ['59 1,2 * * *', {}, ['29T00:59', '29T01:00']],
      // The gap begins at 02:00 and ends before 03:00.
      ['0 2 * * *', {}, ['29T01:00']],
      ['0 3 * * *', { gap: 'skip' }, ['29T01:00']],
      // On that day only
      ['30 2 30 * *', {}, []],
      ['30 2 * * SUN', {}, ['29T01:00']],
      ['30 2 * * MON', {}, []],
      // A minute or hour of * follows real time: nothing is shifted.
      ['*/30 2 * * *', {}, []],
      ['30 * * * *', {}, ['28T23:30', '29T00:30', '29T01:30']],
      ['30 */2 * * *', {}, ['28T23:30']],
      ['* 2 * * *', { gap: 'shift' }, []],
      // A range of all hours is not a star, in Debian's cron either.
      ['30 0-23 * * *', {}, ['28T23:30', '29T00:30', '29T01:00', '29T01:30']],
      // Nor does a star among the seconds make a time of day follow real time.
      ['*/20 30 2 * * *', {}, ['29T01:00']],
      ['*/20 30 2 * * *', { gap: 'skip' }, []],
      ['20 30 2 * * *', {}, ['29T01:00']],
    ],
  },
  'Berlin, back from 03:00 to 02:00 at 01:00Z': {
    zone: 'Europe/Berlin',
    from: '2026-10-24T22:45Z',
    to: '2026-10-25T02:15Z',
    runs: [
      ['30 2 * * *', {}, ['25T00:30']],
      ['30 2 * * *', { fold: 'first' }, ['25T00:30']],
      ['30 2 * * *', { fold: 'both' }, ['25T00:30', '25T01:30']],
      ['0 2 * * *', {}, ['25T00:00']],
      ['0 2 * * *', { fold: 'both' }, ['25T00:00', '25T01:00']],
      ['0 3 * * *', { fold: 'both' }, ['25T02:00']],
      ['0,30 1-3 * * *', {}, ['24T23:00', '24T23:30', '25T00:00', '25T00:30', '25T02:00']],
      ['*/30 2 * * *', {}, ['25T00:00', '25T00:30', '25T01:00', '25T01:30']],
      ['30 * * * *', {}, ['24T23:30', '25T00:30', '25T01:30']],
      ['30 0-23 * * *', {}, ['24T23:30', '25T00:30']],
      ['*/30 30 2 * * *', {}, ['25T00:30', '25T00:30:30']],
      ['30 */2 * * *', { fold: 'first' }, ['25T00:30', '25T01:30']],
    ],
  },
  'New York, forward from 02:00 to 03:00 at 07:00Z': {
    zone: 'America/New_York',
    from: '2026-03-08T05:30Z',
    to: '2026-03-08T08:30Z',
    runs: [
      ['30 2 * * *', {}, ['08T07:00']],
      ['0 * * * *', {}, ['08T06:00', '08T07:00', '08T08:00']],
    ],
  },
  'Lord Howe, forward half an hour from 02:00 at 15:30Z': {
    zone: 'Australia/Lord_Howe',
    from: '2026-10-03T14:00Z',
    to: '2026-10-03T17:00Z',
    runs: [
      ['15 2 * * *', {}, ['03T15:30']],
      ['15 2 * * *', { gap: 'skip' }, []],
      ['30 2 * * *', {}, ['03T15:30']],
      ['0,15,30,45 2 * * *', {}, ['03T15:30', '03T15:45']],
      ['*/15 2 * * *', {}, ['03T15:30', '03T15:45']],
    ],
  },
  'Lord Howe, back half an hour from 02:00 at 15:00Z': {
    zone: 'Australia/Lord_Howe',
    from: '2026-04-04T14:00Z',
    to: '2026-04-04T16:00Z',
    runs: [
      ['45 1 * * *', {}, ['04T14:45']],
      ['45 1 * * *', { fold: 'both' }, ['04T14:45', '04T15:15']],
      ['15 1 * * *', { fold: 'both' }, ['04T14:15']],
      ['15,45 1 * * *', {}, ['04T14:15', '04T14:45']],
      ['*/15 1 * * *', {}, ['04T14:15', '04T14:30', '04T14:45', '04T15:00', '04T15:15']],
    ],
  },
  'Troll, forward two hours from 01:00 at 01:00Z': {
    zone: 'Antarctica/Troll',
    from: '2026-03-29T00:00Z',
    to: '2026-03-29T02:00Z',
    runs: [
      ['30 1 * * *', {}, ['29T01:00']],
      ['30 1,2 * * *', {}, ['29T01:00']],
      ['30 1-3 * * *', {}, ['29T01:00', '29T01:30']],
      ['30 1-3 * * *', { gap: 'skip' }, ['29T01:30']],
    ],
  },
  'Troll, back two hours from 03:00 at 01:00Z': {
    zone: 'Antarctica/Troll',
    from: '2026-10-24T23:15Z',
    to: '2026-10-25T03:15Z',
    runs: [
      ['30 1,2 * * *', {}, ['24T23:30', '25T00:30']],
      ['30 1,2 * * *', { fold: 'both' }, ['24T23:30', '25T00:30', '25T01:30', '25T02:30']],
      ['30 * * * *', {}, ['24T23:30', '25T00:30', '25T01:30', '25T02:30']],
    ],
  },
  'Apia, without 30 December, from 10:00Z': {
    zone: 'Pacific/Apia',
    from: '2011-12-29T09:00Z',
    to: '2011-12-31T11:00Z',
    runs: [
      // 29 December at noon, the 30th shifted to the first moment of the 31st, and the 31st at noon
      ['0 12 * * *', {}, ['29T22:00', '30T10:00', '30T22:00']],
      ['0 12 * * *', { gap: 'skip' }, ['29T22:00', '30T22:00']],
      ['0 0 * * *', {}, ['29T10:00', '30T10:00', '31T10:00']],
      ['0 12 30 12 *', {}, ['30T10:00']],
      ['0 9-17 * * FRI', {}, ['30T10:00']],
      ['0 */12 30 12 *', {}, []],
    ],
  },
  'Kwajalein, back 23 hours from midnight at 13:00Z': {
    zone: 'Pacific/Kwajalein',
    from: '1969-09-30T00:00Z',
    to: '1969-10-01T20:00Z',
    runs: [
      ['0 12 * * *', {}, ['30T01:00']],
      ['0 12 * * *', { fold: 'both' }, ['30T01:00', '01T00:00']],
      ['0 */12 * * *', {}, ['30T01:00', '01T00:00', '01T12:00']],
    ],
  },
};

describe.each(Object.entries(nights))('%s', (_, { zone, from, to, runs }) => {
  it.each(runs)('%s %j', (expression, options, expected) => {
    const found = between(from, to, expression, { timeZone: zone, ...options });
    expect(found.map((at) => at.slice(8, -1))).toEqual(expected);
  });
});

describe("what Debian's cron does", () => {
  // Recorded from its version 3.0pl1-162 in Europe/Berlin, under a clock that ran 60 times too fast.
  it.each<[string, string[], string[]]>([
    ['15 1-3 * * *', ['29T00:15', '29T01:00', '29T01:15'], ['24T23:15', '25T00:15', '25T02:15']],
    ['30 0-23 * * *', ['29T00:30', '29T01:00', '29T01:30'], ['24T23:30', '25T00:30']],
    ['30 * * * *', ['29T00:30', '29T01:30'], ['24T23:30', '25T00:30', '25T01:30']],
    ['*/20 2 * * *', [], ['25T00:00', '25T00:20', '25T00:40', '25T01:00', '25T01:20', '25T01:40']],
    ['0 2 * * *', ['29T01:00'], ['25T00:00']],
    ['30 2 * * *', ['29T01:00'], ['25T00:30']],
    ['0 3 * * *', ['29T01:00'], ['25T02:00']],
    // There the four swallowed times ran one after the other, at once; here they are one run.
    ['0,15,30,45 2 * * *', ['29T01:00'], ['25T00:00', '25T00:15', '25T00:30', '25T00:45']],
  ])('%s', (expression, spring, autumn) => {
    const timeZone = 'Europe/Berlin';
    const runs = (from: string, to: string) =>
      between(from, to, expression, { timeZone }).map((at) => at.slice(8, -1));
    expect(runs('2026-03-28T23:55Z', '2026-03-29T02:00Z')).toEqual(spring);
    expect(runs('2026-10-24T23:10Z', '2026-10-25T02:20Z')).toEqual(autumn);
  });
});
