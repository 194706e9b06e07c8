import type { ClaimedTask } from '@sched/core';
import { claimAll, leaseOf, record, records, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

const entryOf = (taskId: string) => ({ taskId, id: 'run', at: 1000, body: '{}' });
const later = { status: 'scheduled', runAt: 5000, body: '{}' } as const;

/** How often there is each of some names. */
function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

// The README's table of costs is what is measured here, for tasks of up to 1 kB.
await describeOn('dynamodb', 'what calls cost', (server) => {
  const bench = workbench(server);

  /** A store whose requests are counted, with tasks that it has claimed. */
  async function working(count: number, options: { historyLimit?: number; shards?: number } = {}) {
    const { client, during } = bench.meter();
    const store = await bench.open({ client, ...options });
    await store.insert(records(count, 'task-'));
    const { tasks } = await store.claim(claimAll);
    return { store, during, tasks, first: tasks[0] as ClaimedTask };
  }

  test.each([
    [1, 1],
    [4, 1],
    [4, 3],
  ])('an idle claim of %i shards and %i queues', async (shards, queueCount) => {
    const { store, during } = await working(9, { shards });
    const queues = ['q', 'r', 's'].slice(0, queueCount);
    // A look at nothing costs as much, and DynamoDB Local says that it is free.
    for (const queue of queues) await store.insert(records(40, queue, { queue, runAt: 5000 }));
    const cost = await during(() => store.claim({ ...claimAll, queues }));
    expect(tally(cost.names)).toEqual({ Query: shards * queueCount });
    expect(cost).toMatchObject({ read: 0.5 * shards * queueCount, written: 0 });
  });

  test('a claim', async () => {
    const { client, during } = bench.meter();
    const store = await bench.open({ client });
    await store.insert(records(20, 'task-'));
    const cost = await during(() => store.claim(claimAll));
    // One update draws the tokens of all.
    expect(tally(cost.names)).toEqual({ Query: 4, UpdateItem: 21 });
    expect(cost).toMatchObject({ read: 2, written: 1 + 3 * 20 });
  });

  test('a claim of more than a first look shows', async () => {
    const { client, during } = bench.meter();
    const store = await bench.open({ client });
    await store.insert(records(500, 'task-'));
    const cost = await during(() => store.claim(claimAll));
    const { Query = 0, UpdateItem } = tally(cost.names);
    expect(Query).toBeLessThanOrEqual(8);
    expect(UpdateItem).toBeLessThanOrEqual(500 + 5);
    expect(cost.read).toBeLessThan(20);
  });

  test('a claim beside tasks that are not due, paused, finished or leased', async () => {
    const { store, during } = await working(20);
    await store.insert([
      ...records(200, 'far-', { runAt: 1e12 }),
      ...records(100, 'paused-', { paused: true }),
      ...records(100, 'finished-', { status: 'finished', runAt: null }),
      ...records(100, 'other-', { queue: 'other' }),
      record('due'),
    ]);
    const cost = await during(() => store.claim(claimAll));
    expect(tally(cost.names)).toEqual({ Query: 4, UpdateItem: 2 });
    expect(cost).toMatchObject({ read: 2, written: 4 });
    const idle = await during(() => store.claim(claimAll));
    expect(idle).toMatchObject({ read: 2, written: 0 });
  });

  test('a settlement without a history', async () => {
    const { store, during, tasks, first } = await working(9, { historyLimit: 0 });
    const again = settlement(first, { next: later, history: [entryOf(first.id)] });
    const repeated = await during(() => store.settle([again]));
    expect(repeated).toMatchObject({ names: ['UpdateItem'], read: 0, written: 3 });
    const rest = tasks.slice(1).map((task) => settlement(task, { next: null }));
    const removed = await during(() => store.settle(rest));
    expect(tally(removed.names)).toEqual({ DeleteItem: 8 });
    expect(removed.written).toBe(2 * 8);
  });

  test('a settlement with a history', async () => {
    const { store, during, first } = await working(1);
    const history = [entryOf(first.id)];
    const cost = await during(() => store.settle([settlement(first, { next: null, history })]));
    expect(cost.names).toEqual(['TransactWriteItems']);
    // AWS counts the writes of a transaction twice, DynamoDB Local 2.6 four times.
    expect(cost.written).toBe(4 * (1 + 1 + 1));
  });

  test('what else there is', async () => {
    const { store, during, tasks, first } = await working(9);
    const costs = {
      insert: await during(() => store.insert(records(10, 'new-', { runAt: 5000 }))),
      grouped: await during(() => store.insert([record('grouped', { group: 'g', runAt: 5000 })])),
      exists: await during(() => store.insert([record('grouped')])),
      extend: await during(() => store.extend(tasks.map(leaseOf), 1000)),
      longer: await during(() => store.extend(tasks.map(leaseOf), 2000)),
      update: await during(() => store.update(first.id, { body: '1' }, first)),
      release: await during(() => store.release([leaseOf(first)])),
      pause: await during(() => store.setPaused({ ids: [first.id] }, true)),
      resume: await during(() => store.setPaused({ ids: [first.id] }, false)),
      get: await during(() => store.get([first.id])),
      remove: await during(() => store.remove({ ids: [first.id] })),
      unknown: await during(() => store.remove({ ids: ['unknown'] })),
    };
    const units = Object.entries(costs).map(([call, { read, written }]) => [call, read, written]);
    expect(units).toEqual([
      ['insert', 0, 1 + 10 * 2],
      ['grouped', 0, 1 + 3],
      // AWS counts a write whose condition does not hold, and there as here its answer says nothing of it.
      ['exists', 0, 1],
      ['extend', 0, 9],
      ['longer', 0, 9 * 3],
      ['update', 1, 1 + 2],
      ['release', 0, 3],
      ['pause', 0, 2],
      ['resume', 0, 2],
      ['get', 1, 0],
      ['remove', 0, 2],
      ['unknown', 0, 0],
    ]);
  });

  test('many are read by the hundred', async () => {
    const { client, during } = bench.meter();
    const store = await bench.open({ client });
    const ids = records(250, 'task-').map(({ id }) => id);
    await store.insert(records(250, 'task-', { group: 'g' }));
    const get = await during(() => store.get(ids));
    expect(get.names).toEqual(['BatchGetItem', 'BatchGetItem', 'BatchGetItem']);
    const count = await during(() => store.count({}));
    expect(count.names).toEqual(Array(4).fill('Query'));
    const group = await during(() => store.count({ group: 'g' }));
    expect(group.names).toEqual(['Query']);
    // The history is read as far as it is kept, whatever there is beyond.
    const history = await during(() => store.history('task-1', 5));
    expect(history.names).toEqual(['Query']);
  });
});
