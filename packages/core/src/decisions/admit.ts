/**
 * Decisions about a task that has just been claimed. Like all decisions here, they are pure functions: from a record,
 * what happened and the time, to what the store must do.
 *
 * An occurrence has *passed* when its `runAt` (nominal time plus jitter) is not after now. Two policies handle
 * occurrences that passed without running, each in one place. Catch-up applies when a task is claimed ({@link admit}),
 * to occurrences that passed while nothing could run them. Overlap applies when a run ends (`conclude`), to occurrences
 * that passed while the task itself was running.
 *
 * A task is *running* from the first attempt at an occurrence to the end of the last, and on through the occurrences
 * queued behind it, as long as each begins on time: within the catch-up policy's grace. `begunAt` stores since when.
 *
 * Both policies write their decision into the body before anything runs because of it: `nominal` is the occurrence to
 * run next, and all occurrences up to `backlogUntil` will run. So when a worker dies, the next one decides the same.
 */

import { SchedError } from '../errors.js';
import { describeError, type RunEntry, writeBody } from '../record.js';
import { decideMissed } from './catch-up.js';
import { childOf } from './child.js';
import { attemptOf, type Claim, isOneOff, nominalOf, scheduleOf } from './claim.js';
import { concludeReturned } from './conclude.js';
import { type Decision, follow, proceed, settled, skip } from './decision.js';

/**
 * Decides about a task that has just been claimed: `run` its occurrence, or settle it at once.
 *
 * @param running how many occurrences of this task are running as tasks of their own
 */
export function admit(claim: Claim, now: number, running = 0): 'run' | Decision {
  const { record, body, policies } = claim;
  const nominal = nominalOf(claim, now);
  const isRedelivered = record.deliveries > 1;
  if (isRedelivered && record.runAt !== null && record.runAt > now) {
    // The task was rescheduled during a run whose worker then vanished. Only the lease expired; it is not due yet.
    const { status, runAt } = record;
    return { next: { status, runAt, body: writeBody(settled(body)) }, entries: [], spawn: [] };
  }
  const { returned } = body;
  const isOfThisRun =
    returned?.edition === body.edition &&
    returned.nominal === nominal &&
    returned.attempt === body.attempt;
  if (isOfThisRun) return concludeReturned(claim, returned, now);
  const isInBacklog = nominal <= (body.backlogUntil ?? Number.NEGATIVE_INFINITY);
  // Such a task only spawns children, which is safe to repeat. The delivery policies apply to the children.
  if (policies.overlap.mode === 'allow' && !isOneOff(claim, nominal)) {
    const missed = isInBacklog ? undefined : decideMissed(claim, nominal, now);
    return missed ?? spawn(claim, nominal, now, running);
  }

  // An earlier claim was cancelled, but its worker vanished or gave the task back before settling it.
  if (body.cancelToken !== undefined) return cancelWaiting(claim, now);
  if (isRedelivered && policies.delivery === 'atMostOnce') {
    return giveUp(
      claim,
      now,
      'SCHED_DELIVERY_LOST',
      'The task was handed to a worker that never reported back, and it runs at most once.',
    );
  }
  if (record.deliveries > policies.maxDeliveries) {
    return giveUp(
      claim,
      now,
      'SCHED_DELIVERY_EXHAUSTED',
      `The task was handed to ${policies.maxDeliveries} workers that never reported back. It probably kills its process.`,
    );
  }
  const hasBegun = isRedelivered || body.attempt > 1;
  const missed = hasBegun || isInBacklog ? undefined : decideMissed(claim, nominal, now);
  return missed ?? 'run';
}

/** Decides about a task whose run was cancelled before it started. */
export function cancelWaiting(claim: Claim, now: number): Decision {
  return giveUp(claim, now, 'SCHED_CANCELLED', 'The run was cancelled before it began.');
}

/** Creates a separate task for an occurrence, and moves the schedule on. */
function spawn(claim: Claim, nominal: number, now: number, running: number): Decision {
  const { record, body, policies } = claim;
  const { backlogUntil } = body;
  const { maxRunning } = policies.overlap;
  const isOver = maxRunning !== null && running >= maxRunning;
  const child = childOf(record, body, nominal, now, `${record.id}@${nominal}`);
  const decision = proceed(claim, scheduleOf(claim).next(nominal), {
    ...(backlogUntil !== undefined && { backlogUntil }),
    entries: isOver ? [skip(claim, 'overlap', nominal, nominal, now)] : [],
    ...(maxRunning !== null && !isOver && { children: [...(body.children ?? []), child.id] }),
  });
  return { ...decision, spawn: isOver ? [] : [child] };
}

function giveUp(
  claim: Claim,
  now: number,
  code: 'SCHED_CANCELLED' | 'SCHED_DELIVERY_LOST' | 'SCHED_DELIVERY_EXHAUSTED',
  message: string,
): Decision {
  const failed: RunEntry = {
    ...attemptOf(claim, now),
    outcome: 'failed',
    error: describeError(new SchedError(code, message)),
  };
  return follow(claim, failed.nominal, failed, now, now);
}
