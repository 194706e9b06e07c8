import { isDeepStrictEqual } from 'node:util';
import type {
  ClaimedTask,
  ClaimResult,
  DataStore,
  HistoryEntry,
  NewTaskRecord,
  Settlement,
} from '../data-store.js';
import { plain, present, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { Model } from './model.js';
import { listAll } from './pages.js';
import { historyEntry, idsOf, leaseMs, leaseOf, record, recordsOf, settlement } from './records.js';

/** One more than any batch is likely to hold. */
const size = 1201;

/** Positions about the ends of batches of 25, 100, 500 and 1,000, where items are that mean something else. */
const marks = new Set([1, 24, 25, 26, 99, 100, 101, 499, 500, 501, 999, 1000, 1001, 1200]);

/** What holds for one item of a call holds for each of more than a thousand, and what one task can be, many can be. */
export const batchCases: readonly CaseDefinition[] = [
  {
    name: 'each of 1,201 records of one call is inserted or found, those that it names before among them',
    guarantee: 'G1',
    async run(bench) {
      const twins = await Twins.open(bench);
      const ids = idsFrom('task-');
      await twins.insert(ids.filter((_, at) => marks.has(at) && at % 2 === 0).map(bodyOf('old')));
      const isRepeated = (at: number) => marks.has(at) && at % 2 !== 0;
      await twins.insert(
        ids.map((id, at) => (isRepeated(at) ? bodyOf('repeated')('task-7') : bodyOf('new')(id))),
      );
    },
  },
  {
    name: 'each of 1,201 ids of one call is looked up, those that are unknown or named before among them',
    guarantee: 'G1',
    async run(bench) {
      const store = await bench.open();
      await store.insert(recordsOf(50, 'task-', { queue: 'other' }));
      const ids = idsFrom('').map((_, at) => (at % 3 === 2 ? `none-${at}` : `task-${at % 50}`));
      const found = new Map((await listAll(store)).map((task) => [task.id, plain(task)]));
      sameEach(
        (await store.get(ids)).map(plain),
        ids.map((id) => found.get(id)),
        'the answers are in the order of the ids, `undefined` where there is no such task',
      );
    },
  },
  {
    name: 'each of 1,201 settlements of one call is applied as a whole, and one of a task once',
    guarantee: 'G1',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench);
      const parent = present(tasks[0], 'claim takes what is due');
      const settlements = tasks.map((task, at) =>
        marks.has(at)
          ? settlementAt(parent, at, { body: '"not the first of its task"' })
          : settlementAt(task, at),
      );
      await twins.settle(settlements);
      await twins.settle(settlements);
    },
  },
  {
    name: 'a settlement inserts each of 60 tasks that it spawns',
    guarantee: 'G1',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench, 2);
      await twins.settle(
        tasks.map((task, at) => ({
          ...settlementAt(task, at),
          spawn: [...recordsOf(at === 0 ? 60 : 1, `of-${at}-`), record('of-0-30'), record(task.id)],
        })),
      );
    },
  },
  {
    name: 'each of 1,201 settlements of one call adds to the history what it gives',
    guarantee: 'G5',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench);
      await twins.settle(
        tasks.map((task, at) => ({
          ...settlementAt(task, at),
          spawn: [],
          history: [
            historyEntry(log(at), `run-${at}`, start + at),
            ...(marks.has(at) ? manyEntries(task.id, 30) : []),
          ],
        })),
      );
      await twins.sameHistories([...Array(logs).keys()].map(log));
      await twins.sameHistories(tasks.filter((_, at) => marks.has(at)).map(({ id }) => id));
    },
  },
  {
    name: 'an entry that the settlements of many tasks of one call add is added once',
    guarantee: 'G5',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench, 60);
      const entry = (body: string) => ({ ...historyEntry('log', 'run-1'), body });
      await twins.settle(
        tasks.map((task, at) => ({
          ...settlementAt(task, at),
          spawn: [],
          history: [entry(`${at}`)],
        })),
      );
      const { store } = twins;
      const ids = (await store.history('log', 100)).map(({ id }) => id);
      const kept = store.capabilities.history ? ['run-1'] : [];
      same(ids, kept, 'an entry that exists already is not added again');
    },
  },
  {
    name: 'a history that is longer than a thousand entries is given as far as it is asked for',
    guarantee: 'G5',
    options: { historyLimit: 1500 },
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench, 24);
      await twins.settle(
        tasks.map((task, at) => ({
          ...settlementAt(task, at),
          spawn: [],
          history: manyEntries('log', 50, at * 50),
        })),
      );
      await twins.sameHistories(['log']);
      const { store } = twins;
      if (!store.capabilities.history) return;
      const newest = (limit: number) =>
        manyEntries('log', 1200)
          .reverse()
          .map(({ id }) => id)
          .slice(0, limit);
      for (const limit of [1, 26, 101, 501, 1001]) {
        sameEach(
          idsOfEntries(await store.history('log', limit)),
          newest(limit),
          'history gives the newest entries, as many as are asked for',
        );
      }
    },
  },
  {
    name: 'a settlement amid 1,201 of one call that is a conflict changes nothing, and all others are applied',
    guarantee: 'G6',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench);
      const { store, model } = twins;
      await Promise.all(
        tasks.map(async (task, at) => {
          if (!marks.has(at)) return;
          await store.update(task.id, { name: 'edited' }, task);
          model.update(task.id, { name: 'edited' }, task.revision);
        }),
      );
      await twins.compare('update');
      await twins.settle(tasks.map((task, at) => settlementAt(task, at)));
      await twins.sameHistories(tasks.filter((_, at) => marks.has(at)).map(({ id }) => id));
    },
  },
  {
    name: 'of 1,201 leases that one call extends, and 1,201 settlements, those that are lost change nothing',
    guarantee: 'G2',
    async run(bench) {
      const { twins, tasks } = await Twins.claimed(bench);
      const marked = tasks.filter((_, at) => marks.has(at));
      const every3rd = (from: number) => marked.filter((_, index) => index % 3 === from);
      await twins.release(every3rd(0).map(leaseOf));
      await twins.remove({ ids: every3rd(1).map(({ id }) => id) });
      await twins.claim({ queues: ['q'], limit: size, owner: 'bob', leaseMs });
      bench.clock.advance(10);
      const twice = tasks.slice(0, 1).map(leaseOf);
      await twins.extend([...tasks.map(leaseOf), ...twice], leaseMs * 3);
      await twins.settle(
        tasks.map((task, at) => {
          const settled = settlementAt(task, at);
          return at === 750 ? { ...settled, token: settled.token - 1 } : settled;
        }),
      );
      await twins.sameHistories(marked.map(({ id }) => id));
    },
  },
  {
    name: 'each of 1,201 tasks whose owner let go of them is claimed with what is known, and given back once',
    guarantee: 'G3',
    async run(bench) {
      const { twins, tasks: lapsed } = await Twins.claimed(bench);
      bench.clock.advance(leaseMs);
      const request = { queues: ['q'], limit: size, owner: 'bob', leaseMs };
      const { tasks } = await twins.claim(request);
      const old = new Map(lapsed.map((task) => [task.id, task]));
      const leases = tasks.map((task, at) => ({
        ...leaseOf(marks.has(at) ? (old.get(task.id) ?? task) : task),
        ...(at % 3 === 0 ? {} : { deferUntil: start + leaseMs + at }),
      }));
      await twins.release([...leases, ...leases.slice(0, 30)]);
    },
  },
  {
    name: 'each of thousands of tasks is paused and resumed, by id, by group and all of them',
    guarantee: 'G6',
    async run(bench) {
      const { twins, ids } = await Twins.inGroups(bench);
      await twins.setPaused({ ids }, true);
      await twins.setPaused({ group: 'many' }, true);
      bench.clock.advance(1);
      await twins.setPaused({ all: true }, false);
    },
  },
  {
    name: 'each of thousands of tasks is removed by id, by group and all of them, and counted once',
    guarantee: 'G6',
    async run(bench) {
      const { twins, ids } = await Twins.inGroups(bench);
      await twins.remove({ ids });
      await twins.remove({ group: 'many' });
      await twins.insert(recordsOf(size, 'others-'));
      await twins.remove({ all: true });
      await twins.claim({ queues: ['q', 'other'], limit: 5000, owner: 'bob', leaseMs });
    },
  },
  {
    name: 'a claim of 1,201 tasks takes the first of them, in order, and the next one those behind',
    guarantee: 'G5',
    async run(bench) {
      const twins = await Twins.open(bench);
      const runAt = (at: number) => start - ((at * 701) % 1301);
      await twins.insert(
        idsFrom('task-', 1301).map((id, at) =>
          record(id, { runAt: runAt(at), queue: at % 5 === 0 ? 'first' : 'q' }),
        ),
      );
      for (const owner of ['alice', 'bob']) {
        await twins.claim({ queues: ['first', 'q'], limit: size, owner, leaseMs });
      }
    },
  },
  {
    name: 'thousands of tasks are listed, each once, by pages of any size, and counted',
    guarantee: 'G1',
    async run(bench) {
      const twins = await Twins.open(bench);
      await twins.insert([
        ...recordsOf(size, 'many-', { group: 'many' }),
        ...recordsOf(50, 'few-', { name: 'mail', paused: true }),
      ]);
      const { store, model } = twins;
      for (const filter of [{}, { group: 'many' }, { name: 'job', paused: false }]) {
        const matching = model.list(filter, start);
        const what = JSON.stringify(filter);
        same(await store.count(filter), matching.length, `count counts those that match ${what}`);
        for (const limit of [5000, 1001, 101]) {
          const listed = await listAll(store, filter, limit);
          sameEach(
            idsOf(listed).sort(),
            matching,
            `pages of ${limit} give each task that matches ${what} once`,
          );
        }
      }
      const [kept, ...gone] = idsFrom('many-');
      await store.remove({ ids: gone });
      const left = [kept, ...idsFrom('few-', 50)].sort();
      const listed = idsOf(await listAll(store, {})).sort();
      same(listed, left, 'the few that are left of thousands are listed');
      same(await store.count({}), left.length, 'the few that are left of thousands are counted');
    },
  },
];

/** How many histories the entries of one call go to, so that none of them grows beyond what every store keeps. */
const logs = 13;

function log(at: number): string {
  return `log-${at % logs}`;
}

function idsFrom(prefix: string, count = size): string[] {
  return recordsOf(count, prefix).map(({ id }) => id);
}

function bodyOf(body: string): (id: string) => NewTaskRecord {
  return (id) => record(id, { body: JSON.stringify(body) });
}

function manyEntries(taskId: string, count: number, from = 0): HistoryEntry[] {
  return Array.from({ length: count }, (_, index) =>
    historyEntry(taskId, `run-${from + index}`, start + from + index),
  );
}

function idsOfEntries(entries: readonly HistoryEntry[]): string[] {
  return entries.map(({ id }) => id);
}

/** A settlement with an entry and a child of its own, and another outcome than its neighbours have. */
function settlementAt(
  task: ClaimedTask,
  at: number,
  { body = `"settled-${at}"` }: { readonly body?: string } = {},
): Settlement {
  const outcomes: readonly Settlement['next'][] = [
    { status: 'scheduled', runAt: start + at, body },
    { status: 'finished', runAt: null, body },
    { status: 'failed', runAt: null, body },
    { status: 'scheduled', runAt: start, body, paused: true },
    null,
  ];
  return settlement(task, outcomes[at % outcomes.length] ?? null, {
    history: [historyEntry(task.id, `run-${at}`)],
    spawn: [record(`child-${at}`, { queue: 'children', body })],
  });
}

/** A store and the model, in which the same calls are made and every answer and every record is compared. */
class Twins {
  readonly store: DataStore;
  readonly model = new Model();
  readonly #bench: Bench;

  private constructor(bench: Bench, store: DataStore) {
    this.#bench = bench;
    this.store = store;
  }

  static async open(bench: Bench): Promise<Twins> {
    return new Twins(bench, await bench.open());
  }

  /** With tasks that `alice` has claimed. */
  static async claimed(bench: Bench, count = size) {
    const twins = await Twins.open(bench);
    await twins.#fill(recordsOf(count));
    const request = { queues: ['q'], limit: count, owner: 'alice', leaseMs };
    const claim = await twins.store.claim(request);
    twins.model.claim(request, claim, start);
    return { twins, tasks: claim.tasks };
  }

  /** With 2,402 tasks, half of them in the group `many`, and ids of the other half, with others among them. */
  static async inGroups(bench: Bench) {
    const twins = await Twins.open(bench);
    const queue = (at: number) => (at % 2 === 0 ? 'q' : 'other');
    await twins.#fill([
      ...idsFrom('one-').map((id, at) => record(id, { queue: queue(at) })),
      ...idsFrom('many-').map((id, at) => record(id, { queue: queue(at), group: 'many' })),
    ]);
    const ids = idsFrom('one-').map((id, at) => {
      if (!marks.has(at)) return id;
      return at % 2 === 0 ? `none-${at}` : 'one-0';
    });
    return { twins, ids };
  }

  /** Inserts tasks that are looked at later. */
  async #fill(records: readonly NewTaskRecord[]): Promise<void> {
    const answers = await this.store.insert(records);
    sameEach(answers, this.model.insert(records), 'insert answers for each record, in their order');
  }

  async insert(records: readonly NewTaskRecord[]): Promise<void> {
    await this.#fill(records);
    await this.compare('insert');
  }

  async claim(request: Parameters<DataStore['claim']>[0]): Promise<ClaimResult> {
    const answer = await this.store.claim(request);
    this.model.claim(request, answer, this.#bench.clock.now);
    await this.compare('claim');
    return answer;
  }

  async extend(leases: Parameters<DataStore['extend']>[0], ms: number): Promise<void> {
    const answers = await this.store.extend(leases, ms);
    const expected = this.model.extend(leases, ms, this.#bench.clock.now);
    sameEach(answers, expected, 'extend answers for each lease, in their order');
    await this.compare('extend');
  }

  async release(leases: Parameters<DataStore['release']>[0]): Promise<void> {
    const answers = await this.store.release(leases);
    sameEach(answers, this.model.release(leases), 'release answers for each, in their order');
    await this.compare('release');
  }

  async settle(settlements: readonly Settlement[]): Promise<void> {
    const answers = await this.store.settle(settlements);
    const expected = this.model.settle(settlements);
    sameEach(answers, expected, 'settle answers for each settlement, in their order');
    const spawned = settlements.flatMap(({ spawn }) => spawn);
    await this.compare(
      'settle',
      spawned.map(({ id }) => id),
    );
  }

  async setPaused(selector: Parameters<DataStore['remove']>[0], paused: boolean): Promise<void> {
    const changed = await this.store.setPaused(selector, paused);
    const expected = this.model.setPaused(selector, paused, this.#bench.clock.now);
    same(changed, expected, 'setPaused counts the tasks that it changed');
    await this.compare('setPaused');
  }

  async remove(selector: Parameters<DataStore['remove']>[0]): Promise<void> {
    const ids = [...this.model.tasks.keys()];
    const removed = await this.store.remove(selector);
    same(removed, this.model.remove(selector), 'remove counts the tasks that it deleted');
    await this.compare('remove', ids);
  }

  /** Compares every record that the model has, and these. */
  async compare(call: string, more: readonly string[] = []): Promise<void> {
    const ids = [...new Set([...this.model.tasks.keys(), ...more])];
    const stored = await this.store.get(ids);
    sameEach(
      stored.map(plain),
      ids.map((id, index) => this.model.expected(id, stored[index])),
      `after ${call} each record is as the contract says`,
    );
  }

  async sameHistories(taskIds: readonly string[]): Promise<void> {
    const { store, model } = this;
    await Promise.all(
      taskIds.map(async (taskId) => {
        const entries = idsOfEntries(await store.history(taskId, 2000));
        const kept = store.capabilities.history ? model.history.newest(taskId, 2000, entries) : [];
        sameEach(entries, kept, 'each settlement adds its entries, once');
      }),
    );
  }
}

/** Requires equal lists, and shows where they first differ. */
function sameEach(
  actual: readonly unknown[],
  expected: readonly unknown[],
  sentence: string,
): void {
  same(actual.length, expected.length, `${sentence}: as many as there are`);
  const at = actual.findIndex((each, index) => !isDeepStrictEqual(each, expected[index]));
  if (at >= 0) same(actual[at], expected[at], `${sentence}: number ${at + 1} of ${actual.length}`);
}
