/** The occurrences of a task: its trigger, applied to what the trigger depends on. */

import type { TaskBody } from './record.js';
import { show } from './show.js';
import { jitteredTime, type Trigger, type TriggerContext } from './trigger.js';
import { invalidTrigger } from './triggers/check.js';

/**
 * Occurrences in order: each should run before the next one is due.
 *
 * The methods throw what the trigger throws, and `SCHED_TRIGGER_INVALID` when the trigger breaks the contract: one that
 * names the same moment again would make the task run without end.
 */
export class Schedule {
  readonly #trigger: Trigger;
  readonly #context: TriggerContext;
  readonly #isOver: boolean;

  /** @param isOver whether no occurrence follows, whatever the trigger says */
  constructor(trigger: Trigger, context: TriggerContext, isOver = false) {
    this.#trigger = trigger;
    this.#context = context;
    this.#isOver = isOver;
  }

  next(after: number): number | null {
    return this.#isOver ? null : this.#next(after);
  }

  previous(before: number): number | null {
    const found = this.#trigger.previous(before, this.#context);
    return this.#check(found, found !== null && found < before);
  }

  /** When an occurrence should run: its nominal time plus its jitter, which ends before the next occurrence. */
  runAt(nominal: number): number {
    const { jitterMs = 0 } = this.#trigger;
    if (!(jitterMs > 0)) return nominal;
    // With more jitter, an occurrence could run after the next one.
    const untilNextMs = (this.#next(nominal) ?? Number.POSITIVE_INFINITY) - nominal;
    return jitteredTime({ jitterMs: Math.min(jitterMs, untilNextMs - 1) }, nominal, this.#context);
  }

  /** The last occurrence that has passed. */
  lastPassed(now: number): number | null {
    const last = this.previous(now + 1);
    return last === null || this.runAt(last) <= now ? last : this.previous(last);
  }

  #next(after: number): number | null {
    const found = this.#trigger.next(after, this.#context);
    return this.#check(found, found !== null && found > after);
  }

  #check(found: number | null, isBeyond: boolean): number | null {
    if (found === null || (isBeyond && Number.isSafeInteger(found))) return found;
    throw invalidTrigger(
      `The trigger of kind ${show(this.#trigger.kind)} gave ${show(found)}, which is not a moment beyond the one it was asked about.`,
    );
  }
}

/** The first occurrence of a task whose trigger is declared now; null when there is none. */
export function firstOccurrence(
  trigger: Trigger,
  context: TriggerContext,
  now: number,
): { readonly nominal: number; readonly runAt: number } | null {
  const schedule = new Schedule(trigger, context);
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
