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

import type { NewTaskRecord, Settlement, TaskRecord } from './data-store.js';
import { SchedError } from './errors.js';
import type { ResolvedPolicies } from './policies.js';
import {
  describeError,
  type RunError,
  type RunRecord,
  type SkipReason,
  type TaskBody,
  writeBody,
} from './record.js';
import { createSchedule, type Schedule, triggerContext } from './schedule.js';
import { fraction, type Trigger } from './trigger.js';

/** A claimed task with everything that is decided about it. */
export interface Claim {
  readonly record: TaskRecord;
  readonly body: TaskBody;
  readonly trigger: Trigger;
  readonly policies: ResolvedPolicies;
  readonly token: number;
  readonly owner: string;
}

/** What the store shall do with a claimed task, and what is to be said about it. */
export interface Decision {
  readonly next: Settlement['next'];
  readonly records: readonly RunRecord[];
  readonly spawn: readonly NewTaskRecord[];
}

/** How a run ended. */
export type Outcome =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: RunError; readonly permanent: boolean }
  /** A newer occurrence fell due, and `overlap: 'replace'` says that it comes first. */
  | { readonly kind: 'replaced'; readonly error: RunError }
  /** The scheduler stopped: the same attempt is to be made elsewhere. */
  | { readonly kind: 'stopped'; readonly error: RunError };

/** How far occurrences that will not run are counted. Beyond, the number tells nobody anything. */
const countLimit = 1000;

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
    return { next: { status, runAt, body: writeBody(settled(body)) }, records: [], spawn: [] };
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

/**
 * Decides what follows a run that has ended.
 *
 * @param startedAt when this attempt started, by the store's clock
 */
export function conclude(claim: Claim, outcome: Outcome, startedAt: number, now: number): Decision {
  const { body, policies } = claim;
  const nominal = nominalOf(claim, startedAt);
  const begunAt = runningSince(claim, startedAt);
  const record: RunRecord = { ...attemptOf(claim, now), startedAt, outcome: 'succeeded' };
  if (outcome.kind === 'succeeded') return follow(claim, nominal, record, begunAt, now);

  const { error } = outcome;
  if (outcome.kind === 'replaced') {
    const replaced: RunRecord = { ...record, outcome: 'interrupted', reason: 'superseded', error };
    return follow(claim, nominal, replaced, begunAt, now);
  }
  const mayRunAgain = policies.delivery === 'atLeastOnce' && body.cancelToken === undefined;
  if (outcome.kind === 'stopped' && mayRunAgain) {
    const backlogUntil = Math.max(nominal, body.backlogUntil ?? nominal);
    const interrupted: RunRecord = { ...record, outcome: 'interrupted', error };
    return again({ ...body, begunAt, backlogUntil, last: interrupted }, now, interrupted);
  }
  const hasAttemptsLeft = body.attempt <= policies.retry.limit;
  if (outcome.kind === 'failed' && !outcome.permanent && mayRunAgain && hasAttemptsLeft) {
    const seed = `${claim.record.id}\n${nominal}`;
    const retryAt = now + retryDelayMs(policies.retry, body.attempt, seed);
    const failed: RunRecord = { ...record, outcome: 'failed', error, retryAt };
    const attempt = body.attempt + 1;
    return again({ ...body, attempt, begunAt, last: failed }, retryAt, failed);
  }
  return follow(claim, nominal, { ...record, outcome: 'failed', error }, begunAt, now);
}

/**
 * Decides about a run that ended while its task's schedule was being replaced: the outcome is recorded, and what the
 * edit says about the future stands.
 */
export function concludeEdited(claim: Claim, ran: Decision): Decision {
  const { status, runAt } = claim.record;
  const records = ran.records.filter(({ outcome }) => outcome !== 'skipped').map(withoutRetry);
  const [last] = records;
  const { nominal } = claim.body;
  // The same occurrence is to run again, for a new payload. That it is late by now is no fault of its schedule.
  const isSame = nominal !== null && nominal === last?.nominal;
  const body = {
    ...settled(claim.body),
    ...(last && { last }),
    ...(isSame && { backlogUntil: nominal }),
  };
  return { next: { status, runAt, body: writeBody(body) }, records, spawn: [] };
}

/**
 * The body that tells how a run ended whose lease was another worker's by then; undefined when it is of no use to
 * anybody, since the task has moved on, or was told better news already.
 *
 * @param claim under which the run began
 */
export function leaveWord(claim: Claim, { records }: Decision, body: TaskBody): string | undefined {
  const [ran] = records;
  if (!ran || (ran.outcome !== 'succeeded' && ran.outcome !== 'failed')) return undefined;
  if (body.returned?.outcome === 'succeeded') return undefined;
  if (!isSameAttempt(body, claim.body)) return undefined;
  return writeBody({ ...body, returned: { ...ran, edition: body.edition } });
}

/** What follows a run that ended when its lease was another worker's. */
function concludeReturned(claim: Claim, returned: RunRecord, now: number): Decision {
  const { outcome, error, retryAt, startedAt = now, token, owner } = returned;
  const ended: Outcome =
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
 * Whether a task that was claimed has been claimed once more in the middle of the same run: it has not been settled in
 * between, but perhaps edited. An edit of its schedule waits for the end of the run.
 */
export function isSameRun({ body: before }: Claim, { body: after }: Claim): boolean {
  return after.edition > before.edition || isSameAttempt(before, after);
}

/** Whether two bodies are of the same attempt at the same occurrence of the same schedule of the same task. */
function isSameAttempt(a: TaskBody, b: TaskBody): boolean {
  return (
    a.declaredAt === b.declaredAt &&
    a.edition === b.edition &&
    a.nominal === b.nominal &&
    a.attempt === b.attempt
  );
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

/** Catch-up: what to do about occurrences that passed while nothing could run them; undefined when there is nothing. */
function decideMissed(claim: Claim, nominal: number, now: number): Decision | undefined {
  const { record, policies } = claim;
  const { mode, windowMs, limit, graceMs } = policies.catchUp;
  const schedule = scheduleOf(claim);
  const skipped: RunRecord[] = [];
  let first: number | null = nominal;

  /** The first occurrence whose moment is not before `time`. */
  const firstSince = (time: number) => {
    const passed = schedule.lastPassed(time - 1);
    return passed === null ? nominal : schedule.next(passed);
  };
  /** Skips the occurrences from `first` up to, not including, `until`; null for all. */
  const skipUntil = (until: number | null, reason: SkipReason) => {
    if (first === null || (until !== null && until <= first)) return;
    const last = until === null ? schedule.lastPassed(now) : schedule.previous(until);
    skipped.push(skip(claim, reason, first, Math.max(first, last ?? first), now));
    first = until;
  };

  if (record.resumedAt !== null && !isOneOff(claim, nominal)) {
    skipUntil(firstSince(record.resumedAt + 1), 'paused');
  }
  if (first !== null && schedule.runAt(first) <= now) {
    const oldestMs = Math.min(
      windowMs ?? Number.POSITIVE_INFINITY,
      mode === 'none' ? graceMs : Number.POSITIVE_INFINITY,
    );
    let from: number | null = first;
    if (oldestMs < Number.POSITIVE_INFINITY) from = firstSince(now - oldestMs);
    const latest = Math.max(first, schedule.lastPassed(now) ?? first);
    if (mode === 'latest' && from !== null) from = Math.max(from, latest);
    if (mode === 'all' && limit !== null && from !== null && from < latest) {
      let kept = latest;
      for (let i = 1; i < limit && kept > from; i++) kept = schedule.previous(kept) ?? from;
      from = kept;
    }
    skipUntil(from, 'missed');
  }

  const isDue = first !== null && schedule.runAt(first) <= now;
  const backlogUntil = isDue && mode === 'all' ? schedule.lastPassed(now) : first;
  const isBacklog = isDue && backlogUntil !== first;
  if (skipped.length === 0 && !isBacklog) return undefined;
  return proceed(claim, first, {
    records: skipped,
    ...(isDue && backlogUntil !== null && { backlogUntil }),
    ...(isBacklog && { begunAt: now }),
  });
}

/** Overlap: what follows an occurrence whose last attempt has ended. */
function follow(
  claim: Claim,
  nominal: number,
  ran: RunRecord,
  begunAt: number,
  now: number,
): Decision {
  const { body, policies } = claim;
  const { mode } = policies.overlap;
  const schedule = scheduleOf(claim);
  const pause = ran.outcome === 'failed' && policies.retry.whenExhausted === 'pause';
  const step = (to: number | null, queuedUntil?: number, ...skipped: RunRecord[]) =>
    proceed(claim, to, {
      ...(queuedUntil !== undefined && { backlogUntil: queuedUntil, begunAt }),
      ...{ last: ran, records: [ran, ...skipped], pause },
    });

  const next = schedule.next(nominal);
  if (next === null || schedule.runAt(next) > now) return step(next);
  const latest = Math.max(next, schedule.lastPassed(now) ?? next);
  const runLatest = () => {
    const before = latest > next ? schedule.previous(latest) : null;
    if (before === null) return step(latest, latest);
    return step(latest, latest, skip(claim, 'superseded', next, before, now));
  };
  if (ran.reason === 'superseded') return runLatest();

  // Some may have been queued before. What passed since they were is for overlap, if the task was running all along.
  const queuedUntil = Math.max(nominal, body.backlogUntil ?? nominal);
  const fresh = schedule.next(queuedUntil);
  const hasOverlap = fresh !== null && schedule.runAt(fresh) > begunAt;
  if (hasOverlap && mode === 'queueAll') return step(next, latest);
  if (next <= queuedUntil) return step(next, queuedUntil);
  // It passed before the task began to run: nothing could run it then, and catch-up decides when it is claimed.
  if (!hasOverlap) return step(next);
  if (mode === 'queueOne' || mode === 'replace') return runLatest();
  return step(schedule.next(latest), undefined, skip(claim, 'overlap', next, latest, now));
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
    records: isOver ? [skip(claim, 'overlap', nominal, nominal, now)] : [],
    ...(maxRunning !== null && !isOver && { children: [...(body.children ?? []), child.id] }),
  });
  return { ...decision, spawn: isOver ? [] : [child] };
}

/** A task that runs one occurrence of another, once, whatever the schedule of that one says. */
export function childOf(
  record: Pick<TaskRecord, 'id' | 'name' | 'queue' | 'group'>,
  body: TaskBody,
  nominal: number,
  now: number,
  id: string,
): NewTaskRecord {
  const { payload, encoded, policies } = body;
  return {
    id,
    name: record.name,
    queue: record.queue,
    group: record.group,
    status: 'scheduled',
    paused: false,
    runAt: now,
    body: writeBody({
      v: body.v,
      trigger: { kind: 'at', at: nominal },
      declaredAt: now,
      edition: 1,
      ...(payload !== undefined && { payload }),
      ...(encoded && { encoded }),
      policies: {
        ...policies,
        overlap: { mode: 'skip', maxRunning: null },
        catchUp: { mode: 'latest', windowMs: null, limit: null, graceMs: 0 },
        keepFinished: false,
      },
      nominal,
      attempt: 1,
      parent: body.parent ?? record.id,
    }),
  };
}

function giveUp(
  claim: Claim,
  now: number,
  code: 'SCHED_CANCELLED' | 'SCHED_DELIVERY_LOST' | 'SCHED_DELIVERY_EXHAUSTED',
  message: string,
): Decision {
  const failed: RunRecord = {
    ...attemptOf(claim, now),
    outcome: 'failed',
    error: describeError(new SchedError(code, message)),
  };
  return follow(claim, failed.nominal, failed, now, now);
}

/** Has the same occurrence attempted again. */
function again(body: TaskBody, runAt: number, record: RunRecord): Decision {
  return {
    next: { status: 'scheduled', runAt, body: writeBody(settled(body)) },
    records: [record],
    spawn: [],
  };
}

/** Moves a task on to the occurrence `nominal`, or ends it when there is none. */
function proceed(
  claim: Claim,
  nominal: number | null,
  step: {
    readonly records: readonly RunRecord[];
    readonly backlogUntil?: number;
    readonly begunAt?: number;
    readonly last?: RunRecord;
    readonly pause?: boolean;
    readonly children?: readonly string[];
  },
): Decision {
  const { body, policies } = claim;
  const { begunAt: _begunAt, backlogUntil: _backlogUntil, isLast: _isLast, ...rest } = body;
  const { records, backlogUntil, begunAt, last, children, pause } = step;
  const isQueued = nominal !== null && backlogUntil !== undefined && nominal <= backlogUntil;
  const text = () =>
    writeBody({
      ...settled(rest),
      nominal,
      attempt: 1,
      ...(isQueued && { backlogUntil }),
      ...(isQueued && begunAt !== undefined && { begunAt }),
      ...(last && { last }),
      ...(children && { children }),
    });
  if (nominal === null) {
    const isKeptFailed = last?.outcome === 'failed' && body.parent === undefined;
    const status = isKeptFailed ? 'failed' : 'finished';
    const isKept = isKeptFailed || (policies.keepFinished && body.parent === undefined);
    return { next: isKept ? { status, runAt: null, body: text() } : null, records, spawn: [] };
  }
  const runAt = scheduleOf(claim).runAt(nominal);
  return {
    next: { status: 'scheduled', runAt, body: text(), ...(pause && { paused: true as const }) },
    records,
    spawn: [],
  };
}

/** A body without what was said to, and of, the run that has ended. */
export function settled({
  cancelToken: _cancelToken,
  returned: _returned,
  ...body
}: TaskBody): TaskBody {
  return body;
}

/** Since when, at the end of an attempt that started then, the task has been running. */
function runningSince({ body, policies }: Claim, startedAt: number): number {
  const { begunAt, last } = body;
  if (begunAt === undefined) return startedAt;
  const couldStartAt = Math.max(begunAt, last?.retryAt ?? last?.at ?? begunAt);
  return startedAt - couldStartAt > policies.catchUp.graceMs ? startedAt : begunAt;
}

function nominalOf({ body, record }: Claim, otherwise: number): number {
  return body.nominal ?? record.runAt ?? otherwise;
}

/** The occurrences of a claimed task. */
function scheduleOf({ record, body, trigger }: Claim): Schedule {
  const schedule = createSchedule(trigger, triggerContext(record.id, body));
  return body.isLast ? { ...schedule, next: () => null } : schedule;
}

function isOneOff(claim: Claim, nominal: number): boolean {
  const schedule = scheduleOf(claim);
  return schedule.next(nominal) === null && schedule.previous(nominal) === null;
}

function attemptOf(claim: Claim, now: number) {
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

function skip(claim: Claim, reason: SkipReason, from: number, to: number, now: number): RunRecord {
  const schedule = scheduleOf(claim);
  let count = 1;
  let nominal: number | null = from;
  while (count < countLimit) {
    nominal = schedule.next(nominal);
    if (nominal === null || nominal > to) break;
    count++;
  }
  return { outcome: 'skipped', reason, nominal: from, lastNominal: to, count, at: now };
}

function withoutRetry({ retryAt: _retryAt, ...record }: RunRecord): RunRecord {
  return record;
}
