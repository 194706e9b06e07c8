import { holds, plain, plainLease, present, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { Random } from './random.js';
import {
  again,
  claim,
  claimOne,
  claimRequest,
  idsOf,
  leaseMs,
  read,
  record,
  recordsOf,
} from './records.js';

/** Which tasks `claim` takes, in which order, and what it changes in them. */
export const claimCases: readonly CaseDefinition[] = [
  {
    name: 'a task is claimed at exactly its time and not one millisecond before',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { runAt: start + 10 })]);
      clock.advance(9);
      same(idsOf(await claim(store)), [], 'a task is not due while now < wakeAt');
      clock.advance(1);
      same(
        idsOf(await claim(store)),
        ['a'],
        'a task is due when wakeAt <= now: at exactly now too',
      );
    },
  },
  {
    name: 'a leased task is claimed by another at exactly the end of its lease and not before',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await claim(store, { owner: 'alice' });
      clock.advance(leaseMs - 1);
      same(
        idsOf(await claim(store, { owner: 'bob' })),
        [],
        'a lease is live while now < expiresAt',
      );
      clock.advance(1);
      const [task] = await claim(store, { owner: 'bob' });
      same(task?.lease.owner, 'bob', 'at exactly expiresAt a lease is over, and the task is due');
    },
  },
  {
    name: 'a task whose owners vanish is due again at the end of each lease, for as long as it takes',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b', { queue: 'other' })]);
      for (let lapses = 0; lapses < 10; lapses++) {
        const queues = ['q', 'other'];
        const ids = idsOf(await claim(store, { queues }));
        same(ids.sort(), ['a', 'b'], `a task whose lease has run out is claimed: lapse ${lapses}`);
        clock.advance(leaseMs + lapses);
      }
    },
  },
  {
    name: 'a claim sets the lease and counts the delivery, and changes nothing else',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { group: 'g', body: '{"a":1}' })]);
      const before = await read(store, 'a');
      clock.advance(5);
      const result = await claimRequest(store, { owner: 'alice', leaseMs: 70 });
      const task = present(result.tasks[0], 'claim takes a task that is due');
      same(result.now, start + 5, 'claim gives the time of the store');
      same(Number.isSafeInteger(task.lease.token), true, 'a token is an integer');
      const expiresAt = start + 75;
      const lease = { token: task.lease.token, owner: 'alice', expiresAt };
      const claimed = { ...plain(before), lease, deliveries: 1, wakeAt: expiresAt };
      same(
        plain(task),
        claimed,
        'a claim sets the lease until now + leaseMs, raises deliveries, and changes nothing else',
      );
      same(plain(await read(store, 'a')), claimed, 'a claimed task is stored as it was handed out');
    },
  },
  {
    name: 'a claim takes no more than its limit, and the rest stays due',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      await store.insert(recordsOf(12));
      same((await claim(store, { limit: 5 })).length, 5, 'the first `limit` due tasks are taken');
      same((await claim(store, { limit: 5 })).length, 5, 'the next claim takes the next ones');
      same((await claim(store, { limit: 5 })).length, 2, 'what a limit left behind is still due');
      same((await claim(store, { limit: 5 })).length, 0, 'a task is taken once');
    },
  },
  {
    name: 'within a queue the task that has waited longest is claimed first',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      const moments = [70, 10, 60, 30, 50, 20, 40];
      await store.insert(moments.map((ms) => record(`at-${ms}`, { runAt: start + ms })));
      clock.advance(100);
      same(
        idsOf(await claim(store, { limit: 3 })),
        ['at-10', 'at-20', 'at-30'],
        'the first `limit` tasks are taken, ordered by wakeAt',
      );
      same(
        idsOf(await claim(store)),
        ['at-40', 'at-50', 'at-60', 'at-70'],
        'tasks are given in the order in which they were taken, by wakeAt',
      );
    },
  },
  {
    name: 'the order holds whatever was removed, paused, moved and claimed before',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      const random = new Random(1);
      const records = recordsOf(300).map((task) => ({
        ...task,
        runAt: start + random.below(1000),
      }));
      await store.insert(records);
      const some = () => records.filter(() => random.chance(20)).map(({ id }) => id);
      await store.remove({ ids: some() });
      await store.setPaused({ ids: some() }, true);
      for (const task of await store.get(some())) {
        if (task) await store.update(task.id, { runAt: start + random.below(1000) }, task);
      }
      await store.remove({ ids: some() });
      await store.setPaused({ ids: some() }, false);
      clock.advance(500);
      for (const task of await claim(store, { limit: 50, leaseMs: 10_000 })) {
        await store.settle([again(task, start + random.below(1000))]);
      }
      await store.remove({ ids: some() });
      clock.advance(1000);
      const moments = (await listAll(store)).flatMap(({ wakeAt }) =>
        wakeAt === null ? [] : [wakeAt],
      );
      const taken: (number | null)[] = [];
      for (let claimed = -1; claimed < taken.length; ) {
        claimed = taken.length;
        taken.push(
          ...(await claim(store, { limit: 7, leaseMs: 10_000 })).map(({ runAt }) => runAt),
        );
      }
      same(
        taken,
        moments.sort((a, b) => a - b),
        'every due task is taken, ordered by wakeAt',
      );
    },
  },
  {
    name: 'a lease that has run out takes its place in the order by its end',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('lapsed')]);
      await claim(store, { leaseMs: 20 });
      await store.insert([
        record('later', { runAt: start + 30 }),
        record('sooner', { runAt: start + 10 }),
      ]);
      clock.advance(40);
      same(
        idsOf(await claim(store)),
        ['sooner', 'lapsed', 'later'],
        'the wakeAt of a leased task is the end of its lease, and orders it among the others',
      );
    },
  },
  {
    name: 'a lapse gives a greater token, counts a delivery and says who let it happen',
    guarantee: 'G3',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const first = await claimOne(store, { owner: 'alice' });
      same([first.deliveries, first.lapsedOwner], [1, null], 'a task that was simply due');
      clock.advance(leaseMs);
      const second = await claimOne(store, { owner: 'bob' });
      same([second.deliveries, second.lapsedOwner], [2, 'alice'], 'a task that alice let lapse');
      clock.advance(leaseMs + 5000);
      const third = await claimOne(store, { owner: 'carol' });
      same([third.deliveries, third.lapsedOwner], [3, 'bob'], 'a task that bob let lapse');
      holds(
        first.lease.token < second.lease.token && second.lease.token < third.lease.token,
        'every claim has a greater token than any before it',
      );
      same(third.revision, first.revision, 'a claim leaves the revision alone');
      await store.settle([again(third, clock.now)]);
      const fourth = await claimOne(store);
      same([fourth.deliveries, fourth.lapsedOwner], [1, null], 'a settlement starts afresh');
    },
  },
  {
    name: 'the answer of a claim agrees with what is stored, lease by lease',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert(recordsOf(20));
      const tasks = await claim(store);
      const stored = await store.get(tasks.map(({ id }) => id));
      same(stored.map(plain), tasks.map(plain), 'what was handed out is what is stored');
      const tokens = tasks.map((task) => plainLease(task.lease).token);
      same(tokens.every(Number.isSafeInteger), true, 'every token is an integer');
    },
  },
];
