import { checkMembers, wholeNumber } from './check.js';
import { parseTime, type Time } from './duration.js';
import { firstOccurrence, Schedule, triggerContext } from './schedule.js';
import type { Trigger } from './trigger.js';
import type { TriggerRegistry } from './trigger-registry.js';
import { readWhen, triggerOf, type When, whenNames } from './when.js';

/** The next `count` times from `from` on at which a task with that id would run if it were declared at `declaredAt`. */
export function previewTimes(
  when: Trigger | When,
  count: number,
  from: Time,
  declaredAt: Time,
  id: string,
  triggers: TriggerRegistry,
): Date[] {
  wholeNumber('count', count, 1);
  const start = parseTime(from, 'from');
  const isTrigger = typeof when === 'object' && when !== null && 'next' in when;
  const given = isTrigger ? { trigger: when } : checkMembers('when', when, whenNames);
  const trigger = triggerOf(readWhen(given, triggers) ?? { afterMs: 0 }, start);
  const context = triggerContext(id, { declaredAt: parseTime(declaredAt, 'declaredAt') });
  const schedule = new Schedule(trigger, context);
  const dates: Date[] = [];
  let nominal = firstOccurrence(trigger, context, start)?.nominal ?? null;
  while (nominal !== null && dates.length < count) {
    dates.push(new Date(schedule.runAt(nominal)));
    nominal = schedule.next(nominal);
  }
  return dates;
}
