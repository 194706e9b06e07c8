import type { SchedError } from '@sched/core';
import type { ErrorMeanings } from '@sched/core/adapter';
import { firstError, toStoreError } from '@sched/core/adapter';

/**
 * What errors mean, by their number, code and message: the server's, or what Node or mysql2 say instead.
 * https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html
 */
const meanings: ErrorMeanings = [
  [/^1305 .*SAVEPOINT/, 'SCHED_ARGUMENT_INVALID', 'Begin a transaction first.'],
  [
    /^(1048|1264|1265|1300|1366|1406|3140|3141|3156|3819|4025|4036|4037|4038|1690) /,
    'SCHED_ARGUMENT_INVALID',
    'A value cannot be stored.',
  ],
  [
    /^(1054|1146|1136) /,
    'SCHED_STORE_SCHEMA',
    'The tables are not those of @sched/mysql: check database and namespace, and that a store has been opened on this very database.',
  ],
  [
    /^1064 /,
    'SCHED_STORE_UNSUPPORTED',
    'The server does not know what @sched/mysql needs: its README says which do.',
  ],
  [
    /^(1044|1142|1143|1227) /,
    'SCHED_STORE_CONFIG',
    'Grant it to the user: the README of @sched/mysql says what is needed.',
  ],
  [/^(1046|1049) /, 'SCHED_STORE_CONFIG', 'Check database.'],
  [
    /^(1290|1792|1836) /,
    'SCHED_STORE_CONFIG',
    'This leads to a replica, or to a server or user that is read-only.',
  ],
  [
    /^(1153|1301) |PACKET/i,
    'SCHED_PAYLOAD_TOO_LARGE',
    'Raise max_allowed_packet of the server, and open the store again.',
  ],
  [/^(1045|1251|1698|1820|1862|3118|4151) |AUTH/, 'SCHED_STORE_CONFIG', 'Check user and password.'],
  [/^3159 |SSL|TLS|CERT|SIGNATURE|EPROTO/, 'SCHED_STORE_CONFIG', 'Check ssl.'],
  [/^\d* ?E[A-Z]+ /, 'SCHED_STORE_UNAVAILABLE', 'Check host and port.'],
];

interface DriverError {
  readonly message?: string;
  readonly code?: string;
  readonly errno?: number;
}

/**
 * How often a call is made that another transaction gets in the way of, so that nothing has happened: by a deadlock, by
 * a lock held longer than the server lets anybody wait, or by what an interrupted call has left on its connection.
 */
export function triesOf(error: unknown): number {
  const { errno = 0 } = error as DriverError;
  return ({ 1213: 10, 1205: 2, 1568: 2, 1020: 5 } as Record<number, number>)[errno] ?? 1;
}

/** Whether a statement has changed nothing because one of its rows is there already. */
export function isDuplicate(error: unknown): boolean {
  return ((error as SchedError).cause as DriverError | undefined)?.errno === 1062;
}

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the database is
 */
export function storeError(error: unknown, source: string): SchedError {
  const { message, code = '', errno = 0 } = firstError(error as DriverError);
  const text = `${errno > 0 ? errno : ''} ${code} ${message}`.trim();
  return toStoreError(error, meanings, `MySQL (${source})`, text, message);
}
