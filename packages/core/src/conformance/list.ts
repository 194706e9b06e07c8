import type { DataStore, TaskFilter, TaskRecord } from '../data-store.js';
import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll, pages } from './pages.js';
import {
  again,
  claim,
  claimOne,
  finish,
  idsOf,
  leaseOf,
  read,
  record,
  recordsOf,
} from './records.js';

/** `list` and `count`. */
export const listCases: readonly CaseDefinition[] = [
  {
    name: 'pages of any size give every task exactly once, as it is stored',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      const ids = [...Array(23).keys()].map((index) => `task-${(index * 7) % 23}`);
      await store.insert(ids.map((id, index) => record(id, { runAt: start + (index % 5) })));
      await claim(store, { limit: 3 });
      const stored = new Map((await store.get(ids)).map((task) => [task?.id, plain(task)]));
      for (const limit of [1, 2, 5, 22, 23, 24, 1000]) {
        const tasks = await listAll(store, {}, limit);
        same(
          idsOf(tasks).sort(),
          [...ids].sort(),
          `pages of ${limit} give every task exactly once`,
        );
        for (const task of tasks) same(plain(task), stored.get(task.id), 'a listed task is whole');
      }
    },
  },
  {
    name: 'a listing of nothing is one empty page',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      same(await listAll(store, {}, 10), [], 'an empty store lists nothing');
      same(await store.count({}), 0, 'an empty store counts nothing');
      await store.insert([record('a')]);
      same(await listAll(store, { name: 'none' }, 10), [], 'a filter that nothing matches');
      same(await store.count({ name: 'none' }), 0, 'a filter that nothing matches');
    },
  },
  {
    name: 'list and count give the tasks that match every member of the filter',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      const records = [
        record('a', { group: 'g' }),
        record('b', { group: 'g', name: 'mail' }),
        record('c', { group: 'g', queue: 'slow', paused: true }),
        record('d', { group: 'h', status: 'finished', runAt: null }),
        record('e', { status: 'failed', runAt: null, name: 'mail' }),
        record('f', { queue: 'slow' }),
        record('g', { paused: true, status: 'finished', runAt: null }),
      ];
      await store.insert(records);
      const expectations: [TaskFilter, string][] = [
        [{}, 'abcdefg'],
        [{ group: 'g' }, 'abc'],
        [{ group: 'h' }, 'd'],
        [{ group: null }, 'efg'],
        [{ name: 'mail' }, 'be'],
        [{ queue: 'slow' }, 'cf'],
        [{ status: 'scheduled' }, 'abcf'],
        [{ status: 'finished' }, 'dg'],
        [{ status: 'failed' }, 'e'],
        [{ paused: true }, 'cg'],
        [{ paused: false }, 'abdef'],
        [{ group: 'g', name: 'mail' }, 'b'],
        [{ group: null, queue: 'slow', paused: false }, 'f'],
        [{ group: 'g', name: 'job', queue: 'q', status: 'scheduled', paused: false }, 'a'],
        [{ group: 'g', status: 'failed' }, ''],
        [{ group: 'G' }, ''],
      ];
      for (const [filter, ids] of expectations) {
        const what = `the filter ${JSON.stringify(filter)}`;
        for (const limit of [1, 100]) {
          const found = idsOf(await listAll(store, filter, limit));
          same(found.sort().join(''), ids, `list gives the tasks that match ${what}`);
        }
        same(await store.count(filter), ids.length, `count counts the tasks that match ${what}`);
      }
    },
  },
  {
    name: 'leased means the tasks whose lease is live, to the millisecond, and all others without it',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(['a', 'b', 'c', 'd', 'e'].map((id) => record(id, { group: 'g' })));
      const [long, ended, paused, released, settled] = await claim(store, { leaseMs: 100 });
      if (!long || !ended || !paused || !released || !settled) {
        throw new Error('five tasks were claimed');
      }
      await store.insert([record('f'), record('g', { runAt: start + 1_000_000 })]);
      await claimOne(store, { leaseMs: 50 });
      await store.extend([leaseOf(long)], 200);
      await store.update(ended.id, { status: 'finished', runAt: null }, ended);
      await store.setPaused({ ids: [paused.id] }, true);
      await store.release([{ ...leaseOf(released), deferUntil: start + 1_000_000 }]);
      await store.settle([again(settled, start + 1_000_000)]);
      const held = [long.id, ended.id, paused.id];
      const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
      const moments: [number, string[]][] = [
        [0, [...held, 'f']],
        [49, [...held, 'f']],
        [50, held],
        [99, held],
        [100, [long.id]],
        [199, [long.id]],
        [200, []],
      ];
      for (const [ms, leased] of moments) {
        clock.now = start + ms;
        const free = all.filter((id) => !leased.includes(id));
        const isInGroup = (id: string) => id < 'f';
        const expectations: [TaskFilter, string[]][] = [
          [{ leased: true }, leased],
          [{ leased: false }, free],
          [{ leased: true, group: 'g' }, leased.filter(isInGroup)],
          [{ leased: false, group: 'g' }, free.filter(isInGroup)],
          [{ leased: true, group: null }, leased.filter((id) => !isInGroup(id))],
          [{ leased: true, paused: true }, leased.filter((id) => id === paused.id)],
          [{ leased: false, paused: true }, free.filter((id) => id === paused.id)],
          [{ leased: true, status: 'finished' }, leased.filter((id) => id === ended.id)],
          [{ leased: false, queue: 'q', name: 'job' }, free],
          [{ leased: true, name: 'none' }, []],
        ];
        for (const [filter, ids] of expectations) {
          const what = `${JSON.stringify(filter)}, ${ms} ms after the claim`;
          for (const limit of [1, 2, 100]) {
            const found = idsOf(await listAll(store, filter, limit));
            same(found.sort(), [...ids].sort(), `list gives the tasks that match ${what}`);
          }
          same(await store.count(filter), ids.length, `count counts the tasks that match ${what}`);
        }
      }
      await store.extend([leaseOf(long)], 10);
      same(idsOf(await listAll(store, { leased: true })), [long.id], 'a revived lease is live');
    },
  },
  {
    name: 'a filter looks at what a task has become, not at what it was created as',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a', { group: 'g' })]);
      const { revision } = await read(store, 'a');
      const change = { group: 'h', queue: 'other', name: 'mail' };
      await store.update('a', change, { revision });
      await store.setPaused({ ids: ['a'] }, true);
      for (const filter of [{ group: 'g' }, { queue: 'q' }, { name: 'job' }, { paused: false }]) {
        same(await listAll(store, filter, 10), [], 'a task no longer matches what it was');
        same(await store.count(filter), 0, 'a task no longer matches what it was');
      }
      same(idsOf(await listAll(store, { ...change, paused: true }, 10)), ['a'], 'but what it is');
    },
  },
  {
    name: 'a listing gives a task exactly once, whatever is inserted, removed and edited meanwhile',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      const staying = recordsOf(30, 'stays-', { group: 'g' });
      const leaving = recordsOf(30, 'leaves-', { group: 'g' });
      await store.insert(staying.flatMap((task, index) => [task, leaving[index] ?? task]));
      for (const filter of [{}, { group: 'g' }, { name: 'job' }]) {
        const seen: string[] = [];
        let round = 0;
        for await (const page of pages(store, filter, 4)) {
          seen.push(...page.map(({ id }) => id));
          if (new Set(seen).size < seen.length) break;
          await disturb(store, page, round++);
        }
        const stayed = seen.filter((id) => id.startsWith('stays-'));
        same(
          stayed.sort(),
          staying.map(({ id }) => id).sort(),
          'a task that exists and matches throughout is given exactly once',
        );
        same(new Set(seen).size, seen.length, 'no task is given twice');
      }
    },
  },
  {
    name: 'a listing goes on after the last task of a page was removed, or no longer matches',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      for (const end of ['remove', 'edit'] as const) {
        await store.insert(recordsOf(9, 'task-', { group: 'g' }));
        const seen: string[] = [];
        for await (const page of pages(store, { group: 'g' }, 2)) {
          const ids = page.map(({ id }) => id);
          seen.push(...ids);
          if (end === 'remove') await store.remove({ ids });
          else for (const task of page) await store.update(task.id, { group: 'h' }, task);
        }
        same(seen.length, 9, `every task is given though each page was gone (${end}) by the next`);
        same(new Set(seen).size, 9, 'and each of them once');
        await store.remove({ all: true });
      }
    },
  },
];

/** Makes changes between two pages: everything that may move a record within an index. */
async function disturb(store: DataStore, page: readonly TaskRecord[], round: number) {
  await store.insert([
    record(`aaa-${round}`, { group: 'g' }),
    record(`zzz-${round}`, { group: 'g' }),
    record(`stays-${round}-`.replace('stays', 'more'), { group: 'g', runAt: start - 5 }),
  ]);
  await store.remove({ ids: [`leaves-${round}`, `leaves-${29 - round}`] });
  const edited = [...page, ...(await store.get([`stays-${round}`, `stays-${29 - round}`]))];
  for (const task of edited) {
    if (!task?.id.startsWith('stays-')) continue;
    const fresh = await read(store, task.id);
    const queue = fresh.queue === 'q' ? 'other' : 'q';
    await store.update(task.id, { runAt: start - round, queue, body: `${round}` }, fresh);
  }
  await store.setPaused({ ids: [`stays-${round}`] }, round % 2 === 0);
  const [claimed] = await claim(store, { queues: ['other'], limit: 1 });
  if (claimed) {
    const next = { status: 'scheduled', runAt: start + round, body: '{}' } as const;
    await store.settle([finish(claimed, { next })]);
  }
}
