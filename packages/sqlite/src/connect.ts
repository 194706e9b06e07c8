import { existsSync } from 'node:fs';
import { SchedError } from '@sched/core';
import type { AtEnd } from '@sched/core/adapter';
import type { SqliteDatabase } from './client.js';
import { isBusy, openError } from './errors.js';
import type { Executor } from './executor.js';
import { createExecutor } from './executor.js';
import type { Settings } from './options.js';
import { isCurrent, migrate, readVersion, schemaVersion } from './schema.js';
import { createSession } from './session.js';

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings, atEnd: AtEnd): Promise<Executor> {
  const { source, tablePrefix, busyTimeoutMs, synchronous } = settings;
  const isOwn = typeof source === 'string';
  try {
    const database = isOwn ? openFile(source, settings.migrate) : source;
    if (isOwn) atEnd(() => database.close());
    const executor = createExecutor(createSession(database), busyTimeoutMs);
    atEnd(executor.idle);
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
    return executor;
  } catch (error) {
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
