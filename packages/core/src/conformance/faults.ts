import type { DataStore } from '../data-store.js';
import { isSchedError, SchedError } from '../errors.js';
import { holds, present, same } from './check.js';
import { createScene, faultCalls, snapshot } from './fault-calls.js';
import type { CaseDefinition } from './harness.js';
import type { StoreCall } from './intercept.js';
import { interceptStore } from './intercept.js';
import { listAll } from './pages.js';
import { Random } from './random.js';
import { claim, leaseMs, read, record, recordsOf, settlement } from './records.js';

/** What becomes of a call: it never reaches the store, it is applied and loses its answer, or nothing happens to it. */
type Fate = 'failed' | 'lost' | 'answered';

/** A store that is reached over a bad line, which any store can have. */
function faultyStore(store: DataStore, fateOf: (call: StoreCall) => Fate): DataStore {
  return interceptStore(store, async (call, proceed) => {
    const fate = fateOf(call);
    if (fate !== 'failed') {
      const answer = await proceed();
      if (fate === 'answered') return answer;
    }
    throw new SchedError('SCHED_STORE_UNAVAILABLE', `${call} ${fate}, as the kit wants it`);
  });
}

/** Makes a call until it is answered. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) throw error;
    }
  }
}

/** How often each task is to run. */
const runs = 3;

/** Calls that fail, and calls that are applied and lose their answers. The caller makes them again. */
export const faultCases: readonly CaseDefinition[] = [
  ...faultCalls.map(
    ({ call, guarantee, make, again }): CaseDefinition => ({
      name: `${call} that lost its answer is applied once, and says so when it is made again`,
      guarantee,
      async run({ open, clock }) {
        const store = await open();
        const scene = await createScene(store);
        await insistOnLoss(() =>
          make(
            faultyStore(store, () => 'lost'),
            scene,
          ),
        );
        const after = await snapshot(store, scene);
        // A lease that is extended once more lasts from then.
        if (call !== 'extend') clock.advance(7);
        for (const time of ['second', 'third']) {
          same(await make(store, scene), again, `${call} answers so the ${time} time`);
          same(await snapshot(store, scene), after, `${call} is applied once, however often made`);
        }
      },
    }),
  ),
  {
    name: 'workers that lose every third answer and make their calls again record each run once',
    guarantee: 'G2',
    async run({ openMany, clock }) {
      const stores = await openMany(4);
      const store = present(stores[0], 'four handles were opened');
      await store.insert(recordsOf(40, 'task-', { body: '[]' }));
      const accepted = new Map<string, number[]>();
      for (
        let round = 0;
        (await store.count({ status: 'scheduled', paused: false })) > 0;
        round++
      ) {
        holds(round < 500, 'what is lost with the answer of a claim is claimed again');
        await Promise.all(
          stores.map((handle, index) =>
            settleSome(unreliable(handle, round * 4 + index), accepted),
          ),
        );
        // What was claimed and never heard of is claimed again when its leases are over.
        clock.advance(leaseMs);
      }
      for (const { id, body } of await listAll(store, { name: 'job' })) {
        const tokens: number[] = JSON.parse(body);
        same(new Set(tokens).size, runs, `each run of ${id} is recorded once`);
        same(tokens.length, runs, `each run of ${id} is recorded once`);
        for (const token of accepted.get(id) ?? []) {
          holds(tokens.includes(token), 'what was settled, and said so, is recorded');
        }
        if (store.capabilities.history) {
          const entries = await store.history(id, 100);
          same(
            entries.map((entry) => Number(entry.id)).sort((a, b) => a - b),
            tokens,
            'its history has an entry of each run, and only one',
          );
        }
      }
      same(await store.count({ status: 'finished' }), 40, 'no task is lost');
      same(await store.count({ paused: true }), 40 * runs, 'each run spawns its task once');
    },
  },
  {
    name: 'users that lose every third answer and look whether their edits are there lose none',
    guarantee: 'G6',
    async run({ openMany }) {
      const stores = await openMany(4);
      const store = present(stores[0], 'four handles were opened');
      await store.insert([record('a', { body: '[]' })]);
      const edits = Array.from({ length: 10 }, (_, index) => index);
      await Promise.all(
        stores.map(async (handle, user) => {
          const line = unreliable(handle, user);
          for (const edit of edits) await editUntilThere(line, `${user}-${edit}`);
        }),
      );
      const there: string[] = JSON.parse((await read(store, 'a')).body);
      const made = stores.flatMap((_, user) => edits.map((edit) => `${user}-${edit}`));
      same(there.sort(), made.sort(), 'each edit is applied once, whether its answer came or not');
    },
  },
];

/** Makes a call whose answer is lost, and holds the store to nothing but that it takes the call. */
async function insistOnLoss(call: () => Promise<unknown>): Promise<void> {
  await call().catch((error) => {
    if (!isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) throw error;
  });
}

/** A third of the calls lose their answers, and a sixth are never applied. */
function unreliable(store: DataStore, seed: number): DataStore {
  const random = new Random(seed);
  return faultyStore(store, () => random.pick(['lost', 'lost', 'failed', ...healthy]));
}

const healthy: readonly Fate[] = ['answered', 'answered', 'answered'];

/** Claims a few tasks and settles them: each notes its token in its body, in the history and in a task of its own. */
async function settleSome(store: DataStore, accepted: Map<string, number[]>): Promise<void> {
  const tasks = await insist(() => claim(store, { limit: 5 }));
  const settlements = tasks.map((task) => {
    const { id, lease } = task;
    const tokens: number[] = [...JSON.parse(task.body), lease.token];
    const body = JSON.stringify(tokens);
    const isLast = tokens.length === runs;
    return settlement(
      task,
      isLast
        ? { status: 'finished', runAt: null, body }
        : { status: 'scheduled', runAt: task.runAt, body },
      {
        history: [{ taskId: id, id: `${lease.token}`, at: lease.expiresAt - leaseMs, body: '{}' }],
        spawn: [record(`${id}/${lease.token}`, { name: 'note', paused: true })],
      },
    );
  });
  const answers = await insist(() => store.settle(settlements));
  for (const [index, { id, lease }] of tasks.entries()) {
    // Lost: not at all, or that it was applied and another has taken the task and settled it since.
    if (answers[index] === 'lost') continue;
    same(answers[index], 'settled', 'a settlement is accepted, and says so when it is made again');
    accepted.set(id, [...(accepted.get(id) ?? []), lease.token]);
  }
}

/** Edits a task until the edit is seen in it. A conflict may mean that it is there already. */
async function editUntilThere(store: DataStore, edit: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    holds(tries < 10_000, 'an edit of the current revision is applied sooner or later');
    const task = await insist(() => read(store, 'a'));
    const edits: string[] = JSON.parse(task.body);
    if (edits.includes(edit)) return;
    await insist(() => store.update('a', { body: JSON.stringify([...edits, edit]) }, task));
  }
}
