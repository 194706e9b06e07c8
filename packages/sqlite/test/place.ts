import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ConformancePlace } from '@sched/core/conformance';
import { SqliteDataStore } from '@sched/sqlite';

/** A directory of its own for one test, with the file in it that is to become a database. */
export function createDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'sched-sqlite-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  return { directory, path: join(directory, 'tasks.db'), remove };
}

/** A file of its own, for the conformance kit. */
export function createPlace(): ConformancePlace {
  const { path, remove } = createDirectory();
  return {
    connect: (options) => new SqliteDataStore({ path, ...options }),
    process: { module: new URL('connect.js', import.meta.url).href, argument: path },
    async beginTransaction() {
      const tx = new DatabaseSync(path);
      tx.exec('BEGIN IMMEDIATE');
      const end = (sql: string) => async () => {
        tx.exec(sql);
        tx.close();
      };
      return { tx, commit: end('COMMIT'), rollback: end('ROLLBACK') };
    },
    async dispose() {
      remove();
    },
  };
}
