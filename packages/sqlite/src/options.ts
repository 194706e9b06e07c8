import { resolve } from 'node:path';
import { SchedError } from '@sched/core';
import type { AdapterOptions, Without } from '@sched/core/adapter';
import {
  checkName,
  checkSetting,
  checkWhole,
  readAdapterOptions,
  theOneGiven,
} from '@sched/core/adapter';
import type { SqliteDatabase } from './client.js';
import { createSession, fileOf } from './session.js';

interface CommonOptions extends AdapterOptions {
  /** What the names of the tables begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
  /** How long a call waits, in milliseconds, while others keep the database locked. Default 5000. */
  readonly busyTimeoutMs?: number;
}

/** The store opens a connection of its own. */
export interface SqlitePathOptions extends CommonOptions, Without<'database'> {
  /** The file, created if need be, or `:memory:` for tasks that live and die with this store. */
  readonly path: string;
  /**
   * `full` (the default): what was acknowledged survives a power failure. `normal`: it survives the death of the
   * process, and a power failure may cost the last moments, never the file's integrity.
   * See https://www.sqlite.org/pragma.html#pragma_synchronous
   */
  readonly synchronous?: 'full' | 'normal';
}

/** The store shares a connection of the user's own, and neither closes nor configures it. */
export interface SqliteDatabaseOptions extends CommonOptions, Without<'path' | 'synchronous'> {
  /** A `DatabaseSync` of `node:sqlite`, open. */
  readonly database: SqliteDatabase;
}

export type SqliteDataStoreOptions = SqlitePathOptions | SqliteDatabaseOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: SqliteDataStoreOptions) {
  const settings = readAdapterOptions('SqliteDataStore', options, {
    ...{ path: undefined, database: undefined, synchronous: undefined },
    ...{ namespace: 'sched', migrate: true, busyTimeoutMs: 5000 },
  });
  const { namespace, synchronous = 'full', busyTimeoutMs } = settings;
  const tablePrefix = tablePrefixOf(namespace);
  checkName('synchronous', synchronous, /^(full|normal)$/, "'full' or 'normal'");
  checkWhole('busyTimeoutMs', busyTimeoutMs, 0);
  return { ...settings, synchronous, tablePrefix, source: readSource(options) };
}

/**
 * The namespace as the names of the tables begin with it.
 *
 * @throws SchedError `SCHED_STORE_CONFIG` when it cannot be
 */
export function tablePrefixOf(namespace: string): string {
  checkName(
    'namespace',
    namespace,
    /^(?!sqlite(_|$))[a-z_][a-z0-9_]{0,30}$/,
    '1 to 31 of a-z, 0-9 and _, and begin neither with a digit nor with sqlite_',
  );
  return `${namespace}_`;
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;

/** An absolute path or `:memory:`, to be opened, or the user's own connection. */
type Source = string | SqliteDatabase;

function readSource({ path, database, synchronous }: SqliteDataStoreOptions): Source {
  theOneGiven({ path, database });
  if (path === undefined) {
    checkSetting(isDatabase(database), `database must be ${joinable}.`);
    checkSetting(
      synchronous === undefined,
      'synchronous goes with path. Set it on your own database yourself.',
    );
    return database;
  }
  checkSetting(
    typeof path === 'string' && path !== '' && !path.includes('\0'),
    "path must be the name of a file, or ':memory:'.",
  );
  // Absolute, so that it stays the same file when the working directory changes before open().
  return path === ':memory:' ? path : resolve(path);
}

/** What a transaction of the user's is joined through. */
export const joinable = 'a DatabaseSync of node:sqlite';

export function isDatabase(value: unknown): value is SqliteDatabase {
  return typeof (value as Partial<SqliteDatabase> | null | undefined)?.prepare === 'function';
}

/** Whether what the store opens, or was given, is a file that other processes can open as well. */
export function isFile(source: Source): boolean {
  if (typeof source === 'string') return source !== ':memory:';
  try {
    return fileOf(createSession(source)) !== '';
  } catch (error) {
    throw new SchedError('SCHED_STORE_CONFIG', 'database must be open.', { cause: error });
  }
}
