import { allOf, anyOf, at, cron, every, except, type Trigger } from '@sched/core';
import { triggerInWords } from '@sched/http';
import { expect, test } from 'vitest';

const zone = { timeZone: 'Europe/Berlin' };

test.for<[words: string, trigger: Trigger]>([
  ['once, at 2030-01-02T03:04Z', at('2030-01-02T03:04:00Z')],
  ['once, at 2030-01-02T03:04:05.678Z', at('2030-01-02T03:04:05.678Z')],
  ['every minute', every('1m')],
  ['every 5 minutes', every('5m')],
  ['every hour and 30 minutes', every('1h30m')],
  ['every 250 milliseconds', every(250)],
  ['every day, Europe/Berlin', every('1d', zone)],
  ['every 2 weeks', every('2w')],
  ['every month and 2 days', every({ months: 1, days: 2 })],
  ['every year', every({ years: 1 })],
  [
    'every hour, from 2030-01-01T00:00Z, until 2030-01-02T00:00Z, 3 times, up to 5 minutes later',
    every('1h', {
      start: '2030-01-01T00:00:00Z',
      end: '2030-01-02T00:00:00Z',
      limit: 3,
      jitter: '5m',
    }),
  ],
  ['every day at 09:30, Europe/Berlin', cron('30 9 * * *', zone)],
  ['every day at 00:00, UTC', cron('@daily')],
  ['every hour on the hour, UTC', cron('@hourly')],
  ['every day at 09:00 and 17:00, UTC', cron('0 9,17 * * *')],
  ['every minute, UTC', cron('* * * * *')],
  ['every 15 minutes, UTC', cron('*/15 * * * *')],
  ['every 15 minutes from 09:00 to 17:59, UTC', cron('*/15 9-17 * * *')],
  ['every hour at 5 minutes past, UTC', cron('5 * * * *')],
  ['every 2 hours on the hour, UTC', cron('0 */2 * * *')],
  ['on Monday to Friday at 09:00, UTC', cron('0 9 * * MON-FRI')],
  ['on Monday to Friday at 09:00, UTC', cron('0 9 * * 1-5')],
  ['on Saturday and Sunday at 09:00, UTC', cron('0 9 * * 6,7')],
  ['on Monday every 10 minutes, UTC', cron('*/10 * * * MON')],
  ['on days 1 and 15 of the month at 00:00, UTC', cron('0 0 1,15 * *')],
  ['on the last day of the month at 12:00, UTC', cron('0 12 L * *')],
  ['on the second Friday of the month at 12:00, UTC', cron('0 12 * * FRI#2')],
  ['on the last Friday of the month at 12:00, UTC', cron('0 12 * * FRIL')],
  ['on day 1 of the month at 00:00 in January and July, UTC', cron('0 0 1 1,7 *')],
  ['at 09:00 in March to May, UTC', cron('0 9 * MAR-MAY *')],
  // What these mean takes more than a few words, and a wrong word is worse than none.
  ['cron 0 9 1 * MON, UTC', cron('0 9 1 * MON')],
  ['cron */7 * * * *, UTC', cron('*/7 * * * *')],
  ['cron 0 9 15W * *, UTC', cron('0 9 15W * *')],
  ['cron 30 0 9 * * *, UTC', cron('30 0 9 * * *')],
  ['either every hour; or once, at 1970-01-01T00:00Z', anyOf(every('1h'), at(0))],
  ['when these agree: every hour; and every 2 hours', allOf(every('1h'), every('2h'))],
  ['every day at 09:00, UTC, with 2 exceptions', except(cron('0 9 * * *'), ['2030-12-25', 5])],
])('%s', ([words, trigger]) => {
  const stored = JSON.parse(JSON.stringify(trigger));
  expect(triggerInWords(stored)).toBe(words);
});

test.for<unknown>([
  { kind: 'acme/tide', moon: 'full' },
  { kind: 'at', at: 'never' },
  { kind: 'every', every: null },
  { kind: 'anyOf' },
  { kind: 'except', exclusions: 5 },
])('what is damaged, or of a kind that is not known, is named by its kind: %j', (json) => {
  const { kind } = json as { kind: string };
  expect(triggerInWords(json as never)).toBe(`a trigger of the kind ${kind}`);
});
