/** A claimed task, and where it stands on its schedule. */

import type { TaskRecord } from '../data-store.js';
import type { ResolvedPolicies } from '../policies.js';
import type { TaskBody } from '../record.js';
import { Schedule, triggerContext } from '../schedule.js';
import type { Trigger } from '../trigger.js';

/** A claimed task, with everything that decisions about it depend on. */
export interface Claim {
  readonly record: TaskRecord;
  readonly body: TaskBody;
  readonly trigger: Trigger;
  readonly policies: ResolvedPolicies;
  readonly token: number;
  readonly owner: string;
}

/**
 * Whether the second claim of a task belongs to the same run as the first: the task was not settled in between, but may
 * have been edited. An edit of its schedule takes effect after the run.
 */
export function isSameRun({ body: before }: Claim, { body: after }: Claim): boolean {
  return after.edition > before.edition || isSameAttempt(before, after);
}

/** Whether two bodies have the same task, schedule, occurrence and attempt. */
export function isSameAttempt(a: TaskBody, b: TaskBody): boolean {
  return (
    a.declaredAt === b.declaredAt &&
    a.edition === b.edition &&
    a.nominal === b.nominal &&
    a.attempt === b.attempt
  );
}

export function nominalOf({ body, record }: Claim, otherwise: number): number {
  return body.nominal ?? record.runAt ?? otherwise;
}

/** The occurrences of a claimed task. */
export function scheduleOf({ record, body, trigger }: Claim): Schedule {
  return new Schedule(trigger, triggerContext(record.id, body), body.isLast);
}

export function isOneOff(claim: Claim, nominal: number): boolean {
  const schedule = scheduleOf(claim);
  return schedule.next(nominal) === null && schedule.previous(nominal) === null;
}

export function attemptOf(claim: Claim, now: number) {
  const { body, record, token, owner } = claim;
  return {
    nominal: nominalOf(claim, now),
    at: now,
    attempt: body.attempt,
    token,
    owner,
    ...(body.parent !== undefined && { childId: record.id }),
  };
}
