import { wholeNumber } from './check.js';
import { parseTime, type Time } from './duration.js';
import { createSchedule, firstOccurrence, triggerContext } from './schedule.js';
import type { Trigger } from './trigger.js';
import type { TriggerRegistry } from './trigger-registry.js';
import { at } from './triggers/at.js';
import { triggerOf, type When } from './when.js';

/** The next `count` times at which a task of that id would run, were it declared at `from`. */
export function previewTimes(
  when: Trigger | When,
  count: number,
  from: Time,
  id: string,
  triggers: TriggerRegistry,
): Date[] {
  wholeNumber('count', count, 1);
  const start = parseTime(from, 'from');
  const given = 'next' in when ? { trigger: when } : when;
  const trigger = triggerOf(given, triggers, start) ?? at(start);
  const context = triggerContext(id, { declaredAt: start });
  const schedule = createSchedule(trigger, context);
  const dates: Date[] = [];
  let nominal = firstOccurrence(trigger, context, start)?.nominal ?? null;
  while (nominal !== null && dates.length < count) {
    dates.push(new Date(schedule.runAt(nominal)));
    nominal = schedule.next(nominal);
  }
  return dates;
}
