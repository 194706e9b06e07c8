import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TIME, MIN_TIME } from '../src/duration.js';
import { jitteredTime, type Trigger, type TriggerContext } from '../src/trigger.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { allOf } from '../src/triggers/all-of.js';
import { anyOf } from '../src/triggers/any-of.js';
import { at } from '../src/triggers/at.js';
import { type EveryOptions, every } from '../src/triggers/every.js';
import { except } from '../src/triggers/except.js';
import { backward, declared, forward, iso } from './support/occurrences.js';
import { DAY_MS, MINUTE_MS, transitions, type WallClock, wallClock } from './support/wall-clock.js';

const registry = createTriggerRegistry([at, every, anyOf, allOf, except]);
const roundTrip = (trigger: Trigger) => registry.parse(JSON.parse(JSON.stringify(trigger)));

/** Moments from 1900 to 2100. */
const moment = fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) });
const context = fc.record({ id: fc.string(), declaredAt: moment });

/** Options that can be: an end after the start. */
const options: fc.Arbitrary<EveryOptions> = fc
  .record(
    {
      anchor: moment,
      start: moment,
      end: moment,
      limit: fc.integer({ min: 1, max: 1000 }),
      jitter: fc.integer({ min: 1, max: 1e9 }),
      timeZone: fc.constantFrom(...transitions.map(([zone]) => zone)),
    },
    { requiredKeys: [] },
  )
  .map(({ start, end, ...rest }) => ({
    ...rest,
    ...(start === undefined ? {} : { start: end === undefined ? start : Math.min(start, end) }),
    ...(end === undefined ? {} : { end: start === undefined ? end : Math.max(start, end) }),
  }));

const calendarLength = fc
  .record({
    months: fc.integer({ min: 0, max: 30 }),
    days: fc.integer({ min: 0, max: 70 }),
    hours: fc.integer({ min: 0, max: 50 }),
    milliseconds: fc.integer({ min: 0, max: 100_000 }),
  })
  .filter(({ months, days }) => months + days > 0);

const exactLength = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.integer({ min: 1000, max: 1e10 }),
);

const anyEvery = fc
  .tuple(fc.oneof(exactLength, calendarLength), options)
  .map(([length, given]) => every(length, given));

const anyTrigger = fc.oneof(
  anyEvery,
  moment.map((time) => at(time)),
  fc.tuple(anyEvery, anyEvery, moment.map(at)).map((parts) => anyOf(...parts)),
  fc
    .tuple(anyEvery, fc.array(fc.tuple(moment, exactLength), { maxLength: 3 }))
    .map(([trigger, ranges]) =>
      except(
        trigger,
        ranges.map(([from, length]) => ({ from, to: from + length })),
      ),
    ),
);

describe('every trigger', () => {
  it('has a next and a previous that are mirror images', () => {
    fc.assert(
      fc.property(anyTrigger, context, moment, (trigger, given, time) => {
        const next = trigger.next(time, given);
        if (next !== null) {
          expect(Number.isInteger(next)).toBe(true);
          expect(next).toBeGreaterThan(time);
          expect(trigger.next(next - 1, given)).toBe(next);
          expect(trigger.previous(next + 1, given)).toBe(next);
          // There is none between.
          expect(trigger.previous(next, given) ?? MIN_TIME).toBeLessThanOrEqual(time);
        } else {
          expect(trigger.previous(MAX_TIME + 1, given) ?? MIN_TIME).toBeLessThanOrEqual(time);
        }
        const previous = trigger.previous(time, given);
        if (previous !== null) {
          expect(Number.isInteger(previous)).toBe(true);
          expect(previous).toBeLessThan(time);
          expect(trigger.previous(previous + 1, given)).toBe(previous);
          expect(trigger.next(previous - 1, given)).toBe(previous);
          expect(trigger.next(previous, given) ?? MAX_TIME).toBeGreaterThanOrEqual(time);
        } else {
          expect(trigger.next(MIN_TIME - 1, given) ?? MAX_TIME).toBeGreaterThanOrEqual(time);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('moves strictly forward, strictly backward, and over the same moments', () => {
    fc.assert(
      fc.property(anyTrigger, context, moment, (trigger, given, time) => {
        const found = forward(trigger, time, MAX_TIME + 1, given, 20);
        for (const [i, occurrence] of found.entries()) {
          expect(occurrence).toBeGreaterThan(found[i - 1] ?? time);
        }
        const last = found.at(-1) ?? time;
        expect(backward(trigger, time, last + 1, given)).toEqual(found);
      }),
      { numRuns: 500 },
    );
  });

  it('names the same moments after a round trip through its stored form', () => {
    fc.assert(
      fc.property(anyTrigger, context, moment, (trigger, given, time) => {
        const again = roundTrip(trigger);
        expect(JSON.stringify(again)).toBe(JSON.stringify(trigger));
        expect(again.jitterMs).toBe(trigger.jitterMs);
        expect(forward(again, time, MAX_TIME + 1, given, 5)).toEqual(
          forward(trigger, time, MAX_TIME + 1, given, 5),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is delayed by its jitter at most, and always by the same', () => {
    fc.assert(
      fc.property(anyTrigger, context, moment, (trigger, given, nominal) => {
        const time = jitteredTime(trigger, nominal, given);
        expect(Number.isInteger(time)).toBe(true);
        expect(time).toBeGreaterThanOrEqual(nominal);
        expect(time).toBeLessThanOrEqual(nominal + (trigger.jitterMs ?? 0));
        expect(jitteredTime(roundTrip(trigger), nominal, { ...given, declaredAt: 0 })).toBe(time);
      }),
    );
  });
});

describe('jitter', () => {
  it('spreads tasks and occurrences over all of its range', () => {
    const trigger = every('1h', { anchor: 0, jitter: 9 });
    const times = (nominal: (i: number) => number, id: (i: number) => string) =>
      new Set(
        Array.from({ length: 200 }, (_, i) => {
          const given: TriggerContext = declared(0, id(i));
          return jitteredTime(trigger, nominal(i), given) - nominal(i);
        }),
      );
    const all = Array.from({ length: 10 }, (_, i) => i);
    const byId = times(
      () => 0,
      (i) => `task-${i}`,
    );
    expect([...byId].sort()).toEqual(all);
    const byNominal = times(
      (i) => i * 3_600_000,
      () => 'task',
    );
    expect([...byNominal].sort()).toEqual(all);
  });
});

/** A trigger with few occurrences, all of which are known. */
type Known = { readonly trigger: Trigger; readonly moments: ReadonlySet<number> };

const FIRST = -200;
const LAST = 200;
const known: fc.Arbitrary<Known> = fc
  .record({
    interval: fc.integer({ min: 1, max: 30 }),
    anchor: fc.integer({ min: -500, max: 500 }),
    start: fc.integer({ min: FIRST, max: 0 }),
    end: fc.integer({ min: 0, max: LAST }),
  })
  .map(({ interval, ...given }) => {
    const moments = new Set<number>();
    for (let time = given.start; time <= given.end; time++) {
      if ((time - given.anchor) % interval === 0) moments.add(time);
    }
    return { trigger: every(interval, given), moments };
  });

const combined: fc.Arbitrary<Known> = fc.letrec<{ node: Known }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    known,
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((parts) => ({
      trigger: anyOf(...parts.map(({ trigger }) => trigger)),
      moments: new Set(parts.flatMap(({ moments }) => [...moments])),
    })),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((parts) => ({
      trigger: allOf(...parts.map(({ trigger }) => trigger)),
      moments: new Set(
        [...(parts[0]?.moments ?? [])].filter((each) =>
          parts.every(({ moments }) => moments.has(each)),
        ),
      ),
    })),
    fc
      .tuple(
        tie('node'),
        tie('node'),
        fc.integer({ min: FIRST, max: LAST }),
        fc.integer({ min: FIRST, max: LAST }),
        fc.integer({ min: 1, max: 30 }),
      )
      .map(([base, excluded, time, from, length]) => ({
        trigger: except(base.trigger, [excluded.trigger, time, { from, to: from + length }]),
        moments: new Set(
          [...base.moments].filter(
            (each) =>
              !excluded.moments.has(each) &&
              each !== time &&
              (each < from || each >= from + length),
          ),
        ),
      })),
  ),
})).node;

describe('combinations', () => {
  it('name exactly what the sets that they stand for hold', () => {
    fc.assert(
      fc.property(combined, ({ trigger, moments }) => {
        const expected = [...moments].sort((a, b) => a - b);
        const given = declared(0);
        expect(forward(trigger, MIN_TIME, MAX_TIME, given)).toEqual(expected);
        expect(backward(trigger, MIN_TIME, MAX_TIME, given)).toEqual(expected);
        expect(forward(roundTrip(trigger), MIN_TIME, MAX_TIME, given)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

/** The moments of a calendar step, found by looking every one of them up on the wall. */
function lookedUp(
  wall: WallClock,
  anchor: number,
  step: { readonly months: number; readonly days: number; readonly milliseconds: number },
): number[] {
  const anchorWall = new Date(wall.wallAt(anchor));
  const found = new Set<number>();
  for (let n = -14; n <= 14; n++) {
    const month = anchorWall.getUTCMonth() + n * step.months;
    const lastDay = new Date(Date.UTC(anchorWall.getUTCFullYear(), month + 1, 0)).getUTCDate();
    const day = Math.min(anchorWall.getUTCDate(), lastDay) + n * step.days;
    const midnight = Date.UTC(anchorWall.getUTCFullYear(), month, day);
    const time = ((anchorWall.getTime() % DAY_MS) + DAY_MS) % DAY_MS;
    const named = n === 0 ? anchor : wall.momentOf(midnight + time);
    if (named !== undefined) found.add(named + n * step.milliseconds);
  }
  return [...found].sort((a, b) => a - b);
}

describe.each(transitions)('every in calendar units, in %s near %s (%s)', (timeZone, near) => {
  const middle = Math.floor(Date.parse(near) / MINUTE_MS) * MINUTE_MS;
  const wall = wallClock(timeZone, middle - 8 * DAY_MS, middle + 8 * DAY_MS);

  it('names what a search of every minute finds', () => {
    const step = fc.record({
      months: fc.constantFrom(0, 0, 0, 1, 12),
      days: fc.integer({ min: 1, max: 3 }),
      milliseconds: fc.constantFrom(0, 0, 1, 3_600_000, 5_400_000),
    });
    // Near the change of the clock, a day or two off at most, so that the steps from here fall close to it.
    const anchors = fc
      .tuple(
        fc.integer({ min: -2, max: 2 }),
        fc.integer({ min: -150, max: 150 }),
        fc.constantFrom(0, 0, 1, 59_999),
      )
      .map(([days, minutes, ms]) => middle + days * DAY_MS + minutes * MINUTE_MS + ms);
    const [from, to] = [middle - 3 * DAY_MS, middle + 3 * DAY_MS];
    fc.assert(
      fc.property(step, anchors, (length, anchor) => {
        const trigger = every(length, { anchor, timeZone });
        const expected = iso(
          lookedUp(wall, anchor, length).filter((time) => time > from && time < to),
        );
        expect(iso(forward(trigger, from, to, declared(0)))).toEqual(expected);
        expect(iso(backward(trigger, from, to, declared(0)))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
