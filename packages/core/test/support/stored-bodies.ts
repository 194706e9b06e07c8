/** What core keeps to in the bodies that it stores and no history shows. The rest is for `checkHistory` to judge. */

import type { Settlement } from '../../src/index.js';
import type { RunEntry, TaskBody } from '../../src/record.js';
import type { Schedule } from '../../src/schedule.js';

/** What users have set survives every settlement. */
export function lostEdits(before: TaskBody, after: TaskBody): string[] {
  const settings = ({ payload, policies, trigger, edition, declaredAt, parent }: TaskBody) =>
    JSON.stringify({ payload, policies, trigger, edition, declaredAt, parent });
  return settings(before) === settings(after) ? [] : ['lost an edit when it was settled'];
}

/** The next occurrence in a stored body is to run at its time, to the millisecond. */
export function mistimedNext(
  before: TaskBody,
  after: TaskBody,
  runAt: number | null,
  schedule: Schedule,
): string[] {
  const { nominal } = after;
  if (nominal === null || nominal === before.nominal || runAt === null) return [];
  if (runAt === schedule.runAt(nominal)) return [];
  return [`is to run at ${new Date(runAt).toISOString()}, which is not its time`];
}

/** A run under an older edition of a body records its outcome, and leaves the schedule as the edit has set it. */
export function undoneEdition(
  ranEdition: number,
  stored: { readonly runAt: number | null; readonly body: TaskBody },
  next: Settlement['next'],
  after: TaskBody | null,
): string[] {
  const { runAt, body } = stored;
  if (ranEdition === body.edition) return [];
  if (next && next.runAt === runAt && after?.nominal === body.nominal) return [];
  return ['was moved on by a run that knew nothing of its new schedule'];
}

/** Who settles a task settles it with a run of its own, or with the outcome that a body says was returned. */
export function foreignOutcome(
  run: RunEntry | undefined,
  isOwn: boolean,
  { returned }: TaskBody,
): string[] {
  if (isOwn || (run && returned?.token === run.token)) return [];
  return ['was settled by the run of another worker'];
}
