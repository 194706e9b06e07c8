import { plain, same } from './check.js';
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

/** `setPaused`. */
export const pauseCases: readonly CaseDefinition[] = [
  {
    name: 'pausing a task takes it out of the due index and changes nothing else',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const before = await read(store, 'a');
      same(await store.setPaused({ ids: ['a'] }, true), 1, 'setPaused answers how many changed');
      same(
        plain(await read(store, 'a')),
        plain({ ...before, paused: true, wakeAt: null }),
        'a pause is a flag beside the schedule: the revision, runAt and the lease stay',
      );
      clock.advance(1_000_000);
      same(idsOf(await claim(store)), [], 'a paused task is not claimed, however long it is due');
    },
  },
  {
    name: 'resuming a task puts it back and notes when',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('born-paused', { paused: true })]);
      const [before] = await store.get(['a']);
      await store.setPaused({ ids: ['a'] }, true);
      clock.advance(500);
      same(await store.setPaused({ ids: ['a', 'born-paused'] }, false), 2, 'both are resumed');
      same(
        plain(await read(store, 'a')),
        before && plain({ ...before, resumedAt: start + 500 }),
        'resuming sets resumedAt to now and puts the task back; nothing else changes',
      );
      same(
        idsOf(await claim(store)).sort(),
        ['a', 'born-paused'],
        'a due task is claimable at once when it is resumed',
      );
    },
  },
  {
    name: 'a task that is already as asked is not touched, its last resumption included',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('never'), record('once'), record('paused', { paused: true })]);
      await store.setPaused({ ids: ['once'] }, true);
      await store.setPaused({ ids: ['once'] }, false);
      clock.advance(5);
      const ids = ['never', 'once', 'paused'];
      const resume = () => store.setPaused({ ids: ['never', 'once'] }, false);
      const pause = () => store.setPaused({ ids: ['paused'] }, true);
      const sentence = 'a task that is already as asked is not touched, resumedAt included';
      same(await untouched(store, ids, resume, sentence), 0, 'no task was changed');
      same(await untouched(store, ids, pause, sentence), 0, 'no task was changed');
      same((await read(store, 'never')).resumedAt, null, 'a task never resumed says so');
      same((await read(store, 'once')).resumedAt, start, 'resumedAt is the last change');
    },
  },
  {
    name: 'a run in progress goes on through a pause and settles, and the task stays paused',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.setPaused({ ids: ['a'] }, true);
      same(
        plain(await read(store, 'a')),
        { ...plain(task), paused: true, wakeAt: null },
        'pausing a running task leaves its lease',
      );
      clock.advance(leaseMs - 1);
      same(await store.extend([leaseOf(task)], leaseMs), [task.revision], 'its lease is extended');
      same(await store.settle([again(task, start)]), ['settled'], 'its run may settle');
      const { paused, wakeAt, resumedAt } = await read(store, 'a');
      same([paused, wakeAt, resumedAt], [true, null, null], 'a settled task stays paused');
      same(idsOf(await claim(store)), [], 'and is not claimed');
    },
  },
  {
    name: 'a paused task whose worker died is claimed again when it is resumed and not before',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await claimOne(store, { owner: 'alice' });
      await store.setPaused({ ids: ['a'] }, true);
      clock.advance(leaseMs * 10);
      same(idsOf(await claim(store)), [], 'a paused task is not claimed when its lease runs out');
      await store.setPaused({ ids: ['a'] }, false);
      const [task] = await claim(store, { owner: 'bob' });
      same(
        [task?.id, task?.lapsedOwner, task?.deliveries, task?.resumedAt],
        ['a', 'alice', 2, start + leaseMs * 10],
        'resumed, it is due at once, and says who let its lease run out',
      );
    },
  },
  {
    name: 'a running task that is paused and resumed stays with its owner until its lease is over',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.setPaused({ ids: ['a'] }, true);
      await store.setPaused({ ids: ['a'] }, false);
      same((await read(store, 'a')).wakeAt, start + leaseMs, 'its wakeAt is the end of its lease');
      clock.advance(leaseMs - 1);
      same(idsOf(await claim(store)), [], 'a leased task is resumed when its lease runs out');
      same(await store.settle([finish(task)]), ['settled'], 'its owner may settle');
    },
  },
  {
    name: 'setPaused means exactly the tasks it is given by id, by group, or all',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([
        record('a', { group: 'g' }),
        record('b', { group: 'g', paused: true }),
        record('c', { group: 'G' }),
        record('d'),
        record('e', { group: 'g', status: 'finished', runAt: null }),
        record('running', { group: 'g', queue: 'r' }),
      ]);
      await claim(store, { queues: ['r'] });
      const ids = ['a', 'b', 'c', 'd', 'e', 'running'];
      const pausedIds = async () =>
        idsOf((await store.get(ids)).filter((task) => task?.paused === true));
      same(await store.setPaused({ group: 'g' }, true), 3, 'how many of the group changed');
      same(await pausedIds(), ['a', 'b', 'e', 'running'], 'the tasks of the group are paused');
      const given = ['a', 'missing', 'b', 'a', 'd'];
      same(
        await store.setPaused({ ids: given }, false),
        2,
        'unknown and repeated ids do not count',
      );
      same(await pausedIds(), ['e', 'running'], 'the tasks with these ids are resumed');
      same(await store.setPaused({ group: 'none' }, true), 0, 'a group without tasks is empty');
      same(await store.setPaused({ all: true }, true), 4, 'how many of all changed');
      same(await pausedIds(), ids, 'all tasks are paused');
      clock.advance(3);
      same(await store.setPaused({ all: true }, false), 6, 'how many of all changed');
      same(await pausedIds(), [], 'all tasks are resumed');
    },
  },
  {
    name: 'a finished task that is paused and resumed stays finished',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { status: 'finished', runAt: null })]);
      await store.setPaused({ ids: ['a'] }, true);
      await store.setPaused({ ids: ['a'] }, false);
      const { status, wakeAt, resumedAt } = await read(store, 'a');
      same([status, wakeAt, resumedAt], ['finished', null, start], 'only the flag and its moment');
      clock.advance(1_000_000);
      same(idsOf(await claim(store)), [], 'a finished task is not claimed');
    },
  },
];
