import type { DataStore } from '../data-store.js';
import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { again, claimOne, historyEntry, leaseMs, read, record } from './records.js';

/** Something that goes into a call or comes out of it, after the call. */
interface Passage {
  readonly what: string;
  readonly pass: (store: DataStore) => Promise<readonly object[]>;
}

/** With a history and two tasks, of which `a` is leased and `b` waits in another queue. */
async function prepare(store: DataStore): Promise<void> {
  await store.insert([record('a', { group: 'g' }), record('b', { queue: 'other', group: 'g' })]);
  const history = [historyEntry('a', 'run-1'), historyEntry('a', 'run-2')];
  await store.settle([again(await claimOne(store), start, { history })]);
  await claimOne(store);
}

const leases = async (store: DataStore) => {
  const { lease } = await read(store, 'a');
  return [{ id: 'a', token: lease?.token ?? 0 }];
};

const passages: readonly Passage[] = [
  {
    what: 'insert took',
    async pass(store) {
      const records = [{ ...record('c', { queue: 'other' }) }];
      await store.insert(records);
      return [records];
    },
  },
  {
    what: 'insert answered',
    pass: async (store) => [await store.insert([record('a'), record('c', { queue: 'other' })])],
  },
  {
    what: 'get took and gave',
    async pass(store) {
      const ids = ['a', 'b', 'a'];
      return [await store.get(ids), ids];
    },
  },
  {
    what: 'update took',
    async pass(store) {
      const change = { name: 'edited', body: '"edited"' };
      const { revision } = await read(store, 'b');
      const expected = { revision };
      await store.update('b', change, expected);
      return [change, expected];
    },
  },
  {
    what: 'list took and gave',
    async pass(store) {
      const request = { group: 'g', limit: 5 };
      return [await store.list(request), request];
    },
  },
  {
    what: 'count took',
    async pass(store) {
      const filter = { group: 'g', leased: true };
      await store.count(filter);
      return [filter];
    },
  },
  {
    what: 'setPaused took',
    async pass(store) {
      const selector = { ids: ['b'] };
      await store.setPaused(selector, true);
      return [selector];
    },
  },
  {
    what: 'claim took and gave',
    async pass(store) {
      const request = { queues: ['other'], limit: 5, owner: 'bob', leaseMs };
      return [await store.claim(request), request];
    },
  },
  {
    what: 'extend took and gave',
    async pass(store) {
      const refs = await leases(store);
      return [await store.extend(refs, leaseMs), refs];
    },
  },
  {
    what: 'release took and gave',
    async pass(store) {
      const releases = (await leases(store)).map((ref) => ({ ...ref, deferUntil: start + 5 }));
      return [await store.release(releases), releases];
    },
  },
  ...(['next', 'history', 'spawn'] as const).map(
    (part): Passage => ({
      what: `settle took as ${part}`,
      async pass(store) {
        const [task, ...others] = (
          await store.claim({
            ...{ queues: ['other'], limit: 1, owner: 'bob', leaseMs },
          })
        ).tasks;
        if (!task || others.length > 0) throw new Error('one task was claimed');
        const settlement = structuredClone(
          again(task, start + 9, {
            history: [historyEntry('a', 'run-3', start + 9)],
            spawn: [record('c', { group: 'g', runAt: start + 9 })],
          }),
        );
        await store.settle([settlement]);
        return [settlement[part] ?? [], part === 'next' ? settlement : []];
      },
    }),
  ),
  {
    what: 'history gave',
    pass: async (store) => [await store.history('a', 9)],
  },
  {
    what: 'latestHistory gave',
    pass: async (store) =>
      store.capabilities.latestHistory ? [await store.latestHistory({ limit: 9 })] : [],
  },
];

/** Changing what was given to the store, or what it gave, changes nothing in it. */
export const snapshotCases: readonly CaseDefinition[] = passages.map(({ what, pass }) => ({
  name: `changing what ${what} changes nothing in the store`,
  guarantee: 'G6',
  async run({ open }) {
    const store = await open();
    await prepare(store);
    const objects = await pass(store);
    const before = await everything(store);
    for (const object of objects) scribbleOver(object);
    same(await everything(store), before, `what ${what} is a snapshot`);
  },
}));

/** All that can be read from a store, as it is at this moment. */
async function everything(store: DataStore) {
  const ids = ['a', 'b', 'c'];
  const histories = [];
  for (const id of ids) histories.push(structuredClone(await store.history(id, 9)));
  if (store.capabilities.latestHistory) {
    histories.push(structuredClone((await store.latestHistory({ limit: 9 })).entries));
  }
  const tasks = structuredClone((await store.get(ids)).map(plain));
  const listed = structuredClone(await listAll(store, { group: 'g' })).map(plain);
  return { histories, tasks, listed };
}

/** Overwrites every member that it can, like a careless caller. */
function scribbleOver(object: object): void {
  for (const [key, value] of Object.entries(object)) {
    if (typeof value === 'object' && value !== null) scribbleOver(value);
    else Reflect.set(object, key, typeof value === 'number' ? value + 1 : 'scribble');
  }
}
