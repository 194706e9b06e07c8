/** The occurrences of a task: its trigger, in the light of what the trigger depends on. */

import type { TaskBody } from './record.js';
import { jitteredTime, type Trigger, type TriggerContext } from './trigger.js';

/** Occurrences in the only order that there is: each should run before the next one is due. */
export interface Schedule {
  next(after: number): number | null;
  previous(before: number): number | null;
  /** When an occurrence should run. */
  runAt(nominal: number): number;
  /** The last occurrence that has passed. */
  lastPassed(now: number): number | null;
}

export function createSchedule(trigger: Trigger, context: TriggerContext): Schedule {
  const runAt = (nominal: number) => runTime(trigger, nominal, context);
  return {
    next: (after) => trigger.next(after, context),
    previous: (before) => trigger.previous(before, context),
    runAt,
    lastPassed(now) {
      const last = trigger.previous(now + 1, context);
      return last === null || runAt(last) <= now ? last : trigger.previous(last, context);
    },
  };
}

/**
 * The moment at which an occurrence should run. Jitter is kept shorter than the time to the next occurrence: they
 * would overtake each other otherwise.
 */
export function runTime(trigger: Trigger, nominal: number, context: TriggerContext): number {
  const { jitterMs = 0 } = trigger;
  if (!(jitterMs > 0)) return nominal;
  const next = trigger.next(nominal, context) ?? Number.POSITIVE_INFINITY;
  return jitteredTime({ jitterMs: Math.min(jitterMs, next - nominal - 1) }, nominal, context);
}

/** The envelope's and the body's idea of a task's first occurrence after `now`, or of a new trigger's. */
export function firstOccurrence(
  trigger: Trigger,
  context: TriggerContext,
  now: number,
): { nominal: number; runAt: number } | null {
  // A one-off whose time has passed runs at once; a schedule waits for its next occurrence.
  const nominal =
    trigger.next(now - 1, context) ??
    (trigger.kind === 'at' ? trigger.previous(now, context) : null);
  return nominal === null ? null : { nominal, runAt: runTime(trigger, nominal, context) };
}

/** What every trigger of this task depends on. */
export function triggerContext(id: string, body: Pick<TaskBody, 'declaredAt'>): TriggerContext {
  return { id, declaredAt: body.declaredAt };
}
