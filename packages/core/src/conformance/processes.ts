import type { ClaimedTask, DataStore, WakeUp } from '../data-store.js';
import { holds, plain, present, same } from './check.js';
import { ChildProcess } from './child-process.js';
import type { Bench, CaseDefinition } from './harness.js';
import { until } from './harness.js';
import { listAll } from './pages.js';
import { finish, leaseOf, record, recordsOf, untouched } from './records.js';
import type { ConformancePlace } from './types.js';

/** A store, and other processes that work on the same place. */
interface Company {
  readonly store: DataStore;
  readonly place: ConformancePlace;
  /** How many seconds processes may take for what they do together: that of the bench. */
  readonly patience: number;
  /** Starts processes, whose clocks differ so much from the machine's. Those still running end with the case. */
  start(count: number, clockOffsetMs?: number): ChildProcess[];
}

const runs = 3;

/** Several processes on one place, in real time. Without the capability there is nothing to test. */
export const processCases: readonly CaseDefinition[] = [
  processCase({
    name: 'processes that work at once settle every run of every task exactly once',
    guarantee: 'G2',
    async run({ store, start, patience }) {
      await store.insert(recordsOf(60, 'task-', { body: '[]', runAt: 0 }));
      const accepted = await Promise.all(
        start(4).map((child, index) => child.work(`owner-${index}`, 60_000, runs, patience)),
      );
      const settled = accepted.flat();
      for (const [id, tokens] of await recordedTokens(store)) {
        const own = settled.filter((lease) => lease.id === id).map(({ token }) => token);
        same(
          tokens,
          own.sort((a, b) => a - b),
          'every settlement that was accepted is recorded once, in the order of growing tokens',
        );
      }
    },
  }),
  processCase({
    name: 'what a process held when it was killed is claimed again when its leases run out',
    guarantee: 'G1',
    async run({ store, start, patience }) {
      await store.insert(recordsOf(20, 'task-', { runAt: 0 }));
      const [child] = start(1);
      const request = { queues: ['q'], limit: 20, owner: 'killed', leaseMs: 400 };
      const held = await present(child, 'a process was started').claim(request);
      same(held.tasks.length, 20, 'a process claims tasks that another has inserted');
      await child?.kill();
      const taken = new Map<string, ClaimedTask>();
      await until(
        async () => {
          same(await store.count({}), 20, 'no task is lost with the process that held it');
          const { tasks, now } = await store.claim({ ...request, owner: 'heir', leaseMs: 60_000 });
          for (const task of tasks) {
            holds(!taken.has(task.id), `no task is given to two callers: ${task.id}`);
            taken.set(task.id, task);
            const before = held.tasks.find(({ id }) => id === task.id);
            const lease = present(before, 'every task was held').lease;
            holds(lease.expiresAt <= now, 'a lease holds until its end, though its owner is dead');
            holds(task.lease.token > lease.token, 'every claim has a greater token');
            same(
              [task.lapsedOwner, task.deliveries],
              ['killed', 2],
              'the heir is told who vanished',
            );
          }
          return taken.size === 20;
        },
        'every task of a process that was killed is claimed again',
        patience,
      );
      const settled = await store.settle([...taken.values()].map((task) => finish(task)));
      same(new Set(settled), new Set(['settled']), 'and settled');
    },
  }),
  processCase({
    name: 'processes that are killed in the middle of their work lose no task and no settlement',
    guarantee: 'G1',
    async run({ store, start, patience }) {
      await store.insert(recordsOf(80, 'task-', { body: '[]', runAt: 0 }));
      const children = start(4);
      const work = children.map((child, index) =>
        child.work(`owner-${index}`, 500, runs, patience, true),
      );
      // Killed processes end without an answer.
      const ends = Promise.allSettled(work);
      for (const [index, child] of children.slice(0, 3).entries()) {
        // By then the child has certainly begun, and much work is left.
        const hasBegun = async () => (await runsRecorded(store)) >= 40 * (index + 1);
        await until(hasBegun, 'tasks are claimed and settled', patience);
        await child.kill();
      }
      const outcomes = await ends;
      const survivor = outcomes[3];
      if (survivor?.status === 'rejected') throw survivor.reason;
      const recorded = await recordedTokens(store);
      same(recorded.size, 80, 'no task is lost');
      for (const [id, tokens] of recorded) {
        same(tokens.length, runs, `each run of ${id} is recorded exactly once, whoever did it`);
        same(
          [...tokens].sort((a, b) => a - b),
          tokens,
          'by growing tokens',
        );
      }
      for (const { id, token } of survivor?.value ?? []) {
        holds(recorded.get(id)?.includes(token) === true, 'no accepted settlement is lost');
      }
      const notes = await listAll(store, { queue: 'notes' });
      same(
        new Set(notes.map(({ id }) => id)),
        new Set([...recorded].flatMap(([id, tokens]) => tokens.map((token) => `${id}/${token}`))),
        'each settlement is applied as a whole: what it spawns is there',
      );
    },
  }),
  processCase({
    name: 'a process that slept past its leases finds them lost and changes nothing',
    guarantee: 'G2',
    async run({ store, start, patience }) {
      await store.insert(recordsOf(3, 'task-', { runAt: 0 }));
      const [sleeper] = start(1);
      const child = present(sleeper, 'a process was started');
      const request = { queues: ['q'], limit: 3, owner: 'sleeper', leaseMs: 50 };
      const { tasks } = await child.claim(request);
      const taken: ClaimedTask[] = [];
      await until(
        async () => {
          const claim = { ...request, owner: 'heir', leaseMs: 60_000 };
          taken.push(...(await store.claim(claim)).tasks);
          return taken.length === 3;
        },
        'tasks whose leases have run out are claimed by another process',
        patience,
      );
      same(await store.count({ leased: true }), 3, 'leases are live by the clock of the store');
      same(
        await listAll(store, { leased: false }),
        [],
        'leases are live by the clock of the store',
      );
      const ids = tasks.map(({ id }) => id);
      const stale = async () => [
        ...(await child.extend(tasks.map(leaseOf), 60_000)),
        ...(await child.settle(tasks.map((task) => finish(task)))),
        ...(await child.release(tasks.map(leaseOf))),
      ];
      same(
        await untouched(store, ids, stale, 'a stale owner changes nothing'),
        Array(9).fill('lost'),
        'extend, settle and release of a stale owner are lost',
      );
      const settled = await store.settle(taken.map((task) => finish(task)));
      same(settled, Array(3).fill('settled'), 'the current owner settles');
    },
  }),
  processCase({
    name: 'a process that inserts a task wakes the watchers of another, where the store notifies',
    guarantee: 'G5',
    async run({ store, start, patience }) {
      const [child] = start(1);
      const heard: WakeUp[] = [];
      await store.watch((wakeUp) => heard.push(wakeUp));
      await child?.insert([record('a', { runAt: 5 })]);
      if (store.capabilities.watch) {
        const isHeard = () => heard.some(({ queue, wakeAt }) => queue === 'q' && wakeAt <= 5);
        await until(isHeard, 'watch notifies of what any process makes claimable', patience);
      } else {
        same(heard, [], 'without the capability watch never notifies');
      }
    },
  }),
  processCase({
    name: 'processes that open a fresh place at the same moment all work on it',
    guarantee: 'G8',
    isFresh: true,
    async run({ store, start }) {
      const request = { queues: ['q'], limit: 1, owner: 'early', leaseMs: 60_000 };
      const children = start(5);
      const claims = await Promise.all(children.map((child) => child.claim(request)));
      same(
        claims.map(({ tasks }) => tasks.length),
        Array(5).fill(0),
        'a fresh place is empty',
      );
      await store.open();
      await store.insert(recordsOf(5, 'task-', { runAt: 0 }));
      const taken = await Promise.all(children.map((child) => child.claim(request)));
      const tasks = taken.flatMap((answer) => answer.tasks);
      same(new Set(tasks.map(({ id }) => id)).size, 5, 'each takes a task of its own');
      const stored = await store.get(tasks.map(({ id }) => id));
      same(stored.map(plain), tasks.map(plain), 'what a process was handed out is what is stored');
    },
  }),
];

interface ProcessCase extends Omit<CaseDefinition, 'run'> {
  /** Whether the processes must find a place that nobody has opened before. */
  readonly isFresh?: true;
  readonly run: (company: Company) => Promise<void>;
}

/** Makes a case that runs only if several processes may open the store. */
export function processCase({ isFresh, run, ...definition }: ProcessCase): CaseDefinition {
  return {
    ...definition,
    async run({ place, connectInRealTime, waiting, later, patience }: Bench) {
      const store = await connectInRealTime();
      if (!store.capabilities.processes) return;
      const target = present(
        place.process,
        'a store claims the `processes` capability, so its target has to give `process`',
      );
      const start = (count: number, clockOffsetMs = 0) =>
        Array.from({ length: count }, () => {
          const child = new ChildProcess(target, waiting, clockOffsetMs);
          later(() => child.kill());
          return child;
        });
      if (!isFresh) await store.open();
      await run({ store, place, patience, start });
      await store.close();
    },
  };
}

async function runsRecorded(store: DataStore): Promise<number> {
  const tasks = await listAll(store, { queue: 'q' });
  return tasks.reduce((sum, task) => sum + JSON.parse(task.body).length, 0);
}

/** The tokens that settlements wrote into the body of each task. All tasks must be finished. */
async function recordedTokens(store: DataStore): Promise<Map<string, number[]>> {
  const tasks = await listAll(store, { queue: 'q' });
  for (const task of tasks) same(task.status, 'finished', `${task.id} is settled to its end`);
  return new Map(tasks.map((task) => [task.id, JSON.parse(task.body)]));
}
