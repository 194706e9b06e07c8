import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSchedError } from '../src/errors.js';
import type { Trigger } from '../src/trigger.js';
import { type CronOptions, cron } from '../src/triggers/cron.js';
import { randomExpression } from './support/cron-expressions.js';
import { type Minute, minutes, modelOccurrences } from './support/cron-model.js';
import { backward, declared, forward, iso } from './support/occurrences.js';
import { inAnyCase, numbers } from './support/random.js';
import { DAY_MS, MINUTE_MS, transitions } from './support/wall-clock.js';

const context = declared(0);
const zones = Intl.supportedValuesOf('timeZone');

const goodExpression = fc
  .noShrink(fc.integer())
  .map((seed) => randomExpression(numbers(seed), { hours: [0, 1, 2, 3, 23] }));

const policy = fc.record(
  { gap: fc.constantFrom('skip', 'shift'), fold: fc.constantFrom('first', 'both') },
  { requiredKeys: [] },
);

const moment = fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) });

describe('expressions that mean something', () => {
  it('occur when the wall clock says so, minute by minute, in nights when it changes', () => {
    const tables = new Map<string, readonly Minute[]>();
    function tableOf(zone: string, near: number): readonly Minute[] {
      const key = `${zone} ${near}`;
      const table = tables.get(key) ?? minutes(zone, near - 3 * DAY_MS, near + 2 * DAY_MS);
      tables.set(key, table);
      return table;
    }
    fc.assert(
      fc.property(
        goodExpression,
        policy,
        fc.constantFrom(...transitions),
        fc.noShrink(fc.integer()),
        ({ text, ...fields }, options, [zone, time], seed) => {
          const near = Date.parse(time);
          const random = numbers(seed);
          const from = near - Math.ceil(random() * 1.5 * DAY_MS);
          const to = near + Math.ceil(random() * 1.5 * DAY_MS);
          const table = tableOf(zone, near).filter(({ at }) => at > from - MINUTE_MS && at < to);
          const expected = modelOccurrences({ text, ...fields }, table, options);
          const inside = expected.filter((at) => at > from && at < to);
          for (const walk of [forward, backward]) {
            const timeZone = inAnyCase(random, zone);
            const trigger = cron(text, { timeZone, ...options });
            const found = walk(trigger, from, to, context, 20_000);
            // Made readable only where they differ, since there can be thousands.
            if (found.join() !== inside.join()) expect(iso(found)).toEqual(iso(inside));
          }
        },
      ),
      { numRuns: 2000, seed: 1 },
    );
  }, 120_000);

  it('have a next and a previous that are mirror images and move one way only', () => {
    fc.assert(
      fc.property(
        goodExpression,
        policy,
        fc.constantFrom(...zones),
        moment,
        ({ text }, options, timeZone, at) => {
          const trigger = cron(text, { timeZone, ...options });
          expectMirror(trigger, at);
          const next = trigger.next(at, context);
          if (next !== null) expectMirror(trigger, next);
        },
      ),
      { numRuns: 4000, seed: 2 },
    );
  });

  it('keep within start and end, and lose nothing between them', () => {
    fc.assert(
      fc.property(
        goodExpression,
        fc.constantFrom(...zones),
        moment,
        fc.integer({ min: 0, max: 20 * DAY_MS }),
        ({ text }, timeZone, start, length) => {
          const end = start + length;
          const bounded = cron(text, { timeZone, start, end });
          const inside = forward(cron(text, { timeZone }), start - 1, end + 1, context, 50);
          const everything = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
          expect(forward(bounded, ...everything, context, 50)).toEqual(inside);
          if (inside.length < 50) {
            expect(backward(bounded, ...everything, context)).toEqual(inside);
          }
        },
      ),
      { numRuns: 500, seed: 3 },
    );
  });

  it('are equal triggers after a round trip through JSON', () => {
    const options = fc
      .record(
        {
          timeZone: fc.constantFrom(...zones),
          gap: fc.constantFrom('skip', 'shift'),
          fold: fc.constantFrom('first', 'both'),
          start: moment,
          end: moment,
          jitter: fc.integer({ min: 1, max: DAY_MS }),
        },
        { requiredKeys: [] },
      )
      .filter(({ start, end }) => start === undefined || end === undefined || start <= end);
    fc.assert(
      fc.property(goodExpression, options, moment, ({ text }, given, at) => {
        const trigger = cron(text, given as CronOptions);
        const json = JSON.parse(JSON.stringify(trigger));
        const { jitter, ...rest } = given;
        expect(json).toEqual({
          kind: 'cron',
          expression: text,
          ...rest,
          ...(jitter === undefined ? {} : { jitterMs: jitter }),
        });
        const read = cron.parse(json, (nested) => cron.parse(nested, cron.parse as never));
        expect(JSON.stringify(read)).toBe(JSON.stringify(trigger));
        expect(read.jitterMs).toBe(trigger.jitterMs);
        expect(read.next(at, context)).toBe(trigger.next(at, context));
        expect(read.previous(at, context)).toBe(trigger.previous(at, context));
      }),
      { numRuns: 500, seed: 4 },
    );
  });
});

describe('expressions that mean nothing', () => {
  /** Text made of what expressions are made of, so that much of it is nearly right. */
  const soup = fc
    .array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.constantFrom('*', ' ', ' ', '-', ',', '/', '0', '1', '5', '59'),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'L',
            'W',
            '#',
            '?',
            '@',
            '~',
            'H',
            'MON',
            'jan',
            '7',
            '60',
            '\t',
          ),
        },
      ),
      { maxLength: 24 },
    )
    .map((pieces) => pieces.join(''));

  /** An expression that was right until a piece was put in, taken out or exchanged. */
  const spoilt = fc
    .tuple(
      goodExpression,
      fc.nat(),
      fc.integer({ min: 0, max: 3 }),
      fc.oneof(
        fc.constantFrom('', '*', ',', '-', '/', '#', 'L', 'W', '?', ' ', 'x', '60', '99', '@', '.'),
        fc.string({ maxLength: 3, unit: 'binary' }),
      ),
    )
    .map(([{ text }, position, length, piece]) => {
      const at = position % (text.length + 1);
      return text.slice(0, at) + piece + text.slice(at + length);
    });

  it('are refused with an error that names the field and the column; all others work', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.oneof(soup, spoilt, fc.string({ unit: 'binary' }), fc.string({ maxLength: 2000 })),
        (text) => {
          const outcome = attempt(text);
          if (outcome instanceof Error) {
            refused++;
            expectExplained(outcome, text);
          } else {
            expectMirror(outcome, Date.UTC(2026, 0));
          }
        },
      ),
      { numRuns: 20_000, seed: 5 },
    );
    expect(refused).toBeGreaterThan(5000);
  });

  it('are blamed on the field that is wrong', () => {
    const names = ['second', 'minute', 'hour', 'day of month', 'month', 'day of week'];
    const wrong = fc.constantFrom(
      '99',
      '0-99',
      '5-1',
      '*/0',
      '*/100',
      '1,,2',
      '1-',
      '-1',
      '1/2',
      '*5',
      'x',
      '1.5',
      '*#2',
      '1-2-3',
      '1~2',
      '%',
      '?*',
    );
    fc.assert(
      fc.property(goodExpression, fc.nat(5), wrong, ({ text }, at, piece) => {
        const words = text.split(' ');
        const index = at % words.length;
        words[index] = piece;
        const outcome = attempt(words.join(' '));
        if (!isSchedError(outcome)) throw new Error(`${words.join(' ')} was accepted.`);
        expectExplained(outcome, words.join(' '));
        expect(outcome.details.field).toBe(names[index + 6 - words.length]);
      }),
      { numRuns: 3000, seed: 6 },
    );
  });

  it('may be anything but text', () => {
    fc.assert(
      fc.property(
        fc.anything().filter((value) => typeof value !== 'string'),
        (value) => {
          const outcome = attempt(value);
          if (!isSchedError(outcome)) throw new Error('It was accepted, or broke something.');
          expect(outcome.code).toBe('SCHED_CRON_SYNTAX');
          expect(outcome.details).toMatchObject({ field: 'expression', column: 1 });
        },
      ),
      { numRuns: 500, seed: 7 },
    );
  });

  it('are read quickly however long they are', () => {
    const long = Array.from({ length: 100_000 }, (_, n) => n % 60).join(',');
    expect(attempt(`${long} * * * *`)).not.toBeInstanceOf(Error);
    for (const text of [`${long}, * * * *`, long, '*'.repeat(1e6), `${' '.repeat(1e6)}x`]) {
      const outcome = attempt(text);
      if (!isSchedError(outcome)) throw new Error('It was accepted.');
      expect(outcome.message.length).toBeLessThan(500);
    }
  });
});

function attempt(expression: unknown): Trigger | Error {
  try {
    return cron(expression as string);
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** The error is one of cron's, and its column lies in the word that it names as the field. */
function expectExplained(error: Error, text: string): void {
  if (!isSchedError(error)) throw error;
  expect(error.code).toMatch(/^SCHED_CRON_(SYNTAX|RANGE|UNSUPPORTED)$/);
  const { expression, field, column } = error.details;
  expect(expression).toBe(text);
  expect(error.message).toContain(`${String(field)}, column ${String(column)}: `);
  if (typeof column !== 'number' || !Number.isInteger(column)) throw new Error('No column.');
  expect(column).toBeGreaterThanOrEqual(1);
  expect(column).toBeLessThanOrEqual(text.length + 1);
  if (field === 'expression') return;
  const words = [...text.matchAll(/\S+/g)];
  const names = ['second', 'minute', 'hour', 'day of month', 'month', 'day of week'];
  const word = words[names.indexOf(String(field)) - 6 + words.length];
  if (!word) throw new Error(`There is no field ${String(field)}.`);
  expect(column).toBeGreaterThan(word.index);
  // A value that is missing is missing just after what is there.
  expect(column).toBeLessThanOrEqual(word.index + word[0].length + 1);
}

/** `next` and `previous` are inverse to each other, and neither leaves anything out. */
function expectMirror(trigger: Trigger, at: number): void {
  const next = trigger.next(at, context);
  const previous = trigger.previous(at, context);
  if (next !== null) {
    expect(next).toBeGreaterThan(at);
    expect(trigger.next(next - 1, context)).toBe(next);
    expect(trigger.previous(next + 1, context)).toBe(next);
    const before = trigger.previous(next, context);
    if (before !== null) expect(before).toBeLessThanOrEqual(at);
  }
  if (previous !== null) {
    expect(previous).toBeLessThan(at);
    expect(trigger.previous(previous + 1, context)).toBe(previous);
    expect(trigger.next(previous - 1, context)).toBe(previous);
    const after = trigger.next(previous, context);
    if (after !== null) expect(after).toBeGreaterThanOrEqual(at);
  }
}
