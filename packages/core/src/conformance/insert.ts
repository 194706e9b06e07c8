import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { claimOne, finish, read, record } from './records.js';

/** `insert` and `get`. */
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
    },
  },
  {
    name: 'inserting an id that exists changes nothing, whatever the state of the task',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      const other = { name: 'other', body: '{"other":true}', runAt: start + 1 };
      const untouched = async (state: string) => {
        const before = await read(store, 'a');
        same(
          await store.insert([record('a', other)]),
          ['exists'],
          `insert answers \`exists\` for the id of a task that is ${state}`,
        );
        same(plain(await read(store, 'a')), plain(before), `insert leaves a ${state} task alone`);
      };
      await store.insert([record('a')]);
      await untouched('scheduled');
      const task = await claimOne(store);
      await untouched('leased');
      await store.setPaused({ ids: ['a'] }, true);
      await untouched('paused');
      await store.settle([finish(task)]);
      await untouched('finished');
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
    name: 'get gives tasks in the order of the ids, and undefined where there is none',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('b'), record('c')]);
      const found = await store.get(['c', 'missing', 'a', 'c', 'b']);
      same(
        found.map((task) => task?.id),
        ['c', undefined, 'a', 'c', 'b'],
        'get answers in the order of the ids, with undefined where there is no task',
      );
    },
  },
];
