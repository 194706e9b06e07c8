import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import type { KeptHistory } from './kept-history.js';
import { entriesAt, historyCase } from './kept-history.js';
import { historyEntry } from './records.js';

const dayMs = 24 * 3_600_000;

/** How much history a store keeps: by number, and by age. */
export const historyLimitCases: readonly CaseDefinition[] = [
  historyCase({
    name: 'entries are kept up to the limit of the store: the newest',
    options: { historyLimit: 3 },
    async run(runs) {
      for (let run = 1; run <= 5; run++) {
        await runs.add(historyEntry('a', `run-${run}`, start + run));
      }
      await runs.add(historyEntry('b', 'run-b', start));
      const newest = ['run-5', 'run-4', 'run-3'];
      same(await runs.ids(), newest, 'the newest of a task, up to the limit');
      await runs.add(historyEntry('a', 'run-0', start));
      same(await runs.ids(), newest, 'an older one does not displace them');
      same((await runs.ids('b')).length, 1, 'each task has a limit of its own');
    },
  }),
  historyCase({
    name: 'of entries of the same moment the limit keeps those that were added latest',
    options: { historyLimit: 3 },
    async run(runs) {
      const kept = 'of equal `at` the latest added comes first, so the earliest added goes first';
      const calls = ['p', 'c', 'x', 'a', 'm'].map((id) => historyEntry('a', id));
      for (const entry of calls) await runs.add(entry);
      same(await runs.ids(), ['m', 'a', 'x'], `${kept}: one a call`);
      await runs.add(...['p', 'c', 'x', 'a', 'm'].map((id) => historyEntry('b', id)));
      same(await runs.ids('b'), ['m', 'a', 'x'], `${kept}: all in one settlement`);

      const mixed = [
        ['new', 9],
        ['first', 5],
        ['second', 5],
        ['third', 5],
        ['old', 4],
      ] as const;
      for (const [id, ms] of mixed) await runs.add(historyEntry('c', id, start + ms));
      same(await runs.ids('c'), ['new', 'third', 'second'], `${kept}: behind a newer one`);
      await runs.add(historyEntry('c', 'newest', start + 10));
      same(await runs.ids('c'), ['newest', 'new', 'third'], `${kept}: for a newer one`);
    },
  }),
  historyCase({
    name: 'a settlement with more entries than the limit leaves the newest of them',
    options: { historyLimit: 3 },
    async run(runs) {
      await runs.add(...entriesAt(40, 10, 50, 20, 30));
      const newest = 'the newest by `at`, in whatever order they were added';
      same(await runs.ids(), ['at-50', 'at-40', 'at-30'], newest);
      await runs.add(...entriesAt(5, 45, 60, 15));
      same(await runs.ids(), ['at-60', 'at-50', 'at-45'], newest);
    },
  }),
  historyCase({
    name: 'every task has a limit of its own, the settled one and those whose entries it writes',
    options: { historyLimit: 2 },
    async run(runs) {
      const taskIds = ['settler', 'a', 'b'];
      for (let run = 1; run <= 4; run++) {
        const entry = (taskId: string) => historyEntry(taskId, `run-${run}`, start + run);
        await runs.add(...taskIds.map(entry));
      }
      for (const taskId of taskIds) {
        const found = await runs.ids(taskId);
        same(found, ['run-4', 'run-3'], `the newest of ${taskId}, up to the limit`);
      }
    },
  }),
  historyCase({
    name: 'a store told to keep one entry keeps the newest',
    options: { historyLimit: 1 },
    async run(runs) {
      for (const ms of [10, 30, 20]) await runs.add(...entriesAt(ms));
      same(await runs.ids(), ['at-30'], 'a limit of 1 keeps the newest');
      await runs.add(historyEntry('a', 'equal', start + 30));
      same(await runs.ids(), ['equal'], 'of equal `at`, the latest added is the newest');
    },
  }),
  historyCase({
    name: 'a store told to keep no history keeps none',
    options: { historyLimit: 0 },
    async run(runs) {
      await runs.add(historyEntry('a', 'run-1'));
      same(await runs.ids(), [], 'a limit of 0 keeps none');
    },
  }),
  historyCase({
    name: 'a store that is told nothing keeps a hundred entries of each task',
    async run(runs) {
      await addMany(runs, 130);
      same((await runs.ids()).length, 100, 'the default is to keep 100 entries');
      same((await runs.ids())[99], 'at-30', 'the hundred newest');
    },
  }),
  historyCase({
    name: 'a store told to keep more than the default keeps so many, and no more',
    options: { historyLimit: 230 },
    async run(runs) {
      await addMany(runs, 250);
      const found = await runs.ids();
      same(found.length, 230, 'as many entries as the limit says');
      same([found[0], found[229]], ['at-249', 'at-20'], 'the newest of them');
    },
  }),
  historyCase({
    name: 'entries are kept up to the age that the store was given',
    options: { historyMaxAgeMs: 10_000 },
    async run(runs, { clock }) {
      await runs.add(historyEntry('a', 'old', start));
      clock.now = start + 9_999;
      await runs.add(historyEntry('a', 'new', clock.now));
      same(await runs.ids(), ['new', 'old'], 'an entry younger than the limit is kept');
      clock.now = start + 10_001;
      same(await runs.ids(), ['new'], 'an entry older than the limit is not given');
    },
  }),
  historyCase({
    name: 'the age of an entry is that of its run, whenever it was added',
    options: { historyMaxAgeMs: 10_000 },
    async run(runs, { clock }) {
      const age = 'an entry is kept for so long after its `at`, not after it was added';
      await runs.add(...entriesAt(-10_001, -9_999, -5_000, 0, 4_000));
      same(await runs.ids(), ['at-4000', 'at-0', 'at--5000', 'at--9999'], `${age}: at once`);
      const left: [number, string[]][] = [
        [4_999, ['at-4000', 'at-0', 'at--5000']],
        [5_001, ['at-4000', 'at-0']],
        [9_999, ['at-4000', 'at-0']],
        [10_001, ['at-4000']],
        [13_999, ['at-4000']],
        [14_001, []],
      ];
      for (const [ms, ids] of left) {
        clock.now = start + ms;
        same(await runs.ids(), ids, `${age}: ${ms} ms later`);
        await runs.add(historyEntry('other', `run-${ms}`, clock.now));
        same(await runs.ids(), ids, `${age}: after another settlement, too`);
      }
    },
  }),
  historyCase({
    name: 'what is too old makes room, and what is young enough stays within the number',
    options: { historyMaxAgeMs: 10_000, historyLimit: 3 },
    async run(runs, { clock }) {
      await runs.add(...entriesAt(-20_000, -15_000, 1_000, 2_000));
      same(await runs.ids(), ['at-2000', 'at-1000'], 'those too old are not given');
      await runs.add(...entriesAt(3_000, 4_000));
      same(await runs.ids(), ['at-4000', 'at-3000', 'at-2000'], 'the newest, up to both');
      clock.now = start + 13_500;
      same(await runs.ids(), ['at-4000'], 'and what has become too old since is not given');
      same((await runs.read(1)).length, 1, 'also up to the limit asked for');
    },
  }),
  historyCase({
    name: 'a store that is told nothing keeps entries for seven days',
    async run(runs, { clock }) {
      await runs.add(...entriesAt(-7 * dayMs - 1, -7 * dayMs + 1, -6 * dayMs, 0));
      const ids = [`at-${-7 * dayMs + 1}`, `at-${-6 * dayMs}`, 'at-0'].reverse();
      same(await runs.ids(), ids, 'the default is to keep entries for 7 days');
      clock.now = start + 7 * dayMs - 1;
      same(await runs.ids(), ['at-0'], 'the default is to keep entries for 7 days');
      clock.now = start + 7 * dayMs + 1;
      same(await runs.ids(), [], 'the default is to keep entries for 7 days');
    },
  }),
  historyCase({
    name: 'a store told to keep entries for longer than the default does so',
    options: { historyMaxAgeMs: 90 * dayMs },
    async run(runs, { clock }) {
      await runs.add(...entriesAt(-89 * dayMs, 0));
      clock.now = start + dayMs - 1;
      await runs.add(...entriesAt(dayMs - 1));
      const ids = [`at-${dayMs - 1}`, 'at-0', `at-${-89 * dayMs}`];
      same(await runs.ids(), ids, 'entries are kept for as long as the store was told');
      clock.now = start + dayMs + 1;
      same(await runs.ids(), ids.slice(0, 2), 'and given for no longer');
      clock.now = start + 90 * dayMs - 1;
      same(await runs.ids(), ids.slice(0, 2), 'entries are kept for as long as it was told');
    },
  }),
];

/** Adds this many entries to the history of `a`, twenty a settlement, each newer than the last. */
async function addMany(runs: KeptHistory, count: number): Promise<void> {
  for (let from = 0; from < count; from += 20) {
    const size = Math.min(20, count - from);
    await runs.add(...entriesAt(...Array.from({ length: size }, (_, index) => from + index)));
  }
}
