import type { DataStore, TaskFilter, TaskRecord } from '../data-store.js';
import { same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { pages } from './pages.js';
import { again, claim, leaseOf, read, record } from './records.js';

/** Filters, each with a change of everything that it does not ask for. */
const listings: Readonly<
  Record<string, readonly [TaskFilter, Parameters<DataStore['update']>[1]]>
> = {
  'of all': [{}, { queue: 'r', name: 'mail', group: 'h' }],
  'of a queue': [{ queue: 'q' }, { name: 'mail', group: 'h' }],
  'of a name': [{ name: 'job' }, { queue: 'r', group: 'h' }],
  'of a group': [{ group: 'g' }, { queue: 'r', name: 'mail' }],
  'of what is scheduled': [{ status: 'scheduled' }, { queue: 'r', name: 'mail', group: 'h' }],
};

/** A listing while something happens between its pages. */
export const listingCases: readonly CaseDefinition[] = [
  ...Object.entries(listings).map(
    ([what, [filter, change]]): CaseDefinition => ({
      name: `a listing ${what} gives each task once, though all else about it changes meanwhile`,
      guarantee: 'G1',
      async run(bench) {
        await listsEachOnce(bench, filter, async (store, ids, round) => {
          for (const id of ids) {
            const runAt = start + ((round * 31 + id.charCodeAt(5) * 17) % 90) - 45;
            const task = await read(store, id);
            const given = round % 2 === 0 ? change : { name: 'job', queue: 'q', group: 'g' };
            await store.update(id, { ...given, runAt, body: `${round}` }, task);
          }
        });
      },
    }),
  ),
  {
    name: 'a listing gives each task once, though all are paused and resumed meanwhile',
    guarantee: 'G1',
    async run(bench) {
      await listsEachOnce(bench, { queue: 'q' }, async (store, ids, round) => {
        const some = ids.filter((_, index) => index % 3 === round % 3);
        await store.setPaused({ ids: some }, true);
        await store.setPaused({ ids: ids.filter((id) => !some.includes(id)) }, false);
      });
    },
  },
  {
    name: 'a listing gives each task once, though all are claimed, given back and settled meanwhile',
    guarantee: 'G1',
    async run(bench) {
      await listsEachOnce(bench, { status: 'scheduled' }, async (store, _, round) => {
        const tasks = await claim(store, { limit: 9, leaseMs: 1 + round });
        const back = tasks
          .slice(0, 3)
          .map((task) => ({ ...leaseOf(task), deferUntil: start + round }));
        await store.release(back);
        await store.extend(tasks.slice(3, 6).map(leaseOf), 1000 * round);
        await store.settle(tasks.slice(6).map((task) => again(task, start - round)));
        bench.clock.advance(1);
      });
    },
  },
  {
    name: 'a listing of running tasks gives each once, though their leases are extended meanwhile',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(names(20).map((id) => record(id)));
      const tasks = await claim(store, { leaseMs: 100_000 });
      const seen: string[] = [];
      for await (const page of pages(store, { leased: true }, 3)) {
        seen.push(...page.map(({ id }) => id));
        if (seen.length > 2 * tasks.length) break;
        clock.advance(1);
        await store.extend(tasks.toReversed().map(leaseOf), 100_000 - seen.length * 1000);
      }
      same(seen.sort(), names(20), 'a task that matches throughout is given exactly once');
    },
  },
  {
    name: 'a listing goes on where it was through another handle, and any number of times',
    guarantee: 'G1',
    async run({ openMany }) {
      const [first, second] = await openMany(2);
      if (!first || !second) throw new Error('two handles were opened');
      await first.insert(names(10).map((id) => record(id)));
      const all = idsIn((await first.list({ limit: 1000 })).tasks);
      const page = await first.list({ limit: 4 });
      if (page.next === null) throw new Error('ten tasks do not fit a page of four');
      const after = page.next;
      const rest = all.filter((id) => !idsIn(page.tasks).includes(id));
      for (const store of [second, first, second]) {
        const found = idsIn((await store.list({ limit: 1000, after })).tasks);
        same(found, rest, '`next` says where to continue, whoever continues and however often');
      }
    },
  },
];

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `task-${String.fromCharCode(97 + index)}`);
}

function idsIn(tasks: readonly TaskRecord[]): string[] {
  return tasks.map(({ id }) => id);
}

/** Lists with changes between the pages, none of which touches what the filter asks for. */
async function listsEachOnce(
  { open }: Bench,
  filter: TaskFilter,
  disturb: (store: DataStore, ids: readonly string[], round: number) => Promise<unknown>,
): Promise<void> {
  const store = await open();
  const ids = names(20);
  await store.insert(
    ids.map((id, index) => record(id, { group: 'g', runAt: start - (index % 7) })),
  );
  const seen: string[] = [];
  let round = 0;
  for await (const page of pages(store, filter, 3)) {
    seen.push(...idsIn(page));
    if (seen.length > 2 * ids.length) break;
    await disturb(store, ids, round++);
  }
  same(seen.sort(), ids, 'a task that exists and matches throughout is given exactly once');
}
