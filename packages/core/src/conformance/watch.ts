import type { ClaimedTask, DataStore, NewTaskRecord, WakeUp } from '../data-store.js';
import { same, show } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start, until } from './harness.js';
import { listAll } from './pages.js';
import { again, claim, claimOne, finish, leaseOf, read, record, recordsOf } from './records.js';

/** How many seconds "soon" may take. */
const soon = 5;

/** Where the tasks of one cause are: the first item of a call and the later ones. */
interface Queues {
  readonly first: string;
  readonly later: string;
}

/** Something that makes tasks claimable, or claimable earlier, in one or both of its queues. */
interface Cause {
  /** As in `watch notifies soon after a task is …`. */
  readonly what: string;
  /** @returns what makes them so */
  readonly prepare: (store: DataStore, queues: Queues) => Promise<() => Promise<unknown>>;
}

/** More items than go into one batch. The last is in need of attention first, so that none of them stands for it. */
const several = 30;

function laterRecords(queue: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord[] {
  return recordsOf(several, `${queue}-`, { queue, ...members }).map((task, index) =>
    task.runAt === null ? task : { ...task, runAt: task.runAt - index },
  );
}

/** A task of the first queue and several of the later one. */
function inBoth({ first, later }: Queues, members: Partial<NewTaskRecord> = {}): NewTaskRecord[] {
  return [record(first, { queue: first, ...members }), ...laterRecords(later, members)];
}

const soonDue = { runAt: start + 5000 };

/** The cause that takes part in all others comes last. */
const causes: readonly Cause[] = [
  {
    what: 'inserted',
    prepare: async (store, queues) => () => store.insert(inBoth(queues, soonDue)),
  },
  {
    what: 'inserted among some that exist',
    async prepare(store, { first, later }) {
      await store.insert([record(first, { queue: first, status: 'failed', runAt: null })]);
      const existing = record(first, { queue: later });
      return () => store.insert([existing, ...laterRecords(later), existing]);
    },
  },
  {
    what: 'moved to an earlier time',
    async prepare(store, { first }) {
      await store.insert([record(first, { queue: first, runAt: start + 5000 })]);
      const task = await read(store, first);
      return () => store.update(first, { runAt: start + 50 }, task);
    },
  },
  {
    what: 'moved to this queue',
    async prepare(store, { first }) {
      await store.insert([record(first, { queue: 'elsewhere' })]);
      const task = await read(store, first);
      return () => store.update(first, { queue: first }, task);
    },
  },
  ...(['failed', 'finished'] as const).map(
    (status): Cause => ({
      what: `scheduled again by an edit after it ${status}`,
      async prepare(store, { first }) {
        await store.insert([record(first, { queue: first, status, runAt: null })]);
        const task = await read(store, first);
        return () => store.update(first, { status: 'scheduled', runAt: start + 7 }, task);
      },
    }),
  ),
  {
    what: 'moved to an earlier time by an edit of something else as well',
    async prepare(store, { first }) {
      await store.insert([record(first, { queue: first, runAt: start + 5000 })]);
      const task = await read(store, first);
      const change = { name: 'edited', group: 'g', body: '"edited"', runAt: start - 50 };
      return () => store.update(first, change, task);
    },
  },
  {
    what: 'resumed by its id',
    async prepare(store, queues) {
      const records = inBoth(queues, { paused: true });
      await store.insert(records);
      const ids = records.map(({ id }) => id);
      return () => store.setPaused({ ids: ['none', ...ids] }, false);
    },
  },
  {
    what: 'resumed with its group',
    async prepare(store, queues) {
      const group = queues.first;
      await store.insert(inBoth(queues, { paused: true, group }));
      return () => store.setPaused({ group }, false);
    },
  },
  {
    what: 'resumed before it is due',
    async prepare(store, queues) {
      const records = inBoth(queues, { paused: true, runAt: start + 5000 });
      await store.insert(records);
      return () => store.setPaused({ ids: records.map(({ id }) => id) }, false);
    },
  },
  {
    what: 'resumed while it is leased',
    async prepare(store, queues) {
      const records = inBoth(queues);
      const ids = records.map(({ id }) => id);
      await store.insert(records);
      await claimBoth(store, queues);
      await store.setPaused({ ids }, true);
      return () => store.setPaused({ ids }, false);
    },
  },
  {
    what: 'settled with an earlier run than its lease would end',
    async prepare(store, queues) {
      await store.insert(inBoth(queues));
      const tasks = await claimBoth(store, queues);
      return () => store.settle(tasks.map((task, index) => again(task, start + 99 - index)));
    },
  },
  {
    what: 'spawned',
    async prepare(store, queues) {
      const parents = { first: `parents of ${queues.first}`, later: `parents of ${queues.later}` };
      await store.insert(inBoth(parents));
      const tasks = await claimBoth(store, parents);
      const children = inBoth(queues, { runAt: start + 10 });
      return () =>
        store.settle(
          tasks.map((task, index) =>
            finish(task, { next: null, spawn: children.slice(index, index + 1) }),
          ),
        );
    },
  },
  {
    what: 'spawned with others',
    async prepare(store, queues) {
      const parent = `parent of ${queues.first}`;
      await store.insert([record(parent, { queue: parent })]);
      const task = await claimOne(store, { queues: [parent] });
      return () => store.settle([again(task, start + 99_000, { spawn: inBoth(queues) })]);
    },
  },
  {
    what: 'released',
    async prepare(store, queues) {
      await store.insert(inBoth(queues));
      const tasks = await claimBoth(store, queues);
      return () => store.release(tasks.map(leaseOf));
    },
  },
  {
    what: 'released and put off to before the end of its lease',
    async prepare(store, queues) {
      await store.insert(inBoth(queues));
      const tasks = await claimBoth(store, queues);
      return () =>
        store.release(
          tasks.map((task, index) => ({ ...leaseOf(task), deferUntil: start + 99 - index })),
        );
    },
  },
  {
    what: 'resumed with all others',
    async prepare(store, queues) {
      await store.insert(inBoth(queues, { paused: true }));
      return () => store.setPaused({ all: true }, false);
    },
  },
];

/** Claims all that is due in two queues, those of the first one first. */
async function claimBoth(store: DataStore, { first, later }: Queues): Promise<ClaimedTask[]> {
  const tasks = await claim(store, { queues: [first, later], leaseMs: 60_000 });
  return [...tasks];
}

/** `watch`. Without the capability, it takes a listener and never calls it. */
export const watchCases: readonly CaseDefinition[] = [
  {
    name: 'every watcher hears of every task that becomes claimable, where the store claims to notify',
    guarantee: 'G5',
    async run({ openMany }) {
      const [store, other, actor] = await openMany(3);
      if (!store || !other || !actor) throw new Error('three handles were opened');
      const acts = await Promise.all(
        causes.map(async ({ what, prepare }, index) => {
          const queues = { first: `first ${index}`, later: `later ${index}` };
          return { what, queues, act: await prepare(actor, queues) };
        }),
      );
      const watchers = await Promise.all(
        [store, store, other, actor].map(async (handle) => {
          const heard: WakeUp[] = [];
          await handle.watch((wakeUp) => heard.push(wakeUp));
          return heard;
        }),
      );
      for (const { act } of acts) await act();
      if (!store.capabilities.watch) {
        await store.now();
        same(watchers.flat(), [], 'without the capability watch never notifies');
        return;
      }
      const expected: { readonly what: string; readonly wakeUp: WakeUp }[] = [];
      for (const { what, queues } of acts) {
        for (const queue of [queues.first, queues.later]) {
          const wakeAt = await firstWakeAt(store, queue);
          if (wakeAt !== null) expected.push({ what, wakeUp: { queue, wakeAt } });
        }
      }
      const missing = () =>
        expected.filter(({ wakeUp }) => !watchers.every((heard) => isHeard(heard, wakeUp)));
      const sentence = () => {
        const { what, wakeUp } = missing()[0] ?? { what: '' };
        const heard = watchers.map((each) => each.filter(({ queue }) => queue === wakeUp?.queue));
        return `watch notifies soon after a task is ${what}: of ${show(wakeUp)} its watchers heard ${show(heard)}`;
      };
      await until(() => missing().length === 0, sentence, soon);
    },
  },
  {
    name: 'every watcher hears, and one that has stopped hears no more',
    guarantee: 'G5',
    async run({ open }) {
      const [store, other] = [await open(), await open()];
      const heard: Record<string, WakeUp[]> = { stopped: [], first: [], second: [] };
      const listen = (name: string) => (wakeUp: WakeUp) => heard[name]?.push(wakeUp);
      const stop = await store.watch(listen('stopped'));
      await store.watch(listen('first'));
      await other.watch(listen('second'));
      await stop();
      await store.insert([record('a')]);
      if (store.capabilities.watch) {
        const both = () => heard.first?.length !== 0 && heard.second?.length !== 0;
        await until(both, 'every watcher of every handle is notified', soon);
      } else {
        same(heard, { stopped: [], first: [], second: [] }, 'without the capability: never');
      }
      same(heard.stopped, [], 'a watcher that has stopped is not notified');
    },
  },
  {
    name: 'a listener that watches twice and stops once still hears',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      const heard: WakeUp[] = [];
      const listener = (wakeUp: WakeUp) => heard.push(wakeUp);
      const stop = await store.watch(listener);
      await store.watch(listener);
      await stop();
      await stop();
      await store.insert([record('a')]);
      if (store.capabilities.watch) {
        await until(() => heard.length > 0, 'stopping one watcher leaves the others', soon);
      }
    },
  },
  {
    name: 'closing a store stops its watchers',
    guarantee: 'G5',
    async run({ connect, open }) {
      const store = await connect();
      await store.open();
      const heard: WakeUp[] = [];
      await store.watch((wakeUp) => heard.push(wakeUp));
      await store.close();
      const other = await open();
      const heardElsewhere: WakeUp[] = [];
      await other.watch((wakeUp) => heardElsewhere.push(wakeUp));
      await other.insert([record('a')]);
      if (other.capabilities.watch) {
        await until(() => heardElsewhere.length > 0, 'watch notifies of an insert', soon);
      }
      same(heard, [], '`close` stops the notifications');
    },
  },
  {
    name: 'a store that is opened again notifies those who watch it then',
    guarantee: 'G5',
    async run({ connect }) {
      const store = await connect();
      await store.open();
      await store.watch(() => {});
      await store.close();
      await store.open();
      const heard: WakeUp[] = [];
      await store.watch((wakeUp) => heard.push(wakeUp));
      await store.insert([record('a')]);
      if (store.capabilities.watch) {
        const wakeUp = { queue: 'q', wakeAt: start };
        await until(() => isHeard(heard, wakeUp), 'watch notifies after `open` as before', soon);
      }
      await store.close();
    },
  },
];

async function firstWakeAt(store: DataStore, queue: string): Promise<number | null> {
  const tasks = await listAll(store, { queue });
  const moments = tasks.flatMap(({ wakeAt }) => wakeAt ?? []);
  return moments.length === 0 ? null : Math.min(...moments);
}

/** Whether somebody was told to look at this queue in time. To be told of an earlier moment as well is no harm. */
function isHeard(heard: readonly WakeUp[], { queue, wakeAt }: WakeUp): boolean {
  return heard.some((each) => each.queue === queue && each.wakeAt <= wakeAt);
}
