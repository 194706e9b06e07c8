import type { DataStore } from '../data-store.js';
import { holds, plain, rejects, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start, until } from './harness.js';
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
  untouched,
} from './records.js';

/** Opening, closing, places and handles. */
export const lifecycleCases: readonly CaseDefinition[] = [
  {
    name: 'a store says what it is called and what it can do',
    guarantee: 'G8',
    async run({ connect }) {
      const { name, capabilities } = await connect();
      holds(typeof name === 'string' && name !== '', 'a store has a name');
      const { history, latestHistory, watch, transactions, processes } = capabilities;
      same(
        [history, latestHistory, watch, transactions, processes].map((claimed) => typeof claimed),
        ['boolean', 'boolean', 'boolean', 'boolean', 'boolean'],
        'a store claims each capability or does not',
      );
      holds(history || !latestHistory, 'a store without a history has no newest entries');
    },
  },
  {
    name: 'each place is fresh and isolated from every other',
    guarantee: 'G1',
    async run(bench) {
      const [here, elsewhere] = [await bench.open(), await (await bench.elsewhere()).open()];
      same([await here.count({}), await elsewhere.count({})], [0, 0], 'a place is empty at first');
      await here.insert([record('a'), record('b')]);
      same(await elsewhere.insert([record('a')]), ['inserted'], 'ids are a place’s own');
      same(idsOf(await elsewhere.get(['a', 'b'])), ['a', undefined], 'so are tasks');
      same(idsOf(await claim(elsewhere)), ['a'], 'a claim takes tasks of its own place');
      same(await elsewhere.remove({ all: true }), 1, 'and so does a removal');
      same(idsOf(await claim(here)).sort(), ['a', 'b'], 'whatever happens elsewhere');
      const third = await (await bench.elsewhere()).open();
      same(await third.count({}), 0, 'a place is empty at first, however late it is created');
    },
  },
  {
    name: 'handles on one place share its tasks, leases and history',
    guarantee: 'G1',
    async run({ openMany }) {
      const [first, second] = await openMany(2);
      if (!first || !second) throw new Error('two handles were opened');
      await first.insert([record('a'), record('b', { runAt: start + 5 })]);
      same(plain(await read(second, 'a')), plain(await read(first, 'a')), 'one sees all of it');
      const task = await claimOne(second);
      same(idsOf(await claim(first)), [], 'what one handle has leased no other claims');
      same(await first.extend([leaseOf(task)], leaseMs), [task.revision], 'a lease is the place’s');
      const history = [historyEntry('a', 'run-1')];
      same(await first.settle([finish(task, { history })]), ['settled'], 'a lease is the place’s');
      same((await read(second, 'a')).status, 'finished', 'one sees what the other has settled');
      await sameHistory(second, 'a', ['run-1'], 'one sees what the other has appended');
    },
  },
  {
    name: 'before it is opened a store refuses every call',
    guarantee: 'G8',
    async run({ connect }) {
      await refusesEveryCall(await connect(), 'before `open`');
    },
  },
  {
    name: 'after it is closed a store refuses every call',
    guarantee: 'G8',
    async run({ connect }) {
      const store = await connect();
      await store.open();
      await store.close();
      await refusesEveryCall(store, 'after `close`');
    },
  },
  {
    name: 'opening an open store does nothing, and closing a closed one does nothing',
    guarantee: 'G8',
    async run({ connect }) {
      const store = await connect();
      await Promise.all([store.open(), store.open()]);
      await store.insert([record('a')]);
      await store.open();
      same(idsOf(await store.get(['a'])), ['a'], 'opening an open store leaves its tasks alone');
      await store.close();
      await store.close();
      await refusesEveryCall(store, 'after `close`');
    },
  },
  {
    name: 'closing a store that was never opened does nothing, and it can be opened afterwards',
    guarantee: 'G8',
    async run({ connect }) {
      const store = await connect();
      await store.close();
      await Promise.all([store.close(), store.close()]);
      await refusesEveryCall(store, 'before `open`, also when it was closed');
      await store.open();
      same(await store.insert([record('a')]), ['inserted'], 'a store can be opened when closed');
      await store.close();
    },
  },
  {
    name: 'opening an open store leaves its leases, its histories and its watchers as they are',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('b', { queue: 'other' })]);
      const history = [historyEntry('b', 'run-1')];
      const settled = again(await claimOne(store, { queues: ['other'] }), start + 50, { history });
      await store.settle([settled]);
      const task = await claimOne(store);
      let heard = 0;
      await store.watch(() => heard++);
      const reopen = () => Promise.all([store.open(), store.open()]);
      await untouched(store, ['a', 'b'], reopen, 'opening an open store does nothing');
      await sameHistory(store, 'b', ['run-1'], 'opening an open store does nothing');
      same(await store.settle([settled]), ['settled'], 'a repeated settlement is still recognised');
      same(await store.settle([finish(task)]), ['settled'], 'a lease is still held');
      if (!store.capabilities.watch) return;
      heard = 0;
      await store.insert([record('c')]);
      await until(() => heard > 0, 'opening an open store leaves its watchers', 5);
    },
  },
  {
    name: 'a store that was closed can be opened again, and then answers every call',
    guarantee: 'G8',
    async run({ connect }) {
      const store = await connect();
      for (let round = 0; round < 3; round++) {
        await Promise.all([store.open(), store.open()]);
        await store.remove({ all: true });
        await store.insert([record('a'), record('b', { queue: 'other', paused: true })]);
        const sentence = 'a closed store may be opened again, and does what it did before';
        const task = await claimOne(store);
        same(await store.extend([leaseOf(task)], leaseMs), [task.revision], sentence);
        const history = [historyEntry('a', `run-${round}`, start + round)];
        same(await store.settle([again(task, start, { history })]), ['settled'], sentence);
        const [entry] = await store.history('a', 1);
        same(entry?.id, store.capabilities.history ? `run-${round}` : undefined, sentence);
        same(await store.release([leaseOf(await claimOne(store))]), ['released'], sentence);
        same(await store.update('a', { name: 'x' }, await read(store, 'a')), 'updated', sentence);
        same(await store.setPaused({ ids: ['b'] }, false), 1, sentence);
        same(await store.count({ paused: false }), 2, sentence);
        same((await store.list({ limit: 5, name: 'x' })).tasks.length, 1, sentence);
        same(await store.now(), start, sentence);
        await (await store.watch(() => {}))();
        await store.close();
        await refusesEveryCall(store, 'after `close`, also when it was opened again before');
      }
    },
  },
  {
    name: 'what watched before a store was closed hears nothing when it is open again',
    guarantee: 'G5',
    async run({ connect }) {
      const store = await connect();
      await store.open();
      const heard = { before: 0, after: 0 };
      const stop = await store.watch(() => heard.before++);
      await store.close();
      await store.open();
      await store.watch(() => heard.after++);
      await store.insert([record('a')]);
      if (store.capabilities.watch) {
        await until(() => heard.after > 0, 'a store that is open again notifies', 5);
      }
      same(heard.before, 0, '`close` stops the notifications, also when the store is opened again');
      await stop();
      await store.close();
      await stop();
    },
  },
  {
    name: 'closing one handle leaves the tasks, where a place outlives its handles',
    guarantee: 'G1',
    async run({ connect, open }) {
      const store = await connect();
      await store.open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.close();
      await store.open();
      if (store.capabilities.processes) {
        const sentence = 'what was acknowledged is there when the same handle is open again';
        same(plain(await read(store, 'a')), plain(task), sentence);
        same(await store.settle([finish(task)]), ['settled'], sentence);
      }
      const other = await open();
      const ids = idsOf(await store.get(['a']));
      same(idsOf(await other.get(['a'])), ids, 'handles on one place share its tasks');
      await store.close();
    },
  },
  {
    name: 'a store gives its own time: the injected clock where there is one',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      same(await store.now(), start, 'the injected clock is used in place of the store’s');
      clock.advance(12_345);
      same(await store.now(), start + 12_345, 'and is read inside every call');
      same(Number.isSafeInteger(await store.now()), true, 'moments are integer milliseconds');
    },
  },
  {
    name: 'what was acknowledged is there for whoever opens the place next, where it outlives handles',
    guarantee: 'G1',
    async run({ connect }) {
      const before = await connect();
      if (!before.capabilities.processes) return;
      await before.open();
      await before.insert([
        record('leased', { group: 'g', body: '"body"' }),
        record('settled', { queue: 'r' }),
        record('paused', { paused: true }),
      ]);
      const leased = await claimOne(before);
      const settlement = again(await claimOne(before, { queues: ['r'] }), start + 60_000, {
        history: [historyEntry('settled', 'run-1')],
      });
      await before.settle([settlement]);
      await before.setPaused({ ids: ['paused'] }, false);
      await before.setPaused({ ids: ['paused'] }, true);
      const ids = ['leased', 'settled', 'paused'];
      const records = (await before.get(ids)).map(plain);
      await before.close();

      const after = await connect();
      await after.open();
      try {
        same((await after.get(ids)).map(plain), records, 'every record is as it was');
        await sameHistory(after, 'settled', ['run-1'], 'the history is as it was');
        same(await after.settle([settlement]), ['settled'], 'a repeated settlement is recognised');
        same(await after.insert([record('leased')]), ['exists'], 'an id that exists is found');
        same(
          await after.extend([leaseOf(leased)], leaseMs),
          [leased.revision],
          'a lease holds though the handle that took it is gone',
        );
        await after.remove({ ids: ['leased'] });
        await after.insert([record('leased')]);
        const again = await claimOne(after);
        holds(again.lease.token > leased.lease.token, 'tokens go on growing');
        holds(again.revision !== leased.revision, 'revisions do not repeat');
      } finally {
        await after.close();
      }
    },
  },
];

/** Every call that an open store answers, in its simplest form. */
function calls(store: DataStore): Record<string, () => Promise<unknown>> {
  return {
    now: () => store.now(),
    insert: () => store.insert([record('a')]),
    get: () => store.get(['a']),
    update: () => store.update('a', {}, { revision: 1 }),
    list: () => store.list({ limit: 1 }),
    count: () => store.count({}),
    remove: () => store.remove({ ids: ['a'] }),
    setPaused: () => store.setPaused({ ids: ['a'] }, true),
    claim: () => store.claim({ queues: ['q'], limit: 1, owner: 'alice', leaseMs }),
    extend: () => store.extend([{ id: 'a', token: 1 }], leaseMs),
    settle: () =>
      store.settle([{ id: 'a', token: 1, revision: 1, next: null, history: [], spawn: [] }]),
    release: () => store.release([{ id: 'a', token: 1 }]),
    history: () => store.history('a', 1),
    ...(store.capabilities.latestHistory && {
      latestHistory: () => store.latestHistory({ limit: 1 }),
    }),
    watch: () => store.watch(() => {}),
  };
}

async function refusesEveryCall(store: DataStore, when: string): Promise<void> {
  for (const [name, call] of Object.entries(calls(store))) {
    await rejects(call, 'SCHED_STORE_CLOSED', `${name} rejects ${when}`);
  }
}
