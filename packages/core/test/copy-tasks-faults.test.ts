import { describe, expect, test } from 'vitest';
import { type CopyOptions, type CopyResult, copyTasks } from '../src/index.js';
import { contents, createStores, record, records, type Stores, told } from './support/copying.js';
import { type FaultName, faultNames, faultyStore } from './support/faulty-store.js';
import type { StoreCall } from './support/intercepted-store.js';
import { numbers, pick } from './support/random.js';

type Choose = (side: 'from' | 'to', call: StoreCall) => FaultName | undefined;

/** Copies between stores that go wrong, in virtual time. */
async function copyOver({ clock, from, to }: Stores, choose: Choose, options: CopyOptions = {}) {
  let outcome: { result?: CopyResult; error?: unknown } | undefined;
  void copyTasks(
    faultyStore(from, clock, (call) => choose('from', call)),
    faultyStore(to, clock, (call) => choose('to', call)),
    { clock, random: () => 0.5, storeTimeout: '1s', ...options },
  ).then(
    (result) => {
      outcome = { result };
    },
    (error) => {
      outcome = { error };
    },
  );
  await clock.runUntil(() => outcome !== undefined);
  return outcome ?? {};
}

const calls = [
  ...(['count', 'list', 'get', 'now'] as const).map((call) => ['from', call] as const),
  ...(['count', 'insert', 'get', 'now', 'update', 'setPaused', 'remove'] as const).map(
    (call) => ['to', call] as const,
  ),
] as const;

/** Something of everything: a lease, conflicts, and what is there already. */
async function createMixture(): Promise<Stores> {
  const stores = await createStores([record('held')]);
  const { from, to } = stores;
  await from.claim({ queues: ['q'], limit: 1, owner: 'worker', leaseMs: 1e9 });
  await from.insert(records(40));
  await from.insert([record('p', { paused: true }), record('r', { runAt: 4e12, body: 'r' })]);
  const paused = record('r', { paused: true });
  await to.insert([record('task 3'), record('task 5', { body: '5' }), record('p'), paused]);
  return stores;
}

describe.each(faultNames)('A call that %s', (fault) => {
  test.each(calls)('is made again: %s, %s', async (side, call) => {
    const stores = await createMixture();
    const { from, to } = stores;
    let left = 2;
    let struck = 0;
    const { result, error } = await copyOver(
      stores,
      (at, made) => {
        // What is paused while it is copied is removed from the target again.
        if (call === 'remove' && made === 'insert') void from.setPaused({ ids: ['task 9'] }, true);
        if (at !== side || made !== call || left-- <= 0) return undefined;
        struck++;
        return fault;
      },
      { onConflict: 'replace' },
    );
    expect(error).toBeUndefined();
    expect(struck).toBeGreaterThan(0);
    expect(result).toMatchObject({ left: 1, refused: 0, differing: 0, replaced: 3, read: 43 });
    expect(result?.changed).toBe(call === 'remove' ? 1 : 0);
    // What is late comes now.
    await stores.clock.advance('5m');
    const again = await copyTasks(from, to);
    expect(again).toMatchObject({ left: 1, isComplete: false, read: 43, changed: 0 });
    const copied = (await contents(from)).filter(({ id }) => id !== 'held');
    expect(told(await contents(to))).toEqual(told(copied));
    expect(stores.clock.pendingTimers).toBe(0);
  });
});

test('Faults at random do no harm', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = numbers(seed);
    const stores = await createMixture();
    const choose = () => (random() < 0.4 ? pick(random, faultNames) : undefined);
    const options = { onConflict: 'replace', retryFor: '1h', pageSize: 9 } as const;
    const { result, error } = await copyOver(stores, choose, options);
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ left: 1, refused: 0, differing: 0, changed: 0, replaced: 3 });
    const copied = (await contents(stores.from)).filter(({ id }) => id !== 'held');
    expect(told(await contents(stores.to))).toEqual(told(copied));
  }
});

describe('A store that stays away', () => {
  test.each(['from', 'to'] as const)('is given up after a while: %s', async (side) => {
    const stores = await createStores(records(100));
    const { clock, from, to } = stores;
    let reads = 0;
    const begunAt = clock.elapsed();
    const { error } = await copyOver(
      stores,
      (at, call) => {
        if (at === 'from' && call === 'list') reads++;
        return at === side && reads > 2 ? 'fails before it is applied' : undefined;
      },
      { retryFor: '10s' },
    );
    expect(error).toMatchObject({
      code: 'SCHED_STORE_UNAVAILABLE',
      details: { progress: { inserted: 48, total: 100, cursor: expect.any(String) } },
      cause: { code: 'SCHED_STORE_UNAVAILABLE' },
    });
    // 75, 150, 300, … ms, as long as the next try still falls into the 10 s.
    expect(clock.elapsed() - begunAt).toBe(75 * (2 ** 7 - 1));
    expect(clock.pendingTimers).toBe(0);
    expect(await copyTasks(from, to)).toMatchObject({ unchanged: 48, inserted: 52 });
  });

  test('and does not answer is told from one that fails', async () => {
    const stores = await createStores(records(3));
    const choose: Choose = (_, call) =>
      call === 'insert' ? 'hangs after it is applied' : undefined;
    const { error } = await copyOver(stores, choose, { retryFor: '3s' });
    expect(error).toMatchObject({ code: 'SCHED_STORE_TIMEOUT' });
    expect(await copyTasks(stores.from, stores.to)).toMatchObject({ unchanged: 3, inserted: 0 });
  });

  test('is not waited for longer when the copy was aborted during a call', async () => {
    const stores = await createStores(records(3));
    const abort = new AbortController();
    stores.clock.setTimeout(() => abort.abort('enough'), 500);
    const { error } = await copyOver(stores, () => 'hangs before it is applied', {
      signal: abort.signal,
    });
    expect([error, stores.clock.elapsed()]).toEqual(['enough', 1000]);
  });

  test('keeps nobody waiting who has aborted the copy', async () => {
    const stores = await createStores(records(3));
    const { clock } = stores;
    const abort = new AbortController();
    clock.setTimeout(() => abort.abort('enough'), 5000);
    const { error } = await copyOver(stores, () => 'fails before it is applied', {
      ...{ signal: abort.signal, retryFor: '1h' },
    });
    expect(error).toBe('enough');
    expect(clock.elapsed()).toBe(5000);
    expect(clock.pendingTimers).toBe(0);
  });
});
