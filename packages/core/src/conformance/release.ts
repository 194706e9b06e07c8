import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { claim, claimOne, idsOf, leaseMs, leaseOf, read, record, untouched } from './records.js';

/** `release`. */
export const releaseCases: readonly CaseDefinition[] = [
  {
    name: 'a released task is claimable at once, and its delivery does not count',
    guarantee: 'G3',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const before = await read(store, 'a');
      const task = await claimOne(store);
      clock.advance(10);
      same(await store.release([leaseOf(task)]), ['released'], 'a current lease can be released');
      same(
        plain(await read(store, 'a')),
        plain(before),
        'release ends the lease and takes the delivery back; the revision and the rest stay',
      );
      const next = await claimOne(store, { owner: 'bob' });
      same([next.deliveries, next.lapsedOwner], [1, null], 'a released task is simply due');
    },
  },
  {
    name: 'release takes back one delivery and leaves those of owners who vanished',
    guarantee: 'G3',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await claimOne(store);
      clock.advance(leaseMs);
      await store.release([leaseOf(await claimOne(store))]);
      same((await read(store, 'a')).deliveries, 1, 'release lowers deliveries by one');
      same((await claimOne(store)).deliveries, 2, 'deliveries count claims that were not released');
    },
  },
  {
    name: 'a lease that has run out can still be released while its token is the current one',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      clock.advance(leaseMs + 10);
      same(
        await store.release([leaseOf(task)]),
        ['released'],
        'the current lease can be released, live or run out',
      );
      same((await claimOne(store)).lapsedOwner, null, 'a released task was not let lapse');
    },
  },
  {
    name: 'release under a token that is not the current lease’s is lost and changes nothing',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('free', { runAt: start + 1_000_000 })]);
      const stale = await claimOne(store, { owner: 'alice' });
      clock.advance(leaseMs);
      const current = await claimOne(store, { owner: 'bob' });
      const refs = [
        { ...leaseOf(stale), deferUntil: start + 1_000_000 },
        { id: 'a', token: current.lease.token + 1 },
        { id: 'free', token: current.lease.token },
        { id: 'missing', token: current.lease.token },
      ];
      const release = () => store.release(refs);
      same(
        await untouched(store, ['a', 'free'], release, 'a stale owner changes nothing'),
        refs.map(() => 'lost'),
        'a token that is not the current lease’s is lost',
      );
    },
  },
  {
    name: 'a release that is made again is lost, and takes back no second delivery',
    guarantee: 'G3',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b')]);
      await claim(store);
      clock.advance(leaseMs);
      const [first, second] = await claim(store);
      if (!first || !second) throw new Error('two tasks were claimed');
      await store.release([leaseOf(first)]);
      same(await store.release([leaseOf(first)]), ['lost'], 'a released lease is no more');
      same((await read(store, first.id)).deliveries, 1, 'one release takes back one delivery');
      const twice = await store.release([leaseOf(second), leaseOf(second)]);
      same([...twice].sort(), ['lost', 'released'], 'one lease is released once in one call too');
      same((await read(store, second.id)).deliveries, 1, 'one release takes back one delivery');
    },
  },
  {
    name: 'deferUntil moves a released task to a later moment and never to an earlier one',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const deferred = async (deferUntil: number) => {
        await store.release([{ ...leaseOf(await claimOne(store)), deferUntil }]);
        const { runAt, wakeAt } = await read(store, 'a');
        same(wakeAt, runAt, 'the wakeAt of a released task is its runAt');
        return runAt;
      };
      same(await deferred(start - 50), start, 'an earlier deferUntil leaves runAt as it is');
      same(await deferred(start), start, 'an equal deferUntil leaves runAt as it is');
      same(await deferred(start + 50), start + 50, 'a later deferUntil becomes the runAt');
      clock.advance(49);
      same(idsOf(await claim(store)), [], 'a deferred task is not claimed before deferUntil');
      clock.advance(1);
      same(idsOf(await claim(store)), ['a'], 'a deferred task is due at exactly deferUntil');
    },
  },
  {
    name: 'release leaves a pause and an edit that were made while the task was leased',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('paused'), record('ended')]);
      const tasks = await claim(store);
      await store.setPaused({ ids: ['paused'] }, true);
      const { revision } = await read(store, 'ended');
      await store.update('ended', { status: 'finished', runAt: null }, { revision });
      const edited = await read(store, 'ended');
      const deferUntil = start + 5;
      await store.release(tasks.map((task) => ({ ...leaseOf(task), deferUntil })));
      const paused = await read(store, 'paused');
      same([paused.paused, paused.wakeAt], [true, null], 'a paused task stays paused');
      const ended = await read(store, 'ended');
      same(
        [ended.status, ended.runAt, ended.wakeAt, ended.revision],
        ['finished', null, null, edited.revision],
        'a task that an edit finished stays finished, without a runAt',
      );
      clock.advance(1_000_000);
      same(idsOf(await claim(store)), [], 'neither of them is claimed');
    },
  },
];
