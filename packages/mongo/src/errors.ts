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

/** What errors mean, by their code, class and message. https://www.mongodb.com/docs/manual/reference/error-codes/ */
const meanings: ErrorMeanings = [
  [/^(18|33|8000) /, 'SCHED_STORE_CONFIG', 'Check user, password and authSource.'],
  [/^13 /, 'SCHED_STORE_CONFIG', 'Grant it to the user: readWrite is enough.'],
  [/^73 /, 'SCHED_STORE_CONFIG', 'Check database and collection.'],
  [/^\S+ Mongo(MissingCredentials|Parse)/, 'SCHED_STORE_CONFIG', 'Check url and options.'],
  [/^\S+ MongoCompatibility/, 'SCHED_STORE_UNSUPPORTED', 'Use MongoDB 4.4 or later.'],
  [
    /^(20|263) .*ransaction/,
    'SCHED_STORE_UNSUPPORTED',
    'Only a replica set or a sharded cluster has transactions.',
  ],
  [/^(115|40573) /, 'SCHED_STORE_UNSUPPORTED', ''],
  [/^((2|17280) |\S+ BSON)/, 'SCHED_ARGUMENT_INVALID', 'A value cannot be stored.'],
  [/_SSL|_TLS|CERT|SIGNATURE|EPROTO|SSL rout|TLS|ssl/, 'SCHED_STORE_CONFIG', 'Check tls.'],
  [/^\S+ MongoInvalidArgument.*session/i, 'SCHED_ARGUMENT_INVALID', ''],
  [/^\S+ Mongo(InvalidArgument|API)Error/, 'SCHED_STORE_CONFIG', 'Check url and options.'],
  [/^\S+ Mongo(ServerSelection|Network)/, 'SCHED_STORE_UNAVAILABLE', 'Check host, port and tls.'],
];

/**
 * What a call rejects with.
 *
 * @param source the setting that says where the database is
 */
export function storeError(error: unknown, source: string): SchedError {
  const { code, name, message, cause } = error as DriverError;
  const text = `${code} ${name} ${message} ${cause?.code} ${cause?.message}`;
  return toStoreError(error, meanings, `MongoDB (${source})`, text, message);
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
