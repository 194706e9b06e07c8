import { resolve } from 'node:path';
import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type { SqliteDatabase } from './client.js';
import { createSession } from './session.js';

interface CommonOptions extends DataStoreOptions {
  /** What the names of the tables begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
  /** `false` creates and changes nothing: the tables must be there and current. Default `true`. */
  readonly migrate?: boolean;
  /** How long a call waits, in milliseconds, while others keep the database locked. Default 5000. */
  readonly busyTimeoutMs?: number;
}

/** The store opens a connection of its own. */
export interface SqlitePathOptions extends CommonOptions {
  /** The file, created if need be, or `:memory:` for tasks that live and die with this store. */
  readonly path: string;
  readonly database?: never;
  /**
   * `full` (the default): what was acknowledged survives a power failure. `normal`: it survives the death of the
   * process, and a power failure may cost the last moments, never the file's integrity.
   * See https://www.sqlite.org/pragma.html#pragma_synchronous
   */
  readonly synchronous?: 'full' | 'normal';
}

/** The store shares a connection of the user's own, and neither closes nor configures it. */
export interface SqliteDatabaseOptions extends CommonOptions {
  /** A `DatabaseSync` of `node:sqlite`, open. */
  readonly database: SqliteDatabase;
  readonly path?: never;
  readonly synchronous?: never;
}

export type SqliteDataStoreOptions = SqlitePathOptions | SqliteDatabaseOptions;

const optionNames = [
  'path',
  'database',
  'synchronous',
  'namespace',
  'migrate',
  'busyTimeoutMs',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof SqliteDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  /** An absolute path or `:memory:`, to be opened, or the user's own connection. */
  readonly source: string | SqliteDatabase;
  /** The namespace as the names of the tables begin with it. */
  readonly tablePrefix: string;
  readonly migrate: boolean;
  readonly busyTimeoutMs: number;
  readonly synchronous: 'full' | 'normal';
  readonly clock: () => number;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: SqliteDataStoreOptions): Settings {
  const {
    namespace = 'sched',
    migrate = true,
    busyTimeoutMs = 5000,
    synchronous = 'full',
    clock = Date.now,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = checkMembers('The options of SqliteDataStore', options, optionNames, 'SCHED_STORE_CONFIG');
  check(
    /^(?!sqlite(_|$))[a-z_][a-z0-9_]{0,30}$/.test(namespace),
    `namespace must be 1 to 31 of a-z, 0-9 and _, and begin neither with a digit nor with sqlite_; not ${JSON.stringify(namespace)}.`,
  );
  check(
    synchronous === 'full' || synchronous === 'normal',
    `synchronous must be 'full' or 'normal', not ${JSON.stringify(synchronous)}.`,
  );
  checkNumber('busyTimeoutMs', busyTimeoutMs, 0);
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    source: readSource(options),
    tablePrefix: `${namespace}_`,
    migrate,
    busyTimeoutMs,
    synchronous,
    clock,
    historyLimit,
    historyMaxAgeMs,
  };
}

function readSource({ path, database, synchronous }: SqliteDataStoreOptions): Settings['source'] {
  check((path === undefined) !== (database === undefined), 'Give either path or database.');
  if (path === undefined) {
    check(isDatabase(database), 'database must be a DatabaseSync of node:sqlite.');
    check(
      synchronous === undefined,
      'synchronous goes with path. Set it on your own database yourself.',
    );
    return database;
  }
  check(
    typeof path === 'string' && path !== '' && !path.includes('\0'),
    "path must be the name of a file, or ':memory:'.",
  );
  // Absolute, so that it stays the same file when the working directory changes before open().
  return path === ':memory:' ? path : resolve(path);
}

export function isDatabase(value: unknown): value is SqliteDatabase {
  return typeof (value as Partial<SqliteDatabase> | null | undefined)?.prepare === 'function';
}

function checkNumber(option: string, value: number, minimum: number): void {
  check(
    value >= minimum && Math.trunc(value) === value,
    `${option} must be a whole number of at least ${minimum}, not ${value}.`,
  );
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new SchedError('SCHED_STORE_CONFIG', message);
}

/** Whether what the store opens, or was given, is a file that other processes can open as well. */
export function isFile(source: Settings['source']): boolean {
  if (typeof source === 'string') return source !== ':memory:';
  try {
    // The first is the main one, and its file is empty when it is in memory or temporary.
    // https://www.sqlite.org/pragma.html#pragma_database_list
    return Boolean(createSession(source).get('PRAGMA database_list')?.[2]);
  } catch (error) {
    throw new SchedError('SCHED_STORE_CONFIG', 'database must be open.', { cause: error });
  }
}
