import type { SchedError, SchedErrorCode } from '@sched/core';
import { isSchedError } from '@sched/core';

/** The error that a call fails with, which must have this code. */
export async function failure(call: () => unknown, code: SchedErrorCode): Promise<SchedError> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (isSchedError(error, code)) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but the call answered ${JSON.stringify(result)}`);
}
