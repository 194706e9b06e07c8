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
import { wakesBy } from './waking.js';

/** `extend`. */
export const extendCases: readonly CaseDefinition[] = [
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
    name: 'extend can bring the end of a lease forward, and the task is due then',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b', { runAt: start + 3000 })]);
      const task = await claimOne(store, { leaseMs: 60_000 });
      clock.advance(100);
      await store.extend([leaseOf(task)], 20);
      const sooner = 'extend makes a lease last until now + leaseMs, even if that is sooner';
      const { lease, wakeAt } = await read(store, 'a');
      same([lease?.expiresAt, wakeAt], [start + 120, start + 120], sooner);
      clock.now = start + 119;
      const early = await claimRequest(store, { owner: 'bob' });
      same(idsOf(early.tasks), [], 'the lease is live until then');
      wakesBy(early, start + 120);
      same(await store.count({ leased: true }), 1, 'the lease is live until then');
      clock.now = start + 120;
      same(await store.count({ leased: true }), 0, `${sooner}; then it is over`);
      const heir = await claimOne(store, { owner: 'bob' });
      same([heir.id, heir.lapsedOwner], ['a', 'alice'], `${sooner}; then the task is due`);
    },
  },
  {
    name: 'a lease is extended as often as its owner likes, to and fro',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      for (const ms of [5000, 10, 700, 1, 100_000, 3]) {
        clock.advance(1);
        same(await store.extend([leaseOf(task)], ms), [task.revision], 'the lease is current');
        const { lease, wakeAt } = await read(store, 'a');
        const end = clock.now + ms;
        same([lease?.expiresAt, wakeAt], [end, end], 'each extend counts from its own now');
        clock.now = end - 1;
        same(idsOf(await claim(store)), [], 'a lease is live until its new end');
      }
      clock.advance(1);
      same(idsOf(await claim(store)), ['a'], 'at exactly its last end the lease is over');
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
];
