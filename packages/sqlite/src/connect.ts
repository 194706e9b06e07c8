import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { SchedError } from '@sched/core';
import type { SqliteDatabase } from './client.js';
import { isBusy, openError } from './errors.js';
import type { Executor } from './executor.js';
import { ownExecutor, patiently } from './executor.js';
import type { Settings } from './options.js';
import { migrate, outdatedSchema, readVersion, schemaVersion } from './schema.js';
import { ownSession } from './session.js';

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings): Promise<Executor> {
  const { source, tablePrefix, busyTimeoutMs, synchronous } = settings;
  const isOwn = typeof source === 'string';
  const database = isOwn ? openFile(source, settings) : source;
  const session = ownSession(database);
  try {
    await patiently(() => {
      if (isOwn) session.exec(`PRAGMA synchronous = ${synchronous}`);
      if (isOwn && settings.migrate) session.exec('PRAGMA journal_mode = WAL');
      try {
        session.transaction(() => migrate(session, tablePrefix, settings.migrate));
      } catch (error) {
        // Where there is nothing to write, whoever holds the lock need not be waited for.
        if (!isBusy(error) || readVersion(session, tablePrefix) !== schemaVersion) throw error;
      }
    }, busyTimeoutMs);
  } catch (error) {
    if (isOwn) database.close();
    throw openError(error, isOwn ? `path: ${source}` : 'database', busyTimeoutMs);
  }
  const executor = ownExecutor(session, busyTimeoutMs);
  return {
    ...executor,
    async close() {
      await executor.close();
      if (isOwn) database.close();
    },
  };
}

function openFile(path: string, settings: Settings): SqliteDatabase {
  // Not imported, so that a runtime without the module gets as far as this message.
  const sqlite = process.getBuiltinModule?.('node:sqlite');
  if (!sqlite) {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      `The SQLite store needs the built-in module node:sqlite, which ${process.version} does not have here. It comes with Node 22.13 and later, unless switched off with --no-experimental-sqlite.`,
    );
  }
  if (path !== ':memory:') {
    if (!existsSync(dirname(path))) {
      throw new SchedError(
        'SCHED_STORE_CONFIG',
        `path: the directory ${dirname(path)} does not exist. Create it first.`,
      );
    }
    // Opening would create it.
    if (!settings.migrate && !existsSync(path)) throw outdatedSchema(`There is no file ${path}`);
  }
  try {
    return new sqlite.DatabaseSync(path);
  } catch (error) {
    throw openError(error, `path: ${path}`, settings.busyTimeoutMs);
  }
}
