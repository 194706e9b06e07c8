import type { ClaimedTask, DataStore } from '../data-store.js';
import { present, same } from './check.js';
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
  sameHistory,
} from './records.js';

/** Several items of one call that are about one task mean the same as in separate calls. */
export const itemOrderCases: readonly CaseDefinition[] = [
  {
    name: 'of two settlements of one task in one call the first is applied, and the second finds it',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert([record('kept'), record('removed')]);
      const claimed = await claimedById(store);
      same(
        await store.settle([
          again(claimed('kept'), start, { history: [historyEntry('kept', 'first')] }),
          again(claimed('kept'), start + 5, { history: [historyEntry('kept', 'second')] }),
          finish(claimed('removed'), { next: null, spawn: [record('spawned')] }),
          finish(claimed('removed')),
        ]),
        ['settled', 'settled', 'settled', 'lost'],
        'the items of one call are handled in their order: settlements of one task',
      );
      await sameHistory(store, 'kept', ['first'], 'the second settlement of a task adds nothing');
      same((await read(store, 'kept')).runAt, start, 'the first settlement of a task is kept');
      same(
        idsOf(await store.get(['removed', 'spawned'])),
        [undefined, 'spawned'],
        'the first settlement of a task is applied as a whole',
      );
    },
  },
  {
    name: 'a task that one settlement of a call removes and another spawns is there if it is spawned later',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => record(id)));
      const claimed = await claimedById(store);
      await store.settle([
        again(claimed('a'), start, { spawn: [record('b', { body: '"too early"' })] }),
        finish(claimed('b'), { next: null }),
        finish(claimed('c'), { next: null }),
        again(claimed('d'), start, { spawn: [record('c', { body: '"in time"' })] }),
        finish(claimed('e'), { next: null, spawn: [record('e', { body: '"its own heir"' })] }),
        again(claimed('f'), start, {
          spawn: [record('g', { body: '"first"' }), record('g', { body: '"second"' })],
        }),
      ]);
      const tasks = await store.get(['b', 'c', 'e', 'g']);
      same(
        tasks.map((task) => task?.body),
        [undefined, '"in time"', '"its own heir"', '"first"'],
        'the items of one call are handled in their order: tasks that are removed and spawned',
      );
      same(
        idsOf(await claim(store)).sort(),
        ['a', 'c', 'd', 'e', 'f', 'g'],
        'what is there after the call is claimed, each once',
      );
    },
  },
  {
    name: 'entries that one settlement adds under one task come latest first, whatever their ids',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const history = ['z', 'a', 'm'].map((id) => historyEntry('parent', id));
      await store.settle([again(await claimOne(store), start, { history })]);
      const sentence = 'the items of one call are handled in their order: entries of equal time';
      await sameHistory(store, 'parent', ['m', 'a', 'z'], sentence);
    },
  },
  {
    name: 'a lease that one call names twice is extended, and given back once',
    guarantee: 'G3',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      const lease = leaseOf(task);
      same(
        await store.extend([lease, lease], leaseMs),
        [task.revision, task.revision],
        'a lease that is extended can be extended again in the same call',
      );
      same(
        await store.release([lease, lease]),
        ['released', 'lost'],
        'the items of one call are handled in their order: releases of one lease',
      );
      same((await read(store, 'a')).deliveries, 0, 'a delivery is taken back once');
    },
  },
];

/** Claims every task that is due. @returns a function that finds a task by its id */
async function claimedById(store: DataStore): Promise<(id: string) => ClaimedTask> {
  const tasks = new Map((await claim(store)).map((task) => [task.id, task]));
  return (id) => present(tasks.get(id), `claim takes ${id}, which is due`);
}
