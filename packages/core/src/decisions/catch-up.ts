/** The catch-up policy. */

import type { RunEntry, SkipReason } from '../record.js';
import { type Claim, isOneOff, scheduleOf } from './claim.js';
import { type Decision, proceed, skip } from './decision.js';

/** Decides about occurrences that passed while nothing could run them; undefined when there is nothing to decide. */
export function decideMissed(claim: Claim, nominal: number, now: number): Decision | undefined {
  const { record, policies } = claim;
  const { mode, windowMs, limit, graceMs } = policies.catchUp;
  const schedule = scheduleOf(claim);
  // Most tasks are on time: nothing has passed but this occurrence, and no policy limits how late it may be.
  const isLimited = mode === 'none' || windowMs !== null || record.resumedAt !== null;
  if (!isLimited && (schedule.lastPassed(now) ?? nominal) <= nominal) return undefined;
  const skipped: RunEntry[] = [];
  let first: number | null = nominal;

  /** The first occurrence whose `runAt` is not before `time`. */
  const firstSince = (time: number) => {
    const passed = schedule.lastPassed(time - 1);
    return passed === null ? nominal : schedule.next(passed);
  };
  /** Skips the occurrences from `first` up to but not including `until`, or all of them when `until` is null. */
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
    entries: skipped,
    ...(isDue && backlogUntil !== null && { backlogUntil }),
    ...(isBacklog && { begunAt: now }),
  });
}
