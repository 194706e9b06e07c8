import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  claimOne,
  claimRequest,
  finish,
  idsOf,
  leaseMs,
  read,
  record,
  recordsOf,
  untouched,
} from './records.js';

/** `insert`, `get`, and what holds for every call that takes a list. */
export const insertCases: readonly CaseDefinition[] = [
  {
    name: 'an inserted task is stored as given, with no lease, no deliveries and never resumed',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      const given = record('a', { name: 'mail', queue: 'slow', group: 'g', body: '{"a":1}' });
      same(await store.insert([given]), ['inserted'], 'insert answers `inserted` for a new id');
      const stored = await read(store, 'a');
      same(
        plain(stored),
        {
          ...given,
          resumedAt: null,
          lease: null,
          deliveries: 0,
          revision: stored.revision,
          wakeAt: start,
        },
        'a record is stored with a fresh revision, no lease, no deliveries and never resumed',
      );
      same(Number.isSafeInteger(stored.revision), true, 'a revision is an integer');
    },
  },
  {
    name: 'a task can be inserted paused, finished or failed, and then never wakes',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      const records = [
        record('paused', { paused: true }),
        record('finished', { status: 'finished', runAt: null }),
        record('failed', { status: 'failed', runAt: null }),
      ];
      await store.insert(records);
      for (const { id, status, paused, runAt } of records) {
        const stored = await read(store, id);
        same(
          [stored.status, stored.paused, stored.runAt, stored.wakeAt, stored.resumedAt],
          [status, paused, runAt, null, null],
          `a task inserted ${id} is stored so, and its wakeAt is null`,
        );
      }
      clock.advance(1_000_000);
      const result = await claimRequest(store);
      same(idsOf(result.tasks), [], 'a task that is paused, finished or failed is not claimed');
      same(result.nextWakeAt, null, 'nextWakeAt is null when no task has a wakeAt');
    },
  },
  {
    name: 'inserting an id that exists changes nothing, whatever the state of the task',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      const other = record('a', { name: 'other', body: '{"other":true}', runAt: start + 1 });
      const existsWhen = async (state: string) => {
        const sentence = `insert answers \`exists\` for the id of a ${state} task`;
        const insert = () => store.insert([other]);
        const leavesAlone = `insert leaves an existing task alone when it is ${state}`;
        same(await untouched(store, ['a'], insert, leavesAlone), ['exists'], sentence);
      };
      await store.insert([record('a')]);
      await existsWhen('scheduled');
      const task = await claimOne(store);
      await existsWhen('leased');
      await store.setPaused({ ids: ['a'] }, true);
      await existsWhen('paused');
      await store.settle([finish(task)]);
      await existsWhen('finished');
    },
  },
  {
    name: 'of two records with one id in one call the first is inserted and the second finds it',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      same(
        await store.insert([record('a', { body: '1' }), record('b'), record('a', { body: '2' })]),
        ['inserted', 'inserted', 'exists'],
        'insert gives one answer a record, in their order; the second of two equal ids exists',
      );
      same((await read(store, 'a')).body, '1', 'the first record with an id is the one stored');
    },
  },
  {
    name: 'one record that exists does not keep the others of its call from being inserted',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('b')]);
      same(
        await store.insert([record('a'), record('b'), record('c')]),
        ['inserted', 'exists', 'inserted'],
        'insert creates each task independently of the others',
      );
      same(idsOf(await store.get(['a', 'b', 'c'])), ['a', 'b', 'c'], 'inserted tasks are there');
    },
  },
  {
    name: 'get gives tasks in the order of the ids, and undefined where there is none',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('b'), record('c')]);
      same(
        idsOf(await store.get(['c', 'missing', 'a', 'c', 'b'])),
        ['c', undefined, 'a', 'c', 'b'],
        'get answers in the order of the ids, with undefined where there is no task',
      );
    },
  },
  {
    name: 'every call that takes a list takes an empty one and does nothing',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const ids: string[] = [];
      const answers = await untouched(
        store,
        ['a'],
        async () => [
          await store.insert([]),
          await store.get(ids),
          await store.remove({ ids }),
          await store.setPaused({ ids }, true),
          await store.extend([], leaseMs),
          await store.settle([]),
          await store.release([]),
        ],
        'an empty list changes nothing',
      );
      same(answers, [[], [], 0, 0, [], [], []], 'an empty list has an empty answer');
      const { tasks, now, nextWakeAt } = await claimRequest(store, { queues: [] });
      same([tasks, now, nextWakeAt], [[], start, null], 'a claim from no queue takes nothing');
    },
  },
  {
    name: 'calls with six thousand ids are answered as a whole',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const records = recordsOf(6000, 'many-', { queue: 'later', runAt: start + 1 });
      const ids = records.map(({ id }) => id);
      same(new Set(await store.insert(records)), new Set(['inserted']), 'insert takes 6,000 tasks');
      same(idsOf(await store.get(ids)), ids, 'get gives 6,000 tasks in the order of their ids');
      same(await store.setPaused({ ids }, true), 6000, 'setPaused takes 6,000 ids');
      same(await store.remove({ ids }), 6000, 'remove takes 6,000 ids');
      same(await store.count({}), 0, 'every task that remove counted is gone');
    },
  },
];
