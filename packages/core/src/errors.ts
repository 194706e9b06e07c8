/**
 * Errors with stable codes.
 *
 * A code is part of the public interface: its meaning never changes. Messages may be reworded freely. Every message
 * says what is wrong and what to do about it, and never contains a password.
 */

/** All codes and their meanings. `docs/errors.md` has the same table for readers. */
export const errorCodes = {
  SCHED_ARGUMENT_INVALID: 'An argument or option is of the wrong form.',
  SCHED_ID_INVALID: 'A task id is empty, longer than 255 bytes, or holds control characters.',
  SCHED_TIME_INVALID: 'A date or moment is not a valid time.',
  SCHED_DURATION_INVALID: 'A duration is not a positive, finite length of time.',
  SCHED_TIME_ZONE_UNKNOWN: 'A time zone is not an IANA zone that this runtime knows.',
  SCHED_TRIGGER_INVALID: 'A trigger has options that cannot be, or its stored form is damaged.',
  SCHED_TRIGGER_UNKNOWN: 'A kind of trigger is not registered with this scheduler.',
  SCHED_TRIGGER_NEVER: 'A trigger has no occurrence left, so the task would never run.',
  SCHED_CRON_SYNTAX:
    'A cron expression has the wrong number of fields or a field that cannot be read.',
  SCHED_CRON_RANGE: 'A cron field names a value outside its range.',
  SCHED_CRON_UNSUPPORTED: 'A cron field uses a form that does not exist in that field.',
  SCHED_TASK_UNKNOWN: 'No task definition of that name is registered with this scheduler.',
  SCHED_TASK_DUPLICATE: 'Two task definitions have the same name.',
  SCHED_TASK_EXISTS:
    'A task with that id exists already, and `onConflict` is `error`; or it is of another group than `sync` was given.',
  SCHED_TASK_NOT_FOUND: 'No task with that id is in the store.',
  SCHED_TASK_STATE: 'The task is not in a state that allows what was asked.',
  SCHED_TASK_CONTENDED: 'Others kept changing the task while it was being edited.',
  SCHED_PAYLOAD_INVALID:
    "A payload does not satisfy its task's schema, or the codec cannot encode it.",
  SCHED_PAYLOAD_NOT_JSON: 'A payload holds a value that JSON cannot hold.',
  SCHED_PAYLOAD_TOO_LARGE: 'A payload is larger than the limit.',
  SCHED_RECORD_UNREADABLE: 'A stored record was written by a newer version, or is damaged.',
  SCHED_TIMEOUT:
    'A handler, or other code that was given to the scheduler, ran longer than it may.',
  SCHED_LEASE_LOST: 'The lease of a running task was lost: the task may be running elsewhere.',
  SCHED_CANCELLED: 'The run was cancelled on request.',
  SCHED_REPLACED: 'The next occurrence fell due and replaced the run that was still going.',
  SCHED_STOPPED: 'The scheduler stopped, and its deadline passed, while the task was running.',
  SCHED_DELIVERY_LOST: 'An at-most-once task was delivered to a worker that never reported back.',
  SCHED_DELIVERY_EXHAUSTED:
    'A task was delivered too often without a result: it probably kills its process.',
  SCHED_CLOSED: 'The scheduler has been stopped.',
  SCHED_STORE_UNAVAILABLE: 'The data store could not be reached, or failed.',
  SCHED_STORE_TIMEOUT: 'The data store did not answer in time.',
  SCHED_STORE_CONFIG: 'The data store was given settings that cannot work.',
  SCHED_STORE_SCHEMA:
    'The schema in the database is missing, or older or newer than this version needs.',
  SCHED_STORE_UNSUPPORTED:
    'The data store, its server or the runtime does not support what was asked.',
  SCHED_STORE_CLOSED: 'The data store is not open.',
  SCHED_REQUEST_INVALID: 'A request over HTTP is of a form that the API does not take.',
  SCHED_CURSOR_INVALID: 'A cursor belongs to another list, or was not made by this API.',
  SCHED_UNAUTHENTICATED: 'A request over HTTP does not say who it is from.',
  SCHED_FORBIDDEN: 'A request over HTTP may not do what it asks, or comes from another site.',
  SCHED_RATE_LIMITED: 'There were too many requests over HTTP, or too many streams are open.',
  SCHED_INTERNAL: 'Code that was given to the HTTP API failed, or the API itself did.',
} as const;

/** A stable error code. */
export type SchedErrorCode = keyof typeof errorCodes;

const marker = Symbol.for('@sched/error');

/** The one error class that @sched throws on purpose. Recognise it with {@link isSchedError}, not with `instanceof`. */
export class SchedError extends Error {
  override readonly name = 'SchedError';
  /** Stable, for programs. */
  readonly code: SchedErrorCode;
  /** Facts about the error for programs and logs, such as the field and column of a cron expression. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: SchedErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details ?? {};
    Object.defineProperty(this, marker, { value: true });
  }
}

/**
 * Whether a value is a {@link SchedError}. Also recognises one from another copy of this package in the same process,
 * where `instanceof` would not.
 *
 * @param code when given, the error must also carry this code
 */
export function isSchedError(value: unknown, code?: SchedErrorCode): value is SchedError {
  try {
    return (
      typeof value === 'object' &&
      value !== null &&
      (value as Record<symbol, unknown>)[marker] === true &&
      (code === undefined || (value as SchedError).code === code)
    );
  } catch {
    // Somebody threw a value whose members cannot be read, such as a revoked proxy.
    return false;
  }
}
