import { AssertionError } from 'node:assert';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { Lease, TaskRecord } from '../data-store.js';
import type { SchedErrorCode } from '../errors.js';
import { isSchedError } from '../errors.js';
import type { Guarantee } from './types.js';

/** A broken sentence that stands for another guarantee than that of its case, which checks sentences of several. */
export class BrokenSentence extends AssertionError {
  readonly guarantee: Guarantee;

  constructor(guarantee: Guarantee, message: string, actual: unknown, expected: unknown) {
    super({ message, actual, expected });
    this.guarantee = guarantee;
  }
}

/**
 * Requires that a store answered as expected. `sentence` says what the contract promises, and `guarantee` what is broken
 * otherwise, if that is not what the case is about.
 */
export function same(
  actual: unknown,
  expected: unknown,
  sentence: string,
  guarantee?: Guarantee,
): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const message = `${sentence}\n  expected: ${show(expected)}\n  answered: ${show(actual)}`;
  throw broken(message, actual, expected, guarantee);
}

/** Requires that a condition holds. `sentence` says what the contract promises, and what was seen instead. */
export function holds(
  condition: boolean,
  sentence: string,
  guarantee?: Guarantee,
): asserts condition {
  if (!condition) throw broken(sentence, condition, true, guarantee);
}

function broken(message: string, actual: unknown, expected: unknown, guarantee?: Guarantee) {
  return guarantee === undefined
    ? new AssertionError({ message, actual, expected })
    : new BrokenSentence(guarantee, message, actual, expected);
}

/** Requires that a call fails with a `SchedError` of this code. */
export async function rejects(
  call: () => unknown,
  code: SchedErrorCode,
  sentence: string,
): Promise<void> {
  let outcome: string;
  try {
    outcome = `answered ${show(await call())}`;
  } catch (error) {
    if (isSchedError(error, code)) return;
    outcome = `failed with ${show(error)}`;
  }
  throw new AssertionError({ message: `${sentence}\n  expected: ${code}\n  but it ${outcome}` });
}

/** Returns a value that the contract promises to be there. */
export function present<T>(value: T | null | undefined, sentence: string): T {
  holds(value !== null && value !== undefined, sentence);
  return value;
}

/** The members of a record that the contract defines, without any that a driver or a claim adds. */
export function plain(record: TaskRecord | undefined): TaskRecord | undefined {
  if (!record) return undefined;
  const { id, name, queue, group, status, paused, runAt, body } = record;
  const { resumedAt, lease, deliveries, revision, wakeAt } = record;
  return {
    ...{ id, name, queue, group, status, paused, runAt, body },
    ...{ resumedAt, lease: lease && plainLease(lease), deliveries, revision, wakeAt },
  };
}

export function plainLease({ token, owner, expiresAt }: Lease): Lease {
  return { token, owner, expiresAt };
}

/** A value as failure messages show it. */
export function show(value: unknown): string {
  const text = inspect(value, {
    depth: 5,
    breakLength: 100,
    maxStringLength: 200,
    maxArrayLength: 30,
  });
  return text.replaceAll('\n', '\n  ');
}
