import type { NewTaskRecord } from '@sched/core';
import {
  claimAll,
  claimOne,
  leaseOf,
  record,
  records,
  settlement,
} from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import type mysql from 'mysql2/promise';
import { expect, test } from 'vitest';
import { listening, workbench } from './support.js';

await describeOnEach(['mysql', 'mariadb'], 'the cost', ({ url }) => {
  const bench = workbench(url);

  /** A store that has its only connection in common with the test, to see there what its calls come to. */
  async function measured(historyLimit = 100) {
    const connection = await bench.connection(await bench.database());
    const store = await bench.open({ pool: connection, historyLimit, historyMaxAgeMs: 1e12 });
    const handled = async () => {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(
        "SHOW SESSION STATUS LIKE 'Handler%'",
      );
      return new Map(rows.map((row) => [String(row.Variable_name), Number(row.Value)]));
    };
    /** How often the storage was asked for a row, or changed one. */
    const rowsOf = async (call: () => Promise<unknown>) => {
      // Asking costs something as well, and more the first time.
      const [, first, before] = [await handled(), await handled(), await handled()];
      await call();
      const after = await handled();
      const sum = (pattern: RegExp) =>
        [...after].reduce((total, [name, count]) => {
          const [from = 0, of = 0] = [first.get(name), before.get(name)];
          return pattern.test(name) ? total + count - of - (of - from) : total;
        }, 0);
      return { read: sum(/^Handler_read/), changed: sum(/^Handler_(update|delete)$/) };
    };
    return { store, connection, rowsOf };
  }

  test('of every call is a few statements, however many items it has', async () => {
    const log: string[] = [];
    const pool = listening(bench.pool(await bench.database()), (sql) => log.push(sql));
    const store = await bench.open({ pool });
    const count = async (call: () => Promise<unknown>) => {
      log.length = 0;
      await call();
      return log.length;
    };
    // Takes numbers for the revisions to come.
    await store.insert([record('first', { runAt: 1e12 })]);
    const many = records(1000, 'task-');
    const ids = many.map(({ id }) => id);
    expect(await count(() => store.insert(many))).toBe(1);
    expect(await count(() => store.get(ids))).toBe(1);
    expect(await count(() => store.list({ limit: 1000, group: 'g' }))).toBe(1);
    expect(await count(() => store.list({ limit: 1000, name: 'job' }))).toBe(2);
    expect(await count(() => store.setPaused({ ids }, true))).toBe(1);
    expect(await count(() => store.setPaused({ all: true }, false))).toBe(7);
    const { tasks } = await store.claim(claimAll);
    expect(tasks).toHaveLength(1000);
    const leases = tasks.map(leaseOf);
    expect(await count(() => store.extend(leases, 1000))).toBe(2);
    expect(await count(() => store.release(leases))).toBe(5);
    const claimed: (typeof tasks)[number][] = [];
    const claim = async () => claimed.push(...(await store.claim(claimAll)).tasks);
    expect(await count(claim)).toBe(8);
    const settlements = claimed.map((task) =>
      settlement(task, {
        history: [{ taskId: task.id, id: 'run', at: 1000, body: '{}' }],
        spawn: [record(`${task.id}+`)],
      }),
    );
    expect(await count(() => store.settle(settlements))).toBeLessThan(11);
    expect(await count(() => store.remove({ ids }))).toBe(1);
    expect(await count(() => store.update('task-1+', { body: '1' }, { revision: 1 }))).toBe(2);
    expect(await count(() => store.history('task-1', 10))).toBe(1);
    expect(await count(() => store.count({}))).toBe(1);
  });

  test('of a claim that finds nothing is a few reads, and no write', async () => {
    const { store, rowsOf } = await measured();
    await store.insert([record('a'), record('b', { queue: 'other' })]);
    const { token } = (await claimOne(store)).lease;
    for (let times = 0; times < 10; times++) {
      const { read, changed } = await rowsOf(() => store.claim(claimAll));
      expect(read).toBeLessThan(20);
      expect(changed).toBe(0);
    }
    const [other] = (await store.claim({ ...claimAll, queues: ['q', 'other'] })).tasks;
    expect(other?.lease.token).toBe(token + 1000);
  });

  test('of a claim does not grow with what is not due', async () => {
    const { store, connection, rowsOf } = await measured();
    const analyze = () => connection.query('ANALYZE TABLE sched_tasks');
    await store.insert(records(100, 'due-'));
    await store.insert([record('idle', { queue: 'idle', runAt: 5000 })]);
    const busy = () => rowsOf(() => store.claim({ ...claimAll, limit: 10 }));
    const idle = () => rowsOf(() => store.claim({ ...claimAll, queues: ['none', 'idle'] }));
    const before = [(await busy()).read, (await idle()).read];
    await analyze();
    for (const queue of ['q', 'idle']) {
      const kinds: readonly Partial<NewTaskRecord>[] = [
        { runAt: 1e12 },
        { paused: true },
        { runAt: null, status: 'finished' },
        { runAt: 1 },
      ];
      for (const [index, members] of kinds.entries()) {
        await store.insert(records(20_000, `${queue}-${index}-`, { ...members, queue }));
      }
      // The last of these are leased, and were due before all others.
      const { tasks } = await store.claim({
        ...claimAll,
        queues: [queue],
        limit: 20_000,
        leaseMs: 1e9,
      });
      expect(tasks.every((task) => task.runAt === 1)).toBe(true);
    }
    for (const statistics of [async () => {}, analyze]) {
      await statistics();
      const after = [(await busy()).read, (await idle()).read];
      for (const [index, read] of after.entries()) {
        expect(read).toBeLessThanOrEqual((before[index] ?? 0) + 10);
      }
    }
  });

  test('of a claim does not grow with the backlog, whatever the statistics', async () => {
    const { store, connection, rowsOf } = await measured();
    await connection.query('ANALYZE TABLE sched_tasks');
    // Due all along the index, so that a plan which sorts would have to look at each.
    const due = Array.from({ length: 20_000 }, (_, index) =>
      record(`due-${(index * 7919) % 20_000}`, { runAt: index % 997 }),
    );
    await store.insert(due);
    const request = { ...claimAll, queues: ['none', 'q', 'nothing'], limit: 10 };
    for (let round = 0; round < 4; round++) {
      if (round === 2) await connection.query('ANALYZE TABLE sched_tasks');
      expect((await rowsOf(() => store.claim(request))).read).toBeLessThan(150);
    }
  });

  test('of every other call does not grow with the table', async () => {
    const { store, rowsOf } = await measured();
    await store.insert(records(30, 'held-', { group: 'small' }));
    const { tasks } = await store.claim({ ...claimAll, limit: 10 });
    const leases = tasks.map(leaseOf);
    await store.insert(records(20_000, 'far-', { runAt: 1e12, group: 'large' }));
    const ids = leases.map(({ id }) => id);
    const calls = [
      () => store.extend(leases, 2000),
      () => store.settle(tasks.slice(0, 5).map((task) => settlement(task))),
      () => store.release(leases.slice(5)),
      () => store.get(ids),
      () => store.update('held-20', { body: '1' }, { revision: 0 }),
      () => store.list({ limit: 10 }),
      () => store.list({ group: 'small', limit: 10 }),
      () => store.list({ group: 'small', limit: 10, name: 'rare' }),
      () => store.count({ group: 'small' }),
      () => store.insert([record('held-1'), record('new')]),
      () => store.setPaused({ ids }, true),
      () => store.setPaused({ group: 'small' }, false),
      () => store.remove({ ids: ids.slice(0, 2) }),
      () => store.remove({ group: 'small' }),
    ];
    for (const [index, call] of calls.entries()) {
      const { read } = await rowsOf(call);
      expect([index, read]).toEqual([index, expect.toSatisfy((rows) => rows < 250)]);
    }
  });

  test('of a history does not grow with that of other tasks', async () => {
    // With this limit every entry has the excess looked for.
    const { store, connection, rowsOf } = await measured(4);
    await store.insert([record('mine')]);
    const task = await claimOne(store);
    const numbers = Array.from({ length: 20_000 }, (_, index) => index);
    await connection.query(
      `INSERT INTO sched_history (task_id, id, at, seq, body) VALUES ('mine', 'old-1', 1, 1, '{}'),
      ('mine', 'old-2', 2, 2, '{}'), ('mine', 'old-3', 3, 3, '{}'), ('mine', 'old-4', 4, 4, '{}'),
      ${numbers.map((n) => `('other-${n}', 'run', ${1000 + n}, ${5 + n}, '{}')`).join()}`,
    );
    const history = [{ taskId: 'mine', id: 'run', at: 900, body: '{}' }];
    const settling = await rowsOf(() => store.settle([settlement(task, { history })]));
    expect(settling.read).toBeLessThan(100);
    const reading = await rowsOf(async () => {
      const entries = await store.history('mine', 10);
      expect(entries.map(({ id }) => id)).toEqual(['run', 'old-4', 'old-3', 'old-2']);
    });
    expect(reading.read).toBeLessThan(20);
    const [kept] = await connection.query("SELECT id FROM sched_history WHERE task_id = 'mine'");
    expect(kept).toHaveLength(4);
  });

  test('of a history that is too old is paid along with settlements', async () => {
    const { store, connection } = await measured(4);
    await connection.query(
      `INSERT INTO sched_history (task_id, id, at, body) VALUES
      ${records(50, 'old-')
        .map(({ id }) => `('${id}', 'run', -2000000000000, '{}')`)
        .join()}`,
    );
    const left = async () => {
      await store.insert([record('a')]);
      const task = await claimOne(store);
      const history = [{ taskId: 'a', id: `${task.lease.token}`, at: 900, body: '{}' }];
      await store.settle([settlement(task, { next: null, history })]);
      const [rows] = await connection.query('SELECT id FROM sched_history WHERE at < 0');
      return (rows as unknown[]).length;
    };
    expect(await left()).toBe(48);
    expect(await left()).toBe(46);
  });

  test('a page of a listing looks at a stretch of the tasks, and the last one is found', async () => {
    const { store } = await measured();
    await store.insert([...records(25_000, 'task-'), record('zz', { name: 'rare' })]);
    const pages: number[] = [];
    const found: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = await store.list({ name: 'rare', limit: 10, ...(after && { after }) });
      pages.push(page.tasks.length);
      found.push(...page.tasks.map(({ id }) => id));
      after = page.next;
    }
    expect(found).toEqual(['zz']);
    expect(pages).toEqual([0, 0, 1]);
  });
});
