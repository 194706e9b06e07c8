/** What follows a run that has ended. */

import type { ResolvedPolicies } from '../policies.js';
import { type RunEntry, type TaskBody, writeBody } from '../record.js';
import { fraction } from '../trigger.js';
import { attemptOf, type Claim, isSameAttempt, nominalOf, scheduleOf } from './claim.js';
import { type Decision, type Ending, follow, settled } from './decision.js';

/**
 * Decides what follows a run that has ended.
 *
 * @param startedAt when this attempt started, by the store's clock
 */
export function conclude(claim: Claim, ending: Ending, startedAt: number, now: number): Decision {
  const { body, policies } = claim;
  const nominal = nominalOf(claim, startedAt);
  const begunAt = runningSince(claim, startedAt);
  const record: RunEntry = { ...attemptOf(claim, now), startedAt, outcome: 'succeeded' };
  if (ending.kind === 'succeeded') return follow(claim, nominal, record, begunAt, now);

  const { error } = ending;
  if (ending.kind === 'replaced') {
    const replaced: RunEntry = { ...record, outcome: 'interrupted', reason: 'superseded', error };
    return follow(claim, nominal, replaced, begunAt, now);
  }
  const mayRunAgain = policies.delivery === 'atLeastOnce' && body.cancelToken === undefined;
  if (ending.kind === 'stopped' && mayRunAgain) {
    const backlogUntil = Math.max(nominal, body.backlogUntil ?? nominal);
    const interrupted: RunEntry = { ...record, outcome: 'interrupted', error };
    return again({ ...body, begunAt, backlogUntil, last: interrupted }, now, interrupted);
  }
  const hasAttemptsLeft = body.attempt <= policies.retry.limit;
  if (ending.kind === 'failed' && !ending.permanent && mayRunAgain && hasAttemptsLeft) {
    const seed = `${claim.record.id}\n${nominal}`;
    const retryAt = now + retryDelayMs(policies.retry, body.attempt, seed);
    const failed: RunEntry = { ...record, outcome: 'failed', error, retryAt };
    const attempt = body.attempt + 1;
    return again({ ...body, attempt, begunAt, last: failed }, retryAt, failed);
  }
  return follow(claim, nominal, { ...record, outcome: 'failed', error }, begunAt, now);
}

/** What follows a run that ended when its lease was another worker's. */
export function concludeReturned(claim: Claim, returned: RunEntry, now: number): Decision {
  const { outcome, error, retryAt, startedAt = now, token, owner } = returned;
  const ended: Ending =
    outcome === 'failed' && error
      ? { kind: 'failed', error, permanent: retryAt === undefined }
      : { kind: 'succeeded' };
  const ran = {
    ...claim,
    ...(token !== undefined && { token }),
    ...(owner !== undefined && { owner }),
  };
  return conclude(ran, ended, startedAt, now);
}

/**
 * Decides about a run that ended while its task's schedule was being replaced: the outcome is recorded, and what the
 * edit says about the future stands.
 */
export function concludeEdited(claim: Claim, ran: Decision): Decision {
  const { status, runAt } = claim.record;
  const entries = ran.entries.filter(({ outcome }) => outcome !== 'skipped').map(withoutRetry);
  const [last] = entries;
  const { nominal } = claim.body;
  // The same occurrence is to run again, for a new payload. That it is late by now is no fault of its schedule.
  const isSame = nominal !== null && nominal === last?.nominal;
  const body = {
    ...settled(claim.body),
    ...(last && { last }),
    ...(isSame && { backlogUntil: nominal }),
  };
  return { next: { status, runAt, body: writeBody(body) }, entries, spawn: [] };
}

/**
 * The body that tells how a run ended whose lease was another worker's by then; undefined when it is of no use to
 * anybody, since the task has moved on, or was told better news already.
 *
 * @param claim under which the run began
 */
export function leaveWord(claim: Claim, { entries }: Decision, body: TaskBody): string | undefined {
  const [ran] = entries;
  if (!ran || (ran.outcome !== 'succeeded' && ran.outcome !== 'failed')) return undefined;
  if (body.returned?.outcome === 'succeeded') return undefined;
  if (!isSameAttempt(body, claim.body)) return undefined;
  return writeBody({ ...body, returned: { ...ran, edition: body.edition } });
}

/**
 * When a run that starts now is to be aborted because a newer occurrence falls due; null for never.
 *
 * @param startedAt by the store's clock
 */
export function replacedAt(claim: Claim, startedAt: number): number | null {
  if (claim.policies.overlap.mode !== 'replace') return null;
  const schedule = scheduleOf(claim);
  const nominal = nominalOf(claim, startedAt);
  // What passed before it began is not newer than what was decided to run.
  const next = schedule.next(Math.max(nominal, schedule.lastPassed(startedAt) ?? nominal));
  return next === null ? null : schedule.runAt(next);
}

/** The delay before the attempt after `attempt`, in milliseconds. Chance is derived from `seed`, so it is the same again. */
export function retryDelayMs(
  { backoff, minMs, maxMs, jitter }: ResolvedPolicies['retry'],
  attempt: number,
  seed: string,
): number {
  const delayMs = backoff === 'fixed' ? minMs : Math.min(maxMs, minMs * 2 ** (attempt - 1));
  return Math.round(delayMs * (1 - jitter * fraction(`${seed}\n${attempt}`)));
}

/** Has the same occurrence attempted again. */
function again(body: TaskBody, runAt: number, record: RunEntry): Decision {
  return {
    next: { status: 'scheduled', runAt, body: writeBody(settled(body)) },
    entries: [record],
    spawn: [],
  };
}

/** Since when, at the end of an attempt that started then, the task has been running. */
function runningSince({ body, policies }: Claim, startedAt: number): number {
  const { begunAt, last } = body;
  if (begunAt === undefined) return startedAt;
  const couldStartAt = Math.max(begunAt, last?.retryAt ?? last?.at ?? begunAt);
  return startedAt - couldStartAt > policies.catchUp.graceMs ? startedAt : begunAt;
}

function withoutRetry({ retryAt: _retryAt, ...record }: RunEntry): RunEntry {
  return record;
}
