import { isSchedError } from '../errors.js';
import { holds, present, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { claim, idsOf, read, record, recordsOf } from './records.js';

/** `withTransaction`. Without the capability, each of these requires the error that says so. */
export const transactionCases: readonly CaseDefinition[] = [
  transactionCase({
    name: 'what is done in a transaction is seen by others when it is committed and not before',
    async run(bench) {
      const store = await bench.open();
      await store.insert([record('edited'), record('removed'), record('paused')]);
      const { tx, commit } = await begin(bench);
      const inside = store.withTransaction(tx);
      same(
        await inside.insert([record('new'), record('edited')]),
        ['inserted', 'exists'],
        'insert answers the same in a transaction',
      );
      const [edited] = await inside.get(['edited']);
      const task = present(edited, 'get gives the task in a transaction');
      same(await inside.update('edited', { name: 'x' }, task), 'updated', 'so does update');
      same(await inside.update('edited', { name: 'y' }, task), 'conflict', 'and its conflict');
      same(await inside.remove({ ids: ['removed'] }), 1, 'so does remove');
      same(await inside.setPaused({ ids: ['paused'] }, true), 1, 'so does setPaused');
      same(
        idsOf(await inside.get(['new', 'removed'])),
        ['new', undefined],
        'a transaction sees what was done in it',
      );
      const outside = await bench.open();
      same(
        await names(outside),
        ['job', 'job', 'job', undefined],
        'nobody else sees what is done in a transaction before it is committed',
      );
      await commit();
      same(
        await names(outside),
        ['x', undefined, 'job', 'job'],
        'a committed transaction has happened',
      );
      same((await read(outside, 'paused')).wakeAt, null, 'a committed transaction has happened');
      same(idsOf(await claim(outside)).sort(), ['edited', 'new'], 'and its tasks are claimed');
    },
  }),
  transactionCase({
    name: 'what is done in a transaction that is rolled back has never happened',
    async run(bench) {
      const store = await bench.open();
      await store.insert([record('edited'), record('removed'), record('paused')]);
      const before = await store.get(['edited', 'removed', 'paused']);
      const { tx, rollback } = await begin(bench);
      const inside = store.withTransaction(tx);
      await inside.insert([record('new')]);
      await inside.update('edited', { runAt: start + 1 }, await read(inside, 'edited'));
      await inside.remove({ ids: ['removed'] });
      await inside.setPaused({ ids: ['paused'] }, true);
      await rollback();
      same(
        await store.get(['edited', 'removed', 'paused']),
        before,
        'what was rolled back has changed nothing',
      );
      same(idsOf(await store.get(['new'])), [undefined], 'a task rolled back does not exist');
      same(await store.insert([record('new')]), ['inserted'], 'and its id is free');
    },
  }),
  transactionCase({
    name: 'a transaction can pause and remove by id, by group and all, and edits what it inserted',
    async run(bench) {
      const store = await bench.open();
      const paused = recordsOf(4, 'paused-', { group: 'p' });
      await store.insert([...paused, ...recordsOf(3, 'removed-', { group: 'r' })]);
      const { tx, commit } = await begin(bench);
      const inside = store.withTransaction(tx);
      same(await inside.setPaused({ group: 'p' }, true), 4, 'setPaused takes a group');
      same(await inside.setPaused({ ids: ['paused-0', 'none'] }, false), 1, 'and ids');
      same(await inside.remove({ group: 'r' }), 3, 'remove takes a group');
      await inside.insert([record('new', { group: 'n' })]);
      const [task] = await inside.get(['new']);
      const { revision } = present(task, 'a transaction sees what was inserted in it');
      same(await inside.update('new', { name: 'x' }, { revision }), 'updated', 'and edits it');
      same(await inside.update('new', { name: 'y' }, { revision }), 'conflict', 'once');
      same(await inside.update('gone', { name: 'y' }, { revision }), 'missing', 'not what is gone');
      same(await inside.insert([record('removed-1')]), ['inserted'], 'a removed id is free');
      await commit();
      same(await store.count({ paused: true }), 3, 'what was paused in a transaction is paused');
      same(await store.count({ group: 'r' }), 0, 'what was removed in a transaction is gone');
      same(await store.count({ name: 'x', group: 'n' }), 1, 'what was edited in it is edited');
      const next = await bench.place.beginTransaction?.();
      const all = store.withTransaction(present(next, 'a second transaction').tx);
      same(await all.setPaused({ all: true }, true), 3, 'setPaused takes all');
      same(await all.remove({ all: true }), 6, 'remove takes all');
      await next?.commit();
      same(await store.count({}), 0, 'all are gone when it is committed');
    },
  }),
  transactionCase({
    name: 'one transaction after another can be used with one store',
    async run(bench) {
      const store = await bench.open();
      for (const id of ['a', 'b', 'c']) {
        const { tx, commit, rollback } = await begin(bench);
        await store.withTransaction(tx).insert([record(id)]);
        await (id === 'b' ? rollback() : commit());
      }
      same(
        idsOf(await store.get(['a', 'b', 'c'])),
        ['a', undefined, 'c'],
        'what is committed stays, and the store neither begins, commits nor rolls back',
      );
    },
  }),
];

/** Makes a case. If the store does not claim to join transactions, the case requires `SCHED_STORE_UNSUPPORTED`. */
function transactionCase(definition: Omit<CaseDefinition, 'guarantee'>): CaseDefinition {
  return {
    ...definition,
    guarantee: 'G1',
    async run(bench) {
      const store = await bench.open();
      if (store.capabilities.transactions) return definition.run(bench);
      let error: unknown;
      try {
        store.withTransaction({});
      } catch (thrown) {
        error = thrown;
      }
      return holds(
        isSchedError(error, 'SCHED_STORE_UNSUPPORTED'),
        'without the capability withTransaction throws SCHED_STORE_UNSUPPORTED',
      );
    },
  };
}

async function begin({ place }: Bench) {
  const transaction = await place.beginTransaction?.();
  return present(
    transaction,
    'a store claims the `transactions` capability, so its target has to give `beginTransaction`',
  );
}

async function names(store: Awaited<ReturnType<Bench['open']>>) {
  const tasks = await store.get(['edited', 'removed', 'paused', 'new']);
  return tasks.map((task) => task?.name);
}
