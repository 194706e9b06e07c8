import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SqliteDataStore } from '@sched/sqlite';
import type { BareLoop, Database, Place } from '../database.ts';

export const sqlite: Database = {
  name: 'sqlite',
  durability: 'write-ahead log, synchronous FULL: a commit waits for the disk',
  count: 50_000,
  farFuture: 200_000,
  async createPlace(_, name) {
    return { database: 'sqlite', url: await mkdtemp(join(tmpdir(), 'sched-bench-')), name };
  },
  removePlace: ({ url }) => rm(url, { recursive: true }),
  store: (place, options) => new SqliteDataStore({ path: fileOf(place), ...options }),
  openBareLoop: async (place) => bareLoop(new DatabaseSync(fileOf(place), { timeout: 5000 })),
};

const fileOf = ({ url, name }: Place) => join(url, `${name}.db`);

function bareLoop(database: DatabaseSync): BareLoop {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS task (id TEXT PRIMARY KEY, due INTEGER, body TEXT) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS due ON task (due) WHERE due IS NOT NULL;
  `);
  const insert = database.prepare('INSERT INTO task VALUES (?, ?, ?)');
  const claim = database.prepare(
    `UPDATE task SET due = ? WHERE id IN (SELECT id FROM task WHERE due <= ? ORDER BY due LIMIT ?)
     RETURNING id, body`,
  );
  const complete = database.prepare('DELETE FROM task WHERE id = ?');
  const count = database.prepare('SELECT count(*) AS count FROM task');
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
      const rows = claim.all(leaseEnd, now, limit);
      return new Map(rows.map(({ id, body }) => [String(id), String(body)]));
    },
    async complete(ids) {
      inTransaction(() => {
        for (const id of ids) complete.run(id);
      });
    },
    count: async () => Number(count.get()?.count),
    close: async () => database.close(),
  };
}
