import type {
  DataStore,
  DataStoreOptions,
  HistoryEntry,
  LatestHistoryEntry,
} from '../data-store.js';
import { holds, present, rejects, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { entriesAt, KeptHistory } from './kept-history.js';
import { longIds, oddTexts } from './odd-texts.js';
import { again, claim, historyEntry, record, recordsOf, settlement } from './records.js';
import type { Guarantee } from './types.js';

const once =
  'an entry that is there before the first page, and is kept up to the last, is returned exactly once';

/** How many entries are forgotten, where they are many, and of how many tasks. */
const manyEntries = 10_500;
const manyTasks = 210;

/** Reads the newest entries of all tasks, through one handle and another in turn. */
class LatestPages {
  readonly #handles: readonly DataStore[];
  #calls = 0;

  constructor(...handles: readonly DataStore[]) {
    this.#handles = handles;
  }

  async page(limit: number, after?: string) {
    const store = present(this.#handles[this.#calls++ % this.#handles.length], 'a handle is open');
    const { entries, next } = await store.latestHistory({
      limit,
      ...(after !== undefined && { after }),
    });
    holds(
      entries.length <= limit,
      `a page has no more entries than its limit of ${limit}: ${entries.length}`,
    );
    return { entries, next };
  }

  /** @param between what happens between two pages */
  async read(limit: number, between?: (page: number) => Promise<unknown>, after?: string) {
    const found: LatestHistoryEntry[] = [];
    let from = after;
    for (let page = 0; page < 10_000; page++) {
      const { entries, next } = await this.page(limit, from);
      found.push(...entries);
      if (next === null) return found;
      from = next;
      await between?.(page);
    }
    holds(false, 'the newest entries come to an end: `next` is null on the last page');
  }

  async entries(limit = 1000, between?: (page: number) => Promise<unknown>) {
    return (await this.read(limit, between)).map(plainEntry);
  }

  /** The names of all entries, in their order. */
  async names(limit = 1000, between?: (page: number) => Promise<unknown>, after?: string) {
    return (await this.read(limit, between, after)).map(nameOf);
  }
}

/** Lets others in, also where no call ever waits. */
const aTurn = () => new Promise((turn) => setImmediate(turn));

const plainEntry = ({ taskId, id, at, body }: HistoryEntry) => ({ taskId, id, at, body });

const nameOf = ({ taskId, id }: HistoryEntry) => `${taskId} ${id}`;

const byMoment = (a: HistoryEntry, b: HistoryEntry) => b.at - a.at;

interface LatestCase {
  readonly name: string;
  /** G5 unless it is about something else. */
  readonly guarantee?: Guarantee;
  readonly options?: DataStoreOptions;
  readonly run: (runs: KeptHistory, latest: LatestPages, bench: Bench) => Promise<void>;
}

/** Makes a case. If the store does not claim to give them, the case requires `SCHED_STORE_UNSUPPORTED`. */
function latestCase({ run, ...definition }: LatestCase): CaseDefinition {
  return {
    guarantee: 'G5',
    ...definition,
    async run(bench) {
      const [store, other] = [await bench.open(), await bench.open()];
      const runs = new KeptHistory([store, other], bench.clock);
      if (store.capabilities.latestHistory) {
        // One more than adds, so that who reads is not always who has added.
        return run(runs, new LatestPages(other, store, await bench.open()), bench);
      }
      await runs.add(historyEntry('a', 'run-1'));
      return rejects(
        () => store.latestHistory({ limit: 1 }),
        'SCHED_STORE_UNSUPPORTED',
        'without the capability latestHistory fails with SCHED_STORE_UNSUPPORTED',
      );
    },
  };
}

/** Entries of several tasks, each at a moment of its own, in no order. */
function scattered(count: number): HistoryEntry[] {
  return Array.from({ length: count }, (_, index) =>
    historyEntry(`task-${index % 7}`, `run-${index}`, start + ((index * 37) % count)),
  );
}

/** The newest entries of all tasks. */
export const latestHistoryCases: readonly CaseDefinition[] = [
  latestCase({
    name: 'the entries of all tasks are given newest first, as they were written',
    async run(runs, latest) {
      same(await latest.page(9), { entries: [], next: null }, 'at first there are none');
      const entries = scattered(40);
      for (let at = 0; at < entries.length; at += 8) await runs.add(...entries.slice(at, at + 8));
      const sorted = entries.toSorted(byMoment);
      same(await latest.entries(), sorted, 'newest first by `at`, of whatever task');
      const { entries: some, next } = await latest.page(9);
      holds(next !== null, '`next` is not null while there are more');
      same(some.map(plainEntry), sorted.slice(0, some.length), 'a page begins with the newest');
    },
  }),
  latestCase({
    name: 'the pages of the newest entries give each of them once, whatever their size',
    async run(runs, latest) {
      const entries = scattered(45);
      await runs.add(...entries);
      const names = entries.toSorted(byMoment).map(nameOf);
      for (const limit of [1, 2, 7, 44, 45, 46, 100_000]) {
        same(await latest.names(limit), names, `${once}: in pages of ${limit}`);
      }
    },
  }),
  latestCase({
    name: 'entries of the same moment keep their order over the pages, those of a task their own',
    async run(runs, latest) {
      const tasks = ['b', 'a', 'c'];
      for (let run = 0; run < 12; run++) {
        const entries = tasks.map((taskId) =>
          historyEntry(taskId, `run-${run}`, start + (run % 2)),
        );
        await runs.add(...(run % 3 === 0 ? entries.toReversed() : entries));
      }
      const all = await latest.names();
      same(all.length, 36, once);
      for (const limit of [1, 2, 5, 17, 18, 19, 35]) {
        same(await latest.names(limit), all, `of equal \`at\` the store keeps to its order`);
      }
      for (const taskId of tasks) {
        const own = all.filter((name) => name.startsWith(taskId));
        const ids = (await runs.ids(taskId)).map((id) => `${taskId} ${id}`);
        same(own, ids, 'those of one task are in the order of its history');
      }
    },
  }),
  latestCase({
    name: 'an entry added late takes its place among those of all tasks by its moment',
    async run(runs, latest) {
      for (const [taskId, ms] of [
        ...(['a', 'b', 'c'] as const).map((each, index) => [each, 10 * index] as const),
        ...[['d', 5] as const, ['a', 15] as const, ['e', -5] as const, ['b', 25] as const],
      ]) {
        await runs.add(historyEntry(taskId, `at-${ms}`, start + ms));
      }
      same(
        await latest.names(2),
        ['b at-25', 'c at-20', 'a at-15', 'b at-10', 'd at-5', 'a at-0', 'e at--5'],
        'newest first by `at`, whenever an entry was added',
      );
    },
  }),
  latestCase({
    name: 'an entry that is there already is not given a second time among those of all tasks',
    async run(runs, latest) {
      const first = { ...historyEntry('a', 'run-1'), body: '"first"' };
      await runs.add(first, { ...first, at: start + 1 });
      await runs.add({ ...first, at: start + 5, body: '"second"' });
      await runs.add({ ...first, at: start - 5, body: '"third"' });
      const other = historyEntry('b', 'run-1', start - 1);
      await runs.add(other);
      same(await latest.entries(), [first, other], 'an entry is unique by its id within a task');
    },
  }),
  latestCase({
    name: 'what several settlements of one call add is among the entries of all tasks',
    async run(_runs, latest, { open }) {
      const store = await open();
      await store.insert(recordsOf(9));
      const tasks = await claim(store);
      const entriesOf = (index: number) =>
        [0, 1, 2].map((run) => historyEntry(`of-${index}`, `run-${run}`, start + 10 * run + index));
      await store.settle(
        tasks.map((task, index) =>
          index % 2 === 0
            ? again(task, start + 1000, { history: entriesOf(index) })
            : settlement(task, null, { history: entriesOf(index) }),
        ),
      );
      const sorted = tasks.flatMap((_, index) => entriesOf(index)).sort(byMoment);
      same(await latest.entries(4), sorted, once);
    },
  }),
  latestCase({
    name: 'the entries of tasks that are gone, or never were, are among those of all tasks',
    async run(runs, latest, { open }) {
      const store = await open();
      await store.insert([record('removed', { queue: 'elsewhere' })]);
      await runs.add(
        historyEntry('settler', 'run-1', start + 3),
        historyEntry('removed', 'run-1', start + 2),
        historyEntry('nobody', 'run-1', start + 1),
      );
      const names = ['settler run-1', 'removed run-1', 'nobody run-1'];
      same(await latest.names(), names, 'each entry is filed under the task that it names');
      await store.remove({ all: true });
      same(await latest.names(1), names, 'history outlives its task');
      await store.insert([record('removed')]);
      await store.settle([settlement(present((await claim(store))[0], 'one is due'), null)]);
      same(await latest.names(2), names, 'history outlives its task, however often it comes');
    },
  }),
  latestCase({
    name: 'the newest entries go on where they were, though others are added meanwhile',
    async run(runs, latest) {
      const entries = scattered(40);
      await runs.add(...entries);
      let added = 0;
      const names = await latest.names(3, async () => {
        for (const ms of [50, 20, -50]) {
          await runs.add(historyEntry(`task-${added % 9}`, `added-${added++}`, start + ms));
        }
      });
      same(new Set(names).size, names.length, 'no entry is returned twice');
      same(
        names.filter((name) => !name.includes('added')),
        entries.toSorted(byMoment).map(nameOf),
        `${once}, whatever is added meanwhile`,
      );
      same((await latest.read(1000)).length, 40 + added, 'who begins anew is given those, too');
    },
  }),
  latestCase({
    name: 'the newest entries go on where they were, though those that were given are forgotten',
    options: { historyLimit: 4, historyMaxAgeMs: 10_000 },
    async run(runs, latest, { clock }) {
      for (let run = 0; run < 4; run++) {
        await runs.add(
          ...['a', 'b', 'c', 'd', 'e'].map((taskId, index) =>
            historyEntry(taskId, `run-${run}`, start + 10 * run + index),
          ),
        );
      }
      const before = await latest.names();
      const seen = await latest.names(2, async (page) => {
        // Of the tasks that are before it, newer ones, so that what was given is more than is kept.
        const taskId = ['e', 'd', 'c'][page % 3] ?? 'e';
        for (let run = 0; run < 9; run++) {
          await runs.add(
            historyEntry(taskId, `later-${page}-${run}`, start + 1000 + 10 * page + run),
          );
        }
      });
      same(new Set(seen).size, seen.length, 'no entry is returned twice');
      const kept = before.filter((name) => name.startsWith('a') || name.startsWith('b'));
      same(
        seen.filter((name) => kept.includes(name)),
        kept,
        `${once}, whatever is forgotten meanwhile`,
      );

      const { entries, next } = await latest.page(3);
      const last = present(next ?? entries.at(-1)?.position, 'there are more than three');
      clock.now = start + 20_000;
      for (let run = 0; run < 9; run++) await runs.add(historyEntry('z', `run-${run}`, clock.now));
      const left = await latest.names(2, undefined, last);
      same(left, [], 'a position stays good when its entry is forgotten: nothing older is kept');
      same((await latest.names(2)).length >= 4, true, 'who begins anew is given the newest');
    },
  }),
  latestCase({
    name: 'every entry says where it stands, and the pages go on after any of them',
    async run(runs, latest) {
      await runs.add(...scattered(20));
      await runs.add(...['x', 'y', 'z'].map((taskId) => historyEntry(taskId, 'run', start + 5)));
      const all = await latest.read(1000);
      const names = all.map(nameOf);
      for (const [index, { position }] of all.entries()) {
        const rest = names.slice(index + 1);
        for (const limit of [4, 1000]) {
          const found = await latest.names(limit, undefined, position);
          same(found, rest, 'a position says where to continue, whoever continues, however often');
        }
      }
      await runs.add(
        historyEntry('new', 'run', start + 99),
        historyEntry('old', 'run', start - 99),
      );
      const later = await latest.read(3);
      const known = later.filter(({ taskId }) => taskId !== 'new' && taskId !== 'old');
      same(
        known.map(({ position }) => position),
        all.map(({ position }) => position),
        'a position stays the same as long as the entry is kept',
      );
    },
  }),
  latestCase({
    name: 'entries that are too old are not among those of all tasks',
    options: { historyMaxAgeMs: 10_000 },
    async run(runs, latest, { clock }) {
      await runs.add(...entriesAt(-10_001, -9_999, 0), historyEntry('b', 'at-4', start + 4_000));
      const age = 'what is older than the store keeps is not returned';
      same(await latest.names(1), ['b at-4', 'a at-0', 'a at--9999'], age);
      for (const [ms, names] of [
        [2, ['b at-4', 'a at-0']],
        [9_999, ['b at-4', 'a at-0']],
        [10_001, ['b at-4']],
        [14_001, []],
      ] as const) {
        clock.now = start + ms;
        same(await latest.names(), names, `${age}: ${ms} ms later`);
        same(
          (await latest.page(1)).entries.map(nameOf),
          names.slice(0, 1),
          `${age}: ${ms} ms later`,
        );
      }
    },
  }),
  latestCase({
    name: 'every entry that the history of a task gives is among those of all tasks',
    options: { historyLimit: 3 },
    async run(runs, latest) {
      const added = new Set<string>();
      for (let round = 0; round < 30; round++) {
        const entries = ['a', 'b', 'c'].map((taskId, index) =>
          historyEntry(taskId, `run-${round}`, start + ((round * 7 + index) % 30)),
        );
        for (const entry of entries) added.add(nameOf(entry));
        await runs.add(...entries);
        const names = await latest.names(5);
        for (const taskId of ['a', 'b', 'c']) {
          const own = (await runs.ids(taskId)).map((id) => `${taskId} ${id}`);
          const found = names.filter((name) => own.includes(name));
          same(found, own, 'what the store keeps of a task is returned');
        }
        holds(
          names.every((name) => added.has(name)),
          'what is returned was added',
        );
      }
    },
  }),
  latestCase({
    name: 'the newest entries go on past thousands that are forgotten, and none is lost with them',
    options: { historyLimit: 50 },
    async run(runs, latest) {
      const added = (name: string, count: number, ms: number) =>
        Array.from({ length: count }, (_, index) => {
          const at = ms + index;
          return historyEntry(`${name}-${index % manyTasks}`, `at-${at}`, start + at);
        });
      const newestOf = (entries: readonly HistoryEntry[]) =>
        [...Map.groupBy(entries, ({ taskId }) => taskId).values()].flatMap((own) => own.slice(-50));
      const isGiven = async (kept: readonly HistoryEntry[], limit: number, after?: string) => {
        const found = await latest.read(limit, undefined, after);
        const names = new Set(found.map(nameOf));
        same(names.size, found.length, 'no entry is returned twice');
        const lost = kept.map(nameOf).filter((name) => !names.has(name));
        same(lost, [], `${once}, however many are forgotten`);
        const isInOrder = found.every(({ at }, index) => at <= (found[index - 1]?.at ?? at));
        holds(isInOrder, 'newest first by `at`');
        return found;
      };
      const old = added('old', 10, -10);
      const first = added('task', manyEntries, 0);
      const between = added('between', 10, manyEntries);
      const second = added('task', manyEntries, 2 * manyEntries);
      const before = [...old, ...first, ...between, ...second];
      await runs.addMany(before);
      const found = await isGiven(newestOf(before), 1000);
      const last = found.find(({ taskId }) => taskId === between[0]?.taskId);
      const { position } = present(last, 'what the store keeps of a task is returned');
      // A store may end a page after some thousands that are forgotten, such as right before one that is kept.
      for (const limit of [499, 500, 501]) await isGiven(old, limit, position);

      const third = added('task', 1200, 4 * manyEntries);
      await runs.addMany(third);
      await isGiven(newestOf([...before, ...third]), 1000);
      await isGiven(old, 500, position);
    },
  }),
  latestCase({
    name: 'a store told to keep no history has no newest entries',
    options: { historyLimit: 0 },
    async run(runs, latest) {
      await runs.add(historyEntry('a', 'run-1'));
      same(await latest.page(9), { entries: [], next: null }, 'a limit of 0 keeps none');
    },
  }),
  latestCase({
    name: 'the entries of all tasks are ordered by the value of their moments, as far as time goes',
    guarantee: 'G8',
    options: { historyMaxAgeMs: 2e16 },
    async run(runs, latest, { clock }) {
      clock.now = 10_000;
      const moments = [
        ...[0, -1, 9, 10, -10, 1, 100, -9, 99, 1000, -100, 2 ** 32, start],
        ...[8.64e15, -8.64e15, -62_135_596_800_000],
      ];
      for (const [index, at] of moments.entries()) {
        await runs.add(historyEntry(`task-${index % 3}`, `at ${at}`, at));
      }
      for (const limit of [1, 4, 100]) {
        same(
          (await latest.entries(limit)).map(({ at }) => at),
          moments.toSorted((a, b) => b - a),
          'the entries of all tasks are ordered by the value of their moments, newest first',
        );
      }
    },
  }),
  latestCase({
    name: 'the entries of all tasks are told apart byte by byte, and given as they were written',
    guarantee: 'G8',
    options: { historyLimit: 1000 },
    async run(runs, latest) {
      const entries = [...oddTexts, ...longIds].flatMap((text, index): HistoryEntry[] => [
        { ...historyEntry(text, 'run', start + 2 * index), body: JSON.stringify(text) },
        { ...historyEntry('a task', text, start + 2 * index + 1), body: JSON.stringify(text) },
      ]);
      for (let at = 0; at < entries.length; at += 40) await runs.add(...entries.slice(at, at + 40));
      same(await latest.entries(7), entries.toReversed(), 'each entry is given as it was written');
    },
  }),
];

/** The newest entries of all tasks, while others add some. */
export const latestHistoryRaceCases: readonly CaseDefinition[] = [
  latestCase({
    name: 'who reads the newest entries while others settle is given each of those before, once',
    async run(runs, latest, { openMany }) {
      const before = scattered(60);
      await runs.add(...before);
      const [first, second, ...readers] = await openMany(4);
      const settlers = [present(first, 'a handle'), present(second, 'a handle')];
      const rounds = 8;
      const settling = settlers.map(async (store, index) => {
        await store.insert(recordsOf(4 * rounds, `own-${index}-`, { queue: `own-${index}` }));
        for (let round = 0; round < rounds; round++) {
          await aTurn();
          const tasks = await claim(store, { queues: [`own-${index}`], limit: 4 });
          await store.settle(
            tasks.map((task, at) => {
              const entry = (id: string, ms: number) =>
                historyEntry(`task-${(round + at) % 9}`, `${task.id} ${id}`, start + ms);
              const history = [entry('new', 60 + round), entry('late', (round * 13 + at) % 60)];
              return settlement(task, null, { history });
            }),
          );
        }
      });
      const expected = before.toSorted(byMoment).map(nameOf);
      const reading = readers.map(async (store, index) => {
        const pages = new LatestPages(store);
        for (let times = 0; times < 3; times++) {
          const found = await pages.read(4 + 3 * index, aTurn);
          const names = found.map(nameOf);
          same(new Set(names).size, names.length, 'no entry is returned twice');
          same(found.toSorted(byMoment), found, 'newest first by `at`');
          const known = names.filter((name) => !name.includes('own-'));
          same(known, expected, `${once}, whatever is added meanwhile`);
        }
      });
      await Promise.all([...settling, ...reading]);
      const all = 60 + settlers.length * rounds * 4 * 2;
      same((await latest.read(17)).length, all, 'every entry that was added is there in the end');
    },
  }),
];
