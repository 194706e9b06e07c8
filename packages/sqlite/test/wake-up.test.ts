import { DatabaseSync } from 'node:sqlite';
import { createScheduler, defineTask } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { expect, test, vi } from 'vitest';
import { createDirectory } from './place.js';
import { turns } from './support.js';

test.each([
  ['a connection of its own', false],
  ['the connection of the transaction', true],
])(
  'a worker that never polls, on %s, sees a task when its transaction is committed',
  async (_, isShared) => {
    const place = createDirectory();
    const { path } = place;
    const database = new DatabaseSync(path);
    const store = new SqliteDataStore(isShared ? { database } : { path });
    const ran: string[] = [];
    const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id) });
    const scheduler = createScheduler({
      ...{ store, tasks: [task], pollInterval: Number.POSITIVE_INFINITY },
    });
    await scheduler.start();
    for (const id of ['a', 'b', 'c']) {
      database.exec('BEGIN IMMEDIATE');
      await scheduler.withTransaction(database).schedule(task, { id });
      // The worker looks in vain while the transaction is open.
      await turns(id === 'b' ? 20_000 : 5);
      expect(ran).not.toContain(id);
      database.exec('COMMIT');
      await vi.waitUntil(() => ran.includes(id), { timeout: 60_000, interval: 1 });
    }
    database.exec('BEGIN IMMEDIATE');
    await scheduler.withTransaction(database).schedule(task, { id: 'd' });
    database.exec('ROLLBACK');
    await scheduler.stop();
    expect(ran).toEqual(['a', 'b', 'c']);
    database.close();
    place.remove();
  },
);
