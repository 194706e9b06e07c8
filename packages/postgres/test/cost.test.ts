import type { ClaimedTask, HistoryEntry, NewTaskRecord } from '@sched/core';
import type { PostgresDataStore } from '@sched/postgres';
import { claimAll, record, records, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { type Logged, listeningTo, workbench } from './support.js';

await describeOn('postgres', 'the cost', ({ url }) => {
  const bench = workbench(url);

  /** An open store, and the statements that it makes. */
  async function listened(clock = () => 1000) {
    const schema = bench.schema();
    const pool = listeningTo(bench.pool());
    const store = await bench.open({ schema, pool, clock });
    const statementsOf = async (call: () => Promise<unknown>) => {
      const before = pool.log.length;
      await call();
      return pool.log.slice(before);
    };
    return { schema, store, statementsOf };
  }

  /** How many blocks a statement touches when it is made once more, which is then undone. */
  async function blocksOf([text, values]: Logged): Promise<number> {
    const client = await bench.client();
    const explained = async () => {
      await client.query('BEGIN');
      const sql = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`;
      const { rows } = await client.query(sql, values);
      await client.query('ROLLBACK');
      return rows[0]['QUERY PLAN'][0].Plan;
    };
    // The first time a connection reads the catalog as well.
    await explained();
    const plan = await explained();
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  }

  async function insertMany(store: PostgresDataStore, tasks: readonly NewTaskRecord[]) {
    await store.insert(tasks);
  }

  test('of every call is one statement, however many items it has', async () => {
    const { store, statementsOf } = await listened();
    const many = records(1000, 'task-');
    const ids = many.map(({ id }) => id);
    const count = async (call: () => Promise<unknown>) =>
      (await statementsOf(call)).filter(([text]) => !text.includes('pg_notify')).length;
    expect(await count(() => store.insert(many))).toBe(1);
    expect(await count(() => store.get(ids))).toBe(1);
    expect(await count(() => store.list({ limit: 1000, name: 'job' }))).toBe(1);
    expect(await count(() => store.setPaused({ ids }, true))).toBe(1);
    expect(await count(() => store.setPaused({ ids }, false))).toBe(1);
    const { tasks } = await store.claim(claimAll);
    expect(tasks).toHaveLength(1000);
    const leases = tasks.map(({ id, lease }) => ({ id, token: lease.token }));
    expect(await count(() => store.extend(leases, 1000))).toBe(1);
    expect(await count(() => store.release(leases))).toBe(1);
    const claimed: Awaited<ReturnType<typeof store.claim>>[] = [];
    expect(await count(async () => claimed.push(await store.claim(claimAll)))).toBe(1);
    const settlements = (claimed[0]?.tasks ?? []).map((task) =>
      settlement(task, {
        history: [{ taskId: task.id, id: 'run', at: 1000, body: '{}' }],
        spawn: [record(`${task.id}+`)],
      }),
    );
    expect(await count(() => store.settle(settlements))).toBe(1);
    expect(await count(() => store.remove({ ids }))).toBe(1);
    expect(await count(() => store.update('task-1+', { body: '1' }, { revision: 1 }))).toBe(1);
    expect(await count(() => store.history('task-1', 10))).toBe(1);
    expect(await count(() => store.count({}))).toBe(1);
  });

  test('of a claim does not grow with what is not due', async () => {
    const { store, statementsOf } = await listened();
    const claim = async () => {
      const [statement] = await statementsOf(() => store.claim({ ...claimAll, limit: 10 }));
      if (!statement) throw new Error('a claim is a statement');
      return blocksOf(statement);
    };
    await store.insert(records(100, 'due-'));
    const idle = { ...claimAll, queues: ['idle'] };
    await store.insert([record('idle', { queue: 'idle', runAt: 5000 })]);
    const [before, idleBefore] = [await claim(), (await statementsOf(() => store.claim(idle)))[0]];
    const idleBlocks = await blocksOf(idleBefore ?? ['', []]);
    for (const queue of ['q', 'idle']) {
      await insertMany(store, records(20_000, `far-${queue}-`, { runAt: 1e12, queue }));
      await insertMany(store, records(5000, `paused-${queue}-`, { paused: true, queue }));
      const done = { runAt: null, status: 'finished', queue } as const;
      await insertMany(store, records(5000, `finished-${queue}-`, done));
    }
    expect(await claim()).toBeLessThanOrEqual(before * 2);
    const [idleAfter] = await statementsOf(() => store.claim(idle));
    expect(await blocksOf(idleAfter ?? ['', []])).toBeLessThanOrEqual(idleBlocks * 2);
  });

  test.each([
    ['none', ''],
    ['of a table that was empty', 'ANALYZE'],
    ['of a table with one task in another queue', 'one'],
    ['of many tasks in many queues', 'many'],
  ])('of a claim does not grow with the backlog, whatever the statistics: %s', async (_, kind) => {
    const { schema, store, statementsOf } = await listened();
    if (kind === 'one') await store.insert([record('one', { queue: 'other' })]);
    if (kind === 'many') {
      const queues = Array.from({ length: 500 }, (__, index) => `queue-${index}`);
      await store.insert(queues.map((queue) => record(queue, { queue, runAt: 1e12 })));
    }
    if (kind !== '') await bench.query(`ANALYZE ${schema}.sched_tasks`);
    // Due all along the index, so that a plan which sorts would have to look at each.
    const due = Array.from({ length: 20_000 }, (__, index) =>
      record(`due-${(index * 7919) % 20_000}`, { runAt: index % 997 }),
    );
    await insertMany(store, due);
    // Several times, because a plan is made anew for the first few and then kept.
    for (let round = 0; round < 8; round++) {
      const request = { ...claimAll, queues: ['none', 'q', 'nothing'], limit: 10 };
      const [statement] = await statementsOf(() => store.claim(request));
      expect(await blocksOf(statement ?? ['', []])).toBeLessThan(300);
    }
  });

  test('of a settlement, an extension and a release does not grow with the table', async () => {
    const { store, statementsOf } = await listened();
    await store.insert(records(30, 'held-'));
    const { tasks } = await store.claim({ ...claimAll, limit: 10 });
    const leases = tasks.map(({ id, lease }) => ({ id, token: lease.token }));
    await insertMany(store, records(20_000, 'far-', { runAt: 1e12 }));
    const calls = [
      () => store.extend(leases, 2000),
      () => store.settle(tasks.slice(0, 5).map((task) => settlement(task))),
      () => store.release(leases.slice(5)),
      () => store.get(leases.map(({ id }) => id)),
      () => store.update('held-20', { body: '1' }, { revision: 0 }),
      () => store.setPaused({ ids: ['held-1'] }, true),
      () => store.remove({ ids: ['held-1', 'held-2'] }),
    ];
    for (const call of calls) {
      const [statement] = await statementsOf(call);
      expect(await blocksOf(statement ?? ['', []])).toBeLessThan(250);
    }
  });

  test.each([
    ['none', ''],
    ['of a history of one task', 'ANALYZE'],
  ])(
    'of a history does not grow with that of other tasks, whatever the statistics: %s',
    async (_, analyze) => {
      const schema = bench.schema();
      const pool = listeningTo(bench.pool());
      // With this limit every entry has the excess looked for.
      const store = await bench.open({ schema, pool, historyLimit: 4, historyMaxAgeMs: 1e12 });
      await store.insert([record('mine')]);
      const [task] = (await store.claim(claimAll)).tasks;
      if (!task) throw new Error('a task was claimed');
      await bench.query(`INSERT INTO ${schema}.sched_history (task_id, id, at, seq, body)
      SELECT 'mine', 'old-' || n, n, n, '{}' FROM generate_series(1, 3) AS n`);
      if (analyze) await bench.query(`ANALYZE ${schema}.sched_history`);
      await bench.query(`INSERT INTO ${schema}.sched_history (task_id, id, at, seq, body)
      SELECT 'other-' || n, 'run', 1000 + n, n, '{}' FROM generate_series(1, 20000) AS n`);
      const before = pool.log.length;
      await store.settle([
        settlement(task, { history: [{ taskId: 'mine', id: 'run', at: 900, body: '{}' }] }),
      ]);
      expect((await store.history('mine', 10)).map(({ id }) => id)).toEqual([
        ...['run', 'old-3', 'old-2', 'old-1'],
      ]);
      const statements = pool.log.slice(before).filter(([text]) => !text.includes('pg_notify'));
      expect(statements).toHaveLength(2);
      for (const statement of statements) expect(await blocksOf(statement)).toBeLessThan(100);
    },
  );

  test.each([
    ['as it is', false],
    ['when all tasks were in the group', true],
  ])(
    'of looking for a group is that of the group, with the statistics of the table %s',
    async (_, isEarly) => {
      const { schema, store, statementsOf } = await listened();
      const analyze = () => bench.query(`ANALYZE ${schema}.sched_tasks`);
      await store.insert(records(20, 'task-', { group: 'small' }));
      if (isEarly) await analyze();
      // Before and after the group in the order of ids.
      for (const prefix of ['other-', 'zother-']) {
        await insertMany(store, records(10_000, prefix, { runAt: 1e12, group: 'large' }));
      }
      if (!isEarly) await analyze();
      const listings = [
        () => store.list({ group: 'small', limit: 100 }),
        () => store.list({ group: 'small', limit: 1 }),
      ];
      // What has to look at all of a group looks at the whole table where the statistics say that this is the group.
      const thorough = [
        () => store.list({ group: 'small', name: 'none', limit: 1 }),
        () => store.count({ group: 'small' }),
        () => store.setPaused({ group: 'small' }, true),
        () => store.remove({ group: 'small' }),
      ];
      const calls = isEarly ? listings : [...listings, ...thorough];
      for (const [index, call] of calls.entries()) {
        const [statement] = await statementsOf(call);
        if (!statement) throw new Error('a call is a statement');
        expect([index, await blocksOf(statement)]).toEqual([
          index,
          expect.toSatisfy((n) => n < 250),
        ]);
      }
    },
  );

  test('a page of a listing looks at a stretch of the tasks, and the last one is found', async () => {
    const { store } = await listened();
    await insertMany(store, [...records(25_000, 'task-'), record('zz', { name: 'rare' })]);
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

  // Without what ClaimStarts remembers, these come to more than 20 times as much.
  test.each([
    ['due at one moment', 0],
    ['due one after another', 1],
  ])(
    'of a claim grows at most twofold while an old transaction keeps the dead: tasks %s',
    async (_, spacingMs) => {
      const drained = async (isHeld: boolean) => {
        let now = 1e12;
        const { schema, store, statementsOf } = await listened(() => now);
        if (isHeld) {
          const client = await bench.client();
          await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
          await client.query('SELECT pg_current_xact_id()');
        }
        const due = records(6000, 'task-').map((task, index) => ({
          ...task,
          runAt: now + index * spacingMs,
        }));
        await store.insert(due);
        for (let done = 0; done < 5800; done += 100) {
          now += 100;
          const { tasks } = await store.claim({ ...claimAll, limit: 100, leaseMs: 10 });
          expect(tasks).toHaveLength(100);
          await store.settle(tasks.map((task) => settlement(task, { next: null })));
        }
        await bench.query(`VACUUM ${schema}.sched_tasks`);
        now += 100;
        const [statement] = await statementsOf(() =>
          store
            .claim({ ...claimAll, limit: 50 })
            .then(({ tasks }) => expect(tasks).toHaveLength(50)),
        );
        // What a claim found in its place, another finds after it.
        return blocksOf(statement ?? ['', []]);
      };
      const free = await drained(false);
      expect(await drained(true)).toBeLessThanOrEqual(free * 2);
    },
  );
});

await describeOn('postgres', 'what a claim skips', ({ url }) => {
  const bench = workbench(url);

  /** Drains so many tasks that the store knows where to begin, and says what it can move in time. */
  async function experienced(prepare = async (_store: PostgresDataStore, _now: number) => {}) {
    let now = 1_000_000;
    const schema = bench.schema();
    const store = await bench.open({ schema, clock: () => now });
    const other = await bench.open({ schema, clock: () => now });
    const ids = (tasks: readonly { readonly id: string }[]) => tasks.map(({ id }) => id);
    await prepare(other, now);
    for (let round = 0; round < 12; round++) {
      now += 1000;
      await store.insert(records(100, `round-${round}-`, { runAt: now }));
      const { tasks } = await store.claim({ ...claimAll, limit: 100 });
      await store.settle(tasks.map((task) => settlement(task, { next: null })));
    }
    return {
      store,
      other,
      claimed: async (leaseMs = 1000) => ids((await store.claim({ ...claimAll, leaseMs })).tasks),
      get now() {
        return now;
      },
      move(ms: number) {
        now += ms;
      },
    };
  }

  test('is never a task that somebody moves into the past', async () => {
    let moment = 0;
    const held: ClaimedTask[] = [];
    const { other, claimed } = await experienced(async (store, now) => {
      moment = now;
      await store.insert([
        record('edited', { runAt: 1e12 }),
        record('moved', { runAt: now, queue: 'elsewhere' }),
        record('paused', { runAt: now, paused: true }),
        ...['released', 'settled', 'spawner'].map((id) => record(id, { runAt: now })),
      ]);
      held.push(...(await store.claim({ ...claimAll, leaseMs: 1e9 })).tasks);
    });
    expect(held).toHaveLength(3);
    const fresh = async (id: string) => {
      const [task] = await other.get([id]);
      if (!task) throw new Error(`${id} exists`);
      return task;
    };
    const next = { status: 'scheduled', runAt: moment, body: '{}' } as const;
    const moves: Record<string, () => Promise<unknown>> = {
      old: () => other.insert([record('old', { runAt: moment })]),
      ancient: () => other.insert([record('ancient', { runAt: -8.64e15 })]),
      edited: async () => other.update('edited', { runAt: moment }, await fresh('edited')),
      moved: async () => other.update('moved', { queue: 'q' }, await fresh('moved')),
      paused: () => other.setPaused({ ids: ['paused'] }, false),
      released: () =>
        other.release([
          { id: 'released', token: held.find(({ id }) => id === 'released')?.lease.token ?? 0 },
        ]),
      settled: async () => other.settle([settlement(await fresh('settled'), { next })]),
      spawned: async () => {
        const spawn = [record('spawned', { runAt: moment })];
        await other.settle([settlement(await fresh('spawner'), { next: null, spawn })]);
      },
    };
    for (const [id, move] of Object.entries(moves)) {
      expect(await claimed()).toEqual([]);
      await move();
      expect(await claimed(1e9)).toEqual([id]);
    }
  });

  test('is never a task whose lease runs out, or whose transaction took its time', async () => {
    const at = await experienced();
    const client = await bench.client();
    await client.query('BEGIN');
    const inside = at.store.withTransaction(client);
    await inside.insert([record('late-commit', { runAt: at.now })]);
    await at.store.insert([record('leased', { runAt: at.now })]);
    expect(await at.claimed()).toEqual(['leased']);
    at.move(500);
    for (let round = 0; round < 12; round++) {
      at.move(1000);
      const leased = round === 0 ? 1 : 0;
      await at.store.insert(records(100, `more-${round}-`, { runAt: at.now }));
      const { tasks } = await at.store.claim({
        ...claimAll,
        limit: 100 + leased,
        leaseMs: 100_000,
      });
      expect(tasks).toHaveLength(100 + leased);
      const settled = tasks.filter(({ id }) => id !== 'leased');
      await at.store.settle(settled.map((task) => settlement(task, { next: null })));
    }
    await client.query('COMMIT');
    expect(await at.claimed()).toEqual(['late-commit']);
    at.move(100_000);
    expect((await at.claimed()).sort()).toEqual(['late-commit', 'leased']);
  });

  test('is nothing when the clock is set back', async () => {
    const at = await experienced();
    at.move(-60_000);
    await at.other.insert([record('before', { runAt: at.now })]);
    expect(await at.claimed()).toEqual(['before']);
    await at.other.insert([record('again', { runAt: at.now })]);
    at.move(120_000);
    expect((await at.claimed()).sort()).toEqual(['again', 'before']);
  });
});

await describeOn('postgres', 'history', ({ url }) => {
  const bench = workbench(url);
  let runs = 0;

  /** Runs the task once more, with this in its history. */
  async function run(store: PostgresDataStore, taskId: string, ...ats: number[]): Promise<void> {
    const next = { status: 'scheduled', runAt: 0, body: '{}' } as const;
    await store.insert([record(taskId, { runAt: 0 })]);
    const { tasks } = await store.claim(claimAll);
    const history = ats.map((at) => ({ taskId, id: `run-${++runs}`, at, body: '{}' }));
    await store.settle(tasks.map((task) => settlement(task, { next, history })));
  }

  const ats = (entries: readonly HistoryEntry[]) => entries.map(({ at }) => at);
  const rows = async (schema: string) =>
    (await bench.query(`SELECT count(*)::int AS n FROM ${schema}.sched_history`))[0]?.n;

  test('of more than the limit is deleted, oldest first', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema, historyLimit: 3 });
    for (const at of [5, 9, 7, 8, 6]) await run(store, 'a', at);
    expect(ats(await store.history('a', 99))).toEqual([9, 8, 7]);
    expect(await rows(schema)).toBe(3);
  });

  test('of a large limit is kept to within reason, and read exactly', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema, historyLimit: 160 });
    for (let at = 0; at < 3000; at += 100) {
      await run(store, 'a', ...Array.from({ length: 100 }, (_, index) => at + index));
    }
    expect(ats(await store.history('a', 9999))).toHaveLength(160);
    // Each entry has the excess deleted with a probability of 1 in 40: that of 1,000 none does, no lifetime will see.
    expect(await rows(schema)).toBeLessThan(1260);
  });

  test('of a limit of none is neither kept nor written', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema, historyLimit: 0 });
    await run(store, 'a', 5);
    expect(await store.history('a', 99)).toEqual([]);
    expect(await rows(schema)).toBe(0);
  });

  test('may be kept for ever', async () => {
    const schema = bench.schema();
    const unlimited = Number.POSITIVE_INFINITY;
    const limits = { historyLimit: unlimited, historyMaxAgeMs: unlimited };
    const store = await bench.open({ schema, ...limits, clock: () => 8e15 });
    const many = Array.from({ length: 500 }, (_, index) => index);
    await store.insert([record('a')]);
    for (let from = 0; from < 500; from += 100)
      await run(store, 'a', ...many.slice(from, from + 100));
    expect(ats(await store.history('a', unlimited))).toEqual(many.toReversed());
  });

  test('that is too old is not given, and is deleted as other tasks run', async () => {
    let now = 0;
    const schema = bench.schema();
    const store = await bench.open({
      schema,
      historyLimit: 4,
      historyMaxAgeMs: 100,
      clock: () => now,
    });
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
      left.push(await rows(schema));
    }
    expect(left).toEqual([9, 8, 7, 6, 4]);
  });
});
