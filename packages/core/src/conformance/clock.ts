import type { DataStore } from '../data-store.js';
import { holds, present, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import {
  again,
  claim,
  claimOne,
  claimRequest,
  finish,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
  recordsOf,
} from './records.js';
import { wakesBy } from './waking.js';

const hourMs = 3_600_000;

/** The clock of the store: read once a call, and not always going on. */
export const clockCases: readonly CaseDefinition[] = [
  {
    name: 'within one call now is one value, however the clock goes on meanwhile',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(recordsOf(5));
      clock.stepMs = 1;
      const { tasks, now } = await claimRequest(store);
      same(
        tasks.map((task) => task.lease.expiresAt),
        tasks.map(() => now + leaseMs),
        'every lease of one claim runs from the `now` that the claim answers',
      );
      await store.extend(tasks.map(leaseOf), leaseMs);
      const extended = await store.get(idsOf(tasks).map(String));
      const ends = new Set(extended.map((task) => task?.lease?.expiresAt));
      same(ends.size, 1, 'every lease of one extend runs from the same now');
      await store.setPaused({ all: true }, true);
      await store.setPaused({ all: true }, false);
      const resumed = await store.get(idsOf(tasks).map(String));
      const moments = new Set(resumed.map((task) => task?.resumedAt));
      same(moments.size, 1, 'every task that one call resumes is resumed at the same now');
    },
  },
  {
    name: 'within one call over thousands of tasks now is one value, too',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      const count = 2500;
      const ids = recordsOf(count).map(({ id }) => id);
      await store.insert(recordsOf(count, 'task-', { group: 'g' }));
      clock.stepMs = 1;
      const { tasks, now } = await claimRequest(store, { limit: count, leaseMs: 100_000 });
      const oneOf = (moments: readonly (number | null | undefined)[], sentence: string) => {
        same(moments.length, count, 'every task is there');
        same([...new Set(moments)].length, 1, sentence);
        return present(moments[0], sentence);
      };
      const ends = tasks.map(({ lease }) => lease.expiresAt);
      const end = oneOf(ends, 'every lease of one claim runs from the same now');
      same(end, now + 100_000, 'it is the `now` that the claim answers');
      await store.extend(tasks.map(leaseOf), 50_000);
      const extended = (await store.get(ids)).map((task) => task?.lease?.expiresAt);
      const over = oneOf(extended, 'every lease of one extend runs from the same now');
      for (const selector of [{ ids }, { group: 'g' }, { all: true }] as const) {
        await store.setPaused(selector, true);
        await store.setPaused(selector, false);
        const resumed = (await store.get(ids)).map((task) => task?.resumedAt);
        oneOf(resumed, 'every task that one call resumes is resumed at the same now');
      }
      for (const early of [1, 2, 3]) {
        clock.now = over - early;
        const counted = await store.count({ leased: true });
        holds(
          counted === 0 || counted === count,
          `in one call leases of the same end are all live or all over: ${counted} of ${count}`,
        );
      }
    },
  },
  {
    name: 'a claim takes what is due at the now that it answers, and nothing else',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      const records = recordsOf(600).map((task, index) => ({ ...task, runAt: start + index }));
      await store.insert(records);
      clock.stepMs = 1;
      clock.now = start + 100;
      const { tasks, now } = await claimRequest(store, { limit: 600 });
      same(
        idsOf(tasks),
        records.filter(({ runAt }) => runAt <= now).map(({ id }) => id),
        'what is due is what wakes at or before the one now of the claim',
      );
    },
  },
  {
    name: 'tokens grow though the clock steps back by an hour between any two calls',
    guarantee: 'G2',
    async run(bench) {
      const { tokens } = await livesThroughSteps(bench);
      for (const [index, token] of tokens.entries()) {
        const last = tokens[index - 1] ?? Number.NEGATIVE_INFINITY;
        holds(token > last, `a token is greater than any that the id ever had: ${token}, ${last}`);
      }
    },
  },
  {
    name: 'revisions never repeat though the clock steps back by an hour between any two calls',
    guarantee: 'G6',
    async run(bench) {
      const { revisions } = await livesThroughSteps(bench);
      const repeated = revisions.filter((revision, at) => revisions.indexOf(revision) !== at);
      same(repeated, [], 'a revision is one that the id never had before');
    },
  },
  {
    name: 'when the clock has stepped back, leases that were taken hold until they end by it',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { runAt: start - 2 * hourMs })]);
      const task = await claimOne(store, { owner: 'alice' });
      clock.advance(-hourMs);
      const early = await claimRequest(store, { owner: 'bob' });
      same(idsOf(early.tasks), [], 'a lease is live while now < expiresAt, by the clock as it is');
      wakesBy(early, start + leaseMs);
      same(await store.count({ leased: true }), 1, 'a lease is live while now < expiresAt');
      same(
        await store.extend([leaseOf(task)], leaseMs),
        [task.revision],
        'a lease is extended under its token, whatever the clock says',
      );
      const end = start - hourMs + leaseMs;
      const { lease, wakeAt } = await read(store, 'a');
      same([lease?.expiresAt, wakeAt], [end, end], 'until now + leaseMs, by the clock as it is');
      clock.now = end - 1;
      same(idsOf(await claim(store)), [], 'it is live until then');
      clock.now = end;
      same(await store.count({ leased: true }), 0, 'it is over from then on');
      const heir = await claimOne(store, { owner: 'bob', leaseMs: 10 });
      same([heir.lapsedOwner, heir.lease.expiresAt], ['alice', end + 10], 'and the task is due');
      clock.advance(-hourMs);
      same(await store.settle([finish(heir)]), ['settled'], 'a current lease can be settled');
    },
  },
  {
    name: 'when the clock has stepped back, what was due is not due until it is due again',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a'), record('b', { queue: 'other' })]);
      await store.release([leaseOf(await claimOne(store, { queues: ['other'] }))]);
      clock.advance(-hourMs);
      const queues = ['q', 'other'];
      const early = await claimRequest(store, { queues });
      same(idsOf(early.tasks), [], 'a task is not due while now < wakeAt, by the clock as it is');
      wakesBy(early, start);
      await store.setPaused({ all: true }, true);
      await store.setPaused({ all: true }, false);
      same((await read(store, 'a')).resumedAt, start - hourMs, 'resumed at now, as the clock is');
      clock.now = start - 1;
      same(idsOf(await claim(store, { queues })), [], 'a task is not due while now < wakeAt');
      clock.now = start;
      same(idsOf(await claim(store, { queues })), ['a', 'b'], 'a task is due when wakeAt <= now');
    },
  },
];

/**
 * Takes a task through its life again and again, and each time sets the clock back an hour between two other calls.
 * @returns the tokens and revisions that its id had, in their order
 */
async function livesThroughSteps({ open, clock }: Bench) {
  const store = await open();
  const tokens: number[] = [];
  const revisions: number[] = [];
  let calls = 0;
  for (let round = 0; round < 16; round++) {
    calls = 0;
    /** Comes between two calls: an hour back in one place, and in every other round also in the next. */
    const step = () => {
      const isHere = calls === round || (round % 2 === 1 && calls === round + 1);
      if (isHere) clock.advance(-hourMs);
      calls++;
    };
    await live(store, step, tokens, revisions);
    clock.advance(round % 3 === 0 ? hourMs : 1);
  }
  holds(calls >= 16, 'there are as many calls as places to step back in');
  same((await listAll(store)).length, 0, 'what is removed is gone');
  return { tokens, revisions };
}

async function live(
  store: DataStore,
  step: () => void,
  tokens: number[],
  revisions: number[],
): Promise<void> {
  const claimed = async () => {
    step();
    const task = await claimOne(store);
    tokens.push(task.lease.token);
    return task;
  };
  const changed = async <T>(call: () => Promise<T>) => {
    step();
    await call();
    revisions.push((await read(store, 'a')).revision);
  };
  const insert = () => store.insert([record('a', { runAt: start - 1000 * hourMs })]);
  await changed(insert);
  const first = await claimed();
  step();
  await store.extend([leaseOf(first)], leaseMs);
  step();
  await store.release([leaseOf(first)]);
  await changed(async () => store.update('a', { body: '1' }, await read(store, 'a')));
  const second = await claimed();
  await changed(() => store.settle([again(second, start - 1000 * hourMs)]));
  await changed(async () => store.update('a', { body: '2' }, await read(store, 'a')));
  const third = await claimed();
  step();
  await store.settle([finish(third, { next: null })]);
  await changed(insert);
  await claimed();
  step();
  await store.remove({ ids: ['a'] });
  await changed(insert);
  await claimed();
  step();
  await store.remove({ all: true });
}
