import { checkMembers } from '../check.js';
import { parseTime, type Time } from '../duration.js';
import type { Trigger, TriggerKind } from '../trigger.js';

/** The type of {@link at}, which is both the function that makes the trigger and the kind that reads it back. */
export interface AtKind extends TriggerKind {
  /**
   * @param time a `Date`, epoch milliseconds, or ISO 8601 text with an offset
   * @throws SchedError `SCHED_TIME_INVALID`
   */
  (time: Time): Trigger;
  readonly kind: 'at';
}

/** One occurrence, at the given moment: `at('2026-03-29T09:00:00+02:00')`. */
export const at: AtKind = /* @__PURE__ */ Object.assign(createAt, {
  kind: 'at' as const,
  parse: parseAt,
});

function createAt(time: Time): Trigger {
  const moment = parseTime(time, 'at');
  return {
    kind: 'at',
    type: at,
    next: (after) => (moment > after ? moment : null),
    previous: (before) => (moment < before ? moment : null),
    toJSON: () => ({ kind: 'at', at: moment }),
  };
}

function parseAt(json: { readonly [key: string]: unknown }): Trigger {
  checkMembers('The stored form of at', json, ['kind', 'at'], 'SCHED_TRIGGER_INVALID');
  return createAt(json.at as Time);
}
