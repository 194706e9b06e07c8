/**
 * What becomes of a task: pure functions from a record, what happened and the time to what the store shall do.
 *
 * An occurrence has *passed* once the moment at which it should run, its nominal time and jitter, is not after now.
 * Two policies deal with occurrences that passed and did not run, and each is asked at one place: catch-up when a
 * task is claimed ({@link admit}), for those that passed while nothing could run them, and overlap when a run ends
 * ({@link conclude}), for those that passed while the task itself was running.
 *
 * A task is *running* from its first attempt at an occurrence to the end of its last, and on through the occurrences
 * that were queued behind it, as long as each begins on time: within the catch-up policy's grace. `begunAt` remembers
 * since when.
 *
 * Both write their decision into the body before anything runs because of it: `nominal` is the occurrence to run
 * next, and `backlogUntil` says up to where occurrences have been decided to run. A worker that dies therefore never
 * makes another one decide differently.
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
    // It was rescheduled during a run whose worker then vanished: what lapsed is the lease, not the time to wait.
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
  // Such a task only spawns, which is safe to repeat; it is its children that are delivered.
  if (policies.overlap.mode === 'allow' && !isOneOff(claim, nominal)) {
    const missed = isInBacklog ? undefined : decideMissed(claim, nominal, now);
    return missed ?? spawn(claim, nominal, now, running);
  }

  // It was said to a claim that has not settled the task: the worker vanished, or gave the task back.
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

/** Decides about a task whose run was cancelled before it began. */
export function cancelWaiting(claim: Claim, now: number): Decision {
  return giveUp(claim, now, 'SCHED_CANCELLED', 'The run was cancelled before it began.');
}

/** Gives an occurrence a task of its own, and moves the schedule on. */
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
