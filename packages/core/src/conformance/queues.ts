import type { DataStore, NewTaskRecord } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { claim, claimRequest, finish, idsOf, record, recordsOf } from './records.js';
import { wakesBy } from './waking.js';

/** Thirty names, in an order of their own. */
const thirty = Array.from({ length: 30 }, (_, index) => `queue-${(index * 7) % 30}`);

/** Fills the queue `full` with tasks that are older than any other and not due. */
const crowds: Readonly<Record<string, (store: DataStore, count: number) => Promise<unknown>>> = {
  paused: async (store, count) => {
    await store.insert(crowd(count, { paused: true }).slice(0, count / 2));
    await store.insert(crowd(count));
    await store.setPaused({ all: true }, true);
  },
  leased: async (store, count) => {
    await store.insert(crowd(count));
    await claim(store, { queues: ['full'], limit: count, leaseMs: 60_000 });
  },
  'paused while they run': async (store, count) => {
    await store.insert(crowd(count));
    await claim(store, { queues: ['full'], limit: count, leaseMs: 1 });
    await store.setPaused({ all: true }, true);
  },
  'far off': (store, count) => store.insert(crowd(count, { runAt: start + 1 })),
  ended: async (store, count) => {
    const failed = crowd(count, { status: 'failed', runAt: null });
    await store.insert(failed.slice(0, count / 2));
    await store.insert(crowd(count));
    const tasks = await claim(store, { queues: ['full'], limit: count });
    await store.settle(tasks.map((task) => finish(task)));
  },
};

function crowd(count: number, members: Partial<NewTaskRecord> = {}): NewTaskRecord[] {
  return recordsOf(count, 'crowd-', { queue: 'full', runAt: start - 5000, ...members });
}

/** What the order of its queues means to `claim`. */
export const queueCases: readonly CaseDefinition[] = [
  {
    name: 'queues are emptied strictly in the order given, however old the tasks of a later one',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert([
        record('a-old', { queue: 'a', runAt: start - 100 }),
        record('a-new', { queue: 'a', runAt: start - 10 }),
        record('b-old', { queue: 'b', runAt: start - 50 }),
        record('b-new', { queue: 'b', runAt: start }),
      ]);
      same(
        idsOf(await claim(store, { queues: ['b', 'none', 'a'], limit: 3 })),
        ['b-old', 'b-new', 'a-old'],
        'nothing is taken from a queue while an earlier one still has a due task',
      );
      same(
        idsOf(await claim(store, { queues: ['b', 'a'] })),
        ['a-new'],
        'then the next one’s turn',
      );
    },
  },
  {
    name: 'a task that is not due in an earlier queue holds nothing up in a later one',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert([
        record('a', { queue: 'a', runAt: start + 1 }),
        record('b', { queue: 'b' }),
      ]);
      const result = await claimRequest(store, { queues: ['a', 'b'] });
      same(idsOf(result.tasks), ['b'], 'what is due is taken');
      wakesBy(result, start + 1);
    },
  },
  {
    name: 'a claim takes tasks of the queues it names and of no other',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      const queues = Array.from({ length: 40 }, (_, index) => `queue-${index}`);
      await store.insert(queues.map((queue) => record(queue, { queue })));
      same(idsOf(await claim(store, { queues: ['queue-7'] })), ['queue-7'], 'only queues named');
      const others = queues.filter((queue) => queue !== 'queue-3' && queue !== 'queue-7');
      same(idsOf(await claim(store, { queues: others })), others, 'each of the queues named');
      same(idsOf(await claim(store, { queues: ['queue'] })), [], 'a queue without tasks is empty');
    },
  },
  {
    name: 'three queues are emptied strictly in the order given, in whichever order that is',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      const orders = ['abc', 'acb', 'bac', 'bca', 'cab', 'cba'];
      for (const order of orders) {
        for (const limit of [1, 2, 4, 9]) {
          await emptiesInOrder(store, order.split(''), limit);
          await store.remove({ all: true });
        }
      }
    },
  },
  {
    name: 'thirty queues are emptied strictly in the order given',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      for (const limit of [7, 30]) {
        await emptiesInOrder(store, thirty, limit);
        await store.remove({ all: true });
      }
      await emptiesInOrder(store, thirty.toReversed(), 11);
    },
  },
  {
    name: 'nextWakeAt looks at every queue, wherever among thirty the next task is',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert(thirty.map((queue) => record(queue, { queue, runAt: start + 90_000 })));
      for (const [index, queue] of thirty.entries()) {
        const runAt = start + 500 - index;
        await store.insert([record('next', { queue, runAt })]);
        const result = await claimRequest(store, { queues: thirty });
        same(idsOf(result.tasks), [], 'nothing is due yet');
        wakesBy(result, runAt);
        await store.remove({ ids: ['next'] });
      }
    },
  },
  {
    name: 'nextWakeAt looks at the queues behind the one in which the limit was reached',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      for (const [index, queue] of thirty.entries()) {
        for (const limit of [1, 2]) {
          const runAt = start + (index % 2 === 0 ? 40 : -40);
          await store.insert([
            record('first', { queue: 'first' }),
            record('second', { queue: 'first' }),
            record('waiting', { queue, runAt }),
          ]);
          const result = await claimRequest(store, { queues: ['first', ...thirty], limit });
          same(result.tasks.length, limit, 'the first `limit` due tasks are taken');
          wakesBy(result, limit === 1 ? Math.min(start, runAt) : runAt);
          await store.remove({ all: true });
        }
      }
    },
  },
  ...Object.entries(crowds).map(
    ([kind, crowd]): CaseDefinition => ({
      name: `hundreds of tasks that are ${kind} hide no due one, in their queue or a later one`,
      guarantee: 'G5',
      async run({ open }) {
        const store = await open();
        await crowd(store, 300);
        const waiting = ['full', 'second', 'third'].flatMap((queue) => due(queue, 12));
        await store.insert(waiting.toReversed());
        const queues = ['full', 'empty', 'second', 'third'];
        const sentence = `takes as many due tasks as it may, however many others are ${kind}`;
        for (let from = 0; from < waiting.length + 10; from += 10) {
          const next = waiting.slice(from, from + 10).map(({ id }) => id);
          const tasks = await claim(store, { queues, limit: 10, leaseMs: 60_000 });
          same(idsOf(tasks), next, `a claim ${sentence}, in the order of the queues`);
        }
      },
    }),
  ),
];

/** `count` tasks of a queue that are due, in their order. */
function due(queue: string, count: number): NewTaskRecord[] {
  return Array.from({ length: count }, (_, index) =>
    record(`${queue}-${index}`, { queue, runAt: start - 100 + index }),
  );
}

/** Fills the queues, the later ones with older tasks, and claims until nothing is left. */
async function emptiesInOrder(
  store: DataStore,
  queues: readonly string[],
  limit: number,
): Promise<void> {
  const records = queues.flatMap((queue, position) =>
    due(queue, 3).map((task) => ({ ...task, runAt: (task.runAt ?? 0) - 10 * position })),
  );
  await store.insert(records.toReversed());
  for (let from = 0; from <= records.length; from += limit) {
    const result = await claimRequest(store, { queues, limit });
    same(
      idsOf(result.tasks),
      records.slice(from, from + limit).map(({ id }) => id),
      `nothing is taken from a queue while an earlier one has a due task: ${limit} of ${queues.length} queues`,
    );
    const left = records.slice(from + limit).map(({ runAt }) => runAt ?? 0);
    if (left.length > 0) wakesBy(result, Math.min(...left));
  }
}
