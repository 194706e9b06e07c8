import type { DataStore, HistoryEntry } from '../data-store.js';
import { same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { again, claimOne, historyEntry, record } from './records.js';

/** What a store keeps of runs. Without the capability, each of these requires that it keeps nothing. */
export const historyCases: readonly CaseDefinition[] = [
  historyCase({
    name: 'history gives what settlements appended, newest first and as it was written',
    async run(bench) {
      const entries = [30, 10, 20].map((ms) => ({
        taskId: 'a',
        id: `run-${ms}`,
        at: start + ms,
        body: `{"at": ${ms}, "text": "\\u2028 ü 🎉"}`,
      }));
      await keeps(bench, entries);
      const [oldest, middle, newest] = [entries[1], entries[2], entries[0]];
      const store = await bench.open();
      same(await plainHistory(store, 100), [newest, middle, oldest], 'newest first by `at`');
      same(await plainHistory(store, 2), [newest, middle], 'no more than the limit, the newest');
      same(await plainHistory(store, 1), [newest], 'no more than the limit, the newest');
      same(await plainHistory(store, 10, 'other'), [], 'entries of one task are not another’s');
    },
  }),
  historyCase({
    name: 'entries of the same moment are given latest added first',
    async run(bench) {
      await keeps(bench, [historyEntry('a', 'z'), historyEntry('a', 'a')]);
      await keeps(bench, [historyEntry('a', 'm')]);
      same(await ids(bench), ['m', 'a', 'z'], 'those of equal `at`, latest added first');
    },
  }),
  historyCase({
    name: 'an entry that is there already is not added again, and keeps what it says',
    async run(bench) {
      const first = { ...historyEntry('a', 'run-1'), body: '"first"' };
      await keeps(bench, [first]);
      await keeps(bench, [{ ...first, body: '"second"', at: start + 5 }]);
      await keeps(bench, [{ ...first, taskId: 'b' }]);
      const store = await bench.open();
      same(await plainHistory(store, 10), [first], 'an entry is unique by its id within a task');
      same((await plainHistory(store, 10, 'b')).length, 1, 'another task may have one of that id');
    },
  }),
  historyCase({
    name: 'entries are kept up to the limit of the store: the newest',
    options: { historyLimit: 3 },
    async run(bench) {
      for (let run = 1; run <= 5; run++) {
        await keeps(bench, [historyEntry('a', `run-${run}`, start + run)]);
      }
      await keeps(bench, [historyEntry('b', 'run-b', start)]);
      same(await ids(bench), ['run-5', 'run-4', 'run-3'], 'the newest of a task, up to the limit');
      await keeps(bench, [historyEntry('a', 'run-0', start)]);
      same(await ids(bench), ['run-5', 'run-4', 'run-3'], 'an older one does not displace them');
      const store = await bench.open();
      same((await plainHistory(store, 10, 'b')).length, 1, 'each task has a limit of its own');
    },
  }),
  historyCase({
    name: 'a store told to keep no history keeps none',
    options: { historyLimit: 0 },
    async run(bench) {
      await keeps(bench, [historyEntry('a', 'run-1')]);
      same(await ids(bench), [], 'a limit of 0 keeps none');
    },
  }),
  historyCase({
    name: 'entries are kept up to the age that the store was given',
    options: { historyMaxAgeMs: 10_000 },
    async run(bench) {
      await keeps(bench, [historyEntry('a', 'old', start)]);
      bench.clock.now = start + 9_999;
      await keeps(bench, [historyEntry('a', 'new', bench.clock.now)]);
      same(await ids(bench), ['new', 'old'], 'an entry younger than the limit is kept');
      bench.clock.now = start + 10_001;
      same(await ids(bench), ['new'], 'an entry older than the limit is not given');
    },
  }),
  historyCase({
    name: 'a settlement that writes several entries, for several tasks, writes them all',
    async run(bench) {
      const entries = ['a', 'b'].flatMap((taskId) =>
        [1, 2, 3].map((run) => historyEntry(taskId, `run-${run}`, start + run)),
      );
      await keeps(bench, entries);
      const store = await bench.open();
      for (const taskId of ['a', 'b']) {
        const found = (await plainHistory(store, 10, taskId)).map(({ id }) => id);
        same(found, ['run-3', 'run-2', 'run-1'], 'each entry is filed under the task it names');
      }
    },
  }),
];

/** Makes a case. If the store does not claim to keep a history, the case requires an empty one. */
function historyCase(definition: Omit<CaseDefinition, 'guarantee'>): CaseDefinition {
  return {
    ...definition,
    guarantee: 'G5',
    async run(bench) {
      const store = await bench.open();
      if (store.capabilities.history) return definition.run(bench);
      await keeps(bench, [historyEntry('a', 'run-1')]);
      const nothing = 'without the capability history gives an empty list';
      return same(await plainHistory(store, 10), [], nothing);
    },
  };
}

/** Settles a task with these entries. */
async function keeps(bench: Bench, history: readonly HistoryEntry[]): Promise<void> {
  const store = await bench.open();
  await store.insert([record('settler')]);
  const settlement = again(await claimOne(store), start, { history });
  same(await store.settle([settlement]), ['settled'], 'a settlement with a history is applied');
}

async function ids(bench: Bench): Promise<string[]> {
  return (await plainHistory(await bench.open(), 1000)).map(({ id }) => id);
}

async function plainHistory(store: DataStore, limit: number, taskId = 'a') {
  const entries = await store.history(taskId, limit);
  return entries.map(({ taskId, id, at, body }) => ({ taskId, id, at, body }));
}
