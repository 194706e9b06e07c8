import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SqliteDataStore } from '@sched/sqlite';
import type { BareLoop, Database } from '../database.ts';

export const sqlite: Database = {
  name: 'sqlite',
  count: 100_000,
  farFuture: 1_000_000,
  async createPlace() {
    const folder = await mkdtemp(join(tmpdir(), 'sched-bench-'));
    const path = join(folder, 'bench.db');
    let database: DatabaseSync | undefined;
    return {
      connect: (options) => new SqliteDataStore({ path, ...options }),
      async openBareLoop() {
        database = new DatabaseSync(path);
        return bareLoop(database);
      },
      async dispose() {
        database?.close();
        await rm(folder, { recursive: true });
      },
    };
  },
};

function bareLoop(database: DatabaseSync): BareLoop {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE task (id TEXT PRIMARY KEY, due INTEGER, body TEXT) WITHOUT ROWID;
    CREATE INDEX due ON task (due) WHERE due IS NOT NULL;
  `);
  const insert = database.prepare('INSERT INTO task VALUES (?, ?, ?)');
  const claim = database.prepare(
    `UPDATE task SET due = ? WHERE id IN (SELECT id FROM task WHERE due <= ? ORDER BY due LIMIT ?)
     RETURNING id, body`,
  );
  const complete = database.prepare('DELETE FROM task WHERE id = ?');
  const inTransaction = (work: () => void) => {
    database.exec('BEGIN IMMEDIATE');
    work();
    database.exec('COMMIT');
  };
  return {
    async insert(tasks) {
      inTransaction(() => {
        for (const { id, due, body } of tasks) insert.run(id, due, body);
      });
    },
    async claim(limit, now, leaseEnd) {
      return claim.all(leaseEnd, now, limit).map(({ id }) => id as string);
    },
    async complete(ids) {
      inTransaction(() => {
        for (const id of ids) complete.run(id);
      });
    },
  };
}
