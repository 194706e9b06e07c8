import type { RunInfo } from '../index.js';
import type { HistoryEvent } from './run-history.js';

/** What `checkHistory` has to know of an entry that `scheduler.history` gives of a task. */
export function recordedOutcome(
  id: string,
  info: RunInfo,
): Extract<HistoryEvent, { type: 'recorded' }> {
  const { outcome, nominal, lastNominal, startedAt, endedAt, retryAt } = info;
  const { token, attempt, reason, childId, error } = info;
  return {
    ...{ type: 'recorded', id, outcome, nominal: nominal.getTime(), at: endedAt.getTime() },
    ...(childId !== undefined && { child: childId }),
    ...(lastNominal && { lastNominal: lastNominal.getTime() }),
    ...(startedAt && { startedAt: startedAt.getTime() }),
    ...(retryAt && { retryAt: retryAt.getTime() }),
    ...(token !== undefined && { token }),
    ...(attempt !== undefined && { attempt }),
    ...(reason !== undefined && { reason }),
    ...(error?.code?.startsWith('SCHED_') && { code: error.code }),
  };
}
