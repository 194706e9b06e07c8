import type { SchedError } from '@sched/core';
import type { ErrorMeanings } from '@sched/core/adapter';
import { firstError, toStoreError } from '@sched/core/adapter';

/**
 * What errors mean, by their code and message: the server's SQLSTATE, or what Node or pg say instead. PgBouncer has one
 * code for all that is wrong with a connection, 08P01. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const meanings: ErrorMeanings = [
  [/^(22|23|54)/, 'SCHED_ARGUMENT_INVALID', 'A value cannot be stored.'],
  [
    /^(3F|42(?!501))/,
    'SCHED_STORE_SCHEMA',
    'The tables are not those of @sched/postgres: check schema and namespace, and that a store has been opened on this very database.',
  ],
  [/^42501/, 'SCHED_STORE_CONFIG', 'Grant it to the user, or set schema to one of its own.'],
  [/^3D|^08P01 no such database/, 'SCHED_STORE_CONFIG', 'Check database.'],
  [/^28P|^(08P01)? .*(SASL|password)/, 'SCHED_STORE_CONFIG', 'Check user and password.'],
  [
    /^28|^(08P01)? .*SSL|CERT|_SSL|_TLS|SIGNATURE|EPROTO/,
    'SCHED_STORE_CONFIG',
    'Check ssl, user, and pg_hba.conf of the server.',
  ],
  [/^E[A-Z_]+ /, 'SCHED_STORE_UNAVAILABLE', 'Check host and port.'],
];

interface DriverError {
  readonly message?: string;
  readonly code?: string;
}

/** Whether another transaction was in the way, and nothing has happened: deadlocks and failed serializations. */
export function isContended(error: unknown): boolean {
  return /^40/.test((error as DriverError).code ?? '');
}

/** Whether a statement is not prepared that should be, or is that should not. */
export function isUnprepared(error: unknown): boolean {
  return /^(26000|42P05)/.test((error as DriverError).code ?? '');
}

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the database is
 */
export function storeError(error: unknown, source: string): SchedError {
  const { code = '', message } = firstError(error as DriverError);
  return toStoreError(error, meanings, `PostgreSQL (${source})`, `${code} ${message}`, message);
}
