import type { QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { ClaimedTask, DataStore } from '@sched/core';
import {
  claimAll,
  claimOne,
  leaseOf,
  record,
  records,
  settlement,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import type { Interception } from './support.js';
import { workbench } from './support.js';

const later = { status: 'scheduled', runAt: 5000, body: '{}' } as const;

// On AWS the indexes follow the table a moment later. DynamoDB Local has them follow at once, so here they are held back.
await describeOn('dynamodb', 'an index that is behind', (server) => {
  const bench = workbench(server);

  /** A store that sees the index of due tasks as it was when it was told to hold. */
  async function lagging() {
    const namespace = bench.namespace();
    const held = new Map<string, Promise<object>>();
    const state = { isHeld: false, isRecording: false, requests: [] as string[] };
    const intercept: Interception = ({ name, input }, send) => {
      state.requests.push(name);
      const { IndexName, ...query } = input as unknown as QueryCommandInput;
      if (IndexName !== 'due') return send();
      const key = JSON.stringify([query.ExpressionAttributeValues, query.ExclusiveStartKey]);
      if (state.isRecording) held.set(key, send());
      return held.get(key) ?? send();
    };
    const client = bench.intercepted(intercept);
    const store = await bench.open({ namespace, client, shards: 2 });
    const other = await bench.open({ namespace, shards: 2 });
    return {
      store,
      other,
      state,
      /** From now on the index stays as it is. */
      async hold(): Promise<void> {
        state.isRecording = true;
        await store.claim({ ...claimAll, owner: 'nobody', limit: 1, queues: ['q'] });
        state.isRecording = false;
      },
      catchUp: () => held.clear(),
    };
  }

  test('a task that is gone, paused, moved, finished or put off is not claimed', async () => {
    const { store, other, hold } = await lagging();
    const ids = ['gone', 'paused', 'moved', 'finished', 'later', 'due'];
    await other.insert([record('first', { runAt: 1 }), ...ids.map((id) => record(id))]);
    await hold();
    const revision = async (id: string) => (await other.get([id]))[0] ?? { revision: 0 };
    await other.remove({ ids: ['gone'] });
    await other.setPaused({ ids: ['paused'] }, true);
    await other.update('moved', { queue: 'other' }, await revision('moved'));
    await other.update('finished', { status: 'finished', runAt: null }, await revision('finished'));
    await other.update('later', { runAt: 1500 }, await revision('later'));
    const result = await store.claim(claimAll);
    expect(result.tasks.map(({ id }) => id)).toEqual(['due']);
    // As the task itself says, not as the index does.
    expect(result.nextWakeAt).toBe(1500);
  });

  test('tasks that others have taken do not make a claim spin', async () => {
    const { store, other, hold, state } = await lagging();
    await other.insert([record('first', { runAt: 1 }), ...records(10, 'task-')]);
    await hold();
    expect((await other.claim({ ...claimAll, leaseMs: 700 })).tasks).toHaveLength(10);
    state.requests.length = 0;
    expect(await store.claim(claimAll)).toMatchObject({ tasks: [], nextWakeAt: 1700 });
    expect(state.requests.length).toBeLessThan(2 + 2 * (1 + 11));
  });

  test('a task that was edited and still is due is claimed all the same', async () => {
    const { store, other, hold } = await lagging();
    await other.insert([record('first', { runAt: 1 }), record('a'), record('b')]);
    await hold();
    const [task] = await other.get(['a']);
    await other.update('a', { body: '"edited"' }, task ?? { revision: 0 });
    const { tasks } = await store.claim(claimAll);
    expect(tasks.map(({ id, body }) => [id, body]).sort()).toEqual([
      ['a', '"edited"'],
      ['b', '{}'],
    ]);
  });

  test('a task that is not in the index yet is claimed when it is', async () => {
    const { store, other, hold, catchUp } = await lagging();
    await other.insert([record('first', { runAt: 1 })]);
    await hold();
    await other.insert([record('a')]);
    expect((await store.claim(claimAll)).tasks).toEqual([]);
    catchUp();
    expect((await store.claim(claimAll)).tasks).toMatchObject([{ id: 'a' }]);
  });
});

await describeOn('dynamodb', 'what a store has made due and does not find yet', (server) => {
  const bench = workbench(server);

  /** A store that finds the index of due tasks empty. */
  async function blind(clock: { now: number }) {
    const client = bench.intercepted(async ({ input }, send) =>
      input.IndexName === 'due' ? { Items: [] } : send(),
    );
    const settings = { namespace: bench.namespace(), clock: () => clock.now };
    const other = await bench.open(settings);
    return { other, store: await bench.open({ ...settings, client, maxIndexLagMs: 1000 }) };
  }

  test('makes it ask to be called again, until the index must have caught up', async () => {
    const clock = { now: 1000 };
    const { store } = await blind(clock);
    const wakesAt = async (now: number) => {
      clock.now = now;
      return (await store.claim(claimAll)).nextWakeAt;
    };
    expect(await wakesAt(1000)).toBe(null);
    await store.insert([record('a', { runAt: 1500 }), record('b', { runAt: 9000 })]);
    expect(await wakesAt(1499)).toBe(null);
    expect(await wakesAt(1500)).toBe(1750);
    expect(await wakesAt(1999)).toBe(2249);
    expect(await wakesAt(2000)).toBe(null);
  });

  test.each<[string, (store: DataStore, held: ClaimedTask) => Promise<unknown>]>([
    ['insert', (store) => store.insert([record('new')])],
    ['update', (store, held) => store.update('held', { runAt: 900 }, held)],
    ['resume', (store) => store.setPaused({ all: true }, false)],
    ['settle', (store, held) => store.settle([settlement(held)])],
    [
      'spawn',
      (store, held) => store.settle([settlement(held, { next: null, spawn: [record('b')] })]),
    ],
    ['release', (store, held) => store.release([leaseOf(held)])],
  ])('by any call: %s', async (_, call) => {
    const { store, other } = await blind({ now: 1000 });
    await other.insert([record('held'), record('paused', { paused: true })]);
    const held = await claimOne(other);
    expect((await store.claim(claimAll)).nextWakeAt).toBe(null);
    await call(store, held);
    expect((await store.claim(claimAll)).nextWakeAt).toBe(1250);
  });

  test('and no longer once it is found', async () => {
    const settings = { namespace: bench.namespace(), maxIndexLagMs: 1000 };
    const store = await bench.open(settings);
    await store.insert([record('a'), record('b')]);
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(tasks).toHaveLength(2);
    expect(nextWakeAt).toBe(2000);
  });

  test('and nothing else does', async () => {
    const { store, other } = await blind({ now: 1000 });
    await other.insert([record('a'), record('b'), record('c')]);
    const { tasks } = await other.claim(claimAll);
    const [a, b, c] = tasks;
    if (!a || !b || !c) throw new Error('three tasks were claimed');
    await store.insert([record('later', { runAt: 5000 }), record('paused', { paused: true })]);
    await store.settle([settlement(a, { next: null }), settlement(b, { next: later })]);
    await store.release([{ ...leaseOf(c), deferUntil: 5000 }]);
    await store.update('later', { body: '2' }, { revision: 0 });
    await store.setPaused({ all: true }, true);
    expect((await store.claim(claimAll)).nextWakeAt).toBe(null);
  });
});

await describeOn('dynamodb', 'tokens', (server) => {
  const bench = workbench(server);

  test('grow, however long a claim takes between its look and its writes', async () => {
    const namespace = bench.namespace();
    const other = await bench.open({ namespace });
    let meanwhile = async () => {};
    /** Does something when the slow store has drawn a number for its token, and not used it yet. */
    const client = bench.intercepted(async ({ name, input }, send) => {
      const answer = await send();
      if (name === 'UpdateItem' && JSON.stringify(input).includes('"counter"')) {
        const work = meanwhile;
        meanwhile = async () => {};
        await work();
      }
      return answer;
    });
    const slow = await bench.open({ namespace, client });
    await other.insert([record('a')]);
    const tokens: number[] = [];
    const note = ({ lease }: ClaimedTask) => tokens.push(lease.token);

    // Claimed and given back by another.
    meanwhile = async () => {
      const task = await claimOne(other);
      note(task);
      await other.release([leaseOf(task)]);
    };
    note(await claimOne(slow));
    await slow.remove({ all: true });

    // Removed, and created by somebody whose number had been drawn long before.
    await other.insert([record('a')]);
    let insertion: Promise<unknown> | undefined;
    let isWaiting = false;
    let proceed = () => {};
    const gate = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    const tardy = bench.intercepted(async ({ name, input }, send) => {
      if (name === 'PutItem' && JSON.stringify(input).includes('"body"')) {
        isWaiting = true;
        await gate;
      }
      return send();
    });
    meanwhile = async () => {
      note(await claimOne(other));
      await other.remove({ all: true });
      proceed();
      expect(await insertion).toEqual(['inserted']);
    };
    const late = await bench.open({ namespace, client: tardy });
    insertion = late.insert([record('a')]);
    await expect.poll(() => isWaiting).toBe(true);
    note(await claimOne(slow));
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(4);
  });
});

await describeOn('dynamodb', 'what is stored', (server) => {
  const bench = workbench(server);

  test('the index holds nothing but tasks that will be due', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, shards: 1 });
    await store.insert([
      record('due'),
      record('paused', { paused: true }),
      record('finished', { status: 'finished', runAt: null }),
      record('settled'),
      record('edited'),
      record('resumed', { paused: true }),
    ]);
    await store.setPaused({ ids: ['resumed'] }, false);
    const { tasks } = await store.claim(claimAll);
    const settled = tasks.find(({ id }) => id === 'settled') as ClaimedTask;
    const edited = tasks.find(({ id }) => id === 'edited') as ClaimedTask;
    await store.settle([
      settlement(settled, { next: { status: 'failed', runAt: null, body: '{}' } }),
    ]);
    await store.update('edited', { status: 'finished', runAt: null }, edited);
    const { Items = [] } = await bench.client().send(
      new QueryCommand({
        TableName: 'tests',
        IndexName: 'due',
        KeyConditionExpression: 'due = :queue',
        ExpressionAttributeValues: { ':queue': { S: `${namespace}#0#q` } },
      }),
    );
    expect(Items.map(({ sk }) => sk?.S).sort()).toEqual(['due', 'resumed']);
    // Keys, and what the contract of the index says: nothing of the body.
    expect(Object.keys(Items[0] ?? {}).sort()).toEqual(['due', 'pk', 'revision', 'sk', 'wakeAt']);
  });

  test('an item is as the README shows it', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, shards: 1 });
    await store.insert([record('a', { group: 'g' })]);
    await claimOne(store);
    const Key = { pk: { S: `${namespace}#task#0` }, sk: { S: 'a' } };
    const { Item } = await bench.client().send(new GetItemCommand({ TableName: 'tests', Key }));
    expect(Item).toEqual({
      ...Key,
      name: { S: 'job' },
      queue: { S: `${namespace}#0#q` },
      group: { S: `${namespace}#g` },
      status: { S: 'scheduled' },
      runAt: { N: '1000' },
      body: { S: '{}' },
      due: { S: `${namespace}#0#q` },
      wakeAt: { N: '2000' },
      token: { N: '2' },
      owner: { S: 'me' },
      expiresAt: { N: '2000' },
      lapsedOwner: { NULL: true },
      deliveries: { N: '1' },
      revision: { N: '1' },
    });
  });

  test('the history is forgotten by DynamoDB, where the time is its own', async () => {
    const namespace = bench.namespace();
    const now = Date.now();
    const store = await bench.openInRealTime({ namespace, historyMaxAgeMs: 5000 });
    await store.insert([record('a')]);
    const history = [{ taskId: 'a', id: 'run', at: now, body: '{}' }];
    await store.settle([settlement(await claimOne(store), { history, next: later })]);
    const { Items = [] } = await bench.client().send(
      new QueryCommand({
        TableName: 'tests',
        KeyConditionExpression: 'pk = :history',
        ExpressionAttributeValues: { ':history': { S: `${namespace}#history#a` } },
      }),
    );
    expect(Items).toMatchObject([{ expires: { N: String(Math.ceil((now + 5000) / 1000)) } }]);
    expect(await store.history('a', 9)).toEqual(history);
  });

  test('the history is given in order, also of moments before 1970', async () => {
    const store = await bench.open({ clock: () => -5000, historyMaxAgeMs: 1e15 });
    await store.insert([record('a', { runAt: -6000 })]);
    const moments = [-1e12, -1, 0, 1, 999, 1e12];
    const history = moments.map((at) => ({ taskId: 'a', id: `at ${at}`, at, body: '{}' }));
    await store.settle([settlement(await claimOne(store), { history, next: later })]);
    expect((await store.history('a', 9)).map(({ at }) => at)).toEqual([...moments].reverse());
  });

  test('a listing goes on after any id, and refuses what is not its own', async () => {
    const store = await bench.open({ shards: 3 });
    const ids = ['0.1', '1.', '.', '#', '\n', 'a\nb', '🎉', '\uffff'];
    await store.insert(ids.map((id) => record(id, { group: 'g' })));
    for (const filter of [{}, { group: 'g' }, { name: 'job' }]) {
      const found: string[] = [];
      let after: string | null = '';
      while (after !== null) {
        const page = await store.list({ ...filter, limit: 1, ...(after && { after }) });
        found.push(...page.tasks.map(({ id }) => id));
        after = page.next;
      }
      expect(found.sort()).toEqual([...ids].sort());
    }
    await expect(store.list({ limit: 1, after: 'nonsense' })).rejects.toMatchObject({
      code: 'SCHED_ARGUMENT_INVALID',
    });
  });
});
