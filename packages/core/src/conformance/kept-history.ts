import type { DataStore, DataStoreOptions, HistoryEntry } from '../data-store.js';
import { same } from './check.js';
import type { Bench, CaseDefinition, VirtualClock } from './harness.js';
import { start } from './harness.js';
import { again, claim, claimOne, historyEntry, record, recordsOf, settlement } from './records.js';
import type { Guarantee } from './types.js';

/** How many entries one of many settlements adds, and how many of these are made by one call. */
const many = { entries: 90, settlements: 50 };

/** Adds to histories and reads them, through one handle and another in turn. */
export class KeptHistory {
  readonly #handles: readonly [DataStore, DataStore];
  readonly #clock: VirtualClock;
  #calls = 0;

  constructor(handles: readonly [DataStore, DataStore], clock: VirtualClock) {
    this.#handles = handles;
    this.#clock = clock;
  }

  /** Settles a task named `settler` with these entries. */
  async add(...history: readonly HistoryEntry[]): Promise<void> {
    const store = this.#next();
    const { now } = this.#clock;
    await store.insert([record('settler', { runAt: now })]);
    const settlement = again(await claimOne(store), now, { history });
    same(await store.settle([settlement]), ['settled'], 'a settlement with a history is applied');
  }

  /** Settles as many tasks as thousands of entries take. */
  async addMany(history: readonly HistoryEntry[]): Promise<void> {
    const { entries, settlements } = many;
    for (let from = 0; from < history.length; from += entries * settlements) {
      const store = this.#next();
      await store.insert(recordsOf(settlements, 'settler-', { queue: 'settlers' }));
      const tasks = await claim(store, { queues: ['settlers'], limit: settlements });
      const answers = await store.settle(
        tasks.map((task, index) => {
          const first = from + index * entries;
          return settlement(task, null, { history: history.slice(first, first + entries) });
        }),
      );
      same(
        answers,
        Array.from({ length: settlements }, () => 'settled'),
        'settlements with a history are applied',
      );
    }
  }

  async read(limit: number, taskId = 'a'): Promise<HistoryEntry[]> {
    const entries = await this.#next().history(taskId, limit);
    return entries.map(({ taskId, id, at, body }) => ({ taskId, id, at, body }));
  }

  /** The ids of the whole history of a task. */
  async ids(taskId = 'a'): Promise<string[]> {
    return (await this.read(1000, taskId)).map(({ id }) => id);
  }

  #next(): DataStore {
    return this.#handles[this.#calls++ % 2 === 0 ? 0 : 1];
  }
}

interface HistoryCase {
  readonly name: string;
  /** G5 unless it is about something else. */
  readonly guarantee?: Guarantee;
  readonly options?: DataStoreOptions;
  readonly run: (runs: KeptHistory, bench: Bench) => Promise<void>;
}

/** Makes a case. If the store does not claim to keep a history, the case requires an empty one. */
export function historyCase({ run, ...definition }: HistoryCase): CaseDefinition {
  return {
    guarantee: 'G5',
    ...definition,
    async run(bench) {
      const store = await bench.open();
      const runs = new KeptHistory([store, await bench.open()], bench.clock);
      if (store.capabilities.history) return run(runs, bench);
      await runs.add(historyEntry('a', 'run-1'));
      const nothing = 'without the capability history gives an empty list';
      return same(await runs.read(10), [], nothing);
    },
  };
}

/** Entries of the task `a`, each named after its moment, which is counted from the start. */
export function entriesAt(...moments: readonly number[]): HistoryEntry[] {
  return moments.map((ms) => historyEntry('a', `at-${ms}`, start + ms));
}
