import { DynamoDBDataStore } from '@sched/dynamodb';
import {
  claimAll,
  claimOne,
  clash,
  createProxy,
  failure,
  leaseOf,
  record,
  records,
  settlement,
  testCutCalls,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test, vi } from 'vitest';
import { driverError, workbench } from './support.js';

const entry = { taskId: 'task-0', id: 'run', at: 1000, body: '{}' };

/** Whether a request is the one that decides: not a look at the index or the task, nor the drawing of numbers. */
const isMeant = (request: Buffer) =>
  !/"IndexName":"due"|"counter"|DynamoDB_20120810\.GetItem/.test(request.toString());

await describeOn('dynamodb', 'a connection cut in the middle of a call', (server) => {
  const bench = workbench(server);

  testCutCalls({
    url: server.url,
    isMeant,
    open: (endpoint, clock) => bench.open({ endpoint, clock }),
  });

  test.each(['before', 'after'] as const)('opening: %s', async (when) => {
    const proxy = await createProxy(server.url);
    bench.later(() => proxy.close());
    const place = { tableName: 'tests', namespace: bench.namespace() };
    const store = new DynamoDBDataStore({ ...bench.options, ...place, endpoint: proxy.url });
    proxy.cutNext(when);
    await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });
});

await describeOn('dynamodb', 'a connection cut under a client that repeats by itself', (server) => {
  const bench = workbench(server);

  testCutCalls({
    url: server.url,
    isMeant,
    open: (endpoint, clock) => {
      const client = bench.client({ endpoint, maxAttempts: 3 });
      return bench.open({ client, clock });
    },
  });
});

await describeOn('dynamodb', 'a write whose answer is lost', (server) => {
  const bench = workbench(server);

  /** A store of which some writes are made, and then made once more, as by a client that had no answer to the first. */
  async function repeating(names: readonly string[]) {
    const state = { isOn: false };
    const client = bench.intercepted(async ({ name }, send) => {
      if (!state.isOn || !names.includes(name)) return send();
      await send();
      return send().catch((error) => {
        throw Object.assign(error, { $metadata: { attempts: 2 } });
      });
    });
    const store = await bench.open({ client });
    await store.insert(records(3, 'task-', { group: 'g' }));
    const { tasks } = await store.claim({ ...claimAll, limit: 2 });
    const [first, second] = tasks;
    if (!first || !second) throw new Error('two tasks were claimed');
    const free =
      records(3, 'task-').find(({ id }) => id !== first.id && id !== second.id)?.id ?? '';
    state.isOn = true;
    return { store, first, second, free };
  }

  test('is recognised by what it has written', async () => {
    const { store, first, second, free } = await repeating(['PutItem', 'UpdateItem']);
    expect(await store.insert([record('new', { runAt: 5000 })])).toEqual(['inserted']);
    const [fresh] = await store.get(['new']);
    expect(await store.update('new', { body: '2' }, fresh ?? first)).toBe('updated');
    expect(await store.extend([leaseOf(first)], 5000)).toEqual([first.revision]);
    const { tasks } = await store.claim(claimAll);
    expect(tasks).toMatchObject([{ id: free, deliveries: 1, lapsedOwner: null }]);
    const again = settlement(first, { next: { status: 'finished', runAt: null, body: '{}' } });
    expect(await store.settle([again])).toEqual(['settled']);
    expect(await store.settle([{ ...again, token: second.lease.token }])).toEqual(['lost']);
  });

  test.each<
    [
      string,
      string,
      (store: DynamoDBDataStore, task: Parameters<typeof leaseOf>[0]) => Promise<unknown>,
    ]
  >([
    ['remove', 'DeleteItem', (store, { id }) => store.remove({ ids: [id] })],
    ['settle', 'DeleteItem', (store, task) => store.settle([settlement(task, { next: null })])],
    ['release', 'UpdateItem', (store, task) => store.release([leaseOf(task)])],
    ['setPaused', 'UpdateItem', (store, { id }) => store.setPaused({ ids: [id] }, true)],
  ])('is reported where nothing shows it: %s', async (_, name, call) => {
    const { store, first } = await repeating([name]);
    const error = await failure(() => call(store, first), 'SCHED_STORE_UNAVAILABLE');
    expect(error.message).toContain('maxAttempts');
    expect(error.cause).toBeInstanceOf(Error);
  });
});

await describeOn('dynamodb', 'a table that throttles', (server) => {
  const bench = workbench(server);

  /** A store of whose requests every second one, or each, is refused so. */
  async function refused(error: () => Error, isAlways = false) {
    // Without chance there is no delay either.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    bench.later(() => vi.restoreAllMocks());
    const state = { isOn: false, count: 0 };
    const client = bench.intercepted(async (_, send) => {
      if (state.isOn && state.count++ % (isAlways ? 1 : 2) === 0) throw error();
      return send();
    });
    const store = await bench.open({ client });
    await store.insert(records(3, 'task-'));
    return { store, state };
  }

  const conflict = { CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }] };
  const overload = { CancellationReasons: [{ Code: 'ThrottlingError' }, { Code: 'None' }] };

  test.each<[string, object]>([
    ['ProvisionedThroughputExceededException', {}],
    ['ThrottlingException', {}],
    ['RequestLimitExceeded', {}],
    ['TransactionConflictException', {}],
    ['TransactionInProgressException', {}],
    ['TransactionCanceledException', conflict],
    ['TransactionCanceledException', overload],
  ])('is asked again: %s (case %#)', async (name, members) => {
    const { store, state } = await refused(() => driverError(name, members));
    state.isOn = true;
    const task = await claimOne(store);
    const history = [{ ...entry, taskId: task.id }];
    expect(await store.settle([settlement(task, { history, next: null })])).toEqual(['settled']);
    expect(await store.history(task.id, 9)).toEqual(history);
    expect(await store.remove({ all: true })).toBe(2);
    expect(state.count).toBeGreaterThan(10);
  });

  test.each(['ProvisionedThroughputExceededException', 'ThrottlingException'])(
    'is given up in the end, and nothing has happened: %s',
    async (name) => {
      const { store, state } = await refused(() => driverError(name), true);
      state.isOn = true;
      for (const call of [
        () => store.insert([record('new')]),
        () => store.claim(claimAll),
        () => store.remove({ all: true }),
      ]) {
        state.count = 0;
        const error = await failure(call, 'SCHED_STORE_UNAVAILABLE');
        expect(error.message).toContain(name);
        expect(state.count).toBeGreaterThan(5);
        expect(state.count).toBeLessThan(100);
      }
      state.isOn = false;
      expect(await store.claim(claimAll)).toMatchObject({ tasks: [{}, {}, {}] });
    },
  );

  test('a transaction that is refused for more than that is not made again', async () => {
    const CancellationReasons = [{ Code: 'ValidationError' }, { Code: 'None' }];
    const { store, state } = await refused(
      () => driverError('TransactionCanceledException', { CancellationReasons }),
      true,
    );
    const task = await claimOne(store);
    state.isOn = true;
    const settle = () => store.settle([settlement(task, { history: [entry] })]);
    await failure(settle, 'SCHED_STORE_UNAVAILABLE');
    expect(state.count).toBe(1);
  });

  test('keys that were left unprocessed are read again', async () => {
    let left = 3;
    const client = bench.intercepted(async ({ name, input }, send) => {
      if (name !== 'BatchGetItem' || left-- <= 0) return send();
      if (left === 1) return { Responses: {}, UnprocessedKeys: input.RequestItems };
      const [[table, { Keys }]] = Object.entries(
        input.RequestItems as Record<string, { Keys: object[] }>,
      ) as [[string, { Keys: object[] }]];
      input.RequestItems = { [table]: { ConsistentRead: true, Keys: Keys.slice(0, 1) } };
      const answer = await send();
      const rest = { [table]: { ConsistentRead: true, Keys: Keys.slice(1) } };
      return Keys.length > 1 ? { ...answer, UnprocessedKeys: rest } : answer;
    });
    const store = await bench.open({ client });
    await store.insert(records(7, 'task-'));
    const ids = records(7, 'task-').map(({ id }) => id);
    expect((await store.get(ids)).map((task) => task?.id)).toEqual(ids);
  });

  test('keys that stay unprocessed are given up in the end', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    bench.later(() => vi.restoreAllMocks());
    let count = 0;
    const client = bench.intercepted(async ({ name, input }, send) => {
      if (name !== 'BatchGetItem') return send();
      count++;
      return { Responses: {}, UnprocessedKeys: input.RequestItems };
    });
    const store = await bench.open({ client });
    const error = await failure(() => store.get(['a']), 'SCHED_STORE_UNAVAILABLE');
    expect(error.message).toContain('unprocessed');
    expect(count).toBeLessThan(100);
  });

  test('a claim of which some writes fail hands out the others', async () => {
    let count = 0;
    const client = bench.intercepted(async ({ name, input }, send) => {
      const isTaken = name === 'UpdateItem' && JSON.stringify(input).includes('lapsedOwner');
      if (isTaken && count++ % 2 === 0) throw driverError('InternalServerError');
      return send();
    });
    const store = await bench.open({ client });
    await store.insert(records(6, 'task-'));
    const first = await store.claim(claimAll);
    expect(first.tasks).toHaveLength(3);
    expect(first.nextWakeAt).toBe(1000);
    const second = await store.claim(claimAll);
    const ids = [...first.tasks, ...second.tasks].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

await describeOn('dynamodb', 'calls about the same tasks at once', (server) => {
  const bench = workbench(server);

  test('are no failure, and leave nothing behind', async () => {
    const namespace = bench.namespace();
    const [store, other] = [await bench.open({ namespace }), await bench.open({ namespace })];
    await clash(store, other, { rounds: 5, count: 20, spawned: 3 });
    expect(await other.count({})).toBe(0);
    expect((await other.list({ limit: 9 })).tasks).toEqual([]);
  });
});

await describeOn(
  'dynamodb',
  'a server',
  (server) => {
    const bench = workbench(server);

    test('that crashes comes back with its tasks', async () => {
      const store = await bench.open();
      await store.insert([record('held', { runAt: 900 }), record('free')]);
      const task = await claimOne(store);
      await server.stop({ kill: true });
      await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
      await failure(() => store.insert([record('lost')]), 'SCHED_STORE_UNAVAILABLE');
      const settle = () =>
        store.settle([settlement(task, { history: [{ ...entry, taskId: 'held' }] })]);
      await failure(settle, 'SCHED_STORE_UNAVAILABLE');
      await server.start();
      const count = () => store.count({}).catch(() => undefined);
      await expect.poll(count, { timeout: 20_000 }).toBe(2);
      expect(await settle()).toEqual(['settled']);
      expect(await store.history('held', 9)).toHaveLength(1);
      const { tasks } = await store.claim(claimAll);
      expect(tasks.map(({ id }) => id).sort()).toEqual(['free', 'held']);
      for (const each of tasks) expect(each.lease.token).toBeGreaterThan(task.lease.token);
    });
  },
  { own: true },
);
