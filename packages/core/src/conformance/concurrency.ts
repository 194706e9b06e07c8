import type { ClaimedTask, DataStore } from '../data-store.js';
import { holds, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  finish,
  historyEntry,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  recordsOf,
  sameHistory,
} from './records.js';

/** Many handles on one place, each with several calls in flight. */
export const concurrencyCases: readonly CaseDefinition[] = [
  {
    name: 'claimers that race take every task exactly once between them, and again when they lapse',
    guarantee: 'G2',
    async run({ openMany, clock }) {
      const stores = await openMany(6);
      const [store] = await openMany(1);
      await store?.insert(recordsOf(300));
      const tokens = new Map<string, number>();
      for (const deliveries of [1, 2]) {
        const owners = new Map<string, string>();
        await everyone(twice(stores), async (handle, index) => {
          for (;;) {
            const tasks = await claim(handle, { owner: `owner-${index}`, limit: 7 });
            if (tasks.length === 0) return;
            for (const { id, lease, ...task } of tasks) {
              const others = `${id} to ${owners.get(id)} and to ${lease.owner}`;
              holds(!owners.has(id), `no task is given to two callers, but ${others}`);
              owners.set(id, lease.owner);
              same(task.deliveries, deliveries, 'each claim counts one delivery');
              holds(
                lease.token > (tokens.get(id) ?? Number.NEGATIVE_INFINITY),
                'every claim has a greater token',
              );
              tokens.set(id, lease.token);
            }
          }
        });
        same(owners.size, 300, 'every task that is due is claimed by somebody');
        clock.advance(leaseMs);
      }
    },
  },
  {
    name: 'claimers that race do not take turns at the same tasks: each takes the next ones',
    guarantee: 'G5',
    async run({ openMany }) {
      const stores = await openMany(8);
      await stores[0]?.insert(recordsOf(40));
      const claims = await everyone(stores, (store) => claim(store, { limit: 5 }));
      same(
        claims.map((tasks) => tasks.length),
        stores.map(() => 5),
        'one that finds tasks being taken by another takes the next ones, up to its limit',
      );
      same(new Set(claims.flat().map(({ id }) => id)).size, 40, 'no task is given to two callers');
    },
  },
  {
    name: 'edits that race are applied one after another and none is lost',
    guarantee: 'G6',
    async run({ openMany }) {
      const stores = await openMany(6);
      const [store] = stores;
      if (!store) throw new Error('six handles were opened');
      await store.insert([record('a', { body: '0' })]);
      const edits = 10;
      await everyone(stores, async (handle) => {
        for (let done = 0, tries = 0; done < edits; tries++) {
          holds(tries < 10_000, 'an edit of the current revision is applied sooner or later');
          const task = await read(handle, 'a');
          const answer = await handle.update('a', { body: `${Number(task.body) + 1}` }, task);
          if (answer === 'updated') done++;
          else same(answer, 'conflict', 'an edit of another revision is a conflict');
        }
      });
      same((await read(store, 'a')).body, `${edits * stores.length}`, 'no edit is lost');
    },
  },
  {
    name: 'of an edit and a settlement that race one is refused, and both are there in the end',
    guarantee: 'G6',
    async run({ openMany }) {
      const [worker, user] = await openMany(2);
      if (!worker || !user) throw new Error('two handles were opened');
      await worker.insert(recordsOf(60));
      const tasks = await claim(worker);
      await everyone(tasks, async (task, index) => {
        const settle = () => worker.settle([again(task, start + 5)]);
        const update = () => user.update(task.id, { name: 'edited' }, task);
        // Let each go first in turn, so that a store that serves calls in order sees both orders.
        const [first, second] = index % 2 === 0 ? [settle(), update()] : [update(), settle()];
        const answers = await Promise.all([first, second]);
        const [settled, edited] = index % 2 === 0 ? answers : [answers[1], answers[0]];
        const both = `${settled} and ${edited}`;
        const expected = edited === 'updated' ? 'conflict and updated' : 'settled and conflict';
        same(both, expected, 'whoever decided on a record that no longer is, is refused');
        const fresh = await read(user, task.id);
        if (edited === 'updated') {
          const decided = { ...again(task, start + 5), revision: fresh.revision };
          same(await worker.settle([decided]), ['settled'], 'decided again, it is settled');
        } else {
          const change = { name: 'edited' };
          same(
            await user.update(task.id, change, fresh),
            'updated',
            'decided again, it is applied',
          );
        }
        const { name, runAt, lease } = await read(worker, task.id);
        same([name, runAt, lease], ['edited', start + 5, null], 'neither of them is lost');
      });
    },
  },
  {
    name: 'a settlement that is sent twice at once is applied once, and both are told so',
    guarantee: 'G2',
    async run({ openMany }) {
      const [first, second] = await openMany(2);
      if (!first || !second) throw new Error('two handles were opened');
      await first.insert(recordsOf(40));
      await everyone(await claim(first), async (task) => {
        const next = {
          status: 'scheduled',
          runAt: start + 1,
          body: `${task.lease.token}`,
        } as const;
        const settlement = again(task, start, {
          next,
          history: [historyEntry(task.id, 'run-1')],
          spawn: [record(`spawned-by-${task.id}`, { queue: 'other' })],
        });
        const answers = [first.settle([settlement]), second.settle([settlement])];
        same(
          (await Promise.all(answers)).flat(),
          ['settled', 'settled'],
          'a repeated settlement that was applied is answered `settled`',
        );
        await sameHistory(second, task.id, ['run-1'], 'a repeated settlement is applied once');
      });
      same(await first.count({ queue: 'other' }), 40, 'each settlement spawns once');
    },
  },
  {
    name: 'tasks that are removed while they are claimed and settled do not come back',
    guarantee: 'G6',
    async run({ openMany }) {
      const stores = await openMany(4);
      const [store, remover, rival] = stores;
      if (!store || !remover || !rival) throw new Error('four handles were opened');
      const ids = recordsOf(120).map(({ id }) => id);
      await store.insert(recordsOf(120));
      const held: ClaimedTask[] = [];
      const work = everyone(stores, async (handle) => {
        for (let round = 0; round < 8; round++) {
          const tasks = await claim(handle, { limit: 5 });
          const settled = tasks.slice(0, 3);
          held.push(...tasks.slice(3));
          await handle.settle(settled.map((task) => again(task, start)));
        }
      });
      const removals = [
        remover.remove({ ids: ids.slice(0, 70) }),
        rival.remove({ ids: ids.slice(50) }),
        remover.remove({ all: true }),
      ];
      const counts = await Promise.all(removals);
      await work;
      const removed = counts.reduce((sum, count) => sum + count);
      same(removed, 120, 'a task is counted by the one call that deleted it');
      same(await store.count({}), 0, 'no call brings back a task that was removed');
      const settled = await store.settle(held.map((task) => finish(task)));
      same(
        settled,
        held.map(() => 'lost'),
        'the owner of a removed task finds out when it settles',
      );
      same(idsOf(await claim(store)), [], 'a removed task is not claimed');
    },
  },
  {
    name: 'tasks that are paused while they are claimed are each paused once and claimed no more',
    guarantee: 'G6',
    async run({ openMany, clock }) {
      const stores = await openMany(4);
      const [store, pauser, rival] = stores;
      if (!store || !pauser || !rival) throw new Error('four handles were opened');
      await store.insert(recordsOf(100, 'task-', { group: 'g' }));
      const work = everyone(stores, (handle) => claim(handle, { limit: 10 }));
      const pauses = [pauser.setPaused({ group: 'g' }, true), rival.setPaused({ all: true }, true)];
      const counts = await Promise.all(pauses);
      const claimed = (await work).flat();
      same(
        counts.reduce((sum, count) => sum + count),
        100,
        'a task is counted by the one call that paused it',
      );
      const stillLeased = (await store.get(idsOf(claimed).map(String))).map((task) => task?.lease);
      same(
        stillLeased.map((lease) => lease?.token),
        claimed.map((task) => task.lease.token),
        'pausing leaves the lease of a task that was claimed just before',
      );
      clock.advance(leaseMs);
      same(idsOf(await claim(store)), [], 'a paused task is not claimed');
      same(await store.setPaused({ all: true }, false), 100, 'every task was paused');
      same((await claim(store, { limit: 200 })).length, 100, 'every task is claimed when resumed');
    },
  },
  {
    name: 'a lease that is extended and a task that is claimed at the end of it exclude each other',
    guarantee: 'G2',
    async run({ openMany, clock }) {
      const [owner, rival, third] = await openMany(3);
      if (!owner || !rival || !third) throw new Error('three handles were opened');
      for (let round = 0; round < 20; round++) {
        await owner.insert(recordsOf(8));
        const tasks = await claim(owner, { leaseMs: 10, owner: 'owner' });
        // Each reading moves the clock on, so that the leases run out while the calls are under way.
        clock.advance(5);
        clock.stepMs = 1;
        const extensions = everyone(tasks, (task) => owner.extend([leaseOf(task)], 100_000));
        const claims = everyone(twice([rival, third, rival, third]), (handle) =>
          claim(handle, { limit: 2, owner: 'rival', leaseMs: 100_000 }),
        );
        const taken = new Set((await claims).flat().map(({ id }) => id));
        const kept = (await extensions).flat();
        clock.stepMs = 0;
        for (const [index, { id }] of tasks.entries()) {
          const isBoth = kept[index] !== 'lost' && taken.has(id);
          holds(!isBoth, 'a lease that was extended is live, so nobody else claims the task');
        }
        await owner.remove({ all: true });
      }
    },
  },
  {
    name: 'of several that insert one id at once one creates the task and the others find it',
    guarantee: 'G6',
    async run({ openMany }) {
      const stores = await openMany(6);
      const answers = await everyone(stores, (store, index) =>
        store.insert(recordsOf(40, 'task-', { body: `${index}` })),
      );
      for (let task = 0; task < 40; task++) {
        const creators = answers.flatMap((answer, index) =>
          answer[task] === 'inserted' ? [`${index}`] : [],
        );
        same(creators.length, 1, 'an id is inserted once, and everyone else is told it exists');
        const stored = stores[0] && (await read(stores[0], `task-${task}`));
        same(stored?.body, creators[0], 'the task is the one of whoever inserted it');
      }
    },
  },
  {
    name: 'any number of handles may open a fresh place at the same moment',
    guarantee: 'G8',
    async run({ openMany }) {
      const stores = await openMany(10);
      const inserted = await everyone(stores, (store, index) => store.insert([record(`${index}`)]));
      same(inserted.flat(), Array(10).fill('inserted'), 'each handle works');
      for (const store of stores) same(await store.count({}), 10, 'and sees what all have done');
    },
  },
  {
    name: 'release and extend that race with each other and with claimers leave one owner',
    guarantee: 'G2',
    async run({ openMany }) {
      const [owner, rival] = await openMany(2);
      if (!owner || !rival) throw new Error('two handles were opened');
      await owner.insert(recordsOf(50));
      const tasks = await claim(owner, { owner: 'owner' });
      const refs = tasks.map(leaseOf);
      const [released, repeated, , taken] = await Promise.all([
        owner.release(refs),
        rival.release(refs),
        owner.extend(refs, leaseMs * 2),
        claim(rival, { owner: 'rival' }),
      ]);
      for (const [index, { id }] of tasks.entries()) {
        const answers = [released[index], repeated[index]].sort();
        same(answers, ['lost', 'released'], 'one lease is released once');
        const { lease, deliveries } = await read(owner, id);
        const current = taken.find((task) => task.id === id)?.lease.token;
        same(lease?.token, current, 'a released task is leased to whoever claimed it since');
        same(deliveries, current === undefined ? 0 : 1, 'and each delivery is counted once');
      }
    },
  },
];

/** Runs `run` for all items at once and returns the answers in order. */
function everyone<T, R>(items: readonly T[], run: (item: T, index: number) => Promise<R>) {
  return Promise.all(items.map(run));
}

/** Each handle twice, for two users of it. */
function twice(stores: readonly DataStore[]): DataStore[] {
  return [...stores, ...stores];
}
