import type { SchedErrorCode } from '@sched/core';
import { isSchedError, SchedError } from '@sched/core';

// By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html, or by what Node or pg says instead.
const meanings: readonly [RegExp, SchedErrorCode, string][] = [
  [/^28P|SASL|password must be/, 'SCHED_STORE_CONFIG', 'Check user and password.'],
  [/^28/, 'SCHED_STORE_CONFIG', 'Check user, ssl, and what the server allows in pg_hba.conf.'],
  [/^3D/, 'SCHED_STORE_CONFIG', 'Check database.'],
  [/CERT|SSL|_TLS_|LEAF_SIGNATURE|EPROTO/, 'SCHED_STORE_CONFIG', 'Check ssl.'],
  [/^42501/, 'SCHED_STORE_CONFIG', 'Grant it to the user, or set schema to one of its own.'],
  [/^ERR_MODULE_NOT_FOUND/, 'SCHED_STORE_CONFIG', 'Install pg.'],
  [
    /^(3F|42)/,
    'SCHED_STORE_SCHEMA',
    'The tables are not those of @sched/postgres: check schema and namespace, and that a store has been opened here.',
  ],
  [/^(22|23|54)/, 'SCHED_ARGUMENT_INVALID', 'A value cannot be stored.'],
  [/^E(CONN|HOST|NET|AI_|NOTFOUND|TIMEDOUT)/, 'SCHED_STORE_UNAVAILABLE', 'Check host and port.'],
  [/^25006/, 'SCHED_STORE_UNAVAILABLE', 'The server is a standby, or read-only.'],
];

interface DriverError {
  readonly message?: string;
  readonly code?: string;
  readonly errors?: readonly DriverError[];
}

/** Whether another transaction was in the way, and nothing has happened: deadlocks and failed serializations. */
export function isContended(error: unknown): boolean {
  return /^40/.test((error as DriverError).code ?? '');
}

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the database is
 */
export function storeError(error: unknown, source: string): SchedError {
  if (isSchedError(error)) return error;
  // Node tries each address of a host, and says of all that failed nothing but a list.
  const [{ message = '', code = '' }] = ((error as DriverError).errors ?? [error]) as [DriverError];
  const [, kind = 'SCHED_STORE_UNAVAILABLE', advice = ''] =
    meanings.find(([pattern]) => pattern.test(code)) ??
    meanings.find(([pattern]) => code === '' && pattern.test(message)) ??
    [];
  return new SchedError(kind, `PostgreSQL (${source}): ${message}. ${advice}`.trim(), {
    cause: error,
  });
}
