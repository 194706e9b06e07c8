/** The form of a decision about a claimed task, and the steps that decisions share. */

import type { NewTaskRecord, Settlement } from '../data-store.js';
import {
  type RunEntry,
  type RunError,
  type SkipReason,
  type TaskBody,
  writeBody,
} from '../record.js';
import { type Claim, scheduleOf } from './claim.js';

/** What the store must do with a claimed task, and what to record in its history. */
export interface Decision {
  readonly next: Settlement['next'];
  readonly entries: readonly RunEntry[];
  readonly spawn: readonly NewTaskRecord[];
}

/** How a run ended. */
export type Ending =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: RunError; readonly permanent: boolean }
  /** A newer occurrence became due, and `overlap: 'replace'` gives it precedence. */
  | { readonly kind: 'replaced'; readonly error: RunError }
  /** The scheduler stopped: the same attempt must be made elsewhere. */
  | { readonly kind: 'stopped'; readonly error: RunError };

/** Stop counting skipped occurrences here: a larger number helps nobody. */
const countLimit = 1000;

/** Applies the overlap policy: decides what follows an occurrence whose last attempt has ended. */
export function follow(
  claim: Claim,
  nominal: number,
  ran: RunEntry,
  begunAt: number,
  now: number,
): Decision {
  const { body, policies } = claim;
  const { mode } = policies.overlap;
  const schedule = scheduleOf(claim);
  const pause = ran.outcome === 'failed' && policies.retry.whenExhausted === 'pause';
  const next = schedule.next(nominal);
  if (next === null || schedule.runAt(next) > now) {
    return proceed(claim, next, { last: ran, entries: [ran], pause });
  }
  const step = (to: number | null, queuedUntil?: number, ...skipped: RunEntry[]) =>
    proceed(claim, to, {
      ...(queuedUntil !== undefined && { backlogUntil: queuedUntil, begunAt }),
      ...{ last: ran, entries: [ran, ...skipped], pause },
    });
  const latest = Math.max(next, schedule.lastPassed(now) ?? next);
  const runLatest = () => {
    const before = latest > next ? schedule.previous(latest) : null;
    if (before === null) return step(latest, latest);
    return step(latest, latest, skip(claim, 'superseded', next, before, now));
  };
  if (ran.reason === 'superseded') return runLatest();

  // Some occurrences may be queued already. Overlap applies to those that passed later, if the task ran all the time.
  const queuedUntil = Math.max(nominal, body.backlogUntil ?? nominal);
  const fresh = schedule.next(queuedUntil);
  const hasOverlap = fresh !== null && schedule.runAt(fresh) > begunAt;
  if (hasOverlap && mode === 'queueAll') return step(next, latest);
  if (next <= queuedUntil) return step(next, queuedUntil);
  // `next` passed before the task began to run, when nothing could run it. Catch-up decides about it at the next claim.
  if (!hasOverlap) return step(next);
  if (mode === 'queueOne' || mode === 'replace') return runLatest();
  return step(schedule.next(latest), undefined, skip(claim, 'overlap', next, latest, now));
}

/** What happened to a task that moves on. */
interface Step {
  readonly entries: readonly RunEntry[];
  readonly backlogUntil?: number;
  readonly begunAt?: number;
  readonly last?: RunEntry;
  readonly pause?: boolean;
  readonly children?: readonly string[];
}

/** Moves a task on to the occurrence `nominal`, or ends it when there is none. */
export function proceed(claim: Claim, nominal: number | null, step: Step): Decision {
  const { body, policies } = claim;
  const { entries, last, pause } = step;
  if (nominal === null) {
    const isKeptFailed = last?.outcome === 'failed' && body.parent === undefined;
    const status = isKeptFailed ? 'failed' : 'finished';
    const isKept = isKeptFailed || (policies.keepFinished && body.parent === undefined);
    return {
      next: isKept ? { status, runAt: null, body: bodyAt(body, null, step) } : null,
      entries,
      spawn: [],
    };
  }
  const runAt = scheduleOf(claim).runAt(nominal);
  const text = bodyAt(body, nominal, step);
  return {
    next: { status: 'scheduled', runAt, body: text, ...(pause && { paused: true as const }) },
    entries,
    spawn: [],
  };
}

/** The body of a task that has moved on to the occurrence `nominal`. */
function bodyAt(body: TaskBody, nominal: number | null, step: Step): string {
  const { begunAt: _begunAt, backlogUntil: _backlogUntil, isLast: _isLast, ...rest } = body;
  const { backlogUntil, begunAt, last, children } = step;
  const isQueued = nominal !== null && backlogUntil !== undefined && nominal <= backlogUntil;
  return writeBody({
    ...settled(rest),
    nominal,
    attempt: 1,
    ...(isQueued && { backlogUntil }),
    ...(isQueued && begunAt !== undefined && { begunAt }),
    ...(last && { last }),
    ...(children && { children }),
  });
}

export function skip(
  claim: Claim,
  reason: SkipReason,
  from: number,
  to: number,
  now: number,
): RunEntry {
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

/** The body without what is about the run that has ended. */
export function settled({
  cancelToken: _cancelToken,
  returned: _returned,
  report: _report,
  ...body
}: TaskBody): TaskBody {
  return body;
}
