import { type CalendarDuration, type Duration, parseDurationMs, type Time } from './duration.js';
import { SchedError } from './errors.js';
import type { Trigger } from './trigger.js';
import type { TriggerRegistry } from './trigger-registry.js';
import { at } from './triggers/at.js';
import { isTrigger } from './triggers/check.js';

/**
 * When a task runs. At most one of the members; none means now.
 *
 * `every` and `cron` are short for the triggers of these names, which have options of their own. The short forms need
 * the trigger to be registered, as in `createScheduler({ triggers: [every, cron] })`.
 */
export interface When {
  readonly trigger?: Trigger;
  /** Once, at this moment. */
  readonly at?: Time;
  /** Once, after this time. */
  readonly in?: Duration;
  /** Again and again, as often as this. */
  readonly every?: Duration | CalendarDuration;
  /** A cron expression, in UTC. */
  readonly cron?: string;
}

/**
 * The trigger that is meant; undefined when nothing was said.
 *
 * @throws SchedError when more than one was given, or the one given is not valid
 */
export function triggerOf(when: When, triggers: TriggerRegistry, now: number): Trigger | undefined {
  const given = (['trigger', 'at', 'in', 'every', 'cron'] as const).filter(
    (key) => when[key] !== undefined,
  );
  if (given.length > 1) {
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      `${given.join(' and ')} were given together. Give one of them, or combine triggers with anyOf(…).`,
    );
  }
  const [key] = given;
  if (key === undefined) return undefined;
  if (key === 'in') return at(now + parseDurationMs(when.in ?? 0, 'in'));
  if (key === 'trigger') {
    const { trigger } = when;
    if (!trigger || !isTrigger(trigger)) {
      throw new SchedError(
        'SCHED_TRIGGER_INVALID',
        'trigger is not a trigger. Make one with at(…), every(…), cron(…) or a combination of them.',
      );
    }
    triggers.registerFrom(trigger);
    return trigger;
  }
  const type = triggers.get(key);
  if (type?.from) return type.from(when[key] as never);
  throw new SchedError(
    'SCHED_TRIGGER_UNKNOWN',
    `The short form { ${key}: … } needs the trigger to be registered: createScheduler({ triggers: [${key}] }).`,
    { details: { kind: key } },
  );
}
