import type { WakeUp } from '@sched/core';
import { PostgresDataStore } from '@sched/postgres';
import { clash, createProxy, failure, record, testCutCalls } from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

/** Ends every answer of the server: the message ReadyForQuery, of five bytes after its letter. */
const isDone = (answer: Buffer) => answer.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5]));

await describeOnEach(
  ['postgres', 'pgbouncer'],
  'a connection cut in the middle of a call',
  ({ url }) => {
    const bench = workbench(url);

    testCutCalls({
      url,
      isDone,
      // No NOTIFY of the last call may be under way when the next one is cut.
      open: (address, clock) =>
        bench.open({ connection: { connectionString: address, max: 1 }, clock }),
    });

    test.each(['before', 'after'] as const)('opening: %s', async (when) => {
      const proxy = await createProxy(url);
      bench.later(() => proxy.close());
      const store = new PostgresDataStore({ url: proxy.url, schema: bench.schema() });
      proxy.cutNext(when);
      await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
      await store.open();
      expect(await store.count({})).toBe(0);
      await store.close();
    });

    test('between two statements of opening', async () => {
      const pool = bench.pool();
      let cuts = 1;
      const cutting = {
        totalCount: 0,
        query: (text: string, values?: unknown[]) => pool.query(text, values),
        async connect() {
          const client = await pool.connect();
          const cut = async () => {
            const { stream } = client.connection;
            const closed = new Promise((resolve) => stream.once('close', resolve));
            stream.destroy(new Error('cut'));
            await closed;
          };
          return {
            on: client.on.bind(client),
            off: client.off.bind(client),
            release: client.release,
            async query(text: string, values?: unknown[]) {
              const result = await client.query(text, values);
              if (cuts-- > 0) await cut();
              return result;
            },
          };
        },
      };
      const store = new PostgresDataStore({ pool: cutting, schema: bench.schema() });
      await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
      await store.open();
      expect(await store.count({})).toBe(0);
      await store.close();
    });

    test('that is idle: the next call has another', async () => {
      const victims = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'`;
      const schema = bench.schema();
      const other = await bench.open({ schema });
      expect(await other.count({})).toBe(0);
      await bench.query(victims, [schema]);
      const isBack = async () => (await other.count({}).catch(() => undefined)) === 0;
      await expect.poll(isBack).toBe(true);
    });
  },
);

await describeOn('postgres', 'another transaction in the way', ({ url }) => {
  const bench = workbench(url);

  /** A pool whose next statements fail so. */
  function failing(code: string, times: number) {
    const pool = bench.pool();
    let left = times;
    return {
      pool: {
        totalCount: 0,
        connect: () => pool.connect(),
        async query(text: string, values?: unknown[]) {
          if (/sched_|_insert/.test(text) && left-- > 0) {
            throw Object.assign(new Error('in the way'), { code });
          }
          return pool.query(text, values);
        },
      },
      left: () => left,
    };
  }

  test.each(['40001', '40P01'])('is no failure unless it stays there: %s', async (code) => {
    const schema = bench.schema();
    await bench.open({ schema });
    const passing = await bench.open({ schema, pool: failing(code, 4).pool });
    expect(await passing.insert([record('a')])).toEqual(['inserted']);
    const staying = await bench.open({ schema, pool: failing(code, 5).pool });
    const error = await failure(() => staying.count({}), 'SCHED_STORE_UNAVAILABLE');
    expect(error.cause).toMatchObject({ code });
  });

  test('calls about the same tasks at once never lock each other out', async () => {
    // A database of its own, for its own count of deadlocks.
    const name = `test_${crypto.randomUUID().slice(0, 8)}`;
    await bench.query(`CREATE DATABASE ${name}`);
    bench.later(() => bench.query(`DROP DATABASE ${name} WITH (FORCE)`));
    const address = new URL(url);
    address.pathname = name;
    const connection = { connectionString: address.href };
    const store = await bench.open({ connection, schema: 'deadlocks' });
    const other = await bench.open({ connection, schema: 'deadlocks' });
    await clash(store, other, { rounds: 15, count: 60, spawned: 5 });
    const client = await bench.client(address.href);
    const { rows } = await client.query(
      'SELECT pg_stat_force_next_flush(), deadlocks::int FROM pg_stat_database WHERE datname = $1',
      [name],
    );
    expect(rows).toMatchObject([{ deadlocks: 0 }]);
  });
});

await describeOn(
  'postgres',
  'a server that crashes',
  (postgres) => {
    const bench = workbench(postgres.url);

    test('comes back with its tasks, and whoever watches hears again', async () => {
      const schema = bench.schema();
      const watching = await bench.open({ schema });
      const store = await bench.open({ schema });
      const heard: WakeUp[] = [];
      await watching.watch((wakeUp) => heard.push(wakeUp));
      await store.insert([record('kept')]);
      await expect.poll(() => heard).toHaveLength(1);
      await postgres.stop({ kill: true });
      await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
      await failure(() => watching.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
      await failure(
        () => new PostgresDataStore({ url: postgres.url, schema }).open(),
        'SCHED_STORE_UNAVAILABLE',
      );
      await postgres.start();
      expect(await store.count({})).toBe(1);
      const hears = async () => {
        await store.insert([record(crypto.randomUUID(), { queue: 'later' })]);
        return heard.some(({ queue }) => queue === 'later');
      };
      await expect.poll(hears, { timeout: 20_000 }).toBe(true);
    });
  },
  { own: true },
);
