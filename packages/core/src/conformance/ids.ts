import type { ClaimedTask, DataStore } from '../data-store.js';
import { holds, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  claimOne,
  finish,
  leaseMs,
  leaseOf,
  read,
  record,
  recordsOf,
  untouched,
} from './records.js';

const dayMs = 24 * 3_600_000;

/** Ways in which a claimed task can leave the store. */
const removals: Readonly<
  Record<string, (store: DataStore, task: ClaimedTask) => Promise<unknown>>
> = {
  'its id': (store, { id }) => store.remove({ ids: [id] }),
  'its group': (store) => store.remove({ group: 'g' }),
  'all being removed': (store) => store.remove({ all: true }),
  'its settlement': (store, task) => store.settle([finish(task, { next: null })]),
};

/** What a store remembers of an id when its task is gone. */
export const idCases: readonly CaseDefinition[] = [
  {
    name: 'every claim of a task has a greater token, under a clock that stands still',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      const tokens: number[] = [];
      const grows = (token: number, after: string) => {
        const last = tokens.at(-1) ?? Number.NEGATIVE_INFINITY;
        holds(token > last, `a claim after ${after} has a greater token: ${token} after ${last}`);
        tokens.push(token);
      };
      await store.insert([record('a')]);
      const first = await claimOne(store);
      grows(first.lease.token, 'none');
      await store.settle([again(first, start)]);
      const second = await claimOne(store);
      grows(second.lease.token, 'a settlement');
      await store.release([leaseOf(second)]);
      grows((await claimOne(store)).lease.token, 'a release');
      for (let round = 0; round < 20; round++) {
        await store.remove({ ids: ['a'] });
        await store.insert([record('a')]);
        const task = await claimOne(store);
        grows(task.lease.token, 'removal and re-creation');
        await store.settle([finish(task, { next: null })]);
        await store.insert([record('a')]);
        grows((await claimOne(store)).lease.token, 'removal by a settlement and re-creation');
      }
    },
  },
  ...Object.entries(removals).flatMap(([by, remove]): CaseDefinition[] => [
    {
      name: `tokens go on growing when a task is created again long after it was removed by ${by}`,
      guarantee: 'G2',
      async run(bench) {
        const { claims } = await livesAgainAndAgain(bench, remove);
        for (const [index, { lease }] of claims.entries()) {
          const last = claims[index - 1]?.lease.token ?? Number.NEGATIVE_INFINITY;
          const sentence = 'a token is greater than any that this id had, across removal and days';
          holds(lease.token > last, `${sentence}: ${lease.token} after ${last}`);
        }
      },
    },
    {
      name: `revisions do not repeat when a task is created again long after it was removed by ${by}`,
      guarantee: 'G6',
      async run(bench) {
        const { revisions } = await livesAgainAndAgain(bench, remove);
        const repeated = revisions.filter((revision, at) => revisions.indexOf(revision) !== at);
        same(repeated, [], 'a revision is one that this id never had, across removal and days');
      },
    },
  ]),
  {
    name: 'tokens go on growing for each of more than a thousand ids that were removed',
    guarantee: 'G2',
    async run(bench) {
      const rounds = await manyLives(bench);
      const stale = rounds.flatMap(({ tokens }, round) =>
        tokens.filter((token, index) => token <= (rounds[round - 1]?.tokens[index] ?? token - 1)),
      );
      same(stale, [], 'a token is greater than any that the id had, however many were removed');
    },
  },
  {
    name: 'revisions do not repeat for any of more than a thousand ids that were removed',
    guarantee: 'G6',
    async run(bench) {
      const rounds = await manyLives(bench);
      const repeated = rounds.flatMap(({ revisions }, round) =>
        revisions.filter((revision, index) =>
          rounds.slice(0, round).some((earlier) => earlier.revisions[index] === revision),
        ),
      );
      same(repeated, [], 'a revision is one that the id never had, however many were removed');
    },
  },
  {
    name: 'who held a task days ago can do nothing to a later one of its id',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      const holders: ClaimedTask[] = [];
      for (const days of [0, 1, 8, 35, 400]) {
        clock.advance(days * dayMs);
        await store.insert([record('a', { runAt: clock.now })]);
        const task = await claimOne(store);
        for (const holder of holders) {
          const acts = async () => [
            await store.extend([leaseOf(holder)], leaseMs),
            await store.release([leaseOf(holder)]),
            await store.settle([again(holder, clock.now)]),
            await store.settle([{ ...again(holder, clock.now), revision: task.revision }]),
          ];
          const sentence =
            'who held an earlier task of the id is a stale owner, and changes nothing';
          const answers = await untouched(store, ['a'], acts, sentence);
          same(answers.flat(), ['lost', 'lost', 'lost', 'lost'], sentence);
        }
        holders.push(task);
        await store.remove({ ids: ['a'] });
      }
    },
  },
  {
    name: 'an edit decided days ago does not reach a later task of the id',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      const seen: { readonly revision: number }[] = [];
      for (const days of [0, 1, 8, 35, 400]) {
        clock.advance(days * dayMs);
        await store.insert([record('a', { runAt: clock.now })]);
        for (const { revision } of seen) {
          const edit = () => store.update('a', { name: 'edited' }, { revision });
          const sentence = 'an edit decided on an earlier task of the id changes nothing';
          same(await untouched(store, ['a'], edit, sentence), 'conflict', sentence);
        }
        seen.push(await read(store, 'a'));
        await store.remove({ ids: ['a'] });
      }
    },
  },
  {
    name: 'tokens go on growing when the store is closed and opened again',
    guarantee: 'G2',
    async run(bench) {
      const { claims } = await livesThroughReopening(bench);
      for (const [index, { lease }] of claims.entries()) {
        const last = claims[index - 1]?.lease.token ?? Number.NEGATIVE_INFINITY;
        const sentence = 'a token is greater than any that this id had, across `close` and `open`';
        holds(lease.token > last, `${sentence}: ${lease.token} after ${last}`);
      }
    },
  },
  {
    name: 'revisions do not repeat when the store is closed and opened again',
    guarantee: 'G6',
    async run(bench) {
      const { claims } = await livesThroughReopening(bench);
      const revisions = claims.map(({ revision }) => revision);
      same(
        new Set(revisions).size,
        revisions.length,
        'a revision is one that this id never had, across `close` and `open`',
      );
    },
  },
];

/** Creates, edits and removes one task several times, with days and other tasks in between. */
async function livesAgainAndAgain(
  { open, clock }: Bench,
  remove: (store: DataStore, task: ClaimedTask) => Promise<unknown>,
) {
  const store = await open();
  const claims: ClaimedTask[] = [];
  const revisions: number[] = [];
  for (const days of [0, 1, 8, 35, 400]) {
    await store.insert([record('a', { group: 'g', runAt: clock.now })]);
    revisions.push((await read(store, 'a')).revision);
    await store.settle([again(await claimOne(store), clock.now)]);
    revisions.push((await read(store, 'a')).revision);
    const task = await claimOne(store);
    claims.push(task);
    await remove(store, task);
    same(await store.count({}), 0, 'what is removed is gone');
    for (const wait of [0, days]) {
      clock.advance(wait * dayMs);
      await store.insert([record('other', { runAt: clock.now })]);
      await claim(store);
      await store.remove({ ids: ['other'] });
    }
  }
  return { claims, revisions };
}

/** Creates and removes 1,200 tasks several times. The tokens and revisions are in the order of the ids. */
async function manyLives({ open, clock }: Bench) {
  const store = await open();
  const ids = recordsOf(1200).map(({ id }) => id);
  const rounds: { readonly tokens: number[]; readonly revisions: number[] }[] = [];
  for (const remove of [
    () => store.remove({ all: true }),
    async () => {
      for (const id of ids.slice(0, 40)) await store.remove({ ids: [id] });
      return store.remove({ ids });
    },
    () => store.remove({ group: 'g' }),
  ]) {
    const records = recordsOf(1200, 'task-', { group: 'g', runAt: clock.now });
    const inserted = await store.insert(records);
    same(new Set(inserted), new Set(['inserted']), 'the id of a task that was removed is free');
    const claimed = new Map((await claim(store, { limit: 1200 })).map((task) => [task.id, task]));
    same(claimed.size, 1200, 'each task is claimed');
    const tasks = ids.flatMap((id) => claimed.get(id) ?? []);
    rounds.push({
      tokens: tasks.map(({ lease }) => lease.token),
      revisions: tasks.map(({ revision }) => revision),
    });
    await remove();
    clock.advance(dayMs);
  }
  return rounds;
}

/** Creates a task through one handle that is closed and opened again between its lives. */
async function livesThroughReopening({ connect }: Bench) {
  const store = await connect();
  const claims: ClaimedTask[] = [];
  for (let round = 0; round < 4; round++) {
    await store.open();
    await store.insert([record('a')]);
    const task = await claimOne(store);
    claims.push(task);
    if (round % 2 === 0) await store.remove({ ids: ['a'] });
    else await store.settle([finish(task, { next: null })]);
    await store.close();
  }
  return { claims };
}
