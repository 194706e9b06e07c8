import { isSchedError, type SchedErrorCode } from '../../src/errors.js';
import type { Trigger, TriggerContext } from '../../src/trigger.js';

/** A context whose schedule was declared at this moment. */
export function declared(at: number | string, id = 'task'): TriggerContext {
  return { id, declaredAt: typeof at === 'number' ? at : Date.parse(at) };
}

/** The occurrences strictly between two moments, by walking forward; at most `limit`. */
export function forward(
  trigger: Trigger,
  after: number,
  before: number,
  context: TriggerContext,
  limit = 10_000,
): number[] {
  const found: number[] = [];
  let at = trigger.next(after, context);
  while (at !== null && at < before && found.length < limit) {
    found.push(at);
    at = trigger.next(at, context);
  }
  return found;
}

/** The same occurrences, by walking backward; the last `limit` of them, in order of time. */
export function backward(
  trigger: Trigger,
  after: number,
  before: number,
  context: TriggerContext,
  limit = 10_000,
): number[] {
  const found: number[] = [];
  let at = trigger.previous(before, context);
  while (at !== null && at > after && found.length < limit) {
    found.unshift(at);
    at = trigger.previous(at, context);
  }
  return found;
}

/** Moments as ISO 8601 text, which a failure shows better than numbers. */
export function iso(moments: readonly number[]): string[] {
  return moments.map((at) => new Date(at).toISOString().replace(/(:00)?\.000Z$/, 'Z'));
}

/** The code of the error that a call throws; anything else that it throws, or `undefined`, as it is. */
export function codeOf(act: () => unknown): SchedErrorCode | unknown {
  try {
    act();
  } catch (error) {
    return isSchedError(error) ? error.code : error;
  }
  return undefined;
}
