import { existsSync } from 'node:fs';
import { SchedError } from '@sched/core';
import type { SqliteDatabase } from './client.js';
import { isBusy, openError } from './errors.js';
import type { Executor } from './executor.js';
import { createExecutor } from './executor.js';
import type { Settings } from './options.js';
import { isCurrent, migrate, readVersion, schemaVersion } from './schema.js';
import { createSession } from './session.js';

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings): Promise<Executor> {
  const { source, tablePrefix, busyTimeoutMs, synchronous } = settings;
  const isOwn = typeof source === 'string';
  let database: SqliteDatabase | undefined;
  const release = () => {
    if (isOwn) database?.close();
  };
  try {
    database = isOwn ? openFile(source, settings.migrate) : source;
    const executor = createExecutor(createSession(database), busyTimeoutMs);
    await executor.call((session) => {
      if (isOwn) session.database.exec(`PRAGMA synchronous = ${synchronous}`);
      if (isOwn && settings.migrate) session.database.exec('PRAGMA journal_mode = WAL');
      try {
        session.transaction(() => migrate(session, tablePrefix, settings.migrate));
      } catch (error) {
        // Where there is nothing to write, whoever holds the lock need not be waited for.
        if (!isBusy(error) || readVersion(session, tablePrefix) !== schemaVersion) throw error;
      }
    });
    return {
      ...executor,
      close: () => executor.close().then(release),
    };
  } catch (error) {
    release();
    throw openError(error, isOwn ? `path: ${source}` : 'database', busyTimeoutMs);
  }
}

function openFile(path: string, mayCreate: boolean): SqliteDatabase {
  // Not imported, so that a runtime without the module gets as far as this message.
  const sqlite = process.getBuiltinModule?.('node:sqlite');
  if (!sqlite) {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      `This runtime (${process.version}) has no node:sqlite, which Node has from 22.13 on.`,
    );
  }
  // Opening would create it.
  if (path !== ':memory:' && !existsSync(path)) isCurrent(`The tables of ${path}`, 0, mayCreate);
  return new sqlite.DatabaseSync(path);
}
