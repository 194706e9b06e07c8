import type { ClaimedTask, DataStore } from '@sched/core';
import type { MongoDataStore } from '@sched/mongo';
import {
  claimAll,
  claimOne,
  failure,
  leaseOf,
  record,
  settlement,
} from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { servers, tampered, workbench } from './support.js';

/** More than any settlement needs. */
const manySteps = 20;

const entry = { taskId: 'parent', id: 'run', at: 1000, body: '{}' };

/** A settlement with everything there is. */
function everything(task: ClaimedTask, next: 'again' | 'removed') {
  const again = { status: 'scheduled', runAt: 5000, body: '"settled"' } as const;
  return settlement(task, {
    next: next === 'again' ? again : null,
    history: [entry],
    spawn: [record('child', { queue: 'children' }), record('there')],
  });
}

/** What there is of it in the end. */
async function outcome(store: DataStore) {
  const [parent, child, there] = await store.get(['parent', 'child', 'there']);
  const history = await store.history('parent', 9);
  return [parent?.body, child?.wakeAt, there?.body, history.map(({ id }) => id)];
}

await describeOnEach(servers, 'a settlement that ends in the middle', ({ url }) => {
  const bench = workbench(url);

  /** A store with a claimed task, and another whose every write goes through `before`. */
  async function prepared(before: (write: string) => Promise<void>) {
    const database = bench.database();
    const store = await bench.open({ database });
    await store.insert([record('parent')]);
    const task = await claimOne(store);
    await store.insert([record('there', { queue: 'others', body: '"there"' })]);
    const client = tampered(bench.client(), before);
    return { database, store, task, other: await bench.open({ database, client }) };
  }

  test.each(['again', 'removed'] as const)(
    'is completed by whoever opens the store next, wherever it ended: %s',
    async (next) => {
      const done = [next === 'again' ? '"settled"' : undefined, 1000, '"there"', ['run']];
      for (let end = 1; ; end++) {
        let step = Number.NEGATIVE_INFINITY;
        const { database, store, task, other } = await prepared(async () => {
          if (++step >= end) throw new Error('the process has ended');
        });
        step = 0;
        const answers = await other.settle([everything(task, next)]).catch(() => undefined);
        if (answers) {
          expect(end).toBeGreaterThan(5);
          expect(await outcome(store)).toEqual(done);
          return;
        }
        expect(end).toBeLessThan(manySteps);
        const [before] = await store.get(['parent']);
        const isApplied = before?.lease == null;
        const heir = await bench.open({ database });
        expect(await outcome(heir)).toEqual(isApplied ? done : ['{}', undefined, '"there"', []]);
        const [pending] = await bench
          .collection(database)
          .find({ pending: { $exists: true } })
          .toArray();
        expect(pending).toBeUndefined();
        // What is gone shows nothing to whoever asks again.
        const repeated = isApplied && next === 'removed' ? 'lost' : 'settled';
        expect(await store.settle([everything(task, next)])).toEqual([repeated]);
        expect(await outcome(store)).toEqual(done);
      }
    },
    60_000,
  );

  test('is completed by whoever makes the call again', async () => {
    let isEnding = false;
    const { store, task, other } = await prepared(async (write) => {
      if (isEnding && write.startsWith('insertMany')) throw new Error('the process has ended');
    });
    isEnding = true;
    await failure(() => other.settle([everything(task, 'again')]), 'SCHED_STORE_UNAVAILABLE');
    expect(await store.get(['parent', 'child'])).toMatchObject([{ body: '"settled"' }, undefined]);
    expect(await store.settle([everything(task, 'again')])).toEqual(['settled']);
    expect(await outcome(store)).toEqual(['"settled"', 1000, '"there"', ['run']]);
  });

  test('is completed by whoever reads the history, or removes what it has spawned', async () => {
    let isEnding = false;
    const { store, task, other } = await prepared(async (write) => {
      if (isEnding && write.startsWith('insertMany')) throw new Error('the process has ended');
    });
    isEnding = true;
    await failure(() => other.settle([everything(task, 'again')]), 'SCHED_STORE_UNAVAILABLE');
    expect(await store.history('parent', 9)).toEqual([entry]);
    expect(await store.remove({ ids: ['child'] })).toBe(1);
    expect(await store.settle([everything(task, 'again')])).toEqual(['settled']);
    expect(await store.get(['child'])).toEqual([undefined]);
  });

  test('is completed though the task was settled again since, and removed', async () => {
    let isEnding = false;
    const { database, store, task, other } = await prepared(async (write) => {
      if (isEnding && write.startsWith('insertMany')) throw new Error('the process has ended');
    });
    isEnding = true;
    const first = settlement(task, { history: [entry], spawn: [record('child')] });
    await failure(() => other.settle([first]), 'SCHED_STORE_UNAVAILABLE');
    const history = [{ ...entry, id: 'last run' }];
    const last = { next: null, history, spawn: [record('last child')] };
    expect(await store.settle([settlement(await claimOne(store), last)])).toEqual(['settled']);
    const heir = await bench.open({ database });
    const tasks = await heir.get(['parent', 'child', 'last child']);
    expect(tasks.map((found) => found?.id)).toEqual([undefined, 'child', 'last child']);
    const entries = await heir.history('parent', 9);
    expect(entries.map(({ id }) => id).sort()).toEqual(['last run', 'run']);
    expect(await bench.collection(database).countDocuments({ _id: 'parent' })).toBe(0);
  });

  test('leaves a removed task to nobody: its id is free', async () => {
    let isEnding = false;
    const { store, task, other } = await prepared(async (write) => {
      if (isEnding && write.startsWith('insertMany')) throw new Error('the process has ended');
    });
    isEnding = true;
    await failure(() => other.settle([everything(task, 'removed')]), 'SCHED_STORE_UNAVAILABLE');
    // Both look for what is left to spawn first; the removed task itself is not counted.
    expect(await store.count({})).toBe(2);
    expect((await store.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual(['child', 'there']);
    expect((await store.claim(claimAll)).tasks).toEqual([]);
    expect(await store.update('parent', { body: '1' }, task)).toBe('missing');
    expect(await store.insert([record('parent', { body: '"new"' })])).toEqual(['inserted']);
    expect(await store.remove({ ids: ['child'] })).toBe(1);
    const [again] = (await store.claim(claimAll)).tasks;
    expect(again).toMatchObject({ id: 'parent', body: '"new"', deliveries: 1 });
    expect(again?.lease.token).toBeGreaterThan(task.lease.token);
    expect(await store.history('parent', 9)).toEqual([entry]);
  });
});

await describeOnEach(servers, 'a settlement that is delayed in the middle', ({ url }) => {
  const bench = workbench(url);

  test('spawns once, though the task was delivered by another, has run and is gone by then', async () => {
    for (let wait = 2; ; wait++) {
      let step = Number.NEGATIVE_INFINITY;
      let resume = () => {};
      let reached = () => {};
      const isReached = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const database = bench.database();
      const store = await bench.open({ database });
      await store.insert([record('parent')]);
      const task = await claimOne(store);
      const client = tampered(bench.client(), async () => {
        if (++step !== wait) return;
        await new Promise<void>((resolve) => {
          resume = resolve;
          reached();
        });
      });
      const delayed: MongoDataStore = await bench.open({ database, client });
      step = 0;
      const spawn = [record('child', { queue: 'children' })];
      const settling = delayed.settle([settlement(task, { history: [entry], spawn })]);
      await Promise.race([isReached, settling]);
      if (step < wait) {
        expect(wait).toBeGreaterThan(5);
        return;
      }
      // Another does it all meanwhile, if there is anything to do yet.
      await bench.open({ database });
      const children = await store.claim({ ...claimAll, queues: ['children'] });
      await store.settle(children.tasks.map((child) => settlement(child, { next: null })));
      resume();
      await settling;
      const late = await store.claim({ ...claimAll, queues: ['children'] });
      expect(children.tasks.length + late.tasks.length).toBe(1);
      expect(await store.history('parent', 9)).toEqual([entry]);
      const left = await bench
        .collection(database)
        .find({ pending: { $exists: true } })
        .toArray();
      expect(left).toEqual([]);
    }
  }, 60_000);
});

await describeOnEach(servers, 'settlements that share a document', ({ url }) => {
  const bench = workbench(url);
  const ids = ['a', 'b', 'edited', 'kept'];

  /** A store with claimed tasks, one of them edited since, and another whose every write goes through `before`. */
  async function prepared(before: (write: string) => Promise<void>) {
    const database = bench.database();
    const store = await bench.open({ database });
    await store.insert(ids.map((id) => record(id)));
    const { tasks } = await store.claim(claimAll);
    const [edited] = await store.get(['edited']);
    await store.update('edited', { body: '"edited"' }, { revision: edited?.revision ?? 0 });
    const other = await bench.open({ database, client: tampered(bench.client(), before) });
    const settlements = tasks.map((task) => {
      const history = [{ ...entry, taskId: task.id }];
      const again = { status: 'scheduled', runAt: 5000, body: '"settled"' } as const;
      return settlement(task, { next: task.id === 'kept' ? again : null, history });
    });
    settlements.sort((one, two) => (one.id < two.id ? -1 : 1));
    return { database, store, other, settlements };
  }

  /** Which tasks there are, and which have history. */
  async function outcome(store: DataStore) {
    const there = (await store.get(ids)).map((task) => task?.body);
    const histories = await Promise.all(ids.map((id) => store.history(id, 9)));
    return [there, histories.map((entries) => entries.length)];
  }

  const before = [
    ['{}', '{}', '"edited"', '{}'],
    [0, 0, 0, 0],
  ];
  const after = [
    [undefined, undefined, '"edited"', '"settled"'],
    [1, 1, 0, 1],
  ];

  async function leftIn(database: string) {
    const left = { $or: [{ status: 'removed' }, { pending: { $exists: true } }] };
    return bench.collection(database).find(left).toArray();
  }

  test('are completed by whoever opens the store next, wherever the call ended', async () => {
    for (let end = 1; ; end++) {
      let step = Number.NEGATIVE_INFINITY;
      const { database, store, other, settlements } = await prepared(async () => {
        if (++step >= end) throw new Error('the process has ended');
      });
      step = 0;
      const answers = await other.settle(settlements).catch(() => undefined);
      if (answers) {
        expect(end).toBeGreaterThan(4);
        expect(answers).toEqual(['settled', 'settled', 'conflict', 'settled']);
        expect(await outcome(store)).toEqual(after);
        expect(await leftIn(database)).toEqual([]);
        return;
      }
      expect(end).toBeLessThan(manySteps);
      const isApplied = (await store.get(['a']))[0] === undefined;
      const heir = await bench.open({ database });
      expect(await outcome(heir)).toEqual(isApplied ? after : before);
      if (isApplied) expect(await leftIn(database)).toEqual([]);
      const repeated = isApplied ? 'lost' : 'settled';
      const again = [repeated, repeated, 'conflict', 'settled'];
      expect(await store.settle(settlements)).toEqual(again);
      expect(await outcome(store)).toEqual(after);
      // What the first call had noted is of no more use once it can settle nothing.
      await bench.open({ database });
      expect(await leftIn(database)).toEqual([]);
    }
  }, 60_000);

  test('are settled once, though others look after them meanwhile, wherever the call is delayed', async () => {
    for (let wait = 1; ; wait++) {
      let step = Number.NEGATIVE_INFINITY;
      const { promise: resumed, resolve: resume } = Promise.withResolvers<void>();
      const { promise: isReached, resolve: reached } = Promise.withResolvers<void>();
      const { database, store, other, settlements } = await prepared(async () => {
        if (++step !== wait) return;
        reached();
        await resumed;
      });
      step = 0;
      const settling = other.settle(settlements);
      await Promise.race([isReached, settling]);
      if (step >= wait) {
        await bench.open({ database });
        expect((await outcome(store))[1]?.[2]).toBe(0);
        resume();
      }
      expect(await settling).toEqual(['settled', 'settled', 'conflict', 'settled']);
      expect(await outcome(store)).toEqual(after);
      await bench.open({ database });
      expect(await leftIn(database)).toEqual([]);
      if (step < wait) return;
    }
  }, 60_000);

  test('show their history to whoever reads it first', async () => {
    let isEnding = false;
    const { store, other, settlements } = await prepared(async (write) => {
      if (isEnding && write === 'insertMany sched.history') throw new Error('it has ended');
    });
    isEnding = true;
    await failure(() => other.settle(settlements), 'SCHED_STORE_UNAVAILABLE');
    expect((await store.history('b', 9)).map(({ id }) => id)).toEqual(['run']);
    expect(await outcome(store)).toEqual(after);
  });

  test('leave the ids of their tasks to new ones', async () => {
    let isEnding = false;
    const { database, store, other, settlements } = await prepared(async (write) => {
      if (isEnding && write === 'insertMany sched.history') throw new Error('it has ended');
    });
    isEnding = true;
    await failure(() => other.settle(settlements), 'SCHED_STORE_UNAVAILABLE');
    expect(await store.insert([record('a', { body: '"new"' })])).toEqual(['inserted']);
    await bench.open({ database });
    expect(await outcome(store)).toEqual([['"new"', ...(after[0]?.slice(1) ?? [])], after[1]]);
    expect(await leftIn(database)).toEqual([]);
  });
});

await describeOnEach(
  servers,
  'settlements that others look after before they are answered',
  ({ url }) => {
    const bench = workbench(url);
    const ids = ['a', 'b', 'gone', 'taken', 'kept'];
    const next = { status: 'scheduled', runAt: 1000, body: '"settled"' } as const;

    /** Settles claimed tasks, two of which are lost, while others do something once that is written. */
    async function settleThen(
      settled: readonly string[],
      meanwhile: (other: DataStore, database: string) => Promise<unknown>,
      { nexts = {}, isRepeated = false, isBare = false }: How = {},
    ) {
      const database = bench.database();
      const other = await bench.open({ database });
      await other.insert(ids.map((id) => record(id)));
      const { tasks } = await other.claim(claimAll);
      const settlements = settled.map((id) => {
        const task = tasks.find((each) => each.id === id) as ClaimedTask;
        const history = isBare ? [] : [{ ...entry, taskId: id }];
        return settlement(task, { next: nexts[id] ?? null, history });
      });
      await other.remove({ ids: ['gone'] });
      await other.release(tasks.filter(({ id }) => id === 'taken').map(leaseOf));
      await other.claim(claimAll);
      if (isRepeated) await other.settle(settlements.filter(({ next }) => next));
      let isDone = false;
      const client = tampered(
        bench.client(),
        async () => {},
        async (write) => {
          if (write !== 'bulkWrite sched' || isDone) return;
          isDone = true;
          await meanwhile(other, database);
        },
      );
      const store = await bench.open({ database, client });
      const answers = await store.settle(settlements);
      const histories = await Promise.all(settled.map((id) => other.history(id, 9)));
      expect(histories.map(({ length }) => length)).toEqual(
        answers.map((answer) => (answer === 'settled' && !isBare ? 1 : 0)),
      );
      await bench.open({ database });
      const left = { $or: [{ status: 'removed' }, { pending: { $exists: true } }] };
      expect(await bench.collection(database).find(left).toArray()).toEqual([]);
      return answers;
    }

    interface How {
      readonly nexts?: Readonly<Record<string, typeof next>>;
      /** Whether those of which something is left were settled before by the same call. */
      readonly isRepeated?: boolean;
      /** Whether they add nothing to the history. */
      readonly isBare?: boolean;
    }

    const heal = (_: DataStore, database: string) => bench.open({ database });

    test('are settled though nothing is left of their tasks, and others are lost', async () => {
      expect(await settleThen(['a', 'gone'], heal)).toEqual(['settled', 'lost']);
      const four = ['taken', 'a', 'gone', 'b'];
      expect(await settleThen(four, heal)).toEqual(['lost', 'settled', 'lost', 'settled']);
      expect(await settleThen(['gone', 'taken'], heal)).toEqual(['lost', 'lost']);
    });

    test('are settled though nothing is left of their tasks, where others were settled before', async () => {
      const how = { nexts: { kept: next }, isRepeated: true };
      expect(await settleThen(['kept', 'a'], heal, how)).toEqual(['settled', 'settled']);
      expect(await settleThen(['a', 'kept', 'gone'], heal, how)).toEqual([
        ...['settled', 'settled', 'lost'],
      ]);
      expect(await settleThen(['kept', 'gone'], heal, how)).toEqual(['settled', 'lost']);
    });

    test('are settled though there are new tasks in the place of theirs', async () => {
      const insert = (other: DataStore) => other.insert([record('a', { body: '"new"' })]);
      expect(await settleThen(['a', 'taken'], insert)).toEqual(['settled', 'lost']);
      const insertLater = async (other: DataStore, database: string) => {
        await heal(other, database);
        await insert(other);
      };
      expect(await settleThen(['a', 'taken'], insertLater)).toEqual(['settled', 'lost']);
    });

    test('are settled as far as their number tells, where they add nothing to the history', async () => {
      const how = { isBare: true, nexts: { kept: next } };
      expect(await settleThen(['a', 'b', 'taken'], heal, how)).toEqual([
        'settled',
        'settled',
        'lost',
      ]);
      expect(await settleThen(['a', 'kept', 'taken'], heal, how)).toEqual([
        ...['settled', 'settled', 'lost'],
      ]);
    });

    test('are settled though the call was made again since others were in the way of a part of it', async () => {
      const failAfter = async (other: DataStore, database: string) => {
        await heal(other, database);
        throw Object.assign(new Error('in the way'), { code: 112, matchedCount: 1 });
      };
      expect(await settleThen(['a', 'gone'], failAfter)).toEqual(['settled', 'lost']);
      expect(await settleThen(['a'], failAfter)).toEqual(['settled']);
    });

    test('are settled though their tasks were settled again since, or removed', async () => {
      const how = { nexts: { kept: next } };
      const settleAgain = async (other: DataStore, database: string) => {
        await heal(other, database);
        const { tasks } = await other.claim(claimAll);
        await other.settle(tasks.map((task) => settlement(task)));
      };
      expect(await settleThen(['kept', 'gone'], settleAgain, how)).toEqual(['settled', 'lost']);
      const remove = async (other: DataStore, database: string) => {
        await heal(other, database);
        await other.remove({ ids: ['kept'] });
      };
      expect(await settleThen(['kept', 'gone'], remove, how)).toEqual(['settled', 'lost']);
    });
  },
);
