import type { ClaimedTask, DataStore } from '../data-store.js';
import { holds, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { Random } from './random.js';
import { leaseOf, record, recordsOf, settlement } from './records.js';

/** What happened to one lease, as its owner saw it. */
interface Ownership {
  readonly id: string;
  readonly token: number;
  readonly claimedAt: number;
  /** The last `expiresAt` that the store promised. */
  expiresAt: number;
  /** When the owner gave up the task by settling or releasing it. */
  endedAt: number | null;
  /** When another call about this lease was last accepted. */
  acceptedAt: number;
}

interface Held {
  task: ClaimedTask;
  readonly ownership: Ownership;
}

const taskCount = 12;
const runsPerTask = 6;

/** Random workers on many handles. Their leases, settlements and edits are checked afterwards. */
export const interleavingCases: readonly CaseDefinition[] = [1, 2, 3].map((seed) => ({
  name: `workers that race at random own each task one after another (seed ${seed})`,
  guarantee: 'G2',
  run: (bench) => raceAtRandom(bench, seed),
}));

async function raceAtRandom({ openMany, clock }: Bench, seed: number): Promise<void> {
  const stores = await openMany(5);
  // Each has its own source of choices, because the store decides in which order they are served.
  const random = new Random(seed);
  const editor = new Random(seed * 100);
  const [store] = stores;
  if (!store) throw new Error('five handles were opened');
  await store.insert(recordsOf(taskCount, 'task-', { body: '[]' }));
  const workers = stores.map(
    (handle, index) => new Worker(handle, `owner-${index}`, new Random(seed * 1000 + index)),
  );
  const isDone = async () => (await store.count({ status: 'finished' })) === taskCount;
  for (let round = 0; !(await isDone()); round++) {
    holds(round < 500, `every task is claimed and settled in the end (seed ${seed})`);
    await Promise.all([
      ...workers.map((worker) => worker.step(clock.now)),
      edit(stores[round % stores.length] ?? store, editor),
    ]);
    clock.advance(random.pick([0, 0, 1, 20, 49, 50, 51]));
  }
  const owned = workers.flatMap((worker) => worker.owned);
  for (const { id } of recordsOf(taskCount)) {
    judge(owned.filter((each) => each.id === id).sort((a, b) => a.token - b.token));
  }
  const tasks = await store.get(recordsOf(taskCount).map(({ id }) => id));
  for (const task of tasks) {
    const recorded: unknown = JSON.parse(task?.body ?? 'null');
    const settled = workers.flatMap((worker) => worker.settled).filter(([id]) => id === task?.id);
    const tokens = settled.map(([, token]) => token).sort((a, b) => a - b);
    same(recorded, tokens, 'every settlement that was accepted is recorded, once and in order');
    same(tokens.length, runsPerTask, 'and no other');
  }
}

/** Pauses, resumes and renames tasks while they are claimed and settled. */
async function edit(store: DataStore, random: Random): Promise<void> {
  const id = `task-${random.below(taskCount)}`;
  if (random.chance(30)) await store.setPaused({ ids: [id] }, random.chance(40));
  if (random.chance(30)) await store.insert([record(id, { body: '"overwritten"' })]);
  if (random.chance(30)) {
    const [task] = await store.get([id]);
    if (task) await store.update(id, { name: `name-${random.below(10)}` }, task);
  }
  if (random.chance(50)) await store.setPaused({ all: true }, false);
}

/** Claims tasks and makes random calls about them, even long after the lease was lost. */
class Worker {
  readonly owned: Ownership[] = [];
  readonly settled: [id: string, token: number][] = [];
  readonly #store: DataStore;
  readonly #owner: string;
  readonly #random: Random;
  readonly #held: Held[] = [];

  constructor(store: DataStore, owner: string, random: Random) {
    this.#store = store;
    this.#owner = owner;
    this.#random = random;
  }

  async step(now: number): Promise<void> {
    const random = this.#random;
    if (random.chance(60)) await this.#claim();
    for (const held of [...this.#held]) {
      const { task, ownership } = held;
      if (random.chance(30)) {
        const [answer] = await this.#store.extend([leaseOf(task)], 50);
        if (answer !== 'lost') {
          Object.assign(ownership, { expiresAt: now + 50, acceptedAt: now });
        }
      } else if (random.chance(20)) {
        const [answer] = await this.#store.release([leaseOf(task)]);
        if (answer === 'released') Object.assign(ownership, { endedAt: now, acceptedAt: now });
        this.#held.splice(this.#held.indexOf(held), 1);
      } else if (random.chance(50)) {
        await this.#settle(held, now);
      }
    }
  }

  async #claim(): Promise<void> {
    const request = { owner: this.#owner, limit: 1 + this.#random.below(4), leaseMs: 50 };
    const { tasks, now } = await this.#store.claim({ queues: ['q'], ...request });
    for (const task of tasks) {
      const { id } = task;
      const { token, expiresAt } = task.lease;
      const ownership = { id, token, claimedAt: now, expiresAt, endedAt: null, acceptedAt: now };
      this.owned.push(ownership);
      this.#held.push({ task, ownership });
    }
  }

  async #settle(held: Held, now: number): Promise<void> {
    const { task, ownership } = held;
    const tokens = [...JSON.parse(task.body), task.lease.token];
    const body = JSON.stringify(tokens);
    const next =
      tokens.length < runsPerTask
        ? { status: 'scheduled' as const, runAt: now, body }
        : { status: 'finished' as const, runAt: null, body };
    const [answer] = await this.#store.settle([settlement(task, next)]);
    if (answer === 'conflict') {
      const [edited] = await this.#store.get([task.id]);
      if (edited) held.task = { ...task, revision: edited.revision };
      return;
    }
    if (answer === 'settled') {
      this.settled.push([task.id, task.lease.token]);
      Object.assign(ownership, { endedAt: now, acceptedAt: now });
    }
    this.#held.splice(this.#held.indexOf(held), 1);
  }
}

/** Checks the leases that one task had, by token. */
function judge(owned: readonly Ownership[]): void {
  for (const [index, next] of owned.entries()) {
    const last = owned[index - 1];
    if (!last) continue;
    const who = `token ${last.token} and then ${next.token} of ${next.id}`;
    holds(last.token < next.token, `every claim has a greater token: ${who}`);
    holds(last.claimedAt <= next.claimedAt, `a later claim has a greater token: ${who}`);
    const isOver = last.endedAt !== null || last.expiresAt <= next.claimedAt;
    holds(isOver, `at any moment there is at most one live lease: ${who}`);
    holds(
      last.acceptedAt <= next.claimedAt,
      `nothing of a stale owner is accepted once the task is another's: ${who}`,
    );
  }
}
