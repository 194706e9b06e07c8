import { isSchedError, SchedError, type SchedErrorCode } from '../errors.js';

/** What the errors of a driver mean: the first pattern that fits decides. */
export type ErrorMeanings = readonly (readonly [
  pattern: RegExp,
  code: SchedErrorCode,
  advice: string,
])[];

/**
 * What a call rejects with for an error of the driver: `SCHED_STORE_UNAVAILABLE`, unless it means something else.
 *
 * @param error is the cause of what is given; one of @sched is given as it is
 * @param who failed: `PostgreSQL (url)`
 * @param text what the patterns are compared with: codes and message
 * @param message that is shown. Without secrets
 */
export function toStoreError(
  error: unknown,
  meanings: ErrorMeanings,
  who: string,
  text: string,
  message: string | undefined,
): SchedError {
  if (isSchedError(error)) return error;
  const [, code = 'SCHED_STORE_UNAVAILABLE', advice = ''] =
    meanings.find(([pattern]) => pattern.test(text)) ?? [];
  return new SchedError(code, `${who} failed: ${message}. ${advice}`.trim(), { cause: error });
}

/** Node tries each address of a host, and says of all that failed nothing but a list. @returns the first of these */
export function firstError<E>(error: E): E {
  const [first = error] = (error as { errors?: readonly E[] }).errors ?? [];
  return first;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when `after` is not the end of a page of a listing */
export function checkCursor(after: string, pattern: RegExp): void {
  if (pattern.test(after)) return;
  throw new SchedError('SCHED_ARGUMENT_INVALID', `after is not the next of a page: ${after}.`);
}

/**
 * What `withTransaction` was given is not what it takes.
 *
 * @param wanted what it takes: `a client of pg`
 */
export function notInTransaction(wanted: string): SchedError {
  return new SchedError(
    'SCHED_ARGUMENT_INVALID',
    `withTransaction takes ${wanted} inside a transaction: begin one before, and commit it after.`,
  );
}
