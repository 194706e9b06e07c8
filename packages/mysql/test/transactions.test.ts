import type { MysqlDataStore } from '@sched/mysql';
import { failure, record, records } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import callbacks from 'mysql2';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOnEach(['mysql', 'mariadb'], 'a transaction of the user’s own', ({ url }) => {
  const bench = workbench(url);

  async function prepared() {
    const database = await bench.database();
    const store = await bench.open({ url: database });
    const connection = await bench.connection(database);
    return { database, store, connection };
  }

  const idsOf = async (store: MysqlDataStore) =>
    (await store.list({ limit: 99 })).tasks.map(({ id }) => id);

  test.each([
    ['nothing', undefined],
    ['a text', 'tx'],
    ['an object', {}],
  ])('is not given by %s', async (_, tx) => {
    const { store } = await prepared();
    await failure(() => store.withTransaction(tx), 'SCHED_ARGUMENT_INVALID');
  });

  test('is not given by a pool', async () => {
    const { database, store } = await prepared();
    const pool = bench.pool(database);
    const error = await failure(() => store.withTransaction(pool), 'SCHED_ARGUMENT_INVALID');
    expect(error.message).toContain('begin one');
  });

  test('is missed where none has been begun, before anything is changed', async () => {
    const { store, connection } = await prepared();
    await store.insert([record('a')]);
    const inside = store.withTransaction(connection);
    const calls = [
      () => inside.insert([record('b')]),
      () => inside.get(['a']),
      () => inside.update('a', { body: '1' }, { revision: 1 }),
      () => inside.remove({ ids: ['a'] }),
      () => inside.setPaused({ all: true }, true),
    ];
    for (const call of calls) {
      const error = await failure(call, 'SCHED_ARGUMENT_INVALID');
      expect(error.message).toContain('transaction');
    }
    expect((await store.list({ limit: 9 })).tasks).toMatchObject([{ id: 'a', paused: false }]);
    await connection.beginTransaction();
    expect(await inside.insert([record('b')])).toEqual(['inserted']);
    await connection.commit();
    expect(await idsOf(store)).toEqual(['a', 'b']);
  });

  test('may be on a connection with callbacks, and the store need not be open', async () => {
    const { database, store } = await prepared();
    await store.close();
    const connection = callbacks.createConnection({ uri: database });
    bench.later(() => connection.promise().end());
    await connection.promise().beginTransaction();
    await store.withTransaction(connection).insert([record('a')]);
    await connection.promise().commit();
    await store.open();
    expect(await idsOf(store)).toEqual(['a']);
  });

  test('goes on after a call that failed, which has changed nothing', async () => {
    const { store, connection } = await prepared();
    await connection.query('CREATE TABLE orders (id INT PRIMARY KEY)');
    await connection.beginTransaction();
    await connection.query('INSERT INTO orders VALUES (7)');
    const inside = store.withTransaction(connection);
    await inside.insert([record('a')]);
    await failure(
      () => inside.insert([record('b'), record('x'.repeat(301))]),
      'SCHED_ARGUMENT_INVALID',
    );
    await connection.commit();
    expect(await idsOf(store)).toEqual(['a']);
    expect((await connection.query('SELECT id FROM orders'))[0]).toEqual([{ id: 7 }]);
  });

  test.each(['REPEATABLE READ', 'READ COMMITTED', 'SERIALIZABLE'])(
    'sees what others have committed since it began: %s',
    async (level) => {
      const { store, connection } = await prepared();
      await store.insert([record('edited', { group: 'g' })]);
      await connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
      await connection.beginTransaction();
      // What makes a snapshot, where there is one.
      await connection.query('SELECT COUNT(*) FROM sched_history');
      await store.insert([record('new', { group: 'g' })]);
      const [task] = await store.get(['edited']);
      if (!task) throw new Error('it was inserted');
      await store.update('edited', { name: 'x' }, task);
      const inside = store.withTransaction(connection);
      expect(await inside.insert([record('new'), record('mine')])).toEqual(['exists', 'inserted']);
      const [edited, found, mine] = await inside.get(['edited', 'new', 'mine']);
      expect([edited?.name, found?.id, mine?.id]).toEqual(['x', 'new', 'mine']);
      if (!edited) throw new Error('it was found');
      expect(await inside.update('edited', { name: 'y' }, edited)).toBe('updated');
      expect(await inside.setPaused({ group: 'g' }, true)).toBe(2);
      expect(await inside.remove({ all: true })).toBe(3);
      await connection.commit();
      expect(await idsOf(store)).toEqual([]);
    },
  );

  test('keeps what LAST_INSERT_ID gives', async () => {
    const { store, connection } = await prepared();
    await connection.query('CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY)');
    await connection.query('ALTER TABLE orders AUTO_INCREMENT = 4711');
    await connection.beginTransaction();
    await connection.query('INSERT INTO orders VALUES ()');
    await store.withTransaction(connection).insert([record('a')]);
    expect((await connection.query('SELECT LAST_INSERT_ID() AS id'))[0]).toEqual([{ id: 4711 }]);
    await connection.commit();
  });

  test('is told when it was the one to give way in a deadlock', async () => {
    const { database, store, connection } = await prepared();
    await store.insert([record('a'), record('b')]);
    const other = await bench.connection(database);
    await Promise.all([connection.beginTransaction(), other.beginTransaction()]);
    const [one, two] = [connection, other].map((tx) => store.withTransaction(tx));
    if (!one || !two) throw new Error('two were made');
    expect(await one.setPaused({ ids: ['a'] }, true)).toBe(1);
    expect(await two.setPaused({ ids: ['b'] }, true)).toBe(1);
    const outcomes = await Promise.allSettled([
      one.setPaused({ ids: ['b'] }, true),
      two.setPaused({ ids: ['a'] }, true),
    ]);
    const [lost, ...more] = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    );
    expect(lost).toMatchObject({ code: 'SCHED_STORE_UNAVAILABLE', cause: { errno: 1213 } });
    expect(more).toEqual([]);
    await Promise.all([connection.rollback(), other.rollback()]);
  });

  test('keeps nobody from scheduling other tasks at the same time', async () => {
    const { database, store, connection } = await prepared();
    await store.insert(records(5, 'there-'));
    const other = await bench.connection(database);
    await connection.beginTransaction();
    await other.beginTransaction();
    const [one, two] = [connection, other].map((tx) => store.withTransaction(tx));
    if (!one || !two) throw new Error('two were made');
    expect(await one.insert(records(20, 'a-'))).toHaveLength(20);
    expect(await two.insert(records(20, 'b-'))).toHaveLength(20);
    expect(await one.insert(records(20, 'c-'))).toHaveLength(20);
    expect(await two.insert(records(20, 'd-'))).toHaveLength(20);
    expect(await store.insert(records(20, 'a-a-'))).toHaveLength(20);
    expect(
      (await store.claim({ queues: ['q'], limit: 99, owner: 'me', leaseMs: 1 })).tasks,
    ).toHaveLength(25);
    await connection.commit();
    await other.rollback();
    expect(await store.count({})).toBe(65);
  });
});
