/** The occurrences of a task: its trigger, applied to what the trigger depends on. */

import type { TaskBody } from './record.js';
import { show } from './show.js';
import { jitteredTime, type Trigger, type TriggerContext } from './trigger.js';
import { invalidTrigger } from './triggers/check.js';

/** Occurrences in order: each should run before the next one is due. */
export interface Schedule {
  next(after: number): number | null;
  previous(before: number): number | null;
  /** When an occurrence should run: its nominal time plus its jitter, which ends before the next occurrence. */
  runAt(nominal: number): number;
  /** The last occurrence that has passed. */
  lastPassed(now: number): number | null;
}

/**
 * Makes the schedule of a trigger. Its members throw what the trigger throws, and `SCHED_TRIGGER_INVALID` when the
 * trigger breaks the contract: one that names the same moment again would make the task run without end.
 */
export function createSchedule(trigger: Trigger, context: TriggerContext): Schedule {
  const check = (found: number | null, isBeyond: boolean) => {
    if (found === null || (isBeyond && Number.isSafeInteger(found))) return found;
    throw invalidTrigger(
      `The trigger of kind ${show(trigger.kind)} gave ${show(found)}, which is not a moment beyond the one it was asked about.`,
    );
  };
  const next = (after: number) => {
    const found = trigger.next(after, context);
    return check(found, found !== null && found > after);
  };
  const previous = (before: number) => {
    const found = trigger.previous(before, context);
    return check(found, found !== null && found < before);
  };
  const runAt = (nominal: number) => {
    const { jitterMs = 0 } = trigger;
    if (!(jitterMs > 0)) return nominal;
    // With more jitter, an occurrence could run after the next one.
    const untilNextMs = (next(nominal) ?? Number.POSITIVE_INFINITY) - nominal;
    return jitteredTime({ jitterMs: Math.min(jitterMs, untilNextMs - 1) }, nominal, context);
  };
  return {
    next,
    previous,
    runAt,
    lastPassed(now) {
      const last = previous(now + 1);
      return last === null || runAt(last) <= now ? last : previous(last);
    },
  };
}

/** The first occurrence of a task whose trigger is declared now; null when there is none. */
export function firstOccurrence(
  trigger: Trigger,
  context: TriggerContext,
  now: number,
): { readonly nominal: number; readonly runAt: number } | null {
  const schedule = createSchedule(trigger, context);
  // A one-off in the past runs at once. A recurring schedule waits for its next occurrence.
  const nominal = schedule.next(now - 1) ?? (namesMoments(trigger) ? schedule.previous(now) : null);
  return nominal === null ? null : { nominal, runAt: schedule.runAt(nominal) };
}

/** Whether a trigger consists only of moments that its author named one by one. */
function namesMoments({ kind, parts = [] }: Trigger): boolean {
  return kind === 'at' || (parts.length > 0 && parts.every(namesMoments));
}

/** What every trigger of this task depends on. */
export function triggerContext(id: string, body: Pick<TaskBody, 'declaredAt'>): TriggerContext {
  return { id, declaredAt: body.declaredAt };
}
