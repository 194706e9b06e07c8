import type { ClaimedTask, DataStore } from '../data-store.js';
import type { SchedErrorCode } from '../errors.js';
import { isSchedError } from '../errors.js';
import { holds, plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { again, claim, claimOne, historyEntry, idsOf, leaseOf, read, record } from './records.js';

/** Texts that not every database can hold, and the texts that careless ones take them for. */
const unstorable: readonly { readonly text: string; readonly twins: readonly string[] }[] = [
  { text: 'a\ud800b', twins: ['a\ufffdb', 'a?b', 'ab', 'a'] },
  { text: 'a\udfff', twins: ['a\ufffd', 'a?', 'a'] },
  { text: 'a\0b', twins: ['a', 'ab', 'a b', 'a\ufffdb', 'a\\0b'] },
];

/** What a store may refuse, or else must treat like everything else. */
export const refusalCases: readonly CaseDefinition[] = [
  {
    name: 'a body that is too large for the store is refused, whichever call carries it, or kept',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const body = JSON.stringify('x'.repeat(17 * 1024 * 1024));
      const small = record('small', { queue: 'other' });
      const large = record('large', { queue: 'other', body });
      const next = { status: 'scheduled', runAt: start, body } as const;
      const carriers: Record<string, (task: ClaimedTask) => Promise<unknown>> = {
        insert: () => store.insert([small, large]),
        update: (task) => store.update(task.id, { body }, task),
        'settle, as what is next,': (task) => store.settle([again(task, start, { next })]),
        'settle, to spawn it,': (task) =>
          store.settle([again(task, start, { spawn: [small, large] })]),
        'settle, for the history,': (task) => {
          const small = historyEntry(task.id, 'run-1');
          const history = [small, { ...small, id: 'run-2', body }];
          return store.settle([again(task, start, { history })]);
        },
      };
      for (const [call, carry] of Object.entries(carriers)) {
        await store.insert([record(call)]);
        const task = await claimOne(store);
        const isRefused = await refuses('SCHED_PAYLOAD_TOO_LARGE', () => carry(task));
        const tasks = await listAll(store);
        const entries = await store.history(call, 9);
        if (isRefused) {
          const sentence = `${call} stores nothing when it refuses a body`;
          same([tasks.map(plain), entries], [[plain(task)], []], sentence);
        } else if (store.capabilities.history || !call.includes('history')) {
          const found = [...tasks, ...entries].some((each) => each.body === body);
          holds(found, `${call} refuses a body with SCHED_PAYLOAD_TOO_LARGE or keeps it`);
        }
        await store.remove({ all: true });
      }
    },
  },
  {
    name: 'a text that the store cannot hold is refused or found nowhere, and never taken for another',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      for (const { text, twins } of unstorable) {
        await neverTakenForAnother(store, text, twins);
        await store.remove({ all: true });
      }
    },
  },
];

/** Whether a call refuses its input. It may fail for no other reason. */
async function refuses(code: SchedErrorCode, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return false;
  } catch (error) {
    holds(isSchedError(error, code), `what is refused is refused with ${code}, not ${error}`);
    return true;
  }
}

async function neverTakenForAnother(
  store: DataStore,
  text: string,
  twins: readonly string[],
): Promise<void> {
  const named = (id: string) => record(id, { name: id, queue: id, group: id });
  await store.insert(twins.map(named));
  const tasks = await claim(store, { queues: twins.slice(1) });
  const [task] = tasks;
  if (!task) throw new Error('twins were claimed');
  const before = (await store.get(twins)).map(plain);
  const of = `a text that cannot be held is that of no task, or refused: ${JSON.stringify(text)} by`;
  /** Looks for the text while no task has it. */
  const look = async (call: string, answer: () => Promise<unknown>, expected: unknown) => {
    let answered: unknown;
    const isRefused = await refuses('SCHED_ARGUMENT_INVALID', async () => {
      answered = await answer();
    });
    if (!isRefused) same(answered, expected, `${of} ${call}`);
  };
  const ref = { ...leaseOf(task), id: text };
  await look('get', () => store.get([text]), [undefined]);
  await look('update', () => store.update(text, { runAt: 1 }, task), 'missing');
  await look('list', async () => idsOf((await store.list({ name: text, limit: 9 })).tasks), []);
  await look('count', () => store.count({ group: text }), 0);
  await look('setPaused', () => store.setPaused({ ids: [text] }, true), 0);
  await look('setPaused of a group', () => store.setPaused({ group: text }, true), 0);
  await look('remove', () => store.remove({ ids: [text] }), 0);
  await look('remove of a group', () => store.remove({ group: text }), 0);
  await look('claim', async () => idsOf(await claim(store, { queues: [text] })), []);
  await look('extend', () => store.extend([ref], 1), ['lost']);
  await look('settle', () => store.settle([{ ...again(task, start), id: text }]), ['lost']);
  await look('release', () => store.release([ref]), ['lost']);
  await look('history', () => store.history(text, 9), []);

  for (const members of [{ id: text }, { name: text }, { queue: text }, { group: text }]) {
    const given = { ...named('new'), ...members };
    const insert = () => store.insert([record('beside'), given]);
    if (await refuses('SCHED_ARGUMENT_INVALID', insert)) {
      same(await store.count({}), twins.length, 'insert stores nothing when it refuses a text');
      continue;
    }
    const { name, queue, group } = await read(store, given.id);
    const { id } = given;
    same({ ...given, name, queue, group }, given, 'a text that insert takes is kept');
    same(await store.remove({ ids: ['beside', id] }), 2, 'remove finds the task of such a text');
  }
  same((await store.get(twins)).map(plain), before, 'what is alike in no call changes by it');
}
