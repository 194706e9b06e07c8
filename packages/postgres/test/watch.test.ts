import type { WakeUp } from '@sched/core';
import { PostgresDataStore } from '@sched/postgres';
import {
  claimAll,
  createProxy,
  failure,
  record,
  records,
  settlement,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import pg from 'pg';
import { expect, test } from 'vitest';
import { listeningTo, workbench } from './support.js';

/** The connections that listen for the tasks in a schema. */
const listening = `SELECT pid, usename FROM pg_stat_activity
  WHERE query = 'LISTEN "' || $1 || '.sched"' AND pid <> pg_backend_pid()`;

await describeOn('postgres', 'watching', ({ url }) => {
  const bench = workbench(url);

  test('takes one connection of its own, however many watch, for as long as somebody does', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    const connections = async () => (await bench.query(listening, [schema])).length;
    const stops = await Promise.all([1, 2, 3].map(() => store.watch(() => {})));
    expect(await connections()).toBe(1);
    await Promise.all(stops.slice(1).map((stop) => stop()));
    expect(await connections()).toBe(1);
    await stops[0]?.();
    await expect.poll(connections).toBe(0);
    await store.watch(() => {});
    expect(await connections()).toBe(1);
    await store.close();
    await expect.poll(connections).toBe(0);
  });

  test('takes none of the user’s pool, and connects as the pool does, password included', async () => {
    const { username, password, hostname, port, pathname } = new URL(url);
    const pool = bench.pool({
      ...{ connectionString: undefined, user: username, password, host: hostname },
      ...{ port: Number(port), database: pathname.slice(1), max: 1 },
    });
    const schema = bench.schema();
    const store = await bench.open({ pool, schema });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.insert([record('a')]);
    await expect.poll(() => heard).toEqual([{ queue: 'q', wakeAt: 1000 }]);
    expect(pool.totalCount).toBe(1);
    expect(await bench.query(listening, [schema])).toMatchObject([{ usename: username }]);
  });

  test('goes on after the connection was cut, and asks to look at what was claimed from', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    const other = await bench.open({ schema });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.claim({ ...claimAll, queues: ['one', 'two'] });
    for (let cut = 0; cut < 2; cut++) {
      heard.length = 0;
      await bench.query(`SELECT pg_terminate_backend(pid) FROM (${listening}) AS l`, [schema]);
      await other.insert([record(`missed-${cut}`, { queue: 'one' })]);
      const prompts = ['one', 'two'].map((queue) => ({ queue, wakeAt: 0 }));
      await expect.poll(() => heard, { timeout: 5000 }).toEqual(expect.arrayContaining(prompts));
      await other.insert([record(`heard-${cut}`, { queue: 'three' })]);
      await expect.poll(() => heard).toContainEqual({ queue: 'three', wakeAt: 1000 });
      expect(await bench.query(listening, [schema])).toHaveLength(1);
    }
  });

  test('goes on trying while there is nobody to connect to, until it is stopped', async () => {
    const proxy = await createProxy(url);
    const schema = bench.schema();
    const store = await bench.open({ schema, listen: proxy.url });
    const heard: WakeUp[] = [];
    const stop = await store.watch((wakeUp) => heard.push(wakeUp));
    await proxy.close();
    await store.insert([record('a')]);
    const error = await failure(
      () => bench.open({ schema, listen: proxy.url }).then((other) => other.watch(() => {})),
      'SCHED_STORE_UNAVAILABLE',
    );
    expect(error.message).toContain('listen');
    await stop();
    expect(heard).toEqual([]);
    await store.close();
  });

  test('on a wrong address fails, naming it and no password, and can be tried again', async () => {
    const wrong = Object.assign(new URL(url), { password: 'hunter2' }).href;
    const store = await bench.open({ listen: wrong });
    for (let tries = 0; tries < 2; tries++) {
      const error = await failure(() => store.watch(() => {}), 'SCHED_STORE_CONFIG');
      expect(error.message).toMatch(/listen.*password/);
    }
    expect(await store.count({})).toBe(0);
  });

  test('is not disturbed by what others say on the channel', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    for (const payload of ['', 'x', '{}', '12', 'NaN q', '99 a b\n"c']) {
      await bench.query('SELECT pg_notify($1, $2)', [`${schema}.sched`, payload]);
    }
    await expect.poll(() => heard).toEqual([{ queue: 'a b\n"c', wakeAt: 99 }]);
  });

  test('with a client of the user’s own needs an address to listen on', async () => {
    const client = await bench.client();
    const schema = bench.schema();
    const silent = await bench.open({ pool: client, schema });
    expect(silent.capabilities.watch).toBe(false);
    const store = await bench.open({ pool: client, schema, listen: { connectionString: url } });
    expect(store.capabilities.watch).toBe(true);
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await silent.insert([record('a')]);
    await expect.poll(() => heard).toEqual([{ queue: 'q', wakeAt: 1000 }]);
    expect((await client.query('SELECT pg_listening_channels()')).rows).toEqual([]);
  });

  test('hears of a transaction when it is committed, and of nothing that was rolled back', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    /** The queues heard of since the last time. Notifications come in the order in which they were committed. */
    const queues = async () => {
      const queue = crypto.randomUUID();
      await store.insert([record(queue, { queue })]);
      await expect.poll(() => heard.at(-1)?.queue).toBe(queue);
      return heard
        .splice(0)
        .slice(0, -1)
        .map((wakeUp) => wakeUp.queue)
        .sort();
    };
    await store.insert([record('a', { queue: 'x' }), record('b', { queue: 'y' })]);
    const claimed = await store.claim({ ...claimAll, queues: ['x', 'y'], leaseMs: 60_000 });
    const [a, b] = claimed.tasks;
    if (!a || !b) throw new Error('two tasks were claimed');
    expect(await queues()).toEqual(['x', 'y']);
    const client = await bench.client();
    for (const end of ['ROLLBACK', 'COMMIT']) {
      await client.query('BEGIN');
      const inside = store.withTransaction(client);
      await inside.insert([record('c', { queue: 'inserted' })]);
      await inside.settle([settlement(a, { spawn: [record('d', { queue: 'spawned' })] })]);
      await inside.release([{ id: 'b', token: b.lease.token }]);
      expect(await queues()).toEqual([]);
      await client.query(end);
      expect(await queues()).toEqual(end === 'COMMIT' ? ['inserted', 'spawned', 'x', 'y'] : []);
    }
  });
});

await describeOn('postgres', 'telling watchers', ({ url }) => {
  const bench = workbench(url);

  test('takes one NOTIFY for what comes together, each queue with its first moment', async () => {
    const pool = listeningTo(bench.pool());
    const schema = bench.schema();
    const store = await bench.open({ pool, schema });
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    const notifications = () => pool.log.filter(([text]) => text.includes('pg_notify')).length;
    await store.insert([
      ...records(50, 'a-', { queue: 'a', runAt: 5000 }),
      record('first', { queue: 'a', runAt: 2000 }),
      ...records(50, 'b-', { queue: 'b' }),
      record('never', { queue: 'c', paused: true }),
    ]);
    expect(notifications()).toBe(1);
    const first = [
      { queue: 'a', wakeAt: 2000 },
      { queue: 'b', wakeAt: 1000 },
    ];
    await expect.poll(() => heard).toEqual(first);
    await Promise.all(records(40, 'single-').map((each) => store.insert([each])));
    expect(notifications()).toBeLessThan(20);
    await expect.poll(() => heard.at(-1)).toEqual({ queue: 'q', wakeAt: 1000 });
  });

  test('is for those that wake earlier than before, and for nobody else', async () => {
    const pool = listeningTo(bench.pool());
    const store = await bench.open({ pool });
    await store.insert(records(5, 'task-'));
    const { tasks } = await store.claim(claimAll);
    const [a, b, c, d] = tasks;
    if (!a || !b || !c || !d) throw new Error('five tasks were claimed');
    const before = pool.log.length;
    await store.insert([record('task-0'), record('paused', { paused: true })]);
    await store.setPaused({ ids: [a.id] }, true);
    await store.update(b.id, { body: '1' }, b);
    await store.settle([
      settlement(c, { next: { status: 'scheduled', runAt: 9000, body: '{}' } }),
      settlement(d, { next: null }),
    ]);
    await store.release([{ id: b.id, token: b.lease.token, deferUntil: 9000 }]);
    await store.close();
    expect(pool.log.slice(before).filter(([text]) => text.includes('pg_notify'))).toEqual([]);
  });

  test('that fails is no failure of the call', async () => {
    const pool = bench.pool();
    const store = await bench.open({
      pool: {
        totalCount: 0,
        connect: () => pool.connect(),
        async query(text: string, values?: unknown[]) {
          if (text.includes('pg_notify')) throw new Error('not now');
          return pool.query(text, values);
        },
      },
    });
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    expect(await store.setPaused({ all: true }, true)).toBe(1);
    expect(await store.setPaused({ all: true }, false)).toBe(1);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    expect(await store.settle([settlement(task)])).toEqual(['settled']);
    await store.close();
  });
});

await describeOn(['postgres', 'pgbouncer'], 'a pooler', (postgres, pgbouncer) => {
  const bench = workbench(pgbouncer.url);

  test('is found out when the store is opened, and nothing is listened for through it', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    expect(store.capabilities.watch).toBe(false);
    const stop = await store.watch(() => expect.unreachable());
    await store.insert([record('a')]);
    await stop();
    const withPool = await bench.open({ schema, pool: bench.pool() });
    expect(withPool.capabilities.watch).toBe(false);
    const withClient = await bench.open({ schema, pool: await bench.client() });
    expect(withClient.capabilities.watch).toBe(false);
    const direct = new PostgresDataStore({ url: postgres.url, schema });
    await direct.open();
    expect(direct.capabilities.watch).toBe(true);
    await direct.close();
  });

  test('can be declared, or declared away', async () => {
    const schema = bench.schema();
    const connection = { connectionString: postgres.url };
    const declared = await bench.open({ schema, connection, pooler: true });
    expect(declared.capabilities.watch).toBe(false);
    const denied = await bench.open({ schema, pooler: false });
    expect(denied.capabilities.watch).toBe(true);
  });

  test('that is not found out is in nobody’s way, whatever was prepared on its connections', async () => {
    const connection = { connectionString: pgbouncer.url, max: 4 };
    const stores = await Promise.all(
      Array.from({ length: 4 }, () =>
        bench.open({ schema: bench.schema(), connection, pooler: false, listen: postgres.url }),
      ),
    );
    for (let round = 0; round < 5; round++) {
      const id = `task-${round}`;
      await Promise.all(stores.map((store) => store.insert([record(id)])));
      const claimed = await Promise.all(stores.map((store) => store.claim(claimAll)));
      const settled = stores.map((store, index) =>
        store.settle((claimed[index]?.tasks ?? []).map((task) => settlement(task, { next: null }))),
      );
      expect(await Promise.all(settled)).toEqual(stores.map(() => ['settled']));
    }
  });

  test('can be gone round for notifications, and passes on those that are sent', async () => {
    const store = await bench.open({ listen: postgres.url });
    expect(store.capabilities.watch).toBe(true);
    const heard: WakeUp[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.insert([record('a')]);
    await expect.poll(() => heard).toEqual([{ queue: 'q', wakeAt: 1000 }]);
  });

  test('with a single connection to the server serves many stores at once', async () => {
    const schema = bench.schema();
    const stores = await Promise.all(
      Array.from({ length: 8 }, () =>
        bench.open({ schema, connection: { connectionString: pgbouncer.url, max: 3 } }),
      ),
    );
    await stores[0]?.insert(records(200, 'task-'));
    const work = stores.map(async (store) => {
      const settled: string[] = [];
      for (;;) {
        const { tasks } = await store.claim({ ...claimAll, limit: 7 });
        if (tasks.length === 0) return settled;
        await store.extend(
          tasks.map(({ id, lease }) => ({ id, token: lease.token })),
          9000,
        );
        await store.settle(tasks.map((task) => settlement(task, { next: null })));
        settled.push(...tasks.map(({ id }) => id));
      }
    });
    const settled = (await Promise.all(work)).flat();
    expect([settled.length, new Set(settled).size]).toEqual([200, 200]);
    expect(await stores[0]?.count({})).toBe(0);
  });

  test('takes the user’s transactions', async () => {
    const store = await bench.open();
    const client = new pg.Client(pgbouncer.url);
    await client.connect();
    await client.query('BEGIN');
    expect(await store.withTransaction(client).insert([record('a')])).toEqual(['inserted']);
    expect(await store.count({})).toBe(0);
    await client.query('COMMIT');
    await client.end();
    expect(await store.count({})).toBe(1);
  });
});

await describeOn('postgres', 'a transaction of the user’s own', ({ url }) => {
  const bench = workbench(url);

  test('takes every call', async () => {
    const schema = bench.schema();
    const store = await bench.open({ schema });
    await store.insert([record('a'), record('b')]);
    const client = await bench.client();
    await client.query('BEGIN');
    const inside = store.withTransaction(client);
    const { tasks } = await inside.claim(claimAll);
    const [a, b] = tasks.map((task) => ({ ...task, token: task.lease.token }));
    if (!a || !b) throw new Error('both are claimed');
    expect(await inside.extend([a], 500)).toEqual([a.revision]);
    expect(await inside.release([b])).toEqual(['released']);
    expect(await inside.settle([settlement(a, { next: null, spawn: [record('c')] })])).toEqual([
      'settled',
    ]);
    expect(await inside.now()).toBe(1000);
    expect(await inside.history('a', 1)).toEqual([]);
    await inside.open();
    await (await inside.watch(() => {}))();
    await inside.close();
    expect((await store.get(['a', 'c'])).map((task) => task?.id)).toEqual(['a', undefined]);
    await client.query('COMMIT');
    expect((await store.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual([b.id, 'c']);
  });

  test('sees nothing undone that the user does not undo, and is left open', async () => {
    const store = await bench.open();
    const client = await bench.client();
    await client.query('BEGIN; CREATE TEMP TABLE theirs (x int); INSERT INTO theirs VALUES (1)');
    await store.withTransaction(client).insert([record('a')]);
    expect(client.getTransactionStatus()).toBe('T');
    await client.query('COMMIT');
    expect((await client.query('SELECT x FROM theirs')).rows).toEqual([{ x: 1 }]);
    expect(await store.count({})).toBe(1);
  });

  test('what is no such transaction is refused', async () => {
    const store = await bench.open();
    const pool = bench.pool();
    for (const tx of [undefined, null, {}, 'BEGIN', store, pool]) {
      await failure(() => store.withTransaction(tx), 'SCHED_ARGUMENT_INVALID');
    }
    const client = await bench.client();
    const outside = store.withTransaction(client);
    await failure(() => outside.insert([record('a')]), 'SCHED_ARGUMENT_INVALID');
    await client.query('BEGIN');
    await outside.insert([record('a')]);
    await client.query('COMMIT');
    await failure(() => outside.remove({ all: true }), 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(1);
  });

  test('of a client on another database finds no tables there', async () => {
    const store = await bench.open();
    const client = await bench.client(Object.assign(new URL(url), { pathname: 'template1' }).href);
    await client.query('BEGIN');
    const inside = store.withTransaction(client);
    const error = await failure(() => inside.insert([record('a')]), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain('this very database');
  });
});
