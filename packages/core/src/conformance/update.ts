import type { NewTaskRecord } from '../data-store.js';
import { holds, plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  claimOne,
  finish,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  untouched,
} from './records.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** `update`. */
export const updateCases: readonly CaseDefinition[] = [
  {
    name: 'an edit replaces the members it has, gives a new revision and leaves the rest',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a', { group: 'g' })]);
      const changes: Change[] = [
        { name: 'other' },
        { queue: 'other' },
        { group: 'other' },
        { group: null },
        { status: 'failed', runAt: null },
        { status: 'scheduled', runAt: start + 40 },
        { runAt: start - 40 },
        { body: '{"edited":true}' },
        { name: 'all', queue: 'q', group: 'g', status: 'scheduled', runAt: start, body: '1' },
        {},
      ];
      for (const change of changes) {
        const before = await read(store, 'a');
        const what = Object.keys(change).join(', ') || 'nothing';
        same(await store.update('a', change, before), 'updated', `an edit of ${what} is applied`);
        const after = await read(store, 'a');
        holds(after.revision !== before.revision, `an edit of ${what} changes the revision`);
        const changed = { ...before, ...change };
        const wakeAt = changed.status === 'scheduled' ? changed.runAt : null;
        same(
          plain(after),
          plain({ ...changed, wakeAt, revision: after.revision }),
          `an edit replaces ${what} and leaves the rest`,
        );
      }
    },
  },
  {
    name: 'an edit of another revision is a conflict, and of a task that is gone it is missing',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const { revision } = await read(store, 'a');
      const edit = (expected: number, id = 'a') =>
        store.update(id, { name: 'edited' }, { revision: expected });
      const refused = (expected: number) =>
        untouched(store, ['a'], () => edit(expected), 'an edit that is refused changes nothing');
      same(await refused(revision + 1), 'conflict', 'another revision is a conflict');
      same(await refused(revision - 1), 'conflict', 'another revision is a conflict');
      same(await edit(revision, 'missing'), 'missing', 'there is no such task');
      same(idsOf(await store.get(['missing'])), [undefined], 'an edit creates nothing');
      same(await edit(revision), 'updated', 'the current revision can be edited');
      same(
        await refused(revision),
        'conflict',
        'an edit that was applied is a conflict when made again',
      );
      await store.remove({ ids: ['a'] });
      same(await edit(revision), 'missing', 'there is no such task any more');
    },
  },
  {
    name: 'an edit leaves a running task with its owner, who finds out when it settles',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { runAt: start - 10, body: '"edited"' }, task);
      const edited = await read(store, 'a');
      same(
        [plain(edited)?.lease, edited.deliveries, edited.wakeAt],
        [plain(task)?.lease, 1, start + leaseMs],
        'an edit leaves the lease, the deliveries and with them the wakeAt',
      );
      clock.advance(leaseMs - 1);
      same(
        idsOf(await claim(store)),
        [],
        'an edit never makes a running task claimable by another',
      );
      same(await store.settle([finish(task)]), ['conflict'], 'its owner finds out when it settles');
      clock.advance(1);
      const [next] = await claim(store);
      same(
        [next?.body, next?.lapsedOwner, next?.deliveries],
        ['"edited"', 'alice', 2],
        'a task edited while it ran is claimed again, as edited, when its lease runs out',
      );
    },
  },
  {
    name: 'a task moved to another queue is claimed there and no longer where it was',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('idle'), record('running', { queue: 'r' })]);
      await store.update('idle', { queue: 'other' }, await read(store, 'idle'));
      same(idsOf(await claim(store, { queues: ['q'] })), [], 'nothing is left in the old queue');
      same(idsOf(await claim(store, { queues: ['other'] })), ['idle'], 'it is in the new queue');
      const [running] = await claim(store, { queues: ['r'] });
      if (!running) throw new Error('one task was claimed');
      await store.update('running', { queue: 'other' }, running);
      clock.advance(leaseMs - 1);
      same(idsOf(await claim(store, { queues: ['r', 'other'] })), [], 'both are still leased');
      clock.advance(1);
      same(
        idsOf(await claim(store, { queues: ['r'] })),
        [],
        'a leased task is moved with its lease',
      );
      same(
        idsOf(await claim(store, { queues: ['other'] })).sort(),
        ['idle', 'running'],
        'a lease that runs out does so in the new queue',
      );
    },
  },
  {
    name: 'a new runAt takes effect at once, later or earlier',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('sooner', { runAt: start + 9000 }), record('later')]);
      await store.update('sooner', { runAt: start + 5 }, await read(store, 'sooner'));
      await store.update('later', { runAt: start + 10 }, await read(store, 'later'));
      clock.advance(4);
      same(idsOf(await claim(store)), [], 'neither is due yet');
      clock.advance(1);
      same(idsOf(await claim(store)), ['sooner'], 'a task moved to an earlier time is due then');
      clock.advance(5);
      same(idsOf(await claim(store)), ['later'], 'a task moved to a later time is due then');
    },
  },
  {
    name: 'a running task that is put off is still due when its lease runs out',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { runAt: start + 1_000_000 }, task);
      same((await read(store, 'a')).wakeAt, start + leaseMs, 'its wakeAt is the end of its lease');
      clock.advance(leaseMs);
      const [lapsed] = await claim(store);
      same(
        lapsed?.lapsedOwner,
        'alice',
        'a task whose worker died needs attention, put off or not',
      );
      if (lapsed) await store.release([leaseOf(lapsed)]);
      same(idsOf(await claim(store)), [], 'given back, it is due at its new time');
    },
  },
  {
    name: 'a task that an edit finishes is not claimed, and one that it schedules again is',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { status: 'finished', runAt: null }, task);
      same((await read(store, 'a')).wakeAt, null, 'a finished task has no wakeAt, leased or not');
      clock.advance(leaseMs * 2);
      same(idsOf(await claim(store)), [], 'a finished task is not claimed when its lease runs out');
      const finished = await read(store, 'a');
      same(await store.settle([finish(task)]), ['conflict'], 'its owner finds out when it settles');
      const settled = await store.settle([
        again({ ...task, ...finished, lease: task.lease }, start),
      ]);
      same(settled, ['settled'], 'and can settle on the edited record');
      await store.update('a', { status: 'failed', runAt: null }, await read(store, 'a'));
      await store.update('a', { status: 'scheduled', runAt: start }, await read(store, 'a'));
      same(idsOf(await claim(store)), ['a'], 'a failed task that is scheduled again is claimed');
    },
  },
  {
    name: 'an edit keeps the pause, the moment of the last resumption and the deliveries',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await claimOne(store);
      clock.advance(leaseMs);
      await claimOne(store);
      await store.setPaused({ ids: ['a'] }, true);
      await store.setPaused({ ids: ['a'] }, false);
      await store.setPaused({ ids: ['a'] }, true);
      const before = await read(store, 'a');
      await store.update('a', { body: '2' }, before);
      const { paused, resumedAt, deliveries, wakeAt } = await read(store, 'a');
      same(
        { paused, resumedAt, deliveries, wakeAt },
        { paused: true, resumedAt: start + leaseMs, deliveries: 2, wakeAt: null },
        'an edit leaves what it does not name',
      );
    },
  },
];
