import { isSchedError, SchedError } from '@sched/core';
import type { ErrorMeanings } from '@sched/core/adapter';
import { toStoreError } from '@sched/core/adapter';

// Result codes by what they mean for a caller: https://www.sqlite.org/rescode.html
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL (which means that others kept winning the race for a lock) */
const locked = [5, 6, 15];
/** SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN */
const unwritable = [3, 8, 14];
/** SQLITE_CORRUPT, SQLITE_NOTADB */
const damaged = [11, 26];
/** SQLITE_BUSY_SNAPSHOT, an extended code: a transaction has read what another connection has since replaced. */
const staleSnapshot = 517;

/** What errors mean, by their primary result code, class and message. */
const meanings: ErrorMeanings = [
  [
    /^5 /,
    'SCHED_STORE_UNAVAILABLE',
    'Another connection has written since this transaction first read. Roll back, and BEGIN IMMEDIATE the next time.',
  ],
  // SQLITE_TOOBIG
  [/^18 /, 'SCHED_PAYLOAD_TOO_LARGE', 'A record is longer than SQLite allows.'],
  [
    /no such (table|column|index)|already exists/,
    'SCHED_STORE_SCHEMA',
    'The tables are not those of @sched/sqlite: check namespace, and that a store has been opened on this very database.',
  ],
  // SQLITE_CONSTRAINT, SQLITE_MISMATCH
  [/^(19|20) |^\d+ TypeError/, 'SCHED_ARGUMENT_INVALID', 'A value cannot be stored.'],
];

/** The extended result code; 0 for an error that is not SQLite's. */
function resultCode(error: unknown): number {
  return (error as { errcode?: number } | undefined)?.errcode ?? 0;
}

const primaryCode = (error: unknown) => resultCode(error) & 0xff;

/** Whether another connection, or the user's own transaction on this one, is in the way, so that waiting may help. */
export function isBusy(error: unknown): boolean {
  if (resultCode(error) === staleSnapshot) return false;
  return locked.includes(primaryCode(error)) || /within a transaction/.test(String(error));
}

/** What a call rejects with. */
export function callError(error: unknown, busyTimeoutMs: number): SchedError {
  if (isSchedError(error)) return error;
  if (isBusy(error)) {
    return new SchedError(
      'SCHED_STORE_UNAVAILABLE',
      `SQLite was locked for ${busyTimeoutMs} ms (busyTimeoutMs): another connection keeps a transaction open.`,
      { cause: error },
    );
  }
  const { name, message } = error as Error;
  const text = `${primaryCode(error)} ${name} ${message}`;
  return toStoreError(error, meanings, 'SQLite', text, message);
}

/** What `open` rejects with: the setting that led there, if one did. */
export function openError(error: unknown, setting: string, busyTimeoutMs: number): SchedError {
  const cause = isSchedError(error) ? error.cause : error;
  const fail = (reason: string) =>
    new SchedError('SCHED_STORE_CONFIG', `${setting} ${reason}.`, { cause });
  if (unwritable.includes(primaryCode(cause))) {
    return fail(
      'cannot be opened for writing. The directory must exist, and both it and the file be writable',
    );
  }
  if (damaged.includes(primaryCode(cause))) return fail('is not an SQLite database, or is damaged');
  return callError(error, busyTimeoutMs);
}
