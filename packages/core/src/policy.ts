/**
 * What becomes of a task: pure functions from a record, what happened and the time to what the store shall do.
 *
 * An occurrence has *passed* once the moment at which it should run, its nominal time and jitter, is not after now.
 * Two policies deal with occurrences that passed and did not run, and each is asked at one place: catch-up when a
 * task is claimed ({@link admit}), for those that passed while nothing could run them, and overlap when a run ends
 * ({@link conclude}), for those that passed while the task itself was running.
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
import { fraction, jitteredTime, type Trigger, type TriggerContext } from './trigger.js';

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
  const nominal = body.nominal ?? record.runAt ?? now;
  // Such a task only spawns, which is safe to repeat; it is its children that are delivered.
  const isInBacklog = nominal <= (body.backlogUntil ?? Number.NEGATIVE_INFINITY);
  if (policies.overlap.mode === 'allow' && !isOneOff(claim, nominal)) {
    const missed = isInBacklog ? undefined : decideMissed(claim, nominal, now);
    return missed ?? spawn(claim, nominal, now, running);
  }

  const isRedelivered = record.deliveries > 1;
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

/**
 * Decides what follows a run that has ended.
 *
 * @param startedAt when this attempt started, by the store's clock
 */
export function conclude(claim: Claim, outcome: Outcome, startedAt: number, now: number): Decision {
  const { body, policies } = claim;
  const nominal = body.nominal ?? startedAt;
  const record: RunRecord = { ...attemptOf(claim, now), startedAt, outcome: 'succeeded' };
  const begunAt = body.attempt > 1 ? (body.begunAt ?? startedAt) : startedAt;

  if (outcome.kind === 'succeeded') return follow(claim, nominal, record, begunAt, now);
  const { error } = outcome;
  if (outcome.kind === 'stopped' && policies.delivery === 'atLeastOnce') {
    const interrupted: RunRecord = { ...record, outcome: 'interrupted', error };
    return {
      next: {
        status: 'scheduled',
        runAt: now,
        body: writeBody({
          ...body,
          backlogUntil: Math.max(nominal, body.backlogUntil ?? nominal),
          last: interrupted,
        }),
      },
      records: [interrupted],
      spawn: [],
    };
  }
  if (outcome.kind === 'replaced') {
    const replaced: RunRecord = { ...record, outcome: 'interrupted', reason: 'superseded', error };
    return follow(claim, nominal, replaced, begunAt, now);
  }
  const mayRetry =
    outcome.kind === 'failed' &&
    !outcome.permanent &&
    policies.delivery === 'atLeastOnce' &&
    body.attempt <= policies.retry.limit;
  if (!mayRetry)
    return follow(claim, nominal, { ...record, outcome: 'failed', error }, begunAt, now);

  const retryAt =
    now + retryDelayMs(policies.retry, body.attempt, `${claim.record.id}\n${nominal}`);
  const failed: RunRecord = { ...record, outcome: 'failed', error, retryAt };
  return {
    next: {
      status: 'scheduled',
      runAt: retryAt,
      body: writeBody({ ...body, attempt: body.attempt + 1, begunAt, last: failed }),
    },
    records: [failed],
    spawn: [],
  };
}

/**
 * Decides about a run that ended while its task's schedule was being replaced: the outcome is recorded, and what the
 * edit says about the future stands.
 */
export function concludeEdited(claim: Claim, ran: Decision): Decision {
  const { record, body } = claim;
  const last = ran.records.find(({ outcome }) => outcome !== 'skipped');
  return {
    next: {
      status: record.status,
      runAt: record.runAt,
      body: writeBody(last ? { ...body, last: withoutRetry(last) } : body),
    },
    records: ran.records.filter(({ outcome }) => outcome !== 'skipped').map(withoutRetry),
    spawn: [],
  };
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

/** The envelope's and the body's idea of a task's first occurrence after `now`, or of a new trigger's. */
export function firstOccurrence(
  trigger: Trigger,
  context: TriggerContext,
  now: number,
): { nominal: number; runAt: number } | null {
  // A one-off whose time has passed runs at once; a schedule waits for its next occurrence.
  const nominal =
    trigger.next(now - 1, context) ??
    (trigger.kind === 'at' ? trigger.previous(now, context) : null);
  return nominal === null ? null : { nominal, runAt: jitteredTime(trigger, nominal, context) };
}

/** What every trigger of this task depends on. */
export function triggerContext(id: string, body: Pick<TaskBody, 'declaredAt'>): TriggerContext {
  return { id, declaredAt: body.declaredAt };
}

/** Catch-up: what to do about occurrences that passed while nothing could run them; undefined when there is nothing. */
function decideMissed(claim: Claim, nominal: number, now: number): Decision | undefined {
  const { record, body, trigger, policies } = claim;
  const { mode, windowMs, limit, graceMs } = policies.catchUp;
  const context = triggerContext(record.id, body);
  const runAt = (occurrence: number) => jitteredTime(trigger, occurrence, context);
  const skipped: RunRecord[] = [];
  let first: number | null = nominal;

  /** Skips the occurrences from `first` up to, not including, `until`. */
  const skipUntil = (until: number | null, reason: SkipReason) => {
    if (first === null || (until !== null && until <= first)) return;
    const last =
      until === null ? lastPassed(trigger, context, now) : trigger.previous(until, context);
    skipped.push(skip(claim, reason, first, Math.max(first, last ?? first), now));
    first = until;
  };

  const { resumedAt } = record;
  if (resumedAt !== null && runAt(nominal) <= resumedAt && !isOneOff(claim, nominal)) {
    skipUntil(trigger.next(lastPassed(trigger, context, resumedAt) ?? nominal, context), 'paused');
  }

  const firstSince = (time: number) => trigger.next(time - 1, context);
  let backlogUntil: number | undefined;
  if (first !== null && runAt(first) <= now) {
    const latest = Math.max(first, lastPassed(trigger, context, now) ?? first);
    if (mode === 'none') {
      if (now - runAt(first) > graceMs) skipUntil(firstSince(now - graceMs), 'missed');
    } else {
      if (mode === 'latest') skipUntil(latest, 'missed');
      if (windowMs !== null && now - first > windowMs)
        skipUntil(firstSince(now - windowMs), 'missed');
      if (mode === 'all' && limit !== null && first !== null && first < latest) {
        let from = latest;
        for (let i = 1; i < limit && from > first; i++)
          from = trigger.previous(from, context) ?? first;
        skipUntil(from, 'missed');
      }
    }
    backlogUntil = latest;
  }

  const isBacklog = mode === 'all' && backlogUntil !== undefined && backlogUntil !== first;
  if (skipped.length === 0 && !isBacklog) return undefined;
  return proceed(claim, first, { backlogUntil, records: skipped });
}

/** Overlap: what follows an occurrence whose last attempt has ended. */
function follow(
  claim: Claim,
  nominal: number,
  ran: RunRecord,
  begunAt: number,
  now: number,
): Decision {
  const { record, body, trigger, policies } = claim;
  const context = triggerContext(record.id, body);
  const pause = ran.outcome === 'failed' && policies.retry.whenExhausted === 'pause';
  const next = trigger.next(nominal, context);
  const step = (to: number | null, backlogUntil?: number, skipped: RunRecord[] = []) =>
    proceed(claim, to, { backlogUntil, last: ran, records: [ran, ...skipped], pause });

  if (next === null || jitteredTime(trigger, next, context) > now) return step(next);
  if (body.backlogUntil !== undefined && next <= body.backlogUntil) {
    return step(next, body.backlogUntil);
  }
  // It passed before the run began: nothing could run it then, and catch-up decides when it is claimed.
  if (next <= begunAt) return step(next);

  const latest = Math.max(next, lastPassed(trigger, context, now) ?? next);
  const { mode } = policies.overlap;
  if (mode === 'queueAll') return step(next, latest);
  if (mode === 'queueOne' || mode === 'replace') {
    const before = trigger.previous(latest, context);
    const superseded =
      latest > next && before !== null ? [skip(claim, 'superseded', next, before, now)] : [];
    return step(latest, latest, superseded);
  }
  return step(trigger.next(latest, context), undefined, [
    skip(claim, 'overlap', next, latest, now),
  ]);
}

/** Gives an occurrence a task of its own, and moves the schedule on. */
function spawn(claim: Claim, nominal: number, now: number, running: number): Decision {
  const { record, body, trigger, policies } = claim;
  const next = trigger.next(nominal, triggerContext(record.id, body));
  const { maxRunning } = policies.overlap;
  const backlogUntil = body.backlogUntil;
  if (maxRunning !== null && running >= maxRunning) {
    const skipped = skip(claim, 'overlap', nominal, nominal, now);
    return proceed(claim, next, { backlogUntil, records: [skipped] });
  }
  const child = childOf(record, body, nominal, now, `${record.id}@${nominal}`);
  const decision = proceed(claim, next, {
    backlogUntil,
    records: [],
    children: maxRunning === null ? [] : [...(body.children ?? []), child.id],
  });
  return { ...decision, spawn: [child] };
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
      parent: record.id,
    }),
  };
}

function giveUp(
  claim: Claim,
  now: number,
  code: 'SCHED_DELIVERY_LOST' | 'SCHED_DELIVERY_EXHAUSTED',
  message: string,
): Decision {
  const failed: RunRecord = {
    ...attemptOf(claim, now),
    outcome: 'failed',
    error: describeError(new SchedError(code, message)),
  };
  return follow(claim, failed.nominal, failed, now, now);
}

/** Moves a task on to the occurrence `nominal`, or ends it when there is none. */
function proceed(
  { record, body, trigger, policies }: Claim,
  nominal: number | null,
  step: {
    readonly backlogUntil: number | undefined;
    readonly records: readonly RunRecord[];
    readonly last?: RunRecord;
    readonly pause?: boolean;
    readonly children?: readonly string[];
  },
): Decision {
  const { begunAt: _begunAt, backlogUntil: _backlogUntil, cancelToken: _cancel, ...rest } = body;
  const { backlogUntil, last, children } = step;
  const text = writeBody({
    ...rest,
    nominal,
    attempt: 1,
    ...(backlogUntil !== undefined &&
      nominal !== null &&
      nominal <= backlogUntil && { backlogUntil }),
    ...(last && { last }),
    ...(children && { children }),
  });
  const { records } = step;
  if (nominal === null) {
    const isKeptFailed = last?.outcome === 'failed' && body.parent === undefined;
    const status = isKeptFailed ? 'failed' : 'finished';
    const isKept = isKeptFailed || (policies.keepFinished && body.parent === undefined);
    return { next: isKept ? { status, runAt: null, body: text } : null, records, spawn: [] };
  }
  const runAt = jitteredTime(trigger, nominal, triggerContext(record.id, body));
  return {
    next: { status: 'scheduled', runAt, body: text, ...(step.pause && { paused: true as const }) },
    records,
    spawn: [],
  };
}

function isOneOff({ record, body, trigger }: Claim, nominal: number): boolean {
  const context = triggerContext(record.id, body);
  return trigger.next(nominal, context) === null && trigger.previous(nominal, context) === null;
}

/** The last occurrence whose moment is not after `now`. */
function lastPassed(trigger: Trigger, context: TriggerContext, now: number): number | null {
  let last = trigger.previous(now + 1, context);
  while (last !== null && jitteredTime(trigger, last, context) > now) {
    last = trigger.previous(last, context);
  }
  return last;
}

function attemptOf({ body, record, token, owner }: Claim, now: number) {
  return {
    nominal: body.nominal ?? record.runAt ?? now,
    at: now,
    attempt: body.attempt,
    token,
    owner,
    ...(body.parent !== undefined && { childId: record.id }),
  };
}

function skip(
  { record, body, trigger }: Claim,
  reason: SkipReason,
  from: number,
  to: number,
  now: number,
): RunRecord {
  const context = triggerContext(record.id, body);
  let count = 1;
  let nominal: number | null = from;
  while (count < countLimit) {
    nominal = trigger.next(nominal, context);
    if (nominal === null || nominal > to) break;
    count++;
  }
  return { outcome: 'skipped', reason, nominal: from, lastNominal: to, count, at: now };
}

function withoutRetry({ retryAt: _retryAt, ...record }: RunRecord): RunRecord {
  return record;
}
