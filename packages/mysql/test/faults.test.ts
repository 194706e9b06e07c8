import { MysqlDataStore } from '@sched/mysql';
import {
  claimAll,
  claimOne,
  clash,
  createProxy,
  failure,
  record,
  records,
  settlement,
  testCutCalls,
} from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import type mysql from 'mysql2/promise';
import { expect, test } from 'vitest';
import { databaseUrl, freshName } from './place.js';
import { listening, workbench } from './support.js';

/** Every answer of the server ends with a packet that says OK, or EOF, and that no other result follows. */
function isDone(answer: Buffer): boolean {
  let last = 0;
  for (let next = 0; next < answer.length; next += 4 + answer.readUIntLE(next, 3)) last = next;
  return [0, 0xfe].includes(answer[last + 4] ?? -1) && (answer.readUInt16LE(last + 7) & 8) === 0;
}

/** Finds the statement that a call comes to: the end of its transaction, or the first that is none of one. */
function decisive() {
  let isInside = false;
  return (request: Buffer): boolean => {
    const sql = request.toString('latin1');
    if (sql.includes('START TRANSACTION')) isInside = true;
    if (/COMMIT|ROLLBACK/.test(sql)) isInside = false;
    return !isInside && !/SET TRANSACTION|ROLLBACK|SELECT wake_at/.test(sql);
  };
}

await describeOnEach(
  ['mysql', 'mariadb'],
  'a connection cut in the middle of a call',
  ({ url }) => {
    const bench = workbench(url);

    testCutCalls({
      url,
      isDone,
      isMeant: decisive(),
      async open(address, clock) {
        const uri = databaseUrl(address, new URL(await bench.database()).pathname.slice(1));
        return bench.open({ connection: { uri, connectionLimit: 1 }, clock });
      },
    });

    test.each(['before', 'after'] as const)('opening: %s', async (when) => {
      const proxy = await createProxy(await bench.database());
      bench.later(() => proxy.close());
      const store = new MysqlDataStore({ url: proxy.url });
      bench.later(() => store.close());
      proxy.cutNext(when);
      await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
      await store.open();
      expect(await store.count({})).toBe(0);
    });

    test('that is idle: the next call has another', async () => {
      const proxy = await createProxy(await bench.database());
      bench.later(() => proxy.close());
      const store = await bench.open({ url: proxy.url });
      expect(await store.count({})).toBe(0);
      proxy.cutAll();
      const isBack = async () => (await store.count({}).catch(() => undefined)) === 0;
      await expect.poll(isBack).toBe(true);
    });
  },
);

await describeOnEach(['mysql', 'mariadb'], 'another transaction in the way', ({ url }) => {
  const bench = workbench(url);

  test.each([
    ['a deadlock', 1213, 10],
    ['a lock held for long', 1205, 2],
    ['what an interrupted call has left', 1568, 2],
  ])('is no failure unless it stays there: %s', async (_, errno, tries) => {
    const database = await bench.database();
    const pool = bench.pool(database);
    let left = 0;
    const failing = listening(pool, (sql) => {
      if (sql !== 'ROLLBACK' && left-- > 0) throw Object.assign(new Error('in the way'), { errno });
    });
    const store = await bench.open({ pool: failing });
    left = tries - 1;
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    left = tries;
    const error = await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
    expect(error.cause).toMatchObject({ errno });
    left = 1;
    const connection = await bench.connection(database);
    await connection.beginTransaction();
    const inside = store.withTransaction({
      query(statement: mysql.QueryOptions) {
        if (!statement.sql.includes('INSERT')) return connection.query(statement);
        throw Object.assign(new Error('in the way'), { errno });
      },
    });
    await failure(() => inside.insert([record('b')]), 'SCHED_STORE_UNAVAILABLE');
    await connection.rollback();
  });

  test('a call that is interrupted changes nothing and leaves no transaction behind', async () => {
    const database = await bench.database();
    const pool = bench.pool(database, { connectionLimit: 1 });
    const store = await bench.open({ pool });
    await store.insert([record('a'), record('b')]);
    const { tasks } = await store.claim(claimAll);
    const [[{ id }]] = (await pool.query('SELECT CONNECTION_ID() AS id')) as unknown as [
      [{ id: number }],
    ];
    const other = await bench.connection(database);
    await other.beginTransaction();
    await other.query("SELECT * FROM sched_tasks WHERE id = 'b' FOR UPDATE");
    const settling = store.settle(tasks.map((task) => settlement(task, { next: null })));
    const outcome = failure(() => settling, 'SCHED_STORE_UNAVAILABLE');
    const watcher = await bench.connection(database);
    const states = async () => {
      const [rows] = await watcher.query<mysql.RowDataPacket[]>(
        `SELECT trx_state FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = ${id}`,
      );
      return rows.map((row) => row.trx_state);
    };
    // The server takes a new look at its transactions when nobody has asked for a tenth of a second.
    const patience = { interval: 200, timeout: 10_000 };
    await expect.poll(states, patience).toEqual(['LOCK WAIT']);
    await watcher.query(`KILL QUERY ${id}`);
    expect((await outcome).cause).toMatchObject({ errno: 1317 });
    await expect.poll(states, patience).toEqual([]);
    await other.rollback();
    expect(await store.count({})).toBe(2);
    expect(await store.settle(tasks.map((task) => settlement(task, { next: null })))).toEqual([
      'settled',
      'settled',
    ]);
  });

  test('a claim does not wait for tasks that another transaction holds', async () => {
    const database = await bench.database();
    const store = await bench.open({ url: database });
    await store.insert(records(10, 'task-'));
    const other = await bench.connection(database);
    await other.beginTransaction();
    await other.query("UPDATE sched_tasks SET body = '1' WHERE id IN ('task-3', 'task-5')");
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(tasks.map(({ id }) => id)).toHaveLength(8);
    expect(nextWakeAt).toBe(1000);
    await other.commit();
    expect((await store.claim(claimAll)).tasks.map(({ id }) => id).sort()).toEqual([
      'task-3',
      'task-5',
    ]);
  });

  test('calls about the same tasks at once never lock each other out', async () => {
    const database = await bench.database();
    const store = await bench.open({ url: database });
    const other = await bench.open({ url: database });
    await clash(store, other, { rounds: 15, count: 60, spawned: 5 });
    expect(await other.count({})).toBe(0);
  });

  test('a claim that finds all that is due locked looks until some of it is free', async () => {
    const database = await bench.database();
    const other = await bench.connection(database);
    let looks = 0;
    const pool = listening(bench.pool(database), (sql) => {
      // Ten times are longer than it takes a server that is not busy.
      if (sql.includes('SKIP LOCKED') && ++looks === 10) void other.query('COMMIT');
    });
    const store = await bench.open({ pool });
    await store.insert([record('held')]);
    await other.query('START TRANSACTION');
    await other.query("SELECT id FROM sched_tasks WHERE id = 'held' FOR UPDATE");
    expect((await store.claim(claimAll)).tasks).toMatchObject([{ id: 'held' }]);
    expect(looks).toBeGreaterThanOrEqual(10);
  });
});

await describeOnEach(['mysql', 'mariadb'], 'TLS', ({ url, title }) => {
  const bench = workbench(url);

  test('that the server refuses, or does not prove itself by, is named', async () => {
    const connection = { uri: url, ssl: {} };
    const error = await failure(() => bench.open({ connection }), 'SCHED_STORE_CONFIG');
    const message = title.startsWith('MySQL') ? /self-signed.*Check ssl/ : /secure.*Check ssl/;
    expect(error.message).toMatch(message);
  });
});

await describeOn(
  ['mysql', 'mariadb'],
  'a server that crashes',
  (...servers) => {
    for (const server of servers) {
      const bench = workbench(server.url);

      test(`${server.title}: comes back with its tasks, and numbers go on`, async () => {
        const database = freshName();
        await bench.query(`CREATE DATABASE ${database}`);
        const url = databaseUrl(server.url, database);
        const store = await bench.open({ url });
        await store.insert([record('kept')]);
        const { lease } = await claimOne(store);
        await server.stop({ kill: true });
        await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
        await failure(() => store.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
        await failure(() => new MysqlDataStore({ url }).open(), 'SCHED_STORE_UNAVAILABLE');
        await server.start();
        expect(await store.count({})).toBe(1);
        expect(await store.release([{ id: 'kept', token: lease.token }])).toEqual(['released']);
        expect((await claimOne(store)).lease.token).toBeGreaterThan(lease.token);
      });
    }
  },
  { own: true },
);
