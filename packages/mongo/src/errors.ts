import type { SchedError } from '@sched/core';
import { type ErrorMeanings, toStoreError } from '@sched/core/adapter';

interface DriverError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: number | string;
  readonly cause?: DriverError;
  readonly errmsg?: string;
  readonly writeErrors?: readonly WriteError[];
}

interface WriteError {
  readonly index: number;
  readonly code?: number;
  readonly message?: string;
  readonly errmsg?: string;
}

/** What errors mean, by their class, code and message. https://www.mongodb.com/docs/manual/reference/error-codes/ */
const meanings: ErrorMeanings = [
  [
    /^Mongo(Server|BulkWrite|WriteConcern)\w* (18|33|8000) /,
    'SCHED_STORE_CONFIG',
    'Check user, password and authSource.',
  ],
  [
    /^Mongo(Server|BulkWrite|WriteConcern)\w* 13 /,
    'SCHED_STORE_CONFIG',
    'Grant it to the user: readWrite is enough.',
  ],
  [
    /^Mongo(Server|BulkWrite|WriteConcern)\w* 73 /,
    'SCHED_STORE_CONFIG',
    'Check database and collection.',
  ],
  [/^Mongo(MissingCredentials|Parse)/, 'SCHED_STORE_CONFIG', 'Check url and options.'],
  [/^MongoCompatibility/, 'SCHED_STORE_UNSUPPORTED', 'Use MongoDB 4.4 or later.'],
  [
    /^Mongo(Server|BulkWrite|WriteConcern)\w* (20|263) .*ransaction/,
    'SCHED_STORE_UNSUPPORTED',
    'Only a replica set or a sharded cluster has transactions.',
  ],
  [/^Mongo(Server|BulkWrite|WriteConcern)\w* (115|40573) /, 'SCHED_STORE_UNSUPPORTED', ''],
  [
    /^BSON|^Mongo(Server|BulkWrite)\w* (2|17280) /,
    'SCHED_ARGUMENT_INVALID',
    'A value cannot be stored.',
  ],
  [/_SSL|_TLS|CERT|SIGNATURE|EPROTO|SSL rout|TLS|ssl/, 'SCHED_STORE_CONFIG', 'Check tls.'],
  [/^MongoInvalidArgument.*session/i, 'SCHED_ARGUMENT_INVALID', ''],
  [/^Mongo(InvalidArgument|API)Error/, 'SCHED_STORE_CONFIG', 'Check url and options.'],
  [/^MongoServerSelection|^MongoNetwork/, 'SCHED_STORE_UNAVAILABLE', 'Check host, port and tls.'],
];

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the database is
 */
export function storeError(error: unknown, source: string): SchedError {
  const { message } = error as DriverError;
  return toStoreError(
    error,
    meanings,
    `MongoDB (${source})`,
    describe(error as DriverError),
    message,
  );
}

function describe({ name, code, message, cause }: DriverError): string {
  const own = `${typeof code === 'string' ? `${code} ` : ''}${name} ${code} ${message}`;
  return cause ? `${own} ${cause.code} ${cause.message}` : own;
}

/** Write conflicts and locks that were not to be had, and what FerretDB says of PostgreSQL's deadlocks. */
const contended = [112, 24, 46];
const deadlocked = /deadlock detected/;

/** Whether others were in the way, and the same can be tried again. */
export function isContended(error: unknown): boolean {
  const { writeErrors } = error as DriverError;
  const errors = [error as DriverError, ...[writeErrors ?? []].flat()];
  return errors.some(
    ({ code, message, errmsg }) =>
      contended.includes(code as number) || deadlocked.test(`${message} ${errmsg}`),
  );
}

/**
 * Which documents of an insertion were there already.
 *
 * @throws the error itself if it says anything else
 */
export function duplicatesIn(error: unknown): number[] {
  const { writeErrors } = error as DriverError;
  const errors = [writeErrors ?? []].flat();
  if (errors.length === 0 || errors.some(({ code }) => code !== 11000)) throw error;
  return errors.map(({ index }) => index);
}
