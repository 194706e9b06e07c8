import type { Settlement } from '../data-store.js';
import { holds, plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  claimOne,
  finish,
  historyEntry,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  recordsOf,
  sameHistory,
  settlement,
  untouched,
} from './records.js';

/** What an accepted settlement does. For refused and repeated ones, see `fencing.ts`. */
export const settleCases: readonly CaseDefinition[] = [
  {
    name: 'a settlement replaces status, runAt and body, ends the lease and starts deliveries afresh',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { group: 'g' })]);
      await claimOne(store);
      clock.advance(leaseMs);
      const task = await claimOne(store);
      const next = { status: 'scheduled', runAt: start + 9000, body: '{"run":2}' } as const;
      same(await store.settle([settlement(task, next)]), ['settled'], 'the current lease settles');
      const stored = await read(store, 'a');
      holds(stored.revision !== task.revision, 'a settlement changes the revision');
      same(
        plain(stored),
        {
          ...record('a', { group: 'g' }),
          ...next,
          resumedAt: null,
          lease: null,
          deliveries: 0,
          revision: stored.revision,
          wakeAt: start + 9000,
        },
        'a settlement replaces status, runAt and body, ends the lease and sets deliveries to 0',
      );
    },
  },
  {
    name: 'a task that is settled with a next run is claimed again at that moment',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await store.settle([again(await claimOne(store), start + 30)]);
      clock.advance(29);
      same(idsOf(await claim(store)), [], 'a settled task is not due before its next runAt');
      clock.advance(1);
      const [task] = await claim(store);
      same(
        [task?.id, task?.deliveries, task?.lapsedOwner],
        ['a', 1, null],
        'a settled task is claimed at its next runAt, as its first delivery',
      );
    },
  },
  {
    name: 'a task that is settled as finished or failed is kept and never claimed again',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(recordsOf(2));
      const tasks = await claim(store);
      const statuses = ['finished', 'failed'] as const;
      await store.settle(
        tasks.map((task, index) =>
          settlement(task, { status: statuses[index] ?? 'failed', runAt: null, body: '"last"' }),
        ),
      );
      for (const [index, { id }] of tasks.entries()) {
        const { status, runAt, wakeAt, body } = await read(store, id);
        same([status, runAt, wakeAt, body], [statuses[index], null, null, '"last"'], 'it is kept');
      }
      clock.advance(1_000_000);
      same(idsOf(await claim(store)), [], 'finished and failed tasks are never claimed');
    },
  },
  {
    name: 'a settlement without a next state removes the task, and says lost when it is repeated',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('b', { runAt: start + 1 })]);
      const removal = finish(await claimOne(store), { next: null });
      same(await store.settle([removal]), ['settled'], 'the current lease settles');
      same(idsOf(await store.get(['a', 'b'])), [undefined, 'b'], 'without `next` the task is gone');
      same(await store.settle([removal]), ['lost'], 'there is no such task any more');
      await store.insert([record('a')]);
      const repeat = () => store.settle([removal]);
      same(
        await untouched(store, ['a'], repeat, 'a new task of the same id is left alone'),
        ['lost'],
        'the record of a later task shows nothing of an earlier one',
      );
    },
  },
  {
    name: 'a settlement inserts what it spawns, and leaves alone what exists already',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('old', { runAt: start + 5, body: '"old"' })]);
      const task = await claimOne(store);
      const fresh = record('new', { queue: 'other', group: 'g', runAt: start + 8, body: '"new"' });
      const paused = record('paused', { paused: true });
      const spawn = [fresh, record('old', { body: '"other"', runAt: start }), paused];
      const settle = () => store.settle([again(task, start + 100, { spawn })]);
      same(
        await untouched(store, ['old'], settle, 'a spawned id that exists already is untouched'),
        ['settled'],
        'a spawned id that exists does not keep the settlement from being applied',
      );
      const stored = await read(store, 'new');
      same(
        plain(stored),
        {
          ...fresh,
          resumedAt: null,
          lease: null,
          deliveries: 0,
          revision: stored.revision,
          wakeAt: start + 8,
        },
        'a spawned task is stored as insert would store it',
      );
      same((await read(store, 'paused')).wakeAt, null, 'a task can be spawned paused');
      const [claimed] = await claim(store, { queues: ['other'], owner: 'bob' });
      same(claimed, undefined, 'a spawned task is not claimed before its time');
    },
  },
  {
    name: 'a task that a settlement spawned is claimed when it is due, beside its parent',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('parent')]);
      const spawn = [record('child', { runAt: start + 10 })];
      await store.settle([again(await claimOne(store), start + 20, { spawn })]);
      clock.advance(20);
      same(idsOf(await claim(store)), ['child', 'parent'], 'both are claimed, in order');
    },
  },
  {
    name: 'a task removed by its settlement still spawns others and leaves a history',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const members = {
        next: null,
        spawn: [record('b')],
        history: [historyEntry('a', 'run-1'), historyEntry('b', 'run-0')],
      };
      await store.settle([finish(await claimOne(store), members)]);
      same(idsOf(await store.get(['a', 'b'])), [undefined, 'b'], 'a is removed and b is spawned');
      await sameHistory(
        store,
        'a',
        ['run-1'],
        'a settlement that removes a task is in its history',
      );
      await sameHistory(store, 'b', ['run-0'], 'an entry is filed under the task that it names');
    },
  },
  {
    name: 'a settlement can pause the task, and otherwise leaves it paused or not',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b'), record('c')]);
      const tasks = await claim(store);
      await store.setPaused({ ids: ['b'] }, true);
      await store.settle(
        tasks.map((task) => {
          const next = { status: 'scheduled', runAt: start, body: '{}' } as const;
          return settlement(task, task.id === 'a' ? { ...next, paused: true } : next);
        }),
      );
      const states = (await store.get(['a', 'b', 'c'])).map((task) => [
        task?.paused,
        task?.wakeAt,
        task?.resumedAt,
      ]);
      same(
        states,
        [
          [true, null, null],
          [true, null, null],
          [false, start, null],
        ],
        '`paused: true` pauses the task; when it is absent, whether it is paused stays as it is',
      );
      same(idsOf(await claim(store)), ['c'], 'only a task that is not paused is claimed');
      clock.advance(7);
      await store.setPaused({ ids: ['a', 'b'] }, false);
      same((await read(store, 'a')).resumedAt, start + 7, 'a task paused so can be resumed');
      same(idsOf(await claim(store)).sort(), ['a', 'b'], 'a resumed task is claimable at once');
    },
  },
  {
    name: 'a settlement without a next run can pause the task, too',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b')]);
      const tasks = await claim(store);
      const statuses = ['finished', 'failed'] as const;
      await store.settle(
        tasks.map((task, index) => {
          const next = { status: statuses[index] ?? 'failed', runAt: null, body: '{}' };
          return settlement(task, { ...next, paused: true });
        }),
      );
      for (const task of await store.get(idsOf(tasks).map(String))) {
        const sentence = '`paused: true` pauses the task, whatever its status becomes';
        same([task?.paused, task?.wakeAt, task?.lease], [true, null, null], sentence);
      }
      const { revision } = await read(store, 'a');
      await store.update('a', { status: 'scheduled', runAt: start }, { revision });
      same(idsOf(await claim(store)), [], 'scheduled again, it is still paused');
      clock.advance(3);
      same(await store.setPaused({ ids: ['a', 'b'] }, false), 2, 'it can be resumed');
      same(idsOf(await claim(store)), ['a'], 'and is claimed then');
    },
  },
  {
    name: 'what a settlement spawns leaves a task of that id alone, whatever its state',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      const old = [
        record('leased', { queue: 'held' }),
        record('paused', { paused: true, queue: 'other' }),
        record('finished', { status: 'finished', runAt: null }),
        record('failed', { status: 'failed', runAt: null }),
        record('later', { runAt: start + 9000 }),
      ];
      await store.insert([...old, record('parent')]);
      await claimOne(store, { queues: ['held'] });
      const ids = old.map(({ id }) => id);
      const spawn = ['new-1', ...ids, 'parent', 'new-2'].map((id) => record(id, { body: '"new"' }));
      const settlement = again(await claimOne(store), start + 5, { spawn });
      const settle = () => store.settle([settlement]);
      same(
        await untouched(store, ids, settle, 'a spawned id that exists already is left untouched'),
        ['settled'],
        'what exists already keeps no settlement from being applied',
      );
      same((await read(store, 'parent')).body, '{}', 'that goes for the settled task, too');
      const fresh = (await store.get(['new-1', 'new-2'])).map((task) => task?.body);
      same(fresh, ['"new"', '"new"'], 'what does not exist is spawned beside it');
    },
  },
  {
    name: 'a lease that has run out can still be settled while nobody has taken the task over',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b')]);
      const tasks = await claim(store);
      clock.advance(leaseMs + 60_000);
      await store.setPaused({ ids: ['b'] }, true);
      same(
        await store.settle(tasks.map((task) => again(task, clock.now + 5))),
        ['settled', 'settled'],
        'a lease that has run out but whose token is still the current one can be settled',
      );
      same(idsOf(await claim(store)), [], 'a run that was settled late is not run again');
    },
  },
  {
    name: 'each settlement of a call is answered in order and applied independently of the others',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert(recordsOf(5));
      const tasks = await claim(store);
      const [applied, edited, lost, repeated, removed] = tasks;
      if (!applied || !edited || !lost || !repeated || !removed) throw new Error('five claimed');
      await store.update(edited.id, { name: 'edited' }, edited);
      await store.release([leaseOf(lost)]);
      await store.settle([again(repeated, start + 1)]);
      const settlements: Settlement[] = [
        finish(edited),
        finish(applied),
        finish(lost),
        finish(repeated),
        { ...finish(applied), id: 'missing' },
        finish(removed, { next: null }),
      ];
      same(
        await store.settle(settlements),
        ['conflict', 'settled', 'lost', 'settled', 'lost', 'settled'],
        'settle gives one answer a settlement, in their order',
      );
      const statuses = (await store.get(tasks.map(({ id }) => id))).map((task) => task?.status);
      same(
        statuses,
        ['finished', 'scheduled', 'scheduled', 'scheduled', undefined],
        'what is settled is applied, and what is refused is not',
      );
    },
  },
];
