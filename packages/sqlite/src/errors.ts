import { isSchedError, SchedError } from '@sched/core';

/** Primary result codes: https://www.sqlite.org/rescode.html */
const sqlite = {
  error: 1,
  perm: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  corrupt: 11,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26,
} as const;

/** The primary result code of an error of `node:sqlite`, or undefined. */
function resultCode(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether another connection, or the user's own transaction on this one, is in the way, so that waiting may help. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return (
    code === sqlite.busy ||
    code === sqlite.locked ||
    messageOf(error).includes('within a transaction')
  );
}

/** Whether a transaction has read what another connection has since replaced (SQLITE_BUSY_SNAPSHOT). */
export function isStaleSnapshot(error: unknown): boolean {
  return (error as { errcode?: unknown }).errcode === 517;
}

/** Whether the connection was closed, which makes its prepared statements unusable for ever. */
export function isClosed(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_INVALID_STATE';
}

/** What a call rejects with. */
export function callError(error: unknown, busyTimeoutMs: number): SchedError {
  if (isSchedError(error)) return error;
  const message = messageOf(error);
  const code = resultCode(error);
  const fail = (...[kind, text]: [SchedError['code'], string]) =>
    new SchedError(kind, text, { cause: error });
  if (isStaleSnapshot(error)) {
    return fail(
      'SCHED_STORE_UNAVAILABLE',
      'Another connection has written since this transaction first read, so it can no longer write. Roll it back and do it again; begin it with BEGIN IMMEDIATE.',
    );
  }
  if (isBusy(error)) {
    return fail(
      'SCHED_STORE_UNAVAILABLE',
      `SQLite stayed locked for ${busyTimeoutMs} ms (busyTimeoutMs): ${message}. Another connection keeps a transaction open.`,
    );
  }
  if (code === sqlite.tooBig) {
    return fail('SCHED_PAYLOAD_TOO_LARGE', `A record is longer than SQLite allows: ${message}.`);
  }
  if (code === sqlite.error && /no such (table|column|index)|already exists/.test(message)) {
    return fail(
      'SCHED_STORE_SCHEMA',
      `The tables are not those of @sched/sqlite: ${message}. Check tablePrefix, and that this is the right database and a store has been opened on it.`,
    );
  }
  if (
    code === sqlite.constraint ||
    code === sqlite.mismatch ||
    (code === undefined && error instanceof TypeError)
  ) {
    return fail('SCHED_ARGUMENT_INVALID', `A value cannot be stored: ${message}.`);
  }
  return fail('SCHED_STORE_UNAVAILABLE', `SQLite failed: ${message}.`);
}

/** What `open` rejects with. `setting` says which one led there, and its value. */
export function openError(error: unknown, setting: string, busyTimeoutMs: number): SchedError {
  const reason = openReasons.get(resultCode(error));
  if (!reason || isSchedError(error)) return callError(error, busyTimeoutMs);
  return new SchedError('SCHED_STORE_CONFIG', `${setting} ${reason} (${messageOf(error)}).`, {
    cause: error,
  });
}

const unwritable =
  'cannot be opened for writing. Its directory must exist, and this process must be allowed to write to the file and to the directory';
const damaged = 'is not an SQLite database, is encrypted, or is damaged';

const openReasons: ReadonlyMap<number | undefined, string> = new Map([
  [sqlite.perm, unwritable],
  [sqlite.readOnly, unwritable],
  [sqlite.cannotOpen, unwritable],
  [sqlite.corrupt, damaged],
  [sqlite.notADatabase, damaged],
]);
