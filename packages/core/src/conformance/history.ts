import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { entriesAt, historyCase } from './kept-history.js';
import { again, claim, historyEntry, record, recordsOf } from './records.js';

/** What a store keeps of runs, and in which order. For how much it keeps, see `history-limits.ts`. */
export const historyCases: readonly CaseDefinition[] = [
  historyCase({
    name: 'history gives what settlements appended, newest first and as it was written',
    async run(runs) {
      const entries = [30, 10, 20].map((ms) => ({
        taskId: 'a',
        id: `run-${ms}`,
        at: start + ms,
        body: `{"at": ${ms}, "text": "\\u2028 ü 🎉"}`,
      }));
      await runs.add(...entries);
      const [oldest, middle, newest] = [entries[1], entries[2], entries[0]];
      same(await runs.read(100), [newest, middle, oldest], 'newest first by `at`');
      same(await runs.read(2), [newest, middle], 'no more than the limit, the newest');
      same(await runs.read(1), [newest], 'no more than the limit, the newest');
      same(await runs.read(10, 'other'), [], 'entries of one task are not another’s');
    },
  }),
  historyCase({
    name: 'a history is read up to the limit that is asked for, whatever is kept',
    async run(runs) {
      await runs.add(...entriesAt(...Array(90).keys()));
      for (const limit of [1, 2, 9, 10, 26, 89, 90, 91, 100_000]) {
        same(
          (await runs.read(limit)).map(({ id }) => id),
          Array.from({ length: Math.min(limit, 90) }, (_, index) => `at-${89 - index}`),
          `no more than the limit of ${limit} that was asked for, the newest`,
        );
      }
    },
  }),
  historyCase({
    name: 'entries of the same moment are given latest added first',
    async run(runs) {
      await runs.add(historyEntry('a', 'z'), historyEntry('a', 'a'));
      await runs.add(historyEntry('a', 'm'));
      same(await runs.ids(), ['m', 'a', 'z'], 'those of equal `at`, latest added first');
    },
  }),
  historyCase({
    name: 'an entry added late takes its place by its moment, before the equals added earlier',
    async run(runs) {
      const add = async (id: string, ms: number) => runs.add(historyEntry('a', id, start + ms));
      for (const [id, ms] of [
        ['new', 9],
        ['five', 5],
        ['old', 1],
        ['again-five', 5],
      ] as const) {
        await add(id, ms);
      }
      same(
        await runs.ids(),
        ['new', 'again-five', 'five', 'old'],
        'newest first by `at`, whenever an entry was added; of equal `at`, latest added first',
      );
      await add('again-old', 1);
      await add('again-new', 9);
      await add('third-five', 5);
      same(
        await runs.ids(),
        ['again-new', 'new', 'third-five', 'again-five', 'five', 'again-old', 'old'],
        'the order holds across calls and handles',
      );
    },
  }),
  historyCase({
    name: 'an entry that is there already is not added again, and keeps what it says',
    async run(runs) {
      const first = { ...historyEntry('a', 'run-1'), body: '"first"' };
      await runs.add(first);
      await runs.add({ ...first, body: '"second"', at: start + 5 });
      await runs.add({ ...first, taskId: 'b' });
      same(await runs.read(10), [first], 'an entry is unique by its id within a task');
      same((await runs.read(10, 'b')).length, 1, 'another task may have one of that id');
    },
  }),
  historyCase({
    name: 'an entry is recognised however many newer and older ones there are',
    async run(runs) {
      const entries = entriesAt(...Array(60).keys());
      await runs.add(...entries);
      const before = await runs.read(1000);
      for (const ms of [0, 1, 25, 30, 58, 59]) {
        const id = `at-${ms}`;
        for (const at of [start + ms, start - 5, start + 30, start + 99]) {
          await runs.add({ ...historyEntry('a', id, at), body: '"again"' });
        }
        same(
          await runs.read(1000),
          before,
          `an entry that exists already is not added again, wherever it stands: ${id}`,
        );
      }
    },
  }),
  historyCase({
    name: 'of two entries of one id in one settlement the first is kept',
    async run(runs) {
      const first = { ...historyEntry('a', 'run-1'), body: '"first"' };
      const other = historyEntry('a', 'run-2', start - 1);
      await runs.add(first, other, { ...first, at: start + 5, body: '"second"' }, other);
      same(
        await runs.read(10),
        [first, other],
        'an entry that the same settlement has just added is not added again',
      );
    },
  }),
  historyCase({
    name: 'a settlement that writes several entries, for several tasks, writes them all',
    async run(runs) {
      const entries = ['a', 'b'].flatMap((taskId) =>
        [1, 2, 3].map((run) => historyEntry(taskId, `run-${run}`, start + run)),
      );
      await runs.add(...entries);
      for (const taskId of ['a', 'b']) {
        const found = (await runs.read(10, taskId)).map(({ id }) => id);
        same(found, ['run-3', 'run-2', 'run-1'], 'each entry is filed under the task it names');
      }
    },
  }),
  historyCase({
    name: 'an entry is filed under the task that it names, whether that exists or not',
    async run(runs, { open }) {
      const store = await open();
      await store.insert([record('other', { queue: 'elsewhere' })]);
      same(await runs.read(10, 'other'), [], 'a task that never ran has no history');
      same(await runs.read(10, 'nobody'), [], 'nor has one that does not exist');
      const taskIds = ['settler', 'other', 'nobody'];
      const entries = taskIds.map((taskId) => ({
        ...historyEntry(taskId, 'run-1'),
        body: JSON.stringify(taskId),
      }));
      await runs.add(...entries);
      for (const [index, taskId] of taskIds.entries()) {
        const found = await runs.read(10, taskId);
        same(found, [entries[index]], `an entry for ${taskId} is in its history and no other`);
      }
      same(await store.count({}), 2, 'an entry for a task that does not exist creates none');
      await store.remove({ all: true });
      for (const [index, taskId] of taskIds.entries()) {
        const found = await runs.read(10, taskId);
        same(found, [entries[index]], `the history of ${taskId} stays when the tasks are removed`);
      }
    },
  }),
  historyCase({
    name: 'the settlements of one call each add their entries to the history of one task',
    async run(runs, { open }) {
      const store = await open();
      await store.insert(recordsOf(30));
      const tasks = await claim(store);
      const at = (index: number) => start + ((index * 7) % 30);
      const settlements = tasks.map((task, index) =>
        again(task, start + 1000, { history: [historyEntry('a', `run-${index}`, at(index))] }),
      );
      await store.settle(settlements);
      const order = [...tasks.keys()].sort((a, b) => at(b) - at(a));
      same(
        await runs.ids(),
        order.map((index) => `run-${index}`),
        'newest first by `at`, across the settlements of one call',
      );
    },
  }),
];
