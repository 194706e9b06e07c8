import { isSchedError, SchedError } from '@sched/core';

export function notOpen(): SchedError {
  return new SchedError('SCHED_STORE_CLOSED', 'The acme store is not open. Call open() first.');
}

export function noLatestHistory(): SchedError {
  return new SchedError(
    'SCHED_STORE_UNSUPPORTED',
    'The acme store has no order of history across tasks.',
  );
}

export function noTransactions(): SchedError {
  return new SchedError('SCHED_STORE_UNSUPPORTED', 'The acme store takes no transactions.');
}

/** Tells failures of the database, which core tries again, from mistakes of the caller, which it does not. */
export async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isSchedError(error)) throw error;
    throw new SchedError('SCHED_STORE_UNAVAILABLE', 'acme failed. The cause says how.', {
      cause: error,
    });
  }
}
