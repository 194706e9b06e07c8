import type { ClaimedTask, DataStore } from '../data-store.js';
import { plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { fenceOf, idLookups, memberLookups } from './lookups.js';
import type { Twins } from './odd-texts.js';
import { show } from './odd-texts.js';
import { again, claim, claimOne, historyEntry, idsOf, read, record } from './records.js';
import { contents, refuses } from './refusing.js';

/** Texts that not every database can hold, and the texts that careless ones take them for. */
const unstorable: readonly Twins[] = [
  { text: 'a\ud800b', twins: ['a\ufffdb', 'a?b', 'ab', 'a'] },
  { text: 'a\udfff', twins: ['a\ufffd', 'a?', 'a'] },
  { text: 'a\0b', twins: ['a', 'ab', 'a b', 'a\ufffdb', 'a\\0b'] },
];

/** A call that gives a text to a claimed task, or to something beside it, among items that any store takes. */
interface Bringer {
  readonly call: string;
  readonly bring: (store: DataStore, task: ClaimedTask, text: string) => Promise<unknown>;
  /** What the store has of the text afterwards, if it took it. */
  readonly kept: (store: DataStore, text: string) => Promise<unknown>;
}

const members = ['name', 'queue', 'group'] as const;

const bringers: readonly Bringer[] = [
  {
    call: 'insert of an id',
    bring: (store, _, text) => store.insert([record('before'), record(text), record('after')]),
    kept: async (store, text) => idsOf(await store.get([text]))[0],
  },
  ...[...members, 'body' as const].flatMap((member): Bringer[] => [
    {
      call: `insert of a ${member}`,
      bring: (store, _, text) =>
        store.insert([record('before'), record('new', { [member]: text }), record('after')]),
      kept: async (store) => (await read(store, 'new'))[member],
    },
    {
      call: `update of a ${member}`,
      bring: async (store, { id }, text) =>
        store.update(id, { runAt: start + 7, [member]: text }, await read(store, id)),
      kept: async (store) => (await read(store, 'task'))[member],
    },
    {
      call: `settle, to spawn a task with a ${member},`,
      bring: (store, task, text) => {
        const spawn = [record('before'), record('new', { [member]: text }), record('after')];
        return store.settle([again(task, start, { spawn })]);
      },
      kept: async (store) => (await read(store, 'new'))[member],
    },
  ]),
  {
    call: 'settle, to spawn a task with an id,',
    bring: (store, task, text) =>
      store.settle([again(task, start, { spawn: [record('before'), record(text)] })]),
    kept: async (store, text) => idsOf(await store.get([text]))[0],
  },
  {
    call: 'settle, with a body for what is next,',
    bring: (store, task, body) =>
      store.settle([
        again(task, start, {
          next: { status: 'scheduled', runAt: start, body },
          history: [historyEntry('parent', 'run-1')],
          spawn: [record('beside')],
        }),
      ]),
    kept: async (store) => (await read(store, 'task')).body,
  },
  ...(['id', 'body'] as const).map(
    (member): Bringer => ({
      call: `settle, with a history entry’s ${member},`,
      bring: (store, task, text) => {
        const entry = historyEntry('parent', 'run-1');
        const odd = { ...historyEntry('parent', 'run-2', start + 1), [member]: text };
        return store.settle([again(task, start, { history: [entry, odd] })]);
      },
      kept: async (store, text) =>
        store.capabilities.history ? (await store.history('parent', 1))[0]?.[member] : text,
    }),
  ),
  {
    call: 'settle, with a history entry of a task,',
    bring: (store, task, text) => {
      const history = [historyEntry('parent', 'run-1'), historyEntry(text, 'run-2')];
      return store.settle([again(task, start, { history })]);
    },
    kept: async (store, text) =>
      store.capabilities.history ? (await store.history(text, 1))[0]?.taskId : text,
  },
  {
    call: 'claim for an owner',
    bring: (store, _, owner) => claim(store, { queues: ['waiting'], owner }),
    kept: async (store) => (await read(store, 'waiting')).lease?.owner,
  },
];

/** Texts that a store may refuse, or else must treat like all others. */
export const unstorableCases: readonly CaseDefinition[] = [
  {
    name: 'a text that the store cannot hold is found nowhere, and never taken for another',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      for (const { text, twins } of unstorable) {
        const like = (twin: string) => record(twin, { name: twin, queue: twin, group: twin });
        await store.insert(twins.map(like));
        const fences = (await claim(store, { queues: twins.slice(1) })).map(fenceOf);
        const before = (await store.get(twins)).map(plain);
        const lookups = [...idLookups(store, text, fences), ...memberLookups(store, text)];
        for (const { call, answer, nothing } of lookups) {
          let answered = nothing;
          await refuses('SCHED_ARGUMENT_INVALID', async () => {
            answered = await answer();
          });
          const of = `a text that cannot be held is that of no task, or refused: ${show(text)}`;
          same(answered, nothing, `${of} by ${call}`);
        }
        same((await store.get(twins)).map(plain), before, 'what is alike in no call changes by it');
        await store.remove({ all: true });
      }
    },
  },
  ...bringers.map(
    ({ call, bring, kept }): CaseDefinition => ({
      name: `a text that the store cannot hold is refused before anything is stored, or kept: ${call.replaceAll(/[,’]/g, '')}`,
      guarantee: 'G8',
      async run(bench) {
        for (const { text, twins } of unstorable) {
          const store = await (await bench.elsewhere()).open();
          const like = (twin: string) => record(twin, { name: twin, queue: twin, group: twin });
          await store.insert([...twins.map(like), record('waiting', { queue: 'waiting' })]);
          await store.insert([record('task')]);
          const task = await claimOne(store);
          const before = await contents(store, ['parent', ...twins]);
          if (await refuses('SCHED_ARGUMENT_INVALID', () => bring(store, task, text))) {
            const sentence = `${call} stores nothing when it refuses a text: ${show(text)}`;
            same(await contents(store, ['parent', ...twins]), before, sentence);
          } else {
            same(
              await kept(store, text),
              text,
              `${call} keeps a text that it takes, or refuses it`,
            );
          }
          await store.remove({ all: true });
        }
      },
    }),
  ),
];
