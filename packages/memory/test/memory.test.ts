import type { DataStoreOptions, Settlement } from '@sched/core';
import { isSchedError } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { claimAll, record, testHostileTexts, testOptionNames } from '@sched-tooling/adapter-tests';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RunHistory } from '../src/run-history.js';
import type { HeapItem } from '../src/wake-heap.js';
import { WakeHeap } from '../src/wake-heap.js';

async function open(): Promise<MemoryDataStore> {
  const store = new MemoryDataStore({ clock: () => 1000 });
  await store.open();
  return store;
}

/** Changes everything that can be changed in a value, however deep. */
function scramble(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    scramble(member);
    if (typeof member !== 'object') Object.assign(value, { [key]: 'scrambled' });
  }
}

describe('snapshots', () => {
  test('what is given to the store can be changed afterwards without effect', async () => {
    const store = await open();
    const given = record('a', { group: 'g' });
    await store.insert([given]);
    const before = await store.get(['a']);
    scramble(given);
    expect(await store.get(['a'])).toEqual(before);

    const { tasks } = await store.claim(claimAll);
    const settlements = tasks.map(
      (task): Settlement => ({
        id: task.id,
        token: task.lease.token,
        revision: task.revision,
        next: { status: 'finished', runAt: null, body: '"done"' },
        history: [{ taskId: 'a', id: 'run-1', at: 1000, body: '{}' }],
        spawn: [record('spawned')],
      }),
    );
    await store.settle(settlements);
    const tasksBefore = await store.get(['a', 'spawned']);
    const historyBefore = await store.history('a', 9);
    scramble(settlements);
    expect(await store.get(['a', 'spawned'])).toEqual(tasksBefore);
    expect(await store.history('a', 9)).toEqual(historyBefore);
  });

  test('what the store gives can be changed without effect', async () => {
    const store = await open();
    await store.insert([record('a', { group: 'g' }), record('b')]);
    const { tasks } = await store.claim({ ...claimAll, limit: 1 });
    const before = structuredClone(await store.get(['a', 'b']));
    scramble(tasks);
    scramble(await store.get(['a', 'b']));
    scramble(await store.list({ limit: 9 }));
    expect(await store.get(['a', 'b'])).toEqual(before);
    expect((await store.list({ limit: 9 })).tasks).toEqual(before);
    const token = before[0]?.lease?.token ?? 0;
    expect(await store.extend([{ id: 'a', token }], 5000)).toEqual([before[0]?.revision]);

    const history = [{ taskId: 'a', id: 'run-1', at: 1000, body: '{}' }];
    const revision = before[0]?.revision ?? 0;
    await store.settle([{ id: 'a', token, revision, next: null, history, spawn: [] }]);
    scramble(await store.history('a', 9));
    expect(await store.history('a', 9)).toEqual(history);
  });

  test('a snapshot shows the moment at which it was taken', async () => {
    const store = await open();
    await store.insert([record('a')]);
    const [before] = await store.get(['a']);
    const copy = structuredClone(before);
    const { tasks } = await store.claim(claimAll);
    const claimed = structuredClone(tasks);
    await store.setPaused({ all: true }, true);
    await store.remove({ all: true });
    expect(before).toEqual(copy);
    expect(tasks).toEqual(claimed);
  });
});

describe('what is stored', () => testHostileTexts(open));

test('however many tasks wait, no timer does', async () => {
  const timers = () =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const store = new MemoryDataStore();
  await store.open();
  await store.watch(() => {});
  const before = timers();
  const runAt = Date.now() + 60_000;
  const records = Array.from({ length: 1000 }, (_, index) => record(`t${index}`, { runAt }));
  await store.insert(records);
  await store.claim(claimAll);
  expect(timers()).toBe(before);
  await store.close();
});

test('tasks outlive the closing of the store, and not the store', async () => {
  const store = await open();
  await store.insert([record('a')]);
  await store.close();
  await store.open();
  expect(await store.count({})).toBe(1);
  expect(await (await open()).count({})).toBe(0);
});

test.each([
  { historyLimit: -1 },
  { historyLimit: Number.NaN },
  { historyMaxAgeMs: 0 },
  { historyMaxAgeMs: '7d' as unknown as number },
])('options that cannot be are refused: %o', (options) => {
  const [name] = Object.keys(options);
  let error: unknown;
  try {
    new MemoryDataStore(options);
  } catch (thrown) {
    error = thrown;
  }
  expect(isSchedError(error, 'SCHED_STORE_CONFIG')).toBe(true);
  expect(String(error)).toContain(name);
});

testOptionNames((options) => new MemoryDataStore(options as DataStoreOptions), {}, false);

describe('history', () => {
  const maxAgeMs = 100;
  const append = (history: RunHistory, taskId: string, at: number) =>
    history.append({ taskId, id: `run-${at}`, at, body: '{}' }, at);

  test('each entry forgets at most two tasks whose runs are all too old, the idlest first', () => {
    const history = new RunHistory(10, maxAgeMs);
    const idle = Array.from({ length: 9 }, (_, index) => `idle-${index}`);
    append(history, 'busy', 0);
    for (const [at, taskId] of idle.entries()) append(history, taskId, at);
    // What is asked for as of then is given for as long as it is kept.
    const kept = () => idle.filter((taskId) => history.newest(taskId, 1, 0).length > 0);
    append(history, 'busy', maxAgeMs);
    expect(kept()).toEqual(idle);
    append(history, 'busy', 1000);
    expect(kept()).toEqual(idle.slice(2));
    for (const at of [1001, 1002, 1003]) append(history, 'busy', at);
    expect(kept()).toEqual(idle.slice(8));
    append(history, 'busy', 1004);
    expect(kept()).toEqual([]);
    expect(history.newest('busy', 9, 1004)).toHaveLength(5);
  });

  test('whatever is appended, what is kept is the newest of each task, each once', () => {
    const entries = fc.array(
      fc.record({
        taskId: fc.constantFrom('a', 'b'),
        id: fc.constantFrom(...'pqrstuvw'),
        at: fc.integer({ min: 0, max: 9 }),
      }),
    );
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: 4 }), (appended, limit) => {
        const history = new RunHistory(limit, maxAgeMs);
        const model: { taskId: string; id: string; at: number; order: number }[] = [];
        for (const [order, entry] of appended.entries()) {
          history.append({ ...entry, body: '{}' }, 0);
          const own = model.filter(({ taskId }) => taskId === entry.taskId);
          if (own.some(({ id }) => id === entry.id)) continue;
          model.push({ ...entry, order });
          const [oldest] = [...own, model.at(-1)]
            .filter((other) => other !== undefined)
            .sort((a, b) => a.at - b.at || a.order - b.order);
          if (own.length === limit && oldest) model.splice(model.indexOf(oldest), 1);
        }
        for (const taskId of ['a', 'b']) {
          const newest = model
            .filter((entry) => entry.taskId === taskId)
            .sort((a, b) => b.at - a.at || b.order - a.order);
          const given = history.newest(taskId, 9, 0);
          expect(given.map(({ id }) => id)).toEqual(newest.map(({ id }) => id));
        }
      }),
    );
  });
});

describe('the heap', () => {
  const moments = fc.option(fc.integer({ min: 0, max: 20 }), { nil: null });
  const moves = fc.array(fc.record({ item: fc.nat({ max: 15 }), wakeAt: moments }), {
    minLength: 100,
    maxLength: 200,
  });

  test('has the earliest item on top, whatever is put in, moved and taken out', () => {
    fc.assert(
      fc.property(moves, (sequence) => {
        const heap = new WakeHeap<HeapItem>();
        const items = Array.from({ length: 16 }, (): HeapItem => ({ wakeAt: null, position: -1 }));
        const inOrder = () =>
          items.flatMap(({ wakeAt }) => (wakeAt === null ? [] : [wakeAt])).sort((a, b) => a - b);
        for (const { item, wakeAt } of sequence) {
          const moved = items[item];
          if (!moved) throw new Error('the item exists');
          moved.wakeAt = wakeAt;
          heap.place(moved);
          expect(heap.peek()?.wakeAt).toBe(inOrder()[0]);
          expect(moved.position === -1).toBe(wakeAt === null);
        }
        const expected = inOrder();
        const drained: number[] = [];
        for (let top = heap.peek(); top; top = heap.peek()) {
          if (top.wakeAt !== null) drained.push(top.wakeAt);
          top.wakeAt = null;
          heap.place(top);
        }
        expect(drained).toEqual(expected);
      }),
    );
  });
});
