import type { DataStore, LeaseRef, ListRequest, NewTaskRecord } from '../data-store.js';
import { holds, present } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  historyEntry,
  leaseOf,
  read,
  record,
  recordsOf,
  settlement,
} from './records.js';

/** How many tasks the small backlog has, and how many the large one, if so many can be inserted in time. */
const smallSize = 1000;
const largeSize = 100_000;
/** How long making a large backlog may take. Counters say the same on a busy machine, so it may take its time. */
const budgetMs = { timed: 5000, counted: 20_000 };
const chunkSize = 1000;
/** The least by which the backlogs must differ for times to say something. */
const leastGrowth = 10;
/** How many history entries one settlement adds, to tasks of their own; that many are a small history. */
const entriesAtOnce = 90;
/** How many entries there are in a large one, if there is time for it. Counters of pages show only what is in many. */
const largeHistory = { timed: 200 * entriesAtOnce, counted: 500 * entriesAtOnce };
/** How often each call is made on each backlog. */
const rounds = 7;
/** A call about a few tasks that takes no longer is quick, whatever it takes on another backlog. */
const quickMs = 0.5;
/** By how much a counter may grow, and how much it may add in any case: for the depth of trees, and pages of them. */
const counterSlack = { factor: 2, units: 200 };

/** What calls cost when the backlog grows. */
export const scaleCases: readonly CaseDefinition[] = [
  {
    name: 'what a call costs follows the tasks that it is about, and not the backlog',
    guarantee: 'G7',
    async run(bench) {
      const small = await Backlog.create(bench);
      const large = await Backlog.create(await bench.elsewhere());
      await small.fill(smallSize);
      const growth = (await large.fill(largeSize)) / smallSize;
      if (growth < leastGrowth && !bench.place.work) return;
      for (let round = 0; round < rounds; round++) {
        for (const name of callNames) {
          // In turn, so that what slows the machine slows both.
          await small.measure(name, round);
          await large.measure(name, round);
        }
      }
      for (const name of callNames) judge(name, small.costs, large.costs, growth);
    },
  },
  {
    name: 'a page far into a listing costs what the first one costs',
    guarantee: 'G7',
    async run(bench) {
      const backlog = await Backlog.create(bench);
      const pages = (await backlog.fill(largeSize)) / chunkSize;
      if (pages < leastGrowth) return;
      const { store } = backlog;
      const first: number[] = [];
      const last: number[] = [];
      let after: string | null = null;
      for (let page = 0; page < pages - 1; page++) {
        const request: ListRequest = { limit: chunkSize, ...(after !== null && { after }) };
        after = (await store.list(request)).next ?? after;
      }
      const far = present(after, 'a listing of many tasks has many pages');
      for (let round = 0; round < rounds; round++) {
        first.push(await timeOf(() => store.list({ limit: chunkSize })));
        last.push(await timeOf(() => store.list({ limit: chunkSize, after: far })));
      }
      const ratio = quickest(last) / quickest(first);
      holds(
        ratio <= pages / 3,
        `a page costs what is on it: the last of ${pages} pages takes ${ratio.toFixed(1)} times as long as the first`,
      );
    },
  },
  {
    name: 'a page of the newest entries costs what is on it, however long the histories are',
    guarantee: 'G7',
    async run(bench) {
      const small = await Histories.create(bench);
      if (!small.store.capabilities.latestHistory) return;
      const large = await Histories.create(await bench.elsewhere());
      await small.fill(entriesAtOnce, 1);
      const size = bench.place.work ? largeHistory.counted : largeHistory.timed;
      const growth = (await large.fill(size, leastGrowth)) / entriesAtOnce;
      if (growth < leastGrowth && !bench.place.work) return;
      for (let round = 0; round < rounds; round++) {
        await small.measure();
        await large.measure();
      }
      for (const page of latestPages) judge(page, small.costs, large.costs, growth);
    },
  },
];

/** A call about a few things, and what puts the backlog back as it was. */
interface Prepared {
  call(): Promise<unknown>;
  undo?(): Promise<unknown>;
}

const due = { limit: 5 };

const calls = {
  claim: async (store: DataStore): Promise<Prepared> => {
    let taken: LeaseRef[] = [];
    return {
      call: async () => {
        taken = (await claim(store, due)).map(leaseOf);
      },
      undo: () => store.release(taken),
    };
  },
  'claim that finds nothing due': async (store: DataStore): Promise<Prepared> => ({
    call: () => claim(store, { queues: ['later', 'paused', 'ended', 'nobody'] }),
  }),
  extend: async (store: DataStore): Promise<Prepared> => {
    const leases = (await claim(store, due)).map(leaseOf);
    return { call: () => store.extend(leases, 1000), undo: () => store.release(leases) };
  },
  release: async (store: DataStore): Promise<Prepared> => {
    const leases = (await claim(store, due)).map(leaseOf);
    return { call: () => store.release(leases) };
  },
  settle: async (store: DataStore, round: number): Promise<Prepared> => {
    const settlements = (await claim(store, due)).map((task) =>
      again(task, start, { history: [historyEntry(task.id, `run-${round}`)] }),
    );
    return { call: () => store.settle(settlements) };
  },
  update: async (store: DataStore): Promise<Prepared> => {
    const task = await read(store, 'due-5');
    return { call: () => store.update('due-5', { body: '{}' }, task) };
  },
  get: async (store: DataStore): Promise<Prepared> => ({
    call: () => store.get(['due-1', 'due-2', 'nobody']),
  }),
  insert: async (store: DataStore): Promise<Prepared> => ({
    call: () => store.insert([record('new-0'), record('new-1')]),
    undo: () => store.remove({ ids: ['new-0', 'new-1'] }),
  }),
  remove: async (store: DataStore): Promise<Prepared> => ({
    call: () => store.remove({ ids: ['due-7'] }),
    undo: () => store.insert([record('due-7')]),
  }),
  setPaused: async (store: DataStore): Promise<Prepared> => ({
    call: () => store.setPaused({ ids: ['due-3'] }, true),
    undo: () => store.setPaused({ ids: ['due-3'] }, false),
  }),
  history: async (store: DataStore): Promise<Prepared> => ({
    call: () => store.history('due-0', 10),
  }),
  // As large as the small backlog: a page may look at a stretch of the tasks, however few it gives.
  'page of a listing': async (store: DataStore): Promise<Prepared> => ({
    call: () => store.list({ limit: smallSize }),
  }),
};

type CallName = keyof typeof calls;
const callNames = Object.keys(calls) as CallName[];

const latestPages = [
  'first page of the newest entries',
  'page in the middle of the newest entries',
] as const;

/** What calls have cost in a place. */
class Costs {
  /** By call, how long it took each time, in milliseconds. */
  readonly times = new Map<string, number[]>();
  /** By call and counter, what it added in all. */
  readonly work = new Map<string, Map<string, number>>();
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async measure(name: string, call: () => Promise<unknown>): Promise<void> {
    const before = await this.#bench.place.work?.();
    const time = await timeOf(call);
    const after = await this.#bench.place.work?.();
    this.times.set(name, [...(this.times.get(name) ?? []), time]);
    if (!before || !after) return;
    const work = this.work.get(name) ?? new Map<string, number>();
    this.work.set(name, work);
    for (const [counter, value] of Object.entries(after)) {
      work.set(counter, (work.get(counter) ?? 0) + value - (before[counter] ?? 0));
    }
  }
}

/** Adds something in chunks, so many or as many as there is time for. Returns how many. */
async function fill(
  { place }: Bench,
  size: number,
  chunk: number,
  add: (from: number) => Promise<unknown>,
): Promise<number> {
  const mostMs = place.work ? budgetMs.counted : budgetMs.timed;
  const until = performance.now() + mostMs;
  let count = 0;
  let tookMs = 0;
  // Where one chunk takes so long, too few would come to say something.
  while (count < size && performance.now() < until && tookMs < mostMs / leastGrowth) {
    const begun = performance.now();
    await add(count);
    count += chunk;
    tookMs = performance.now() - begun;
  }
  return count;
}

/** A place with some tasks that are due, and many that are not. */
class Backlog {
  readonly store: DataStore;
  readonly costs: Costs;
  readonly #bench: Bench;

  private constructor(bench: Bench, store: DataStore) {
    this.#bench = bench;
    this.costs = new Costs(bench);
    this.store = store;
  }

  static async create(bench: Bench): Promise<Backlog> {
    const store = await bench.open();
    await store.insert(recordsOf(50, 'due-'));
    return new Backlog(bench, store);
  }

  /** Inserts tasks that are not due. */
  fill(size: number): Promise<number> {
    return fill(this.#bench, size, chunkSize, (from) => this.store.insert(ballast(from)));
  }

  async measure(name: CallName, round: number): Promise<void> {
    const { call, undo } = await calls[name](this.store, round);
    await this.costs.measure(name, call);
    await undo?.();
  }
}

/** A place with the histories of many tasks. */
class Histories {
  readonly store: DataStore;
  readonly costs: Costs;
  readonly #bench: Bench;
  /** The position of an entry that as many are newer than older. */
  #middle = '';

  private constructor(bench: Bench, store: DataStore) {
    this.#bench = bench;
    this.costs = new Costs(bench);
    this.store = store;
  }

  static async create(bench: Bench): Promise<Histories> {
    return new Histories(bench, await bench.open());
  }

  /** @param settlements how many of them one call makes */
  async fill(size: number, settlements: number): Promise<number> {
    const count = await fill(this.#bench, size, settlements * entriesAtOnce, async (from) => {
      await this.store.insert(recordsOf(settlements));
      const tasks = await claim(this.store);
      const entries = (first: number) =>
        Array.from({ length: entriesAtOnce }, (_, index) =>
          historyEntry(`of-${first + index}`, 'run', start + first + index),
        );
      await this.store.settle(
        tasks.map((task, index) =>
          settlement(task, null, { history: entries(from + index * entriesAtOnce) }),
        ),
      );
    });
    const limit = Math.ceil(count / 20);
    for (let seen = 0; seen < count / 2; ) {
      const after = this.#middle === '' ? {} : { after: this.#middle };
      const { entries, next } = await this.store.latestHistory({ limit, ...after });
      seen += entries.length;
      this.#middle = present(next, 'what was added last is not all there is');
    }
    return count;
  }

  async measure(): Promise<void> {
    const [first, middle] = latestPages;
    await this.costs.measure(first, () => this.store.latestHistory({ limit: 50 }));
    const request = { limit: 50, after: this.#middle };
    await this.costs.measure(middle, () => this.store.latestHistory(request));
  }
}

/** Tasks that are not due, of every kind, and due ones of another queue. */
function ballast(from: number): NewTaskRecord[] {
  const kinds: Partial<NewTaskRecord>[] = [
    { runAt: start + 1e9 },
    { queue: 'later', runAt: start + 1e9 },
    { paused: true },
    { queue: 'paused', paused: true, group: 'g' },
    { status: 'finished', runAt: null },
    { queue: 'ended', status: 'failed', runAt: null },
    { queue: 'other' },
  ];
  return Array.from({ length: chunkSize }, (_, index) =>
    record(`ballast-${from + index}`, kinds[index % kinds.length]),
  );
}

function judge(name: string, small: Costs, large: Costs, growth: number): void {
  const grown = `where there is ${growth} times as much`;
  const counters = large.work.get(name);
  for (const [counter, value] of counters ?? []) {
    const before = small.work.get(name)?.get(counter) ?? 0;
    const limit = before * counterSlack.factor + counterSlack.units * rounds;
    holds(
      value <= limit,
      `${name} costs what it is about: ${grown}, ${rounds} of them add ${value} to ${counter}, and ${before} on the small one`,
    );
  }
  if (counters) return;
  const tookMs = quickest(large.times.get(name));
  const ratio = tookMs / quickest(small.times.get(name));
  const isQuick = name !== 'page of a listing' && tookMs <= quickMs;
  holds(
    isQuick || ratio <= growth / 3,
    `${name} costs what it is about: ${grown}, it takes ${ratio.toFixed(1)} times as long`,
  );
}

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await call();
  return performance.now() - begun;
}

/** What a call takes when nothing else slows the machine. */
const quickest = (times: readonly number[] = []) => Math.min(...times);
