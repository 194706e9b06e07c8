import type { ClaimedTask, DataStore, Settlement } from '../data-store.js';
import { holds, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { again, claim, historyEntry, read, record, recordsOf } from './records.js';
import { contents, refuses } from './refusing.js';

/** A way for a body into the store, beside items of the same call that any store takes. */
interface Carrier {
  readonly call: string;
  /** Returns the call, which is made when the contents of the store have been noted. */
  readonly prepare: (store: DataStore) => Promise<(body: string) => Promise<unknown>>;
}

const carriers: readonly Carrier[] = [
  {
    call: 'insert',
    prepare: async (store) => (body) =>
      store.insert([record('before'), record('large', { body }), record('after')]),
  },
  {
    call: 'update',
    async prepare(store) {
      const task = await read(store, 'task-0');
      return (body) => store.update('task-0', { name: 'edited', queue: 'other', body }, task);
    },
  },
  settles('settle as what is next', (task, body) => {
    const next = { status: 'scheduled', runAt: start, body } as const;
    return again(task, start, { next, spawn: [record('beside')] });
  }),
  settles('settle as that of a spawned task', (task, body) =>
    again(task, start, { spawn: [record('before'), record('large', { body }), record('after')] }),
  ),
  settles('settle as that of a history entry', (task, body) => {
    const entry = (id: string) => historyEntry('parent', id);
    const large = { ...entry('large'), body };
    return again(task, start, { history: [entry('before'), large, entry('after')] });
  }),
];

/** A call that settles three tasks, of which the second brings the body. */
function settles(call: string, withBody: (task: ClaimedTask, body: string) => Settlement): Carrier {
  return {
    call,
    async prepare(store) {
      const tasks = await claim(store, { queues: ['work'] });
      const small = (task: ClaimedTask) =>
        again(task, start, {
          history: [historyEntry('parent', `of ${task.id}`)],
          spawn: [record(`spawned by ${task.id}`)],
        });
      return (body) =>
        store.settle(tasks.map((task, at) => (at === 1 ? withBody(task, body) : small(task))));
    },
  };
}

let large: string | undefined;

/** A body larger than any database takes in one piece. Made once, because that takes longer than the cases. */
function tooLarge(): string {
  large ??= `"${'x'.repeat(17 * 1024 * 1024)}"`;
  return large;
}

/** Bodies that a store may refuse, or else must keep like all others. */
export const refusalCases: readonly CaseDefinition[] = carriers.map(({ call, prepare }) => ({
  name: `a body too large for the store is kept, or refused before anything is stored, by ${call}`,
  guarantee: 'G8',
  async run({ open }) {
    const store = await open();
    await store.insert(recordsOf(3, 'task-', { queue: 'work' }));
    const carry = await prepare(store);
    const before = await contents(store, ['parent']);
    const body = tooLarge();
    if (await refuses('SCHED_PAYLOAD_TOO_LARGE', () => carry(body))) {
      const sentence = `${call} stores nothing when it refuses a body, and changes nothing`;
      same(await contents(store, ['parent']), before, sentence);
      return;
    }
    const entries = await store.history('parent', 9);
    if (call.includes('history') && !store.capabilities.history) return;
    holds(
      [...(await listAll(store)), ...entries].some((each) => each.body === body),
      `${call} refuses a body with SCHED_PAYLOAD_TOO_LARGE or keeps it`,
    );
  },
}));
