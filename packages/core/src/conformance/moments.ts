import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { historyCase } from './kept-history.js';
import { listAll } from './pages.js';
import {
  again,
  claimOne,
  claimRequest,
  historyEntry,
  idsOf,
  leaseOf,
  read,
  record,
} from './records.js';
import { wakesBy } from './waking.js';

const farMoments: readonly number[] = [
  ...[-8.64e15, -62_135_596_800_000, -1, 0, 1, 2 ** 32],
  ...[start, 2 ** 31 * 1000, 8.64e15],
];

/** Moments are integers, of which zero and those below it are no exception. */
export const momentCases: readonly CaseDefinition[] = [
  {
    name: 'moments as far as time goes are kept to the millisecond and in their order',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const records = [...farMoments].reverse().map((runAt) => record(`at-${runAt}`, { runAt }));
      await store.insert(records);
      for (const { id, runAt } of records) {
        same((await read(store, id)).runAt, runAt, 'a moment is kept to the millisecond');
      }
      const result = await claimRequest(store, { leaseMs: 1e15 });
      const due = farMoments.filter((runAt) => runAt <= start);
      same(
        idsOf(result.tasks),
        due.map((runAt) => `at-${runAt}`),
        'what is due is taken by wakeAt, the most distant past first',
      );
      wakesBy(result, 2 ** 31 * 1000);
      const [first] = result.tasks;
      if (!first) throw new Error('tasks were claimed');
      await store.settle([again(first, 8.64e15)]);
      same((await read(store, first.id)).wakeAt, 8.64e15, 'a settlement takes the last moment');
    },
  },
  {
    name: 'a task is due at its moment under a clock at zero and below, and not before',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      const moments = [-20, -10, -1, 0, 1, 10];
      await store.insert(moments.map((runAt) => record(`at-${runAt}`, { runAt })));
      for (let now = -21; now <= 11; now++) {
        clock.now = now;
        same(await store.now(), now, `the store gives its own time, which is ${now}`);
        const result = await claimRequest(store);
        same(result.now, now, `claim gives the time of the store, which is ${now}`);
        same(
          result.tasks.map(({ runAt }) => runAt),
          moments.filter((runAt) => runAt === now),
          `a task is due when wakeAt <= now, also when now is ${now}`,
        );
        for (const { lease, wakeAt } of result.tasks) {
          same(
            [lease.expiresAt, wakeAt],
            [now + 1000, now + 1000],
            'a lease ends at now + leaseMs',
          );
        }
      }
    },
  },
  {
    name: 'a lease that ends at zero, or before, is live until then and over from then on',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      for (const end of [0, -1, -1000]) {
        clock.now = end - 70;
        await store.insert([record('a', { runAt: clock.now })]);
        const task = await claimOne(store, { owner: 'alice', leaseMs: 40 });
        clock.now = end - 40;
        await store.extend([leaseOf(task)], 40);
        const { lease, wakeAt } = await read(store, 'a');
        same([lease?.expiresAt, wakeAt], [end, end], `a lease lasts until now + leaseMs: ${end}`);
        clock.now = end - 1;
        same(await store.count({ leased: true }), 1, `a lease is live until its end at ${end}`);
        const early = await claimRequest(store, { owner: 'bob' });
        same(idsOf(early.tasks), [], `a lease is live until its end at ${end}`);
        wakesBy(early, end);
        clock.now = end;
        same(await store.count({ leased: true }), 0, `a lease is over at its end, ${end}`);
        same(
          idsOf(await listAll(store, { leased: false })),
          ['a'],
          `it is over at its end, ${end}`,
        );
        const heir = await claimOne(store, { owner: 'bob' });
        same(heir.lapsedOwner, 'alice', `a lease that ended at ${end} has lapsed`);
        await store.remove({ all: true });
      }
    },
  },
  {
    name: 'a task that wakes at zero is one to wake for',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      for (const runAt of [0, -1]) {
        clock.now = -500;
        await store.insert([record('a', { runAt }), record('b', { queue: 'other', runAt: 50 })]);
        same((await read(store, 'a')).wakeAt, runAt, `the wakeAt of a task that runs at ${runAt}`);
        wakesBy(await claimRequest(store), runAt);
        wakesBy(await claimRequest(store, { queues: ['other', 'q'] }), runAt);
        wakesBy(await claimRequest(store, { queues: ['q', 'other'] }), runAt);
        await store.remove({ all: true });
      }
    },
  },
  {
    name: 'zero and moments below it are given and kept by every call that sets one',
    guarantee: 'G8',
    async run({ open, clock }) {
      const store = await open();
      clock.now = -100;
      for (const moment of [0, -1, -50]) {
        const is = async (call: string) => {
          const { runAt, wakeAt } = await read(store, 'a');
          same([runAt, wakeAt], [moment, moment], `the runAt that ${call} sets is ${moment}`);
        };
        await store.insert([record('a', { runAt: moment })]);
        await is('insert');
        await store.update('a', { runAt: -100 }, await read(store, 'a'));
        const parent = await claimOne(store);
        await store.settle([again(parent, moment, { spawn: [record('b', { runAt: moment })] })]);
        await is('settle');
        same((await read(store, 'b')).runAt, moment, `the runAt of a spawned task is ${moment}`);
        await store.update('a', { runAt: 77 }, await read(store, 'a'));
        await store.update('a', { runAt: moment }, await read(store, 'a'));
        await is('update');
        await store.remove({ all: true });
      }
    },
  },
  {
    name: 'a release can defer a task to zero, or to a moment below it',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      clock.now = -100;
      for (const [runAt, deferUntil, expected] of [
        [-200, 0, 0],
        [-200, -50, -50],
        [-100, -300, -100],
        [-100, -100, -100],
      ] as const) {
        await store.insert([record('a', { runAt })]);
        await store.release([{ ...leaseOf(await claimOne(store)), deferUntil }]);
        const released = await read(store, 'a');
        same(
          [released.runAt, released.wakeAt],
          [expected, expected],
          `an earlier runAt becomes deferUntil: ${runAt} until ${deferUntil}`,
        );
        await store.remove({ all: true });
      }
      await store.insert([record('a', { runAt: -200 })]);
      const task = await claimOne(store);
      await store.update('a', { runAt: 9 }, task);
      await store.release([{ ...leaseOf(task), deferUntil: 0 }]);
      same((await read(store, 'a')).runAt, 9, 'a later runAt stays, whatever deferUntil is');
    },
  },
  {
    name: 'a task that is resumed at zero was resumed then, and not never',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { runAt: -1000 })]);
      for (const now of [0, -1, -900]) {
        clock.now = now;
        await store.setPaused({ ids: ['a'] }, true);
        await store.setPaused({ ids: ['a'] }, false);
        same((await read(store, 'a')).resumedAt, now, `resuming sets resumedAt to now: ${now}`);
        const [listed] = await listAll(store);
        same(plain(listed), plain(await read(store, 'a')), 'list gives it as it is stored');
        const task = await claimOne(store);
        same(task.resumedAt, now, `claim leaves resumedAt at ${now}`);
        await store.settle([again(task, -1000)]);
        same((await read(store, 'a')).resumedAt, now, `settle leaves resumedAt at ${now}`);
      }
    },
  },
  historyCase({
    name: 'a history is ordered by the value of its moments, around zero and across their digits',
    guarantee: 'G8',
    async run(runs, { clock }) {
      clock.now = 10_000;
      const moments = [0, -1, 9, 10, -10, 1, 100, -9, 99, 1000, -100];
      for (const at of moments) await runs.add(historyEntry('a', `at ${at}`, at));
      const entries = await runs.read(100);
      same(
        entries.map(({ at }) => at),
        moments.toSorted((a, b) => b - a),
        'a history is ordered by the value of its moments, newest first',
      );
    },
  }),
  historyCase({
    name: 'the age of an entry counts across zero',
    options: { historyMaxAgeMs: 100 },
    async run(runs, { clock }) {
      clock.now = -10;
      for (const at of [-109, -50, 0, 50]) await runs.add(historyEntry('a', `at ${at}`, at));
      const given = async (now: number, ids: string[]) => {
        clock.now = now;
        same(await runs.ids(), ids, `an entry is kept for so long after its \`at\`, at ${now} too`);
      };
      await given(-10, ['at 50', 'at 0', 'at -50', 'at -109']);
      await given(0, ['at 50', 'at 0', 'at -50']);
      await given(51, ['at 50', 'at 0']);
      await given(101, ['at 50']);
      await given(151, []);
    },
  }),
];
