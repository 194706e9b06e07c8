import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  claim,
  claimOne,
  claimRequest,
  finish,
  historyEntry,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  sameHistory,
} from './records.js';

/** `remove`. */
export const removeCases: readonly CaseDefinition[] = [
  {
    name: 'remove by id deletes those tasks and no other, and counts what it deleted',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert(['a', 'b', 'c', 'd'].map((id) => record(id)));
      same(
        await store.remove({ ids: ['b', 'missing', 'd', 'b'] }),
        2,
        'remove passes over unknown ids and answers how many tasks it deleted',
      );
      same(
        idsOf(await store.get(['a', 'b', 'c', 'd'])),
        ['a', undefined, 'c', undefined],
        'the tasks with these ids are gone and no other',
      );
      same(await store.remove({ ids: ['b', 'd'] }), 0, 'what is gone is not deleted again');
      same(idsOf(await claim(store)).sort(), ['a', 'c'], 'a removed task is not claimed');
    },
  },
  {
    name: 'remove by group deletes every task of the group, whatever its state, and no other',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      const states = [
        record('scheduled'),
        record('later', { runAt: start + 1_000_000 }),
        record('paused', { paused: true }),
        record('finished', { status: 'finished', runAt: null }),
        record('failed', { status: 'failed', runAt: null }),
        record('other-queue', { queue: 'other' }),
        record('leased', { queue: 'leased' }),
      ];
      const moved = record('moved');
      await store.insert(states.map((task) => ({ ...task, group: 'g' })));
      await store.insert([moved, record('left', { group: 'g' })]);
      await store.insert([record('alone'), record('other', { group: 'h' })]);
      await claim(store, { queues: ['leased'] });
      await store.update('moved', { group: 'g' }, await read(store, 'moved'));
      await store.update('left', { group: null }, await read(store, 'left'));
      const members = [...states.map(({ id }) => id), 'moved'];
      same(
        await store.remove({ group: 'g' }),
        members.length,
        'every task of the group is counted',
      );
      same(
        idsOf(await store.get(members)),
        members.map(() => undefined),
        'every task of the group is gone',
      );
      const rest = ['alone', 'other', 'left'];
      same(idsOf(await store.get(rest)), rest, 'tasks of another group or of none stay');
      same(await store.remove({ group: 'g' }), 0, 'the group is empty now');
    },
  },
  {
    name: 'remove of all leaves nothing',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([
        record('a', { group: 'g' }),
        record('b', { paused: true }),
        record('c', { status: 'failed', runAt: null }),
        record('d', { queue: 'other' }),
      ]);
      await claimOne(store);
      same(await store.remove({ all: true }), 4, 'every task is counted');
      same(await store.count({}), 0, 'no task is left');
      const { tasks, nextWakeAt } = await claimRequest(store, { queues: ['q', 'other'] });
      same([tasks, nextWakeAt], [[], null], 'there is nothing to claim and nothing to wake for');
      same(await store.remove({ all: true }), 0, 'there is nothing left to delete');
    },
  },
  {
    name: 'the owner of a removed task finds out when it extends, settles or releases',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      same(await store.remove({ ids: ['a'] }), 1, 'a leased task is removed like any other');
      same(await store.extend([leaseOf(task)], leaseMs), ['lost'], 'there is no such task');
      same(await store.settle([finish(task)]), ['lost'], 'there is no such task');
      same(await store.release([leaseOf(task)]), ['lost'], 'there is no such task');
      same(idsOf(await store.get(['a'])), [undefined], 'none of these brings the task back');
    },
  },
  {
    name: 'a task that is created again has nothing of the one that was removed',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { group: 'g', body: '"old"' })]);
      await claimOne(store);
      clock.advance(leaseMs);
      await claimOne(store);
      await store.setPaused({ ids: ['a'] }, true);
      await store.setPaused({ ids: ['a'] }, false);
      await store.setPaused({ ids: ['a'] }, true);
      await store.remove({ ids: ['a'] });
      same(await store.insert([record('a')]), ['inserted'], 'the id is free again');
      const { revision } = await read(store, 'a');
      same(
        plain(await read(store, 'a')),
        {
          ...record('a'),
          resumedAt: null,
          lease: null,
          deliveries: 0,
          revision,
          wakeAt: start,
        },
        'a re-created task is new',
      );
      same(await store.remove({ group: 'g' }), 0, 'also to its former group');
      same((await claimOne(store)).lapsedOwner, null, 'and nobody let its lease lapse');
    },
  },
  {
    name: 'history outlives its task, and goes on when the task is created again',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const history = [historyEntry('a', 'run-1', start - 10)];
      await store.settle([finish(await claimOne(store), { history })]);
      await store.remove({ all: true });
      await sameHistory(store, 'a', ['run-1'], 'history stays when its task is removed');
      await store.insert([record('a')]);
      const more = [historyEntry('a', 'run-2', start)];
      await store.settle([finish(await claimOne(store), { history: more })]);
      await sameHistory(store, 'a', ['run-2', 'run-1'], 'history goes on under the same id');
    },
  },
];
