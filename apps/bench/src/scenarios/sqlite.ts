import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DataStore } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import type { Figures, Scenario } from '../scenario.ts';
import { add, addFarFuture, drain, lateness } from '../work.ts';

export const sqliteDrain: Scenario = {
  name: 'sqlite-drain',
  title:
    'Adding tasks in bulk to a durable file and running them; beside the driver’s own best loop over a bare table',
  baseline: 'bare loop',
  variants: {
    sched: async (scale) => withStore((store) => addAndDrain(store, 10_000 * scale)),
    'bare loop': async (scale) => withFile(async (path) => bareLoop(path, 10_000 * scale)),
  },
};

export const sqliteBacklog: Scenario = {
  name: 'sqlite-backlog',
  title: 'Running 10,000 tasks, alone and beside a million far-future ones',
  baseline: 'alone',
  variants: {
    alone: async (scale) => withStore((store) => addAndDrain(store, 10_000 * scale)),
    'beside far-future': async (scale) =>
      withStore(async (store) => {
        await addFarFuture(store, 1_000_000 * scale);
        return addAndDrain(store, 10_000 * scale);
      }),
  },
};

export const sqliteLateness: Scenario = {
  name: 'sqlite-lateness',
  title: 'How late 1,000 tasks at random moments run on an idle store',
  variants: {
    sqlite: async (scale) => withStore((store) => lateness(store, 1000 * scale, 10_000 * scale)),
  },
};

async function addAndDrain(store: DataStore, count: number): Promise<Figures> {
  const added = await add(store, count);
  return { 'add (tasks/s)': added, 'drain (tasks/s)': await drain(store, count) };
}

/** What the driver can do at the most with the same durability: bulk insert, batched claim, batched completion. */
function bareLoop(path: string, count: number): Figures {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE task (id TEXT PRIMARY KEY, due INTEGER, body TEXT) WITHOUT ROWID;
    CREATE INDEX due ON task (due) WHERE due IS NOT NULL;
  `);
  const insert = database.prepare('INSERT INTO task VALUES (?, ?, ?)');
  const claim = database.prepare(
    `UPDATE task SET due = ? WHERE id IN (SELECT id FROM task WHERE due <= ? ORDER BY due LIMIT 200)
     RETURNING id, body`,
  );
  const complete = database.prepare('DELETE FROM task WHERE id = ?');
  const inTransaction = (work: () => void) => {
    database.exec('BEGIN IMMEDIATE');
    work();
    database.exec('COMMIT');
  };
  const start = performance.now();
  for (let from = 0; from < count; from += 1000) {
    inTransaction(() => {
      for (let i = from; i < Math.min(count, from + 1000); i++) {
        insert.run(`bench-${i}`, Date.now(), JSON.stringify({ index: i }));
      }
    });
  }
  const added = performance.now();
  for (let done = 0; done < count; ) {
    const now = Date.now();
    const claimed = claim.all(now + 15_000, now);
    inTransaction(() => {
      for (const { id } of claimed) complete.run(id as string);
    });
    done += claimed.length;
  }
  const drained = performance.now();
  database.close();
  return {
    'add (tasks/s)': (count / (added - start)) * 1000,
    'drain (tasks/s)': (count / (drained - added)) * 1000,
  };
}

async function withStore<T>(use: (store: DataStore) => Promise<T>): Promise<T> {
  return withFile(async (path) => {
    const store = new SqliteDataStore({ path });
    await store.open();
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  });
}

async function withFile<T>(use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sched-bench-'));
  try {
    return await use(join(folder, 'bench.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
