import { errorCodes, isSchedError, SchedError, type SchedErrorCode } from '@sched/core';
import { headers } from './answer.js';

/** The status of each code that is not the server's own fault. */
const statuses: Partial<Record<SchedErrorCode, number>> = {
  SCHED_ARGUMENT_INVALID: 400,
  SCHED_ID_INVALID: 400,
  SCHED_TIME_INVALID: 400,
  SCHED_DURATION_INVALID: 400,
  SCHED_TIME_ZONE_UNKNOWN: 400,
  SCHED_TRIGGER_INVALID: 400,
  SCHED_TRIGGER_UNKNOWN: 400,
  SCHED_TRIGGER_NEVER: 400,
  SCHED_CRON_SYNTAX: 400,
  SCHED_CRON_RANGE: 400,
  SCHED_CRON_UNSUPPORTED: 400,
  SCHED_TASK_UNKNOWN: 400,
  SCHED_PAYLOAD_INVALID: 400,
  SCHED_PAYLOAD_NOT_JSON: 400,
  SCHED_REQUEST_INVALID: 400,
  SCHED_CURSOR_INVALID: 400,
  SCHED_UNAUTHENTICATED: 401,
  SCHED_FORBIDDEN: 403,
  SCHED_TASK_NOT_FOUND: 404,
  SCHED_TASK_EXISTS: 409,
  SCHED_TASK_STATE: 409,
  SCHED_TASK_CONTENDED: 409,
  SCHED_RECORD_UNREADABLE: 409,
  SCHED_PAYLOAD_TOO_LARGE: 413,
  SCHED_RATE_LIMITED: 429,
  SCHED_STORE_UNSUPPORTED: 501,
  SCHED_CLOSED: 503,
  SCHED_STORE_CLOSED: 503,
  SCHED_STORE_UNAVAILABLE: 503,
  SCHED_STORE_TIMEOUT: 503,
};

/** What a refusal says beside its code and its message. */
interface Refusal {
  /** Instead of the status of the code. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly details?: Record<string, unknown>;
}

const refusals = new WeakMap<SchedError, Refusal>();

/** The error of a request that is refused. */
export function refuse(code: SchedErrorCode, message: string, refusal: Refusal = {}): SchedError {
  const error = new SchedError(code, message, { details: refusal.details ?? {} });
  refusals.set(error, refusal);
  return error;
}

/**
 * An error as `application/problem+json` (RFC 9457). Of what is not a `SchedError`, nothing is told: nobody knows what
 * its message holds.
 */
export function problemOf(thrown: unknown): Response {
  const error = isSchedError(thrown)
    ? thrown
    : refuse(
        'SCHED_INTERNAL',
        'The request could not be answered. The log of the server has the error.',
      );
  const { code, message, details } = error;
  const refusal = refusals.get(error) ?? {};
  const status = refusal.status ?? statuses[code] ?? 500;
  const problem = {
    type: `urn:sched:error:${code}`,
    title: errorCodes[code] ?? 'An error of a newer version.',
    status,
    code,
    detail: withoutSecrets(message),
    // A client can act on the details of its own mistakes. Those of the server's are for its log.
    ...(status < 500 && Object.keys(details).length > 0 && { details: scrub(details) }),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { ...headers, ...refusal.headers, 'content-type': 'application/problem+json' },
  });
}

/** An error inside of an answer: of a store, a record or a run. */
export function errorView({ code, message }: { readonly code: string; readonly message: string }) {
  return { code, message: withoutSecrets(message) };
}

/**
 * Takes passwords out of a text: those in URLs, and those in the `key=value` form of connection strings. Messages of
 * @sched hold none. Those of drivers and handlers, which they quote, may.
 */
export function withoutSecrets(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/?#@]*):[^\s]*@/gi, '$1:***@')
    .replace(
      /\b(password|passwd|pwd|secret|token|api[-_]?key)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
      '$1$2***',
    );
}

function scrub(value: unknown): unknown {
  if (typeof value === 'string') return withoutSecrets(value);
  if (Array.isArray(value)) return value.map(scrub);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, scrub(member)]));
}
