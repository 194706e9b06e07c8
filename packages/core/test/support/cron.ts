import { expect } from 'vitest';
import { type CronOptions, cron } from '../../src/triggers/cron.js';
import { backward, declared, forward, iso } from './occurrences.js';

const context = declared(0);

/** The next occurrences after a moment, found forward and, to be sure, backward too. */
export function after(
  from: string,
  count: number,
  expression: string,
  options?: CronOptions,
): string[] {
  const trigger = cron(expression, options);
  const found = forward(trigger, Date.parse(from), Number.POSITIVE_INFINITY, context, count);
  const last = found.at(-1);
  if (last !== undefined) {
    expect(backward(trigger, Date.parse(from), last + 1, context, count + 1)).toEqual(found);
  }
  return iso(found);
}

/** The occurrences strictly between two moments, found forward and, to be sure, backward too. */
export function between(
  from: string,
  to: string,
  expression: string,
  options?: CronOptions,
): string[] {
  const trigger = cron(expression, options);
  const found = forward(trigger, Date.parse(from), Date.parse(to), context);
  expect(backward(trigger, Date.parse(from), Date.parse(to), context)).toEqual(found);
  return iso(found);
}
