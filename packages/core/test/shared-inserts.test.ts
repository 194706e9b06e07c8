import { describe, expect, test } from 'vitest';
import { type DataStore, defineTask, type NewTaskRecord, SchedError } from '../src/index.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const work = defineTask<unknown>('work');

function names(count: number, prefix = 't'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** A store whose inserts wait until they are let through, one by one. */
function holdInserts(store: DataStore) {
  const held: { readonly ids: readonly string[]; readonly proceed: () => void }[] = [];
  const holding = interceptStore(store, async (call, proceed, [records]) => {
    if (call === 'insert') {
      const ids = (records as NewTaskRecord[]).map(({ id }) => id);
      await new Promise<void>((resolve) => held.push({ ids, proceed: resolve }));
    }
    return proceed();
  });
  return { store: holding, held };
}

/** Refuses, as a whole, each insert that holds a task of this id. */
function refuse(store: DataStore, id: string, error: SchedError): DataStore {
  return interceptStore(store, async (call, proceed, [records]) => {
    if (call === 'insert' && (records as NewTaskRecord[]).some((record) => record.id === id)) {
      throw error;
    }
    return proceed();
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('calls of schedule that come together', () => {
  test('share one statement, in their order, and ask for the time once', async () => {
    const { store, scheduler } = createSetting();
    const recorded = recordStore(store);
    await using it = scheduler({ store: recorded.store, tasks: [work] });
    const ids = names(100);
    const scheduled = await Promise.all(ids.map((id) => it.schedule(work, { id, payload: id })));
    expect(scheduled).toEqual(ids.map((id) => ({ id, outcome: 'created' })));
    const inserts = recorded.calls.filter(({ call }) => call === 'insert');
    expect(inserts).toHaveLength(1);
    const [records] = inserts[0]?.args ?? [];
    expect((records as NewTaskRecord[]).map(({ id }) => id)).toEqual(ids);
    expect(recorded.count('now')).toBe(1);
    for (const id of ids) expect(await it.get(id)).toMatchObject({ id, payload: id });
  });

  test('are each told what became of their own task', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.schedule(work, { id: 'there', payload: 1 });
    const settled = await Promise.allSettled([
      it.schedule(work, { id: 'first', payload: 1 }),
      it.schedule(work, { id: 'there', payload: 1, onConflict: 'error' }),
      it.schedule(work, { id: 'there', payload: 1 }),
      it.schedule(work, { id: 'there', payload: 2 }),
      it.schedule(work, { id: 'twice', payload: 1, onConflict: 'keep' }),
      it.schedule(work, { id: 'twice', payload: 2, onConflict: 'keep' }),
      it.scheduleMany([
        { task: work, id: 'many', payload: 1 },
        { task: work, id: 'first', payload: 1, onConflict: 'keep' },
      ]),
    ]);
    expect(settled).toEqual([
      { status: 'fulfilled', value: { id: 'first', outcome: 'created' } },
      { status: 'rejected', reason: expect.objectContaining({ code: 'SCHED_TASK_EXISTS' }) },
      { status: 'fulfilled', value: { id: 'there', outcome: 'unchanged' } },
      { status: 'fulfilled', value: { id: 'there', outcome: 'updated' } },
      { status: 'fulfilled', value: { id: 'twice', outcome: 'created' } },
      { status: 'fulfilled', value: { id: 'twice', outcome: 'unchanged' } },
      {
        status: 'fulfilled',
        value: [
          { id: 'many', outcome: 'created' },
          { id: 'first', outcome: 'unchanged' },
        ],
      },
    ]);
    expect(await it.get('twice')).toMatchObject({ payload: 1 });
  });

  test.each(['SCHED_PAYLOAD_TOO_LARGE', 'SCHED_ARGUMENT_INVALID'] as const)(
    'are not held up by a task that the store refuses with %s',
    async (code) => {
      const { store, scheduler } = createSetting();
      const error = new SchedError(code, 'No.');
      const recorded = recordStore(refuse(store, 't7', error));
      await using it = scheduler({ store: recorded.store, tasks: [work] });
      const ids = names(64);
      const settled = await Promise.allSettled(
        ids.map((id) => it.schedule(work, { id, payload: 1, onConflict: 'error' })),
      );
      expect(settled).toEqual(
        ids.map((id) =>
          id === 't7'
            ? { status: 'rejected', reason: error }
            : { status: 'fulfilled', value: { id, outcome: 'created' } },
        ),
      );
      expect(await it.count()).toBe(63);
      // Halves of halves: not one statement for each task.
      expect(recorded.count('insert')).toBeLessThan(10);
    },
  );

  test('all fail when their statement fails', async () => {
    const { store, scheduler } = createSetting();
    const error = new SchedError('SCHED_STORE_UNAVAILABLE', 'Gone.');
    await using it = scheduler({ store: refuse(store, 't1', error), tasks: [work] });
    const settled = await Promise.allSettled(
      names(3).map((id) => it.schedule(work, { id, payload: 1 })),
    );
    expect(settled).toEqual(Array(3).fill({ status: 'rejected', reason: error }));
    expect(await it.count()).toBe(0);
    expect(await it.schedule(work, { id: 't0', payload: 1 })).toMatchObject({ outcome: 'created' });
  });

  test('all fail when the scheduler is stopped meanwhile', async () => {
    const { store, scheduler } = createSetting();
    const held = holdInserts(store);
    const it = scheduler({ store: held.store, tasks: [work] });
    const first = it.schedule(work, { payload: 1 });
    await turn();
    const second = it.schedule(work, { payload: 2 });
    await turn();
    await it.stop();
    for (const call of [first, second]) {
      await expect(call).rejects.toMatchObject({ code: 'SCHED_CLOSED' });
    }
  });
});

describe('calls of schedule while a statement is under way', () => {
  test('share the next one, and are answered only when it is', async () => {
    const { store, scheduler } = createSetting();
    const { store: holding, held } = holdInserts(store);
    await using it = scheduler({ store: holding, tasks: [work] });
    const answered: string[] = [];
    const schedule = (id: string) =>
      it.schedule(work, { id, payload: 1 }).then(() => answered.push(id));
    const all = [schedule('a')];
    await turn();
    for (const id of ['b', 'c']) {
      all.push(schedule(id));
      await turn();
    }
    expect(held.map(({ ids }) => ids)).toEqual([['a']]);
    held[0]?.proceed();
    await turn();
    expect(answered).toEqual(['a']);
    expect(held.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']]);
    held[1]?.proceed();
    await Promise.all(all);
    expect(answered).toEqual(['a', 'b', 'c']);
  });

  test('do not wait long for it: it may wait for a lock', async () => {
    const { clock, store, scheduler } = createSetting();
    const slow = interceptStore(store, async (call, proceed, [records]) => {
      if (call === 'insert' && (records as NewTaskRecord[])[0]?.id === 'locked') {
        await clock.sleep('10s');
      }
      return proceed();
    });
    await using it = scheduler({ store: slow, tasks: [work] });
    const answered: string[] = [];
    const schedule = (id: string) =>
      it.schedule(work, { id, payload: 1 }).then(() => answered.push(id));
    const locked = schedule('locked');
    await clock.advance(0);
    const others = ['a', 'b'].map(schedule);
    await clock.advance('1s');
    expect(answered).toEqual(['a', 'b']);
    // The one that takes long does not make others wait twice.
    others.push(schedule('c'));
    await clock.advance(0);
    expect(answered).toEqual(['a', 'b', 'c']);
    await clock.advance('10s');
    await Promise.all([locked, ...others]);
    expect(answered).toEqual(['a', 'b', 'c', 'locked']);
  });

  test('go out in statements of at most 500 tasks, none of them split', async () => {
    const { store, scheduler } = createSetting();
    const { store: holding, held } = holdInserts(store);
    await using it = scheduler({ store: holding, tasks: [work] });
    const all: Promise<unknown>[] = [it.schedule(work, { id: 'a', payload: 1 })];
    await turn();
    for (const prefix of ['x', 'y', 'z']) {
      const declarations = names(200, prefix).map((id) => ({ task: work, id, payload: 1 }));
      all.push(it.scheduleMany(declarations));
    }
    await turn();
    for (let next = 0; next < 3; next++) {
      await turn();
      held[next]?.proceed();
    }
    await Promise.all(all);
    expect(held.map(({ ids }) => ids.length)).toEqual([1, 400, 200]);
  });
});

/** A store whose transactions are seen at once. */
function transactional(store: DataStore, inside: DataStore = store): DataStore {
  const outside = interceptStore(store, (_call, proceed) => proceed(), { transactions: true });
  return Object.create(outside, { withTransaction: { value: () => inside } });
}

test('a call within a transaction shares no statement with others', async () => {
  const { store, scheduler } = createSetting();
  const recorded = recordStore(store);
  await using it = scheduler({ store: transactional(recorded.store), tasks: [work] });
  await it.count();
  const inside = it.withTransaction('tx');
  await Promise.all([
    it.schedule(work, { id: 'a', payload: 1 }),
    inside.schedule(work, { id: 'b', payload: 1 }),
    it.schedule(work, { id: 'c', payload: 1 }),
  ]);
  const inserts = recorded.calls.filter(({ call }) => call === 'insert').map(({ args }) => args[0]);
  const ids = (inserts as NewTaskRecord[][]).map((records) => records.map(({ id }) => id));
  expect(ids.sort()).toEqual([['a', 'c'], ['b']]);
});

describe('the time of the store', () => {
  test('is asked for while the last answer is still good, so that no call waits for it', async () => {
    const { clock, store, scheduler } = createSetting();
    let isHeld = false;
    const recorded = recordStore(store);
    const slow = interceptStore(recorded.store, async (call, proceed) => {
      if (call === 'now' && isHeld) await clock.sleep('1h');
      return proceed();
    });
    await using it = scheduler({ store: slow, tasks: [work] });
    await it.schedule(work, { payload: 1 });
    expect(recorded.count('now')).toBe(1);
    await clock.advance('29s');
    await it.schedule(work, { payload: 1 });
    expect(recorded.count('now')).toBe(1);
    await clock.advance('2s');
    await it.schedule(work, { payload: 1 });
    await clock.advance(0);
    expect(recorded.count('now')).toBe(2);
    isHeld = true;
    await clock.advance('31s');
    // The store does not answer, and nobody waits for it.
    expect(await it.schedule(work, { payload: 1 })).toMatchObject({ outcome: 'created' });
  });

  test('is known within a transaction, which is asked nothing beside its own calls', async () => {
    const { clock, store, scheduler } = createSetting();
    const recorded = recordStore(store);
    await using it = scheduler({ store: transactional(store, recorded.store), tasks: [work] });
    await it.schedule(work, { payload: 1 });
    await clock.advance('59s');
    await it.withTransaction('tx').schedule(work, { id: 'a', payload: 1, in: '1m' });
    expect(recorded.calls.map(({ call }) => call)).toEqual(['insert']);
    expect(await it.get('a')).toMatchObject({ runAt: new Date(clock.now() + 60_000) });
    await clock.advance('2m');
    await it.withTransaction('tx').schedule(work, { payload: 1 });
    expect(recorded.calls.map(({ call }) => call).slice(1)).toEqual(['now', 'insert']);
  });

  test('is waited for when the last answer is too old', async () => {
    const { clock, store, scheduler } = createSetting();
    const recorded = recordStore(store);
    await using it = scheduler({ store: recorded.store, tasks: [work] });
    await it.schedule(work, { payload: 1 });
    await clock.advance('2m');
    await it.schedule(work, { payload: 1 });
    expect(recorded.calls.map(({ call }) => call).slice(-2)).toEqual(['now', 'insert']);
  });
});

describe('many tasks in one call', () => {
  const declarations = (ids: readonly string[]) =>
    ids.map((id, index) => ({ task: work, id, payload: index }));

  /** The first ids of the batches that are held, once nothing more comes. */
  async function heldFirsts({ held }: ReturnType<typeof holdInserts>): Promise<unknown[]> {
    for (let count = -1; count < held.length; ) {
      count = held.length;
      for (let turns = 0; turns < 5; turns++) await turn();
    }
    return held.map(({ ids }) => ids[0]);
  }

  test('are on their way in two batches, and answered in their order', async () => {
    const { store, scheduler } = createSetting();
    const holding = holdInserts(store);
    const it = scheduler({ store: holding.store, tasks: [work] });
    const ids = names(2000);
    const scheduled = it.scheduleMany(declarations(ids));
    expect(await heldFirsts(holding)).toEqual(['t0', 't500']);
    holding.held[1]?.proceed();
    expect(await heldFirsts(holding)).toEqual(['t0', 't500', 't1000']);
    holding.held[2]?.proceed();
    expect(await heldFirsts(holding)).toEqual(['t0', 't500', 't1000', 't1500']);
    for (const { proceed } of holding.held) proceed();
    expect(await scheduled).toEqual(ids.map((id) => ({ id, outcome: 'created' })));
    expect(await store.count({})).toBe(2000);
  });

  test('are on their way in one batch where two of them have one id', async () => {
    const { store, scheduler } = createSetting();
    const holding = holdInserts(store);
    const it = scheduler({ store: holding.store, tasks: [work] });
    const scheduled = it.scheduleMany(declarations([...names(1000), 't0']));
    for (const first of ['t0', 't500', 't0']) {
      expect((await heldFirsts(holding)).at(-1)).toBe(first);
      holding.held.at(-1)?.proceed();
    }
    expect((await scheduled).at(-1)).toEqual({ id: 't0', outcome: 'updated' });
    expect(await it.get('t0')).toMatchObject({ payload: 1000 });
  });

  test('are given up at the first failure, once nothing is under way', async () => {
    const { store, scheduler } = createSetting();
    const failure = new SchedError('SCHED_STORE_UNAVAILABLE', 'Away.');
    const holding = holdInserts(store);
    const it = scheduler({ store: refuse(holding.store, 't0', failure), tasks: [work] });
    let isOver = false;
    const scheduled = it.scheduleMany(declarations(names(2000))).finally(() => {
      isOver = true;
    });
    expect(await heldFirsts(holding)).toEqual(['t500']);
    expect(isOver).toBe(false);
    holding.held[0]?.proceed();
    await expect(scheduled).rejects.toBe(failure);
    expect(await heldFirsts(holding)).toEqual(['t500']);
    expect(await store.count({})).toBe(500);
  });
});
