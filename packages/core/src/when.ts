import { invalid } from './check.js';
import { type CalendarDuration, type Duration, parseDelayMs, type Time } from './duration.js';
import { SchedError } from './errors.js';
import type { Trigger } from './trigger.js';
import type { TriggerRegistry } from './trigger-registry.js';
import { at } from './triggers/at.js';
import { isTrigger } from './triggers/check.js';
import { cron } from './triggers/cron.js';
import { every } from './triggers/every.js';

/** When a task runs. Give one member, and with `every` or `cron` also a time zone if you like. None means now. */
export interface When {
  /** A trigger with its own options: `every('5m', { start })`, `anyOf(…)`. */
  readonly trigger?: Trigger;
  /** Once, at this moment. A moment in the past means now. */
  readonly at?: Time;
  /** Once, after this time. 0 means now. */
  readonly in?: Duration;
  /** Repeatedly, at this interval. */
  readonly every?: Duration | CalendarDuration;
  /** A cron expression. */
  readonly cron?: string;
  /** The IANA time zone whose clock and calendar `cron` and `every` use. Default `UTC`, on every machine. */
  readonly timeZone?: string;
}

/** The members of {@link When}. */
export const whenNames = [
  'trigger',
  'at',
  'in',
  'every',
  'cron',
  'timeZone',
] as const satisfies readonly (keyof When)[];

/** A trigger, or a delay that starts when the task is declared. */
export type Timing = { readonly trigger: Trigger } | { readonly afterMs: number };

/**
 * Reads when a task runs; undefined when nothing was given.
 *
 * @throws SchedError when more than one member was given, or the one given is not valid
 */
export function readWhen(when: When, triggers: TriggerRegistry): Timing | undefined {
  const { timeZone } = when;
  const given = (['trigger', 'at', 'in', 'every', 'cron'] as const).filter(
    (key) => when[key] !== undefined,
  );
  if (given.length > 1) {
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      `${given.join(' and ')} were given together. Give one of them, or combine triggers with anyOf(…).`,
    );
  }
  if (timeZone !== undefined && when.every === undefined && when.cron === undefined) {
    throw invalid('timeZone', timeZone, 'given along with cron or every');
  }
  const options = timeZone === undefined ? {} : { timeZone };
  if (when.in !== undefined) return { afterMs: parseDelayMs(when.in, 'in') };
  if (when.at !== undefined) return { trigger: at(when.at) };
  if (when.every !== undefined) return { trigger: every(when.every, options) };
  if (when.cron !== undefined) return { trigger: cron(when.cron, options) };
  const { trigger } = when;
  if (trigger === undefined) return undefined;
  if (!isTrigger(trigger)) {
    throw new SchedError(
      'SCHED_TRIGGER_INVALID',
      'trigger is not a trigger. Make one with at(…), every(…), cron(…) or a combination of them.',
    );
  }
  triggers.registerFrom(trigger);
  return { trigger };
}

/** The trigger of a task that is declared now. */
export function triggerOf(timing: Timing, now: number): Trigger {
  return 'trigger' in timing ? timing.trigger : at(now + timing.afterMs);
}
