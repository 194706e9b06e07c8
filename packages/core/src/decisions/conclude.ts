/** Decisions about runs that have ended. */

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
  const record: RunEntry = { outcome: 'succeeded', startedAt, ...attemptOf(claim, now) };
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

/** Decides what follows a run that ended after another worker had taken over its lease. */
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
 * Decides about a run during which the task's schedule was replaced: records the outcome, and keeps the new schedule as
 * the edit set it.
 */
export function concludeEdited(claim: Claim, ran: Decision): Decision {
  const { status, runAt } = claim.record;
  const entries = ran.entries.filter(({ outcome }) => outcome !== 'skipped').map(withoutRetry);
  const [last] = entries;
  const { nominal } = claim.body;
  // The same occurrence must run again, with a new payload. Catch-up must not skip it for being late by now.
  const isSame = nominal !== null && nominal === last?.nominal;
  const body = {
    ...settled(claim.body),
    ...(last && { last }),
    ...(isSame && { backlogUntil: nominal }),
  };
  return { next: { status, runAt, body: writeBody(body) }, entries, spawn: [] };
}

/**
 * Makes the body that tells the next worker how a run ended after another worker had taken over its lease. Undefined
 * when this is useless: the task has moved on, or its body already reports a success.
 *
 * @param claim the claim under which the run began
 */
export function leaveWord(claim: Claim, { entries }: Decision, body: TaskBody): string | undefined {
  const [ran] = entries;
  if (!ran || (ran.outcome !== 'succeeded' && ran.outcome !== 'failed')) return undefined;
  if (body.returned?.outcome === 'succeeded') return undefined;
  if (!isSameAttempt(body, claim.body)) return undefined;
  return writeBody({ ...body, returned: { ...ran, edition: body.edition } });
}

/**
 * When to abort a run that starts now because a newer occurrence becomes due; null for never.
 *
 * @param startedAt by the store's clock
 */
export function replacedAt(claim: Claim, startedAt: number): number | null {
  if (claim.policies.overlap.mode !== 'replace') return null;
  const schedule = scheduleOf(claim);
  const nominal = nominalOf(claim, startedAt);
  // Occurrences that passed before the run began were already considered when it was decided.
  const next = schedule.next(Math.max(nominal, schedule.lastPassed(startedAt) ?? nominal));
  return next === null ? null : schedule.runAt(next);
}

/** The delay after `attempt` before the next one, in milliseconds. Jitter depends on `seed`, so it can be repeated. */
export function retryDelayMs(
  { backoff, minMs, maxMs, jitter }: ResolvedPolicies['retry'],
  attempt: number,
  seed: string,
): number {
  const delayMs = backoff === 'fixed' ? minMs : Math.min(maxMs, minMs * 2 ** (attempt - 1));
  return Math.round(delayMs * (1 - jitter * fraction(`${seed}\n${attempt}`)));
}

/** Schedules another attempt at the same occurrence. */
function again(body: TaskBody, runAt: number, record: RunEntry): Decision {
  return {
    next: { status: 'scheduled', runAt, body: writeBody(settled(body)) },
    entries: [record],
    spawn: [],
  };
}

/** Since when the task has been running, at the end of an attempt that started at `startedAt`. */
function runningSince({ body, policies }: Claim, startedAt: number): number {
  const { begunAt, last } = body;
  if (begunAt === undefined) return startedAt;
  const couldStartAt = Math.max(begunAt, last?.retryAt ?? last?.at ?? begunAt);
  return startedAt - couldStartAt > policies.catchUp.graceMs ? startedAt : begunAt;
}

function withoutRetry({ retryAt: _retryAt, ...record }: RunEntry): RunEntry {
  return record;
}
