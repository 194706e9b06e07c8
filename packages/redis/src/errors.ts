import { isSchedError, type SchedError } from '@sched/core';
import { type ErrorMeanings, toStoreError } from '@sched/core/adapter';

/** The second is what Redis 6.2 says to a script. */
const forbidden = /NOPERM|can't run this command/;

const withoutDatabase = /DB index|SELECT is not allowed/i;

/** What errors mean, by their code and message. */
const meanings: ErrorMeanings = [
  [/WRONGPASS|NOAUTH|invalid password/, 'SCHED_STORE_CONFIG', 'Check username and password.'],
  [forbidden, 'SCHED_STORE_CONFIG', 'The README of @sched/redis lists what the user needs.'],
  [withoutDatabase, 'SCHED_STORE_CONFIG', 'Check database.'],
  [/MOVED|CROSSSLOT/, 'SCHED_STORE_CONFIG', 'Use cluster, or give a Cluster as client.'],
  [/EPROTO|_SSL|_TLS|CERT|secure TLS/, 'SCHED_STORE_CONFIG', 'Check tls.'],
  [/WRONGTYPE/, 'SCHED_STORE_SCHEMA', 'Choose another namespace or keyPrefix.'],
  [
    /^E[A-Z_]+ |no connection|startup nodes/,
    'SCHED_STORE_UNAVAILABLE',
    'Check host, port and tls.',
  ],
  [/URI malformed/, 'SCHED_STORE_CONFIG', 'Percent-encode what is special in it.'],
];

export interface DriverError extends Error {
  readonly code?: string | undefined;
  /** Of a cluster: what the last node said. */
  readonly lastNodeError?: unknown;
}

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the server is
 */
export function storeError(error: unknown, source: string): SchedError {
  if (isSchedError(error)) return error;
  const cause = withoutCommand(error);
  // Node tries each address of a host, and says of all that failed nothing but a code.
  const text = isClosed(cause) ? 'no connection' : cause.message || cause.code;
  return toStoreError(cause, meanings, `Redis (${source})`, `${cause.code} ${text}`, text);
}

/** ioredis attaches the command to its errors: the password of a login, the payloads of tasks. */
function withoutCommand(error: unknown): DriverError {
  const { lastNodeError, message, name, code, stack = message } = error as DriverError;
  if (lastNodeError) return withoutCommand(lastNodeError);
  if (!(error instanceof Error)) return new Error(String(error));
  if (!('command' in error)) return error;
  return Object.assign(new Error(message), { name, code, stack });
}

/** Whether a connection took the command along, for a reason that it has told elsewhere. */
export function isClosed(error: unknown): boolean {
  return /^Connection is closed|max retries per request|startup nodes/.test(
    (error as Error).message,
  );
}

/** Whether the user may not run the command. */
export function isForbidden(error: unknown): boolean {
  return forbidden.test((error as Error).message);
}

/** Whether there is no database of that number. */
export function isWithoutDatabase(error: unknown): boolean {
  return withoutDatabase.test(String(error));
}
