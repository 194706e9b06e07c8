import type { SchedErrorCode } from '@sched/core';
import { isSchedError, SchedError } from '@sched/core';

interface DriverError extends Error {
  readonly code?: string | undefined;
  /** Of a `ClusterAllFailedError`: what the last node said. */
  readonly lastNodeError?: unknown;
}

/** The second is what Redis 6.2 says to a script. */
const forbidden = /NOPERM|can't run this command/;

/** What failures look like, what to call them and what to say. The first that fits counts. */
const kinds: readonly { pattern: RegExp; code: SchedErrorCode; what: string }[] = [
  {
    pattern: /WRONGPASS|NOAUTH|invalid (username-)?password/,
    code: 'SCHED_STORE_CONFIG',
    what: 'the server does not accept the username or password',
  },
  {
    pattern: forbidden,
    code: 'SCHED_STORE_CONFIG',
    what: 'the user lacks a permission that the README of @sched/redis lists',
  },
  {
    pattern: /DB index|SELECT is not allowed/i,
    code: 'SCHED_STORE_CONFIG',
    what: 'the server does not have that database',
  },
  {
    pattern: /MOVED|CROSSSLOT/,
    code: 'SCHED_STORE_CONFIG',
    what: 'the server belongs to a cluster, which takes the option cluster, or a Cluster as client',
  },
  {
    pattern: /EPROTO|_SSL|_TLS|CERT|secure TLS/,
    code: 'SCHED_STORE_CONFIG',
    what: 'no TLS connection came about',
  },
  {
    pattern: /WRONGTYPE/,
    code: 'SCHED_STORE_SCHEMA',
    what: 'keys of the namespace hold something else, so choose another namespace or keyPrefix',
  },
];
const other = {
  code: 'SCHED_STORE_UNAVAILABLE',
  what: 'the server could not be reached, or failed',
} as const;

/**
 * What a call rejects with.
 *
 * @param about what failed: the store, or the setting by which it was to be reached
 */
export function storeError(error: unknown, about = 'Redis'): SchedError {
  if (isSchedError(error)) return error;
  const cause = withoutCommand(error);
  const text = cause.message || cause.code || cause.name;
  const kind = kinds.find(({ pattern }) => pattern.test(`${cause.code} ${text}`)) ?? other;
  return new SchedError(kind.code, `${about}: ${kind.what} (${text}).`, { cause });
}

/** ioredis attaches the command to its errors: the password of a login, the payloads of tasks. */
function withoutCommand(error: unknown): DriverError {
  const { lastNodeError, message, name, code, stack } = error as DriverError;
  if (lastNodeError) return withoutCommand(lastNodeError);
  if (!(error instanceof Error)) return new Error(String(error));
  if (!('command' in error)) return error;
  return Object.assign(new Error(message), { name, code, stack: stack ?? message });
}

/** Whether a connection went down with the command, for reasons that it has told elsewhere. */
export function isClosed(error: unknown): boolean {
  return /^Connection is closed|max retries per request/.test((error as Error).message);
}

/** Whether the user lacks the permission for a command. */
export function isForbidden(error: unknown): boolean {
  return forbidden.test((error as Error).message);
}
