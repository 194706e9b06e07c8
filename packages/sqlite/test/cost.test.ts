import { DatabaseSync } from 'node:sqlite';
import type { HistoryEntry, NewTaskRecord, TaskFilter } from '@sched/core';
import type { SqliteDatabase, SqliteDataStoreOptions } from '@sched/sqlite';
import { SqliteDataStore } from '@sched/sqlite';
import { claimAll, record } from '@sched-tooling/adapter-tests';
import { describe, expect, test } from 'vitest';
import { conditions, createStatements } from '../src/statements.js';
import { listeningTo } from './support.js';

async function openOn(database: SqliteDatabase, options: Partial<SqliteDataStoreOptions> = {}) {
  const given = { clock: () => 1000, ...options, database } as SqliteDataStoreOptions;
  const store = new SqliteDataStore(given);
  await store.open();
  return store;
}

describe('query plans', () => {
  const { list, count, remove, setPaused, ...fixed } = createStatements('sched_');
  const plansOf = (database: DatabaseSync, sql: string) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail));

  const where = (filter: TaskFilter) => conditions(filter, 0).where;

  /** Statement by name, and the index that has to serve it. */
  const statements: [string, string, string[]][] = [
    ['nextWakeAt', fixed.nextWakeAt, ['sched_tasks_due']],
    ['nextQueue', fixed.nextQueue, ['sched_tasks_due']],
    ['due', fixed.due, ['sched_tasks_due']],
    ['list', list(''), ['INTEGER PRIMARY KEY']],
    ['list by group', list(where({ group: 'g' })), ['sched_tasks_group']],
    ['list without group', list(where({ group: null })), ['INTEGER PRIMARY KEY']],
    [
      'list by everything',
      list(
        where({ group: 'g', name: 'n', queue: 'q', status: 'failed', paused: true, leased: true }),
      ),
      ['sched_tasks_group'],
    ],
    ['list by status', list(where({ status: 'failed' })), ['INTEGER PRIMARY KEY']],
    ['list by lease', list(where({ leased: false })), ['INTEGER PRIMARY KEY']],
    ['count by group', count(where({ group: 'g' })), ['sched_tasks_group']],
    ['remove by group', remove('group_name = ?'), ['sched_tasks_group']],
    ['remove by id', remove('id = ?'), ['sqlite_autoindex_sched_tasks']],
    ['pause by group', setPaused('group_name = ?'), ['sched_tasks_group']],
    ['pause by id', setPaused('id = ?'), ['sqlite_autoindex_sched_tasks']],
    ['history', fixed.history, ['sqlite_autoindex_sched_history']],
    ['latestHistory', fixed.latestHistory, ['sched_history_oldest']],
    ['forgetExcess', fixed.forgetExcess, ['PRIMARY KEY', 'sqlite_autoindex_sched_history']],
    ['forgetStale', fixed.forgetStale, ['PRIMARY KEY', 'sched_history_oldest']],
    ...(['get', 'update', 'extend', 'settle', 'settleByRemoval', 'release'] as const).map(
      (name): [string, string, string[]] => [name, fixed[name], ['sqlite_autoindex_sched_tasks']],
    ),
    ['lease', fixed.lease, ['INTEGER PRIMARY KEY']],
    ['horizon', fixed.horizon, ['INTEGER PRIMARY KEY']],
    ['counter', fixed.counter, ['PRIMARY KEY']],
    ['setCounter', fixed.setCounter, ['PRIMARY KEY']],
  ];

  /** Sorts the entries of one task, which are no more than are kept of one. */
  const isSorted = (name: string) => ['history', 'forgetExcess'].includes(name);

  test('every statement on a table but the plain inserts is looked at', () => {
    const names = statements.map(([name]) => name);
    expect(Object.keys(fixed).filter((name) => !names.includes(name))).toEqual([
      ...['insert', 'version', 'append'],
    ]);
  });

  describe.each([
    ['without statistics', false],
    ['with statistics of a bad moment', true],
  ])('%s', (_, isMisled) => {
    test.each(statements)('%s searches its index and scans nothing', async (...given) => {
      const [name, sql, indexes] = given;
      const database = new DatabaseSync(':memory:');
      await openOn(database);
      if (isMisled) {
        // As if taken when every task was in one queue and one group, and the table nearly empty.
        database.exec(`ANALYZE; DELETE FROM sqlite_stat1;
          INSERT INTO sqlite_stat1 SELECT tbl_name, name, '1000000 1000000 1000000'
            FROM sqlite_schema WHERE name IN ('sched_tasks_due', 'sched_tasks_group', 'sched_history_oldest');
          INSERT INTO sqlite_stat1 VALUES ('sched_tasks', NULL, '10'), ('sched_history', NULL, '10');
          ANALYZE sqlite_schema`);
      }
      const steps = plansOf(database, sql).filter(
        (detail) =>
          !detail.startsWith('LIST SUBQUERY') &&
          !(isSorted(name) && detail.startsWith('USE TEMP B-TREE')),
      );
      expect(steps).toHaveLength(indexes.length);
      for (const [index, used] of indexes.entries()) {
        expect(steps[index]).toMatch(/^SEARCH /);
        expect(steps[index]).toContain(used);
      }
      database.close();
    });
  });

  test('paused, finished and failed tasks are not in the due index', async () => {
    const database = new DatabaseSync(':memory:');
    const store = await openOn(database);
    await store.insert([
      record('due'),
      record('paused', { paused: true }),
      record('finished', { status: 'finished', runAt: null }),
      record('failed', { status: 'failed', runAt: null }),
    ]);
    const sql = "SELECT sum(ncell) AS entries FROM dbstat WHERE name = 'sched_tasks_due'";
    expect(database.prepare(sql).get()).toEqual({ entries: 1 });
  });
});

describe('history', () => {
  let runs = 0;

  /** Runs the task once more, with this in its history. */
  async function run(store: SqliteDataStore, taskId: string, at: number): Promise<void> {
    await store.insert([record(taskId, { runAt: 0 })]);
    const { tasks } = await store.claim(claimAll);
    const history = [{ taskId, id: `run-${++runs}`, at, body: '{}' }];
    const next = { status: 'scheduled', runAt: 0, body: '{}' } as const;
    await store.settle(
      tasks.map(({ id, lease, revision }) => ({
        ...{ id, token: lease.token, revision, next, history, spawn: [] },
      })),
    );
  }

  const ats = (entries: readonly HistoryEntry[]) => entries.map(({ at }) => at);
  const rows = (database: DatabaseSync) =>
    Number(database.prepare('SELECT count(*) AS n FROM sched_history').get()?.n);

  test('more than the limit is deleted, oldest first', async () => {
    const database = new DatabaseSync(':memory:');
    const store = await openOn(database, { historyLimit: 3 });
    for (const at of [5, 9, 7, 8, 6]) await run(store, 'a', at);
    expect(ats(await store.history('a', 99))).toEqual([9, 8, 7]);
    expect(rows(database)).toBe(3);
  });

  test('a large limit is kept to within reason, and read exactly', async () => {
    const database = new DatabaseSync(':memory:');
    const store = await openOn(database, { historyLimit: 160 });
    for (let at = 0; at < 1000; at++) await run(store, 'a', at);
    expect(ats(await store.history('a', 9999))).toHaveLength(160);
    // Each run deletes the excess with a probability of 1 in 40: that 600 in a row do not is seen once in four million times.
    expect(rows(database)).toBeLessThan(760);
  });

  test('a limit of none keeps and writes none', async () => {
    const database = listeningTo(new DatabaseSync(':memory:'));
    const store = await openOn(database, { historyLimit: 0 });
    await run(store, 'a', 5);
    expect(database.log.filter((sql) => sql.includes('INTO sched_history'))).toEqual([]);
    expect(await store.history('a', 99)).toEqual([]);
  });

  test('what is too old is not given, and is deleted as other tasks run', async () => {
    const database = new DatabaseSync(':memory:');
    let now = 0;
    const store = await openOn(database, { historyMaxAgeMs: 100, clock: () => now });
    for (let index = 0; index < 10; index++) await run(store, `old-${index}`, index);
    expect(ats(await store.history('old-0', 1))).toEqual([0]);
    now = 100;
    expect(ats(await store.history('old-0', 1))).toEqual([0]);
    now = 5000;
    expect(await store.history('old-0', 1)).toEqual([]);
    await store.remove({ all: true });
    const left: number[] = [];
    for (let index = 0; index < 5; index++) {
      await run(store, 'new', 5000 + index);
      left.push(rows(database));
    }
    expect(left).toEqual([9, 8, 7, 6, 5]);
  });
});

test('a listing looks at a stretch of the tasks a page, and finds the last of them', async () => {
  const store = await openOn(new DatabaseSync(':memory:'));
  const records: NewTaskRecord[] = Array.from({ length: 25_000 }, (_, index) =>
    record(`t${index}`),
  );
  await store.insert([...records, record('needle', { name: 'rare' })]);
  const pages: number[] = [];
  const found: string[] = [];
  for (let after: string | null = '0'; after !== null; ) {
    const page = await store.list({ name: 'rare', limit: 10, after });
    pages.push(page.tasks.length);
    found.push(...page.tasks.map(({ id }) => id));
    after = page.next;
  }
  expect(found).toEqual(['needle']);
  expect(pages).toEqual([0, 0, 1]);
});
