import type { DataStore, WakeUp } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start, until } from './harness.js';
import { again, claimOne, leaseOf, read, record } from './records.js';

/** How many seconds "soon" may take. */
const soon = 5;

/** Something that makes a task of queue `q` claimable, or claimable earlier. */
interface Cause {
  readonly what: string;
  readonly prepare: (store: DataStore) => Promise<() => Promise<unknown>>;
  readonly wakeAt: number;
}

const causes: readonly Cause[] = [
  {
    what: 'inserted',
    prepare: async (store) => () => store.insert([record('a', { runAt: start + 50 })]),
    wakeAt: start + 50,
  },
  {
    what: 'moved to an earlier time',
    async prepare(store) {
      await store.insert([record('a', { runAt: start + 5000 })]);
      const task = await read(store, 'a');
      return () => store.update('a', { runAt: start + 50 }, task);
    },
    wakeAt: start + 50,
  },
  {
    what: 'moved to this queue',
    async prepare(store) {
      await store.insert([record('a', { queue: 'other' })]);
      const task = await read(store, 'a');
      return () => store.update('a', { queue: 'q' }, task);
    },
    wakeAt: start,
  },
  {
    what: 'resumed',
    async prepare(store) {
      await store.insert([record('a', { paused: true })]);
      return () => store.setPaused({ all: true }, false);
    },
    wakeAt: start,
  },
  {
    what: 'settled with an earlier run than its lease would end',
    async prepare(store) {
      await store.insert([record('a')]);
      const task = await claimOne(store, { leaseMs: 60_000 });
      return () => store.settle([again(task, start + 10)]);
    },
    wakeAt: start + 10,
  },
  {
    what: 'spawned',
    async prepare(store) {
      await store.insert([record('parent', { queue: 'other' })]);
      const task = await claimOne(store, { queues: ['other'] });
      const spawn = [record('a', { runAt: start + 10 })];
      return () => store.settle([again(task, start + 99_000, { spawn })]);
    },
    wakeAt: start + 10,
  },
  {
    what: 'released',
    async prepare(store) {
      await store.insert([record('a')]);
      const task = await claimOne(store, { leaseMs: 60_000 });
      return () => store.release([leaseOf(task)]);
    },
    wakeAt: start,
  },
];

/** `watch`. Without the capability, it takes a listener and never calls it. */
export const watchCases: readonly CaseDefinition[] = [
  ...causes.map(
    ({ what, prepare, wakeAt }): CaseDefinition => ({
      name: `a watcher hears of a task that is ${what}, where the store claims to notify`,
      guarantee: 'G5',
      async run({ open }) {
        const [store, other] = [await open(), await open()];
        const cause = await prepare(other);
        const heard: WakeUp[] = [];
        const stop = await store.watch((wakeUp) => heard.push(wakeUp));
        await cause();
        if (store.capabilities.watch) {
          const isHeard = () => heard.some((each) => each.queue === 'q' && each.wakeAt <= wakeAt);
          await until(isHeard, `watch notifies soon after a task is ${what}`, soon);
        } else {
          await store.now();
          same(heard, [], 'without the capability watch never notifies');
        }
        await stop();
      },
    }),
  ),
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
];
