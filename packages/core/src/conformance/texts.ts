import type { DataStore } from '../data-store.js';
import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { historyCase } from './kept-history.js';
import type { Lookup } from './lookups.js';
import { fenceOf, idLookups, memberLookups } from './lookups.js';
import type { Twins } from './odd-texts.js';
import { longIds, longTwinIds, longTwinTexts, oddTexts, show, twinTexts } from './odd-texts.js';
import { listAll } from './pages.js';
import {
  again,
  claim,
  claimOne,
  historyEntry,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
} from './records.js';

/** Texts by which tasks are found. For those that are only kept, see `text-members.ts`. */
export const textCases: readonly CaseDefinition[] = [
  {
    name: 'ids are compared byte by byte: near twins are tasks of their own in every call',
    guarantee: 'G8',
    async run({ open }) {
      await everyCallTellsApart(await open(), oddTexts);
    },
  },
  {
    name: 'ids of up to 300 bytes are kept whole and told apart by their last byte',
    guarantee: 'G8',
    async run({ open }) {
      await everyCallTellsApart(await open(), longIds);
    },
  },
  {
    name: 'an id that no task has is found by no call, however many tasks have one like it',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      for (const { text, twins } of [...twinTexts, ...longTwinTexts, ...longTwinIds]) {
        await store.insert(twins.map((twin) => record(twin)));
        const fences = (await claim(store)).map(fenceOf);
        await findsNone(store, { text, twins }, idLookups(store, text, fences));
        same(
          await store.insert([record(text)]),
          ['inserted'],
          `the id ${show(text)} exists when it has been inserted, and not before`,
        );
        await store.remove({ all: true });
      }
    },
  },
  {
    name: 'a name, queue or group that no task has is found by no call, whatever is like it',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      for (const { text, twins } of [...twinTexts, ...longTwinTexts]) {
        const named = (twin: string) => ({ name: twin, queue: twin, group: twin });
        await store.insert(twins.map((twin) => record(twin, named(twin))));
        await findsNone(store, { text, twins }, memberLookups(store, text));
        await store.remove({ all: true });
      }
    },
  },
  historyCase({
    name: 'the history of an id is that of no other, however alike they are',
    guarantee: 'G8',
    async run(runs) {
      const families = [...twinTexts, ...longTwinTexts, ...longTwinIds];
      for (const [index, { text, twins }] of families.entries()) {
        const told = `the history of a task is found by its id, byte by byte: ${show(text)}`;
        const run = `family-${index}`;
        const found = async (id: string) =>
          (await runs.read(50, id)).filter((entry) => entry.id === run).length;
        await runs.add(...twins.map((twin) => historyEntry(twin, run)));
        same(await found(text), 0, told);
        await runs.add(historyEntry(text, run));
        for (const id of [text, ...twins]) same(await found(id), 1, told);
      }
    },
  }),
  historyCase({
    name: 'entries of one history are told apart byte by byte',
    guarantee: 'G8',
    options: { historyLimit: 200 },
    async run(runs) {
      const told = 'a history tells its entries apart byte by byte';
      const ids = [...oddTexts, ...longIds];
      for (const round of ['first', 'second']) {
        for (let from = 0; from < ids.length; from += 20) {
          const some = ids.slice(from, from + 20);
          await runs.add(...some.map((id) => ({ ...historyEntry('a', id), body: `"${round}"` })));
        }
        same(await runs.ids(), ids.toReversed(), `${told}, added for the ${round} time`);
      }
    },
  }),
];

/** Makes these calls while no task has the text, and checks that they find and change none. */
async function findsNone(
  store: DataStore,
  { text, twins }: Twins,
  lookups: readonly Lookup[],
): Promise<void> {
  const before = (await store.get(twins)).map(plain);
  for (const { call, answer, nothing } of lookups) {
    same(await answer(), nothing, `${call} takes ${show(text)} for no other text`);
    const after = (await store.get(twins)).map(plain);
    same(after, before, `${call} with ${show(text)} touches no task of another text`);
  }
}

/** Takes a task through its life under each of these ids, and checks that the others stay untouched. */
async function everyCallTellsApart(store: DataStore, ids: readonly string[]): Promise<void> {
  const inserted = await store.insert(ids.map((id) => record(id, { body: JSON.stringify(id) })));
  same(
    ids.filter((_, index) => inserted[index] !== 'inserted').map(show),
    [],
    'ids are compared byte by byte, so none of these exists yet',
  );
  await isEachThere(store, ids);
  const tasks = await claim(store, { limit: ids.length });
  same(new Set(idsOf(tasks)), new Set(ids), 'claim gives every id as it was given');
  for (const task of tasks) {
    same(task.body, JSON.stringify(task.id), 'claim gives an id with its own task');
  }
  same(
    await store.extend(tasks.map(leaseOf), leaseMs),
    tasks.map((task) => task.revision),
    'extend finds every id',
  );
  const released = await store.release(tasks.map(leaseOf));
  same(new Set(released), new Set(['released']), 'release finds every id');
  const settlements = (await claim(store, { limit: ids.length })).map((task) => {
    const history = [{ ...historyEntry(task.id, task.id), body: JSON.stringify(task.id) }];
    return again(task, start, { history });
  });
  same(new Set(await store.settle(settlements)), new Set(['settled']), 'settle finds every id');
  for (const id of ids) {
    const entries = (await store.history(id, 10)).map((entry) => [entry.taskId, entry.id]);
    same(entries, store.capabilities.history ? [[id, id]] : [], `the history of ${show(id)}`);
    const edited = await store.update(id, { runAt: start + 1 }, await read(store, id));
    same(edited, 'updated', `update finds the task of ${show(id)}`);
    same(await store.setPaused({ ids: [id] }, true), 1, `setPaused finds ${show(id)} alone`);
  }
  for (const [index, id] of ids.entries()) {
    same(await store.remove({ ids: [id] }), 1, `remove finds ${show(id)} alone`);
    same(await store.count({}), ids.length - index - 1, `remove of ${show(id)} deletes one task`);
  }
  await store.insert([record('parent')]);
  for (let from = 0; from < ids.length; from += 20) {
    const some = ids.slice(from, from + 20);
    const spawn = some.map((id) => record(id, { runAt: start + 1, body: JSON.stringify(id) }));
    await store.settle([again(await claimOne(store), start, { spawn })]);
  }
  await store.remove({ ids: ['parent'] });
  await isEachThere(store, ids);
}

async function isEachThere(store: DataStore, ids: readonly string[]): Promise<void> {
  same(new Set(idsOf(await listAll(store))), new Set(ids), 'list gives every id as it was given');
  const stored = await store.get(ids);
  for (const [index, id] of ids.entries()) {
    const task = stored[index];
    same([task?.id, task?.body], [id, JSON.stringify(id)], `get finds the task of ${show(id)}`);
  }
}
