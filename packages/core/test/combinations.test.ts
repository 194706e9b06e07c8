import { describe, expect, it } from 'vitest';
import { MAX_TIME, MIN_TIME } from '../src/duration.js';
import type { Trigger, TriggerJson, TriggerKind } from '../src/trigger.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { allOf } from '../src/triggers/all-of.js';
import { anyOf } from '../src/triggers/any-of.js';
import { at } from '../src/triggers/at.js';
import { every } from '../src/triggers/every.js';
import { type ExceptOptions, type Exclusion, except } from '../src/triggers/except.js';
import { counted } from './support/counted.js';
import { backward, codeOf, declared, forward, iso } from './support/occurrences.js';

const context = declared(0);
const kinds: readonly TriggerKind[] = [at, every, anyOf, allOf, except];
const registry = createTriggerRegistry(kinds);

/** All occurrences between two moments, which must be the same in both directions and after a round trip. */
function between(trigger: Trigger, after: number | string, before: number | string): number[] {
  const [from, to] = [after, before].map((time) =>
    typeof time === 'number' ? time : Date.parse(time),
  ) as [number, number];
  const found = forward(trigger, from, to, context);
  expect(backward(trigger, from, to, context)).toEqual(found);
  const again = registry.parse(JSON.parse(JSON.stringify(trigger)));
  expect(forward(again, from, to, context)).toEqual(found);
  return found;
}

const threes = every(3, { anchor: 0 });
const fives = every(5, { anchor: 0 });
/** Every second, half a second off the grid of any other. */
const halves = every('1s', { anchor: 500 });
const seconds = every('1s', { anchor: 0 });

describe('anyOf', () => {
  it('names what any part names, once', () => {
    expect(between(anyOf(threes, fives), -1, 16)).toEqual([0, 3, 5, 6, 9, 10, 12, 15]);
    expect(between(anyOf(fives, threes), -7, 1)).toEqual([-6, -5, -3, 0]);
  });

  it('goes on when a part has ended', () => {
    expect(between(anyOf(at(4), threes, at(7)), 0, 10)).toEqual([3, 4, 6, 7, 9]);
  });

  it('ends when all parts have', () => {
    const trigger = anyOf(at(4), at(7));
    expect(between(trigger, MIN_TIME, MAX_TIME)).toEqual([4, 7]);
    expect(trigger.next(7, context)).toBeNull();
    expect(trigger.previous(4, context)).toBeNull();
  });

  it('may have a single part', () => {
    expect(between(anyOf(threes), -1, 7)).toEqual([0, 3, 6]);
  });
});

describe('allOf', () => {
  it('names what all parts name', () => {
    expect(between(allOf(threes, fives), -16, 46)).toEqual([-15, 0, 15, 30, 45]);
    expect(between(allOf(threes, fives, every(2, { anchor: 0 })), -1, 61)).toEqual([0, 30, 60]);
  });

  it('may have a single part', () => {
    expect(between(allOf(threes), -1, 7)).toEqual([0, 3, 6]);
  });

  it('ends when a part ends', () => {
    const trigger = allOf(threes, every(5, { start: 0, limit: 7 }));
    expect(between(trigger, MIN_TIME, MAX_TIME)).toEqual([0, 15, 30]);
    expect(allOf(threes, at(4)).next(0, context)).toBeNull();
    expect(allOf(at(4), threes).previous(100, context)).toBeNull();
  });

  it('takes as many steps as its rarest part has occurrences', () => {
    const dense = counted(every(1, { anchor: 0 }));
    const rare = every('1w', { anchor: '2026-01-01T00:00Z' });
    expect(allOf(dense.trigger, rare).next(Date.parse('2026-01-02T00:00Z'), context)).toBe(
      Date.parse('2026-01-08T00:00Z'),
    );
    expect(dense.calls()).toBeLessThan(5);
  });

  it('gives up on parts that never agree', () => {
    const dense = counted(seconds);
    const trigger = allOf(dense.trigger, halves);
    expect(trigger.next(0, context)).toBeNull();
    expect(trigger.previous(0, context)).toBeNull();
    expect(dense.calls()).toBeLessThanOrEqual(2 * 100_000);
  });

  it('finds an agreement as rare as one in a day of seconds', () => {
    const trigger = allOf(every(999, { anchor: 0 }), every(86_400, { anchor: 999 * 5 }));
    const [first] = forward(trigger, 0, MAX_TIME, context, 1);
    expect(first).toBe(trigger.previous((first ?? 0) + 1, context));
    expect((first ?? 1) % 999).toBe(0);
    expect(((first ?? 0) - 999 * 5) % 86_400).toBe(0);
  });

  it('gives up just as soon inside other combinations that search', () => {
    const dense = counted(seconds);
    const never = allOf(dense.trigger, halves);
    const nested = allOf(anyOf(never, seconds), halves);
    expect(nested.next(0, context)).toBeNull();
    expect(except(nested, [never]).next(0, context)).toBeNull();
    expect(dense.calls()).toBeLessThanOrEqual(2 * 100_000);
    // The next search has all its steps again.
    expect(allOf(threes, fives).next(0, context)).toBe(15);
  });
});

describe('except', () => {
  const excluding = (exclusions: readonly Exclusion[], options?: ExceptOptions) =>
    between(except(threes, exclusions, options), -1, 19);

  it('leaves out moments, however they are written', () => {
    expect(excluding([3, new Date(9), '1970-01-01T00:00:00.015Z', 4])).toEqual([0, 6, 12, 18]);
  });

  it('leaves out ranges, from the first moment up to but not including the last', () => {
    expect(excluding([{ from: 3, to: 12 }])).toEqual([0, 12, 15, 18]);
    expect(excluding([{ from: 4, to: 13 }])).toEqual([0, 3, 15, 18]);
    expect(excluding([{ from: new Date(2), to: '1970-01-01T00:00:00.004Z' }])).toEqual([
      0, 6, 9, 12, 15, 18,
    ]);
  });

  it('leaves out ranges that touch and overlap', () => {
    expect(
      excluding([
        { from: 10, to: 13 },
        { from: 3, to: 7 },
        { from: 6, to: 10 },
      ]),
    ).toEqual([0, 15, 18]);
  });

  it('leaves out moments that another trigger names', () => {
    expect(excluding([fives])).toEqual([3, 6, 9, 12, 18]);
    expect(excluding([fives, at(6), every(4, { anchor: 0, start: 10 })])).toEqual([3, 9, 18]);
  });

  it('leaves out nothing when nothing is excluded', () => {
    expect(excluding([])).toEqual([0, 3, 6, 9, 12, 15, 18]);
  });

  it('leaves out local days, however long they are', () => {
    const hours = every('1h', { anchor: 0 });
    const kept = (day: string, timeZone: string | undefined, after: string, before: string) =>
      iso(between(except(hours, [day], timeZone ? { timeZone } : {}), after, before));
    expect(kept('2026-06-02', undefined, '2026-06-01T22:30Z', '2026-06-03T01:30Z')).toEqual([
      '2026-06-01T23:00Z',
      '2026-06-03T00:00Z',
      '2026-06-03T01:00Z',
    ]);
    // 23 and 25 hours long.
    expect(kept('2026-03-29', 'Europe/Berlin', '2026-03-28T21:30Z', '2026-03-29T23:30Z')).toEqual([
      '2026-03-28T22:00Z',
      '2026-03-29T22:00Z',
      '2026-03-29T23:00Z',
    ]);
    expect(kept('2026-10-25', 'Europe/Berlin', '2026-10-24T20:30Z', '2026-10-26T00:30Z')).toEqual([
      '2026-10-24T21:00Z',
      '2026-10-25T23:00Z',
      '2026-10-26T00:00Z',
    ]);
  });

  it('leaves out nothing for a day that a zone skipped', () => {
    const hours = every('1h', { anchor: 0 });
    const options = { timeZone: 'Pacific/Apia' };
    expect(
      between(except(hours, ['2011-12-30'], options), '2011-12-29T00:30Z', '2012-01-01T00:30Z'),
    ).toHaveLength(72);
  });

  it('leaves out a day in two pieces when its midnight comes twice', () => {
    // At 00:01 on 29 October the clocks of St. John's went back to 23:01 on the 28th.
    const minutes = every('1m', { anchor: 0 });
    const back = Date.parse('2006-10-29T02:31Z');
    const minute = 60_000;
    const found = between(
      except(minutes, ['2006-10-29'], { timeZone: 'America/St_Johns' }),
      back - 3 * minute,
      back + 62 * minute,
    );
    expect(found[0]).toBe(back - 2 * minute);
    expect(found[1]).toBe(back);
    expect(found.at(-1)).toBe(back + 58 * minute);
    expect(found).toHaveLength(60);
    const other = between(
      except(minutes, ['2006-10-28'], { timeZone: 'America/St_Johns' }),
      back - 3 * minute,
      back + 62 * minute,
    );
    expect(other).toEqual([
      back - minute,
      back + 59 * minute,
      back + 60 * minute,
      back + 61 * minute,
    ]);
  });

  it('passes over days and ranges in a few steps', () => {
    const milliseconds = counted(every(1, { anchor: 0 }));
    const trigger = except(
      milliseconds.trigger,
      [
        '2026-03-28',
        '2026-03-29',
        '2026-03-30',
        { from: '2027-01-01T00:00Z', to: '2500-01-01T00:00Z' },
      ],
      { timeZone: 'Europe/Berlin' },
    );
    expect(trigger.next(Date.parse('2026-03-28T12:00Z'), context)).toBe(
      Date.parse('2026-03-31T00:00+02:00'),
    );
    expect(trigger.previous(Date.parse('2026-03-30T12:00Z'), context)).toBe(
      Date.parse('2026-03-28T00:00+01:00') - 1,
    );
    expect(trigger.next(Date.parse('2028-01-01T00:00Z'), context)).toBe(
      Date.parse('2500-01-01T00:00Z'),
    );
    expect(milliseconds.calls()).toBeLessThan(20);
  });

  it('gives up when everything is excluded moment by moment', () => {
    const dense = counted(seconds);
    const trigger = except(dense.trigger, [seconds]);
    expect(trigger.next(0, context)).toBeNull();
    expect(trigger.previous(0, context)).toBeNull();
    expect(dense.calls()).toBeLessThanOrEqual(2 * 100_000);
  });

  it('does not give up before a day of seconds is over', () => {
    const start = Date.parse('2026-06-02T00:00Z');
    const day = except(seconds, [every('1s', { start, end: start + 86_399_000 })]);
    expect(day.next(start - 1, context)).toBe(start + 86_400_000);
  });

  it('is bounded also when the trigger has an end', () => {
    expect(between(except(at(5), [5]), MIN_TIME, MAX_TIME)).toEqual([]);
  });
});

describe('combinations', () => {
  it('have the largest jitter of their parts, or none', () => {
    const slow = every(3, { jitter: 20 });
    const slower = every(5, { jitter: 30 });
    expect(anyOf(slow, slower).jitterMs).toBe(30);
    expect(allOf(slower, slow, threes).jitterMs).toBe(30);
    expect(anyOf(threes, at(1)).jitterMs).toBe(0);
    expect(except(anyOf(slow, slower), [fives]).jitterMs).toBe(30);
  });

  it('have no jitter from what is excluded', () => {
    expect(except(threes, [every(5, { jitter: 30 })]).jitterMs).toBe(0);
  });

  it('may be nested', () => {
    const trigger = except(anyOf(allOf(threes, fives), at(7)), [anyOf(at(0), at(30))]);
    expect(between(trigger, -1, 46)).toEqual([7, 15, 45]);
  });

  it('use the context for each of their parts', () => {
    const trigger = except(allOf(anyOf(every(2), every(3)), every(6)), [every(18)]);
    expect(forward(trigger, 0, 140, declared(100))).toEqual([106, 112, 124, 130]);
  });

  it('tell of what they are made', () => {
    expect(anyOf(threes, fives).parts).toEqual([threes, fives]);
    expect(except(threes, [1, fives, '2026-01-01', at(5)]).parts?.map((part) => part.kind)).toEqual(
      ['every', 'every', 'at'],
    );
  });

  it('are stored as what they were made of', () => {
    expect(JSON.stringify(anyOf(at(1), every('1d')))).toBe(
      '{"kind":"anyOf","triggers":[{"kind":"at","at":1},{"kind":"every","every":{"days":1}}]}',
    );
    expect(JSON.stringify(allOf(at(1)))).toBe('{"kind":"allOf","triggers":[{"kind":"at","at":1}]}');
    expect(
      JSON.stringify(
        except(at(1), [new Date(2), '2026-12-25', { to: new Date(4), from: 3 }, at(5)], {
          timeZone: 'Asia/Tokyo',
        }),
      ),
    ).toBe(
      '{"kind":"except","trigger":{"kind":"at","at":1},"exclusions":[2,"2026-12-25",{"from":3,"to":4},{"kind":"at","at":5}],"timeZone":"Asia/Tokyo"}',
    );
  });

  it('are their own kinds', () => {
    for (const trigger of [anyOf(threes), allOf(threes), except(threes, [])]) {
      expect(trigger.type.kind).toBe(trigger.kind);
      expect(kinds).toContain(trigger.type);
    }
  });
});

describe('combinations, misused', () => {
  it.each([
    ['anyOf', anyOf],
    ['allOf', allOf],
  ] as const)('%s refuses to be empty, and what is not a trigger', (name, combine) => {
    expect(codeOf(() => combine())).toBe('SCHED_TRIGGER_INVALID');
    for (const wrong of [undefined, null, 5, 'daily', {}, [], [threes], every, threes.toJSON()]) {
      expect(codeOf(() => combine(threes, wrong as Trigger))).toBe('SCHED_TRIGGER_INVALID');
    }
    for (const member of ['kind', 'type', 'next', 'previous', 'toJSON']) {
      const wrong = { ...threes, [member]: undefined } as unknown as Trigger;
      expect(codeOf(() => combine(wrong))).toBe('SCHED_TRIGGER_INVALID');
    }
    expect(() => combine(threes, 'daily' as unknown as Trigger)).toThrow(
      `Argument 2 of ${name} is "daily", which is not a trigger.`,
    );
  });

  it.each<[string, unknown, unknown, unknown?]>([
    ['SCHED_TRIGGER_INVALID', undefined, []],
    ['SCHED_TRIGGER_INVALID', { kind: 'at', at: 1 }, []],
    ['SCHED_TRIGGER_INVALID', at(1), undefined],
    ['SCHED_TRIGGER_INVALID', at(1), '2026-12-25'],
    ['SCHED_TRIGGER_INVALID', at(1), at(1)],
    ['SCHED_TRIGGER_INVALID', at(1), [null]],
    ['SCHED_TRIGGER_INVALID', at(1), [[]]],
    ['SCHED_TRIGGER_INVALID', at(1), [{ from: 1, to: 1 }]],
    ['SCHED_TRIGGER_INVALID', at(1), [{ from: 2, to: 1 }]],
    ['SCHED_TRIGGER_INVALID', at(1), [{ from: 1, until: 2 }]],
    ['SCHED_TRIGGER_INVALID', at(1), [], { zone: 'UTC' }],
    ['SCHED_TIME_INVALID', at(1), [undefined]],
    // biome-ignore lint/suspicious/noSparseArray: a slip of the pen that must not be stored as `null`
    ['SCHED_TIME_INVALID', at(1), [1, , 2]],
    ['SCHED_TIME_INVALID', at(1), [{ from: 1 }]],
    ['SCHED_TIME_INVALID', at(1), [{ from: 'Monday', to: 2 }]],
    ['SCHED_TIME_INVALID', at(1), ['2026-02-30']],
    ['SCHED_TIME_INVALID', at(1), ['2026-12-25T10:00']],
    ['SCHED_TIME_INVALID', at(1), ['Christmas']],
    ['SCHED_TIME_INVALID', at(1), [Number.NaN]],
    ['SCHED_TIME_INVALID', at(1), [true]],
    ['SCHED_TIME_ZONE_UNKNOWN', at(1), [], { timeZone: 'Mars/Olympus' }],
  ])('except gives %s for (%j, %j, %j)', (code, trigger, exclusions, options) => {
    const call = () =>
      except(trigger as Trigger, exclusions as Exclusion[], options as ExceptOptions);
    expect(codeOf(call)).toBe(code);
  });

  it('except says which exclusion is wrong', () => {
    expect(() => except(at(1), [1, { from: 1, to: Number.NaN }])).toThrow(
      /^exclusions\[1\]\.to is NaN\./,
    );
  });

  const stored = at(1).toJSON();
  it.each<[string, unknown]>([
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf' }],
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf', triggers: [] }],
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf', triggers: 'all' }],
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf', triggers: { 0: stored } }],
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf', triggers: [null] }],
    ['SCHED_TRIGGER_INVALID', { kind: 'anyOf', triggers: [stored], mode: 'fast' }],
    ['SCHED_TRIGGER_INVALID', { kind: 'allOf', triggers: [stored, 5] }],
    ['SCHED_TRIGGER_UNKNOWN', { kind: 'allOf', triggers: [{ kind: 'moon' }] }],
    ['SCHED_TIME_INVALID', { kind: 'allOf', triggers: [{ kind: 'at', at: 'noon' }] }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except' }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except', trigger: 'every', exclusions: [] }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except', trigger: stored }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except', trigger: stored, exclusions: {} }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except', trigger: stored, exclusions: [null] }],
    ['SCHED_TRIGGER_INVALID', { kind: 'except', trigger: stored, exclusions: [], also: 1 }],
    ['SCHED_TIME_INVALID', { kind: 'except', trigger: stored, exclusions: ['2026-13-01'] }],
    ['SCHED_TRIGGER_UNKNOWN', { kind: 'except', trigger: stored, exclusions: [{ kind: 'moon' }] }],
    [
      'SCHED_TIME_ZONE_UNKNOWN',
      { kind: 'except', trigger: stored, exclusions: [], timeZone: null },
    ],
  ])('%s for the stored form %j', (code, json) => {
    expect(codeOf(() => registry.parse(json as TriggerJson))).toBe(code);
  });
});
