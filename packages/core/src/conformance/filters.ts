import type { TaskFilter, TaskRecord } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { claim, claimOne, finish, idsOf, leaseOf, read, record } from './records.js';

/** One filter for each value of each member. */
const single: readonly TaskFilter[] = [
  ...['g', 'h', null].map((group) => ({ group })),
  ...['job', 'mail'].map((name) => ({ name })),
  ...['q', 'r'].map((queue) => ({ queue })),
  ...(['scheduled', 'finished', 'failed'] as const).map((status) => ({ status })),
  ...[true, false].map((paused) => ({ paused })),
  ...[true, false].map((leased) => ({ leased })),
];

/** Tasks of every combination of what a filter can ask for, a few of them leased. */
const records = ['g', 'h', null].flatMap((group) =>
  ['job', 'mail'].flatMap((name) =>
    ['q', 'r'].flatMap((queue) =>
      (['scheduled', 'finished', 'failed'] as const).flatMap((status) =>
        [true, false].map((paused) => {
          const id = [group, name, queue, status, paused].join(' ');
          const runAt = status === 'scheduled' ? start : null;
          return record(id, { group, name, queue, status, paused, runAt });
        }),
      ),
    ),
  ),
);

export const filterCases: readonly CaseDefinition[] = [
  {
    name: 'list and count agree with every member of a filter and with every pair of them',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(records);
      await claim(store, { queues: ['q', 'r'], limit: 3, leaseMs: 10 });
      await claim(store, { queues: ['r', 'q'], limit: 7 });
      clock.advance(10);
      const tasks = await listAll(store);
      const pairs = single.flatMap((one, at) =>
        single.slice(at + 1).map((other) => ({ ...one, ...other })),
      );
      for (const filter of [{}, ...single, ...pairs]) {
        const ids = idsOf(tasks.filter((task) => matches(task, filter, clock.now))).sort();
        const what = `the filter ${JSON.stringify(filter)}`;
        const listed = idsOf(await listAll(store, filter, 11)).sort();
        same(listed, ids, `list gives the tasks that match every member of ${what}`);
        const counted = await store.count(filter);
        same(counted, ids.length, `count counts the tasks that match every member of ${what}`);
      }
    },
  },
  {
    name: 'list and count agree with a filter that has every member',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(records);
      await claim(store, { queues: ['q', 'r'], limit: 5 });
      for (const task of await listAll(store)) {
        const { group, name, queue, status, paused } = task;
        const leased = matches(task, { leased: true }, clock.now);
        const filter = { group, name, queue, status, paused, leased };
        const what = `the filter ${JSON.stringify(filter)}`;
        same(
          idsOf(await listAll(store, filter)),
          [task.id],
          `list gives what matches all of ${what}`,
        );
        same(await store.count(filter), 1, `count counts what matches all of ${what}`);
        same(await store.count({ ...filter, leased: !leased }), 0, `count counts nothing else`);
      }
    },
  },
  {
    name: 'list and count see what each call has made of a task, at once',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a', { group: 'g' })]);
      const found = async (filter: TaskFilter, count: number, call: string) => {
        const sentence = `list and count match what ${call} has made of a task`;
        same((await listAll(store, filter)).length, count, sentence);
        same(await store.count(filter), count, sentence);
      };
      await found({ group: 'g', leased: false }, 1, 'insert');
      const task = await claimOne(store);
      await found({ leased: true, queue: 'q' }, 1, 'claim');
      await found({ leased: false }, 0, 'claim');
      await store.release([leaseOf(task)]);
      await found({ leased: false, group: 'g' }, 1, 'release');
      await store.setPaused({ group: 'g' }, true);
      await found({ paused: true, group: 'g' }, 1, 'setPaused');
      await found({ paused: false }, 0, 'setPaused');
      await store.setPaused({ all: true }, false);
      await found({ paused: false, queue: 'q' }, 1, 'setPaused');
      const next = { status: 'finished', runAt: null, body: '1', paused: true } as const;
      const spawn = [record('b', { group: 'g' })];
      await store.settle([finish(await claimOne(store), { next, spawn })]);
      await found({ status: 'finished' }, 1, 'settle');
      await found({ status: 'finished', paused: true, leased: false, group: 'g' }, 1, 'settle');
      await found({ status: 'scheduled', group: 'g' }, 1, 'settle, by spawning,');
      const change = { group: null, name: 'x', queue: 'r', status: 'failed' } as const;
      await store.update('a', change, await read(store, 'a'));
      await found(change, 1, 'update');
      await found({ status: 'finished' }, 0, 'update');
      await found({ group: 'g' }, 1, 'update');
      await store.remove({ ids: ['a'] });
      await found(change, 0, 'remove');
      await found({}, 1, 'remove');
    },
  },
];

function matches(task: TaskRecord, filter: TaskFilter, now: number): boolean {
  const { leased, ...members } = filter;
  const isLeased = task.lease !== null && now < task.lease.expiresAt;
  if (leased !== undefined && leased !== isLeased) return false;
  return Object.entries(members).every(([member, value]) => Reflect.get(task, member) === value);
}
