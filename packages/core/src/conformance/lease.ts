import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  claimOne,
  claimRequest,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  recordsOf,
  untouched,
} from './records.js';

/** `extend` and `release`. */
export const leaseCases: readonly CaseDefinition[] = [
  {
    name: 'extend moves the end of a lease to now + leaseMs and changes nothing else',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      clock.advance(400);
      same(
        await store.extend([leaseOf(task)], 5000),
        [task.revision],
        'the answer for a lease that was extended is the revision of the task',
      );
      const expiresAt = start + 5400;
      same(
        plain(await read(store, 'a')),
        { ...plain(task), lease: { ...task.lease, expiresAt }, wakeAt: expiresAt },
        'extend changes the end of the lease and nothing else',
      );
      clock.now = expiresAt - 1;
      const early = await claimRequest(store);
      same(idsOf(early.tasks), [], 'an extended lease keeps the task from being claimed');
      same(
        early.nextWakeAt !== null && early.nextWakeAt <= expiresAt,
        true,
        'nextWakeAt is no later than the end of the extended lease',
      );
      clock.advance(1);
      same(idsOf(await claim(store)), ['a'], 'at exactly its end the extended lease is over');
    },
  },
  {
    name: 'a lease that has run out is revived by extend as long as nobody has taken the task over',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      let end = task.lease.expiresAt;
      for (const late of [-1, 0, 1, 1_000_000]) {
        clock.now = end + late;
        same(
          await store.extend([leaseOf(task)], leaseMs),
          [task.revision],
          `a lease can be extended ${late} ms after its end while its token is the current one`,
        );
        end = clock.now + leaseMs;
        same(
          plain(await read(store, 'a')),
          { ...plain(task), lease: { ...task.lease, expiresAt: end }, wakeAt: end },
          'a lease that is revived lasts until now + leaseMs, and nothing else changes',
        );
        clock.now = end - 1;
        same(idsOf(await claim(store)), [], 'a revived lease keeps the task from being claimed');
      }
      clock.now = end;
      const heir = await claimOne(store, { owner: 'bob' });
      same(heir.lapsedOwner, 'alice', 'at exactly its end the revived lease is over');
      const extend = () => store.extend([leaseOf(task)], 9000);
      same(
        await untouched(store, ['a'], extend, 'a lease that another has taken is not revived'),
        ['lost'],
        'a lease that another has claimed since is lost',
      );
    },
  },
  {
    name: 'a lease that has run out and was taken or ended since is not revived',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      const ids = ['released', 'removed', 'replaced', 'settled', 'taken'];
      await store.insert(ids.map((id) => record(id)));
      const tasks = await claim(store);
      clock.advance(leaseMs);
      const held = (id: string) => tasks.filter((task) => task.id === id);
      await store.release(held('released').map(leaseOf));
      await store.settle(held('settled').map((task) => again(task, start + 1_000_000)));
      await store.remove({ ids: ['removed', 'replaced'] });
      await store.insert([record('replaced')]);
      await claim(store, { owner: 'bob' });
      for (const when of ['while the next lease is live', 'when that has run out, too']) {
        const extend = () => store.extend(tasks.map(leaseOf), 9000);
        same(
          await untouched(store, ids, extend, `a lease that was taken or ended stays so ${when}`),
          ids.map(() => 'lost'),
          `a lease that was taken or ended is lost ${when}`,
        );
        clock.advance(leaseMs);
      }
      same(
        idsOf(await claim(store)).sort(),
        ['released', 'replaced', 'taken'],
        'the tasks are due when the leases of those who took them have run out',
      );
    },
  },
  {
    name: 'extend under a token that is not the current lease’s is lost and changes nothing',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('free', { runAt: start + 1_000_000 })]);
      const stale = await claimOne(store, { owner: 'alice' });
      clock.advance(leaseMs);
      const current = await claimOne(store, { owner: 'bob' });
      const refs = [
        leaseOf(stale),
        { id: 'a', token: current.lease.token + 1 },
        { id: 'a', token: 0 },
        { id: 'free', token: current.lease.token },
        { id: 'missing', token: current.lease.token },
      ];
      const extend = () => store.extend(refs, 9000);
      same(
        await untouched(store, ['a', 'free'], extend, 'a stale owner changes nothing'),
        refs.map(() => 'lost'),
        'a token that is not the current lease’s is lost',
      );
    },
  },
  {
    name: 'extend answers each lease in order, and one that is lost does not hold up the others',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert(recordsOf(4));
      const [first, second, third, fourth] = await claim(store);
      if (!first || !second || !third || !fourth) throw new Error('four tasks were claimed');
      await store.settle([again(second, start + 5)]);
      same(
        await store.extend([fourth, second, first, third].map(leaseOf), leaseMs),
        [fourth.revision, 'lost', first.revision, third.revision],
        'extend gives one answer a lease, in their order',
      );
    },
  },
  {
    name: 'extend tells the owner of a task that was edited meanwhile its new revision',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { body: '{"edited":true}' }, task);
      const { revision } = await read(store, 'a');
      same(
        await store.extend([leaseOf(task)], leaseMs),
        [revision],
        'the answer for a lease that was extended is the current revision of the task',
      );
    },
  },
  {
    name: 'the lease of a paused task, and of one that an edit finished, is extended like any other',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b')]);
      const tasks = await claim(store);
      await store.setPaused({ ids: ['a'] }, true);
      const { revision } = await read(store, 'b');
      await store.update('b', { status: 'finished', runAt: null }, { revision });
      clock.advance(10);
      const answers = await store.extend(tasks.map(leaseOf), leaseMs);
      same(answers.includes('lost'), false, 'a lease is extended whatever became of the task');
      for (const id of ['a', 'b']) {
        const { lease, wakeAt } = await read(store, id);
        same(lease?.expiresAt, start + 10 + leaseMs, 'the lease is prolonged to now + leaseMs');
        same(wakeAt, null, 'a paused or finished task has no wakeAt, leased or not');
      }
    },
  },
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
