import { describe, expect, it, vi } from 'vitest';
import { type CalendarDuration, type Duration, MAX_TIME, MIN_TIME } from '../src/duration.js';
import type { TriggerJson, TriggerKind } from '../src/trigger.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { type EveryOptions, every } from '../src/triggers/every.js';
import { backward, codeOf, declared, forward, iso } from './support/occurrences.js';

const at = (text: string) => Date.parse(text);
const context = declared('2026-01-01T00:02:00.123Z');
const { declaredAt } = context;
const FIVE_MINUTES = 300_000;

describe('every, without an anchor', () => {
  const trigger = every('5m');

  it('names the first moment one interval after the declaration, and none before', () => {
    expect(trigger.next(declaredAt, context)).toBe(declaredAt + FIVE_MINUTES);
    expect(trigger.next(declaredAt - 1e9, context)).toBe(declaredAt + FIVE_MINUTES);
    expect(trigger.previous(declaredAt + FIVE_MINUTES, context)).toBeNull();
    expect(trigger.previous(declaredAt + FIVE_MINUTES + 1, context)).toBe(
      declaredAt + FIVE_MINUTES,
    );
  });

  it('does not drift, whenever it is asked', () => {
    const later = declaredAt + 7 * FIVE_MINUTES;
    expect(trigger.next(later - 1, context)).toBe(later);
    expect(trigger.next(later, context)).toBe(later + FIVE_MINUTES);
    expect(trigger.next(later + 250_000, context)).toBe(later + FIVE_MINUTES);
    expect(trigger.previous(later, context)).toBe(later - FIVE_MINUTES);
  });

  it('counts from a start, which is itself the first', () => {
    const start = at('2026-02-01T00:00Z');
    const started = every('5m', { start });
    expect(started.next(declaredAt, context)).toBe(start);
    expect(started.next(start, context)).toBe(start + FIVE_MINUTES);
    expect(started.previous(start + 1, context)).toBe(start);
    expect(started.previous(start, context)).toBeNull();
  });

  it('counts from a start that was before the declaration', () => {
    const started = every('5m', { start: '2025-01-01T00:00Z' });
    expect(started.next(declaredAt, context)).toBe(at('2026-01-01T00:05Z'));
  });
});

describe('every, with an anchor', () => {
  const anchor = at('2026-02-01T00:01Z');

  it('names moments on both sides of the anchor, before the declaration too', () => {
    const trigger = every('5m', { anchor });
    expect(trigger.next(declaredAt, context)).toBe(at('2026-01-01T00:06Z'));
    expect(trigger.previous(declaredAt, context)).toBe(at('2026-01-01T00:01Z'));
    expect(trigger.next(anchor - 1, context)).toBe(anchor);
    expect(trigger.next(anchor, context)).toBe(anchor + FIVE_MINUTES);
    expect(trigger.previous(anchor, context)).toBe(anchor - FIVE_MINUTES);
  });

  it('begins at the first moment of the grid that is not before the start', () => {
    const off = every('5m', { anchor, start: '2026-03-01T00:00Z' });
    expect(off.next(0, context)).toBe(at('2026-03-01T00:01Z'));
    expect(off.previous(at('2026-03-01T00:01Z'), context)).toBeNull();
    const on = every('5m', { anchor, start: '2026-03-01T00:01Z' });
    expect(on.next(0, context)).toBe(at('2026-03-01T00:01Z'));
    const before = every('5m', { anchor, start: '2026-01-31T00:00Z' });
    expect(before.next(0, context)).toBe(at('2026-01-31T00:01Z'));
  });
});

describe('every, with an end', () => {
  it('names a moment exactly at the end, and none after', () => {
    const start = at('2026-02-01T00:00Z');
    const on = every('1h', { start, end: '2026-02-01T02:00Z' });
    expect(iso(forward(on, 0, MAX_TIME, context))).toEqual([
      '2026-02-01T00:00Z',
      '2026-02-01T01:00Z',
      '2026-02-01T02:00Z',
    ]);
    expect(on.previous(MAX_TIME, context)).toBe(at('2026-02-01T02:00Z'));
    const short = every('1h', { start, end: at('2026-02-01T02:00Z') - 1 });
    expect(short.next(at('2026-02-01T01:00Z'), context)).toBeNull();
    expect(short.previous(MAX_TIME, context)).toBe(at('2026-02-01T01:00Z'));
  });

  it('names a single moment when the end is the start', () => {
    const trigger = every('1h', { start: 1000, end: 1000 });
    expect(forward(trigger, 0, MAX_TIME, context)).toEqual([1000]);
    expect(backward(trigger, 0, MAX_TIME, context)).toEqual([1000]);
  });
});

describe('every, with a limit', () => {
  const all = (options: EveryOptions) => {
    const trigger = every('1h', options);
    const found = forward(trigger, MIN_TIME, MAX_TIME, context);
    expect(backward(trigger, MIN_TIME, MAX_TIME, context)).toEqual(found);
    return iso(found);
  };

  it('counts from the start', () => {
    expect(all({ limit: 2, start: '2026-02-01T00:00Z' })).toEqual([
      '2026-02-01T00:00Z',
      '2026-02-01T01:00Z',
    ]);
  });

  it('counts from the start, on the grid of an anchor', () => {
    expect(all({ limit: 2, start: '2026-02-01T00:00Z', anchor: '2026-01-15T00:30Z' })).toEqual([
      '2026-02-01T00:30Z',
      '2026-02-01T01:30Z',
    ]);
    expect(all({ limit: 2, start: '2026-02-01T00:30Z', anchor: '2026-07-15T00:30Z' })).toEqual([
      '2026-02-01T00:30Z',
      '2026-02-01T01:30Z',
    ]);
  });

  it('counts from after the declaration without a start, and drops the grid before it', () => {
    expect(all({ limit: 2 })).toEqual(['2026-01-01T01:02:00.123Z', '2026-01-01T02:02:00.123Z']);
    expect(all({ limit: 2, anchor: '2026-07-15T00:30Z' })).toEqual([
      '2026-01-01T00:30Z',
      '2026-01-01T01:30Z',
    ]);
    expect(all({ limit: 1, anchor: declaredAt })).toEqual(['2026-01-01T01:02:00.123Z']);
  });

  it('ends at the end when that comes first', () => {
    expect(all({ limit: 5, start: '2026-02-01T00:00Z', end: '2026-02-01T01:00Z' })).toHaveLength(2);
  });

  it('counts calendar steps', () => {
    const trigger = every({ months: 1 }, { limit: 3, start: '2026-01-31T12:00Z' });
    expect(iso(forward(trigger, 0, MAX_TIME, context))).toEqual([
      '2026-01-31T12:00Z',
      '2026-02-28T12:00Z',
      '2026-03-31T12:00Z',
    ]);
  });
});

describe('every, in calendar units', () => {
  const local = (
    length: Duration | CalendarDuration,
    options: EveryOptions,
    from: string,
    count: number,
  ) => iso(forward(every(length, options), at(from) - 1, MAX_TIME, context, count));

  it('keeps the wall-clock time across a change of the offset', () => {
    const options = { anchor: '2026-03-01T09:00+01:00', timeZone: 'Europe/Berlin' };
    const expected = ['2026-03-28T08:00Z', '2026-03-29T07:00Z', '2026-03-30T07:00Z'];
    expect(local({ days: 1 }, options, '2026-03-28T00:00Z', 3)).toEqual(expected);
    expect(local('1d', options, '2026-03-28T00:00Z', 3)).toEqual(expected);
  });

  it('does not keep it for a length in hours', () => {
    const options = { anchor: '2026-03-01T09:00+01:00', timeZone: 'Europe/Berlin' };
    const expected = ['2026-03-28T08:00Z', '2026-03-29T08:00Z', '2026-03-30T08:00Z'];
    expect(local('24h', options, '2026-03-28T00:00Z', 3)).toEqual(expected);
    expect(local({ hours: 24 }, options, '2026-03-28T00:00Z', 3)).toEqual(expected);
  });

  it('adds exact lengths to an anchor in the second pass too', () => {
    const options = { anchor: '2026-10-25T02:30+01:00', timeZone: 'Europe/Berlin' };
    expect(local('1h', options, '2026-10-25T00:00Z', 3)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:30Z',
    ]);
  });

  it('is in UTC by default', () => {
    expect(local('1w', { anchor: '2026-03-23T09:00Z' }, '2026-03-23T00:00Z', 3)).toEqual([
      '2026-03-23T09:00Z',
      '2026-03-30T09:00Z',
      '2026-04-06T09:00Z',
    ]);
  });

  it('moves a wall-clock time that does not exist to the first moment after the gap', () => {
    const options = { anchor: '2026-03-28T02:30+01:00', timeZone: 'Europe/Berlin' };
    expect(local('1d', options, '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
  });

  it('takes the first pass of a wall-clock time that comes twice', () => {
    const options = { anchor: '2026-10-24T02:30+02:00', timeZone: 'Europe/Berlin' };
    expect(local('1d', options, '2026-10-24T00:00Z', 3)).toEqual([
      '2026-10-24T00:30Z',
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('leaves an anchor in the second pass where it is', () => {
    const options = { anchor: '2026-10-25T02:30+01:00', timeZone: 'Europe/Berlin' };
    expect(local('1d', options, '2026-10-24T00:00Z', 3)).toEqual([
      '2026-10-24T00:30Z',
      '2026-10-25T01:30Z',
      '2026-10-26T01:30Z',
    ]);
  });

  it('names one moment, not two, when a day is missing', () => {
    const options = { anchor: '2011-12-28T00:00-10:00', timeZone: 'Pacific/Apia' };
    expect(local('1d', options, '2011-12-28T00:00-10:00', 4)).toEqual([
      '2011-12-28T10:00Z',
      '2011-12-29T10:00Z',
      '2011-12-30T10:00Z',
      '2011-12-31T10:00Z',
    ]);
  });

  it('clamps to the last day of a month, and comes back to the day of the anchor', () => {
    expect(local({ months: 1 }, { anchor: '2027-12-31T12:00Z' }, '2027-12-01T00:00Z', 5)).toEqual([
      '2027-12-31T12:00Z',
      '2028-01-31T12:00Z',
      '2028-02-29T12:00Z',
      '2028-03-31T12:00Z',
      '2028-04-30T12:00Z',
    ]);
    expect(local({ months: 1 }, { anchor: '2027-12-31T12:00Z' }, '2027-02-01T00:00Z', 2)).toEqual([
      '2027-02-28T12:00Z',
      '2027-03-31T12:00Z',
    ]);
  });

  it('clamps 29 February in the years between', () => {
    expect(local({ years: 1 }, { anchor: '2024-02-29T12:00Z' }, '2023-01-01T00:00Z', 6)).toEqual([
      '2023-02-28T12:00Z',
      '2024-02-29T12:00Z',
      '2025-02-28T12:00Z',
      '2026-02-28T12:00Z',
      '2027-02-28T12:00Z',
      '2028-02-29T12:00Z',
    ]);
  });

  it('adds the parts of the calendar first and the exact rest to that', () => {
    const options = { anchor: '2026-03-28T09:00+01:00', timeZone: 'Europe/Berlin' };
    expect(local({ days: 1, hours: 2 }, options, '2026-03-27T00:00Z', 4)).toEqual([
      '2026-03-27T06:00Z',
      '2026-03-28T08:00Z',
      '2026-03-29T09:00Z',
      '2026-03-30T11:00Z',
    ]);
    expect(local('1d2h', options, '2026-03-29T00:00Z', 1)).toEqual(['2026-03-29T09:00Z']);
    expect(
      local({ months: 1, days: 1 }, { anchor: '2026-01-31T00:00Z' }, '2026-01-31T00:00Z', 3),
    ).toEqual(['2026-01-31T00:00Z', '2026-03-01T00:00Z', '2026-04-02T00:00Z']);
  });

  it('counts from the wall-clock time of the declaration', () => {
    const declaration = declared('2026-03-28T08:00Z');
    const trigger = every('1d', { timeZone: 'Europe/Berlin' });
    expect(iso(forward(trigger, declaration.declaredAt, MAX_TIME, declaration, 2))).toEqual([
      '2026-03-29T07:00Z',
      '2026-03-30T07:00Z',
    ]);
  });

  it('works in the first century', () => {
    expect(local({ years: 1 }, { anchor: '0050-02-03T00:00Z' }, '0001-01-01T00:00Z', 1)).toEqual([
      '0001-02-03T00:00Z',
    ]);
  });
});

describe('every, far from its anchor', () => {
  it.each<[Duration | CalendarDuration]>([
    [1],
    ['5m'],
    ['1d'],
    ['1w'],
    [{ months: 1 }],
    [{ years: 1, days: 1, milliseconds: 1 }],
  ])('finds the moment without walking there: every %j', (length) => {
    const steps = vi.spyOn(Date.prototype, 'setUTCDate');
    try {
      const trigger = every(length, { anchor: 0, timeZone: 'Europe/Berlin' });
      for (const time of [MIN_TIME + 1e12, -1e12, 1e12, MAX_TIME - 1e12]) {
        const next = trigger.next(time, context);
        expect(next).toBeGreaterThan(time);
        expect(trigger.previous((next ?? 0) + 1, context)).toBe(next);
      }
      expect(steps.mock.calls.length).toBeLessThan(8 * 8);
    } finally {
      steps.mockRestore();
    }
  });

  it.each<[Duration | CalendarDuration]>([['5m'], ['1d'], [{ years: 100 }]])(
    'ends within the years 1 to 9999: every %j',
    (length) => {
      const trigger = every(length, { anchor: 0, timeZone: 'America/New_York' });
      const first = trigger.next(Number.NEGATIVE_INFINITY, context);
      const last = trigger.previous(Number.POSITIVE_INFINITY, context);
      expect(first).toBeGreaterThanOrEqual(MIN_TIME);
      expect(last).toBeLessThanOrEqual(MAX_TIME);
      expect(trigger.previous(first ?? 0, context)).toBeNull();
      expect(trigger.next(last ?? 0, context)).toBeNull();
      expect(trigger.next(Number.POSITIVE_INFINITY, context)).toBeNull();
      expect(trigger.previous(Number.NEGATIVE_INFINITY, context)).toBeNull();
      expect(trigger.next(Number.NaN, context)).toBeNull();
      expect(trigger.previous(Number.NaN, context)).toBeNull();
    },
  );
});

describe('every, stored', () => {
  const text = (length: Duration | CalendarDuration, options?: EveryOptions) =>
    JSON.stringify(every(length, options));

  it('holds what was given, in one form however it was written', () => {
    expect(text('5m')).toBe('{"kind":"every","every":300000}');
    expect(text({ minutes: 5, seconds: 0 })).toBe(text('5m'));
    expect(text('1d')).toBe('{"kind":"every","every":{"days":1}}');
    expect(text({ weeks: 1 })).toBe(text('7d'));
    expect(text({ years: 1 })).toBe('{"kind":"every","every":{"months":12}}');
    expect(text({ hours: 1, days: 2, months: 3 })).toBe(
      '{"kind":"every","every":{"months":3,"days":2,"milliseconds":3600000}}',
    );
    expect(
      text('5m', {
        timeZone: 'Europe/Berlin',
        jitter: '30s',
        limit: 3,
        end: '1970-01-02T00:00Z',
        start: new Date(5),
        anchor: 0,
      }),
    ).toBe(
      '{"kind":"every","every":300000,"anchor":0,"start":5,"end":86400000,"limit":3,"jitter":30000,"timeZone":"Europe/Berlin"}',
    );
  });

  it('comes back equal', () => {
    const { parse } = createTriggerRegistry([every]);
    const options = { start: '2026-01-31T09:00Z', limit: 5, jitter: '1m', timeZone: 'Asia/Tokyo' };
    const trigger = every({ months: 1, hours: 1 }, options);
    const again = parse(JSON.parse(JSON.stringify(trigger)));
    expect(again.toJSON()).toEqual(trigger.toJSON());
    expect(again.jitterMs).toBe(60_000);
    expect(forward(again, 0, MAX_TIME, context)).toEqual(forward(trigger, 0, MAX_TIME, context));
  });

  it('is its own kind', () => {
    const kind: TriggerKind = every;
    expect(kind.kind).toBe('every');
    expect(every('5m').type).toBe(kind);
    expect(every('5m').kind).toBe('every');
  });
});

describe('every, misused', () => {
  it.each<[string, unknown, unknown?]>([
    ['SCHED_DURATION_INVALID', 0],
    ['SCHED_DURATION_INVALID', -5],
    ['SCHED_DURATION_INVALID', Number.NaN],
    ['SCHED_DURATION_INVALID', Number.POSITIVE_INFINITY],
    ['SCHED_DURATION_INVALID', '101 years'],
    ['SCHED_DURATION_INVALID', { years: 101 }],
    ['SCHED_DURATION_INVALID', { day: 1 }],
    ['SCHED_DURATION_INVALID', {}],
    ['SCHED_DURATION_INVALID', null],
    ['SCHED_DURATION_INVALID', undefined],
    ['SCHED_DURATION_INVALID', '5m', { jitter: 0 }],
    ['SCHED_DURATION_INVALID', '5m', { jitter: { days: 1 } }],
    ['SCHED_TIME_INVALID', '5m', { anchor: '2026-01-01' }],
    ['SCHED_TIME_INVALID', '5m', { start: Number.NaN }],
    ['SCHED_TIME_INVALID', '5m', { end: null }],
    ['SCHED_TIME_ZONE_UNKNOWN', '5m', { timeZone: 'Europe/Atlantis' }],
    ['SCHED_TIME_ZONE_UNKNOWN', '1d', { timeZone: 5 }],
    ['SCHED_TRIGGER_INVALID', '5m', { limit: 0 }],
    ['SCHED_TRIGGER_INVALID', '5m', { limit: 1.5 }],
    ['SCHED_TRIGGER_INVALID', '5m', { limit: '5' }],
    ['SCHED_TRIGGER_INVALID', '5m', { limit: Number.POSITIVE_INFINITY }],
    ['SCHED_TRIGGER_INVALID', '5m', { start: 2, end: 1 }],
    ['SCHED_TRIGGER_INVALID', '5m', { timezone: 'Europe/Berlin' }],
    ['SCHED_TRIGGER_INVALID', '5m', null],
    ['SCHED_TRIGGER_INVALID', '5m', 'Europe/Berlin'],
    ['SCHED_TRIGGER_INVALID', '5m', [1]],
  ])('gives %s for every(%j, %j), and the same for its stored form', (code, length, options) => {
    expect(codeOf(() => every(length as Duration, options as EveryOptions))).toBe(code);
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
      const json = { kind: 'every', every: length, ...options } as TriggerJson;
      expect(codeOf(() => createTriggerRegistry([every]).parse(json))).toBe(code);
    }
  });

  it('takes an option that is undefined for one that is absent', () => {
    const options = { start: undefined, timeZone: undefined } as unknown as EveryOptions;
    expect(JSON.stringify(every('5m', options))).toBe(JSON.stringify(every('5m')));
  });

  it('names the option that was probably meant, or all that there are', () => {
    expect(() => every('5m', { timezone: 'UTC' } as EveryOptions)).toThrowError(
      'The options of every must not have a member "timezone". Did you mean timeZone?',
    );
    expect(() => every('5m', { colour: 'red' } as EveryOptions)).toThrowError(
      'It may have: anchor, start, end, limit, jitter, timeZone.',
    );
  });
});
