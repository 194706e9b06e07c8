import { MemoryDataStore } from '@sched/memory';
import type { Scenario } from '../scenario.ts';
import { add, addFarFuture, drain, lateness } from '../work.ts';

export const memorySize: Scenario = {
  name: 'memory-size',
  title: 'Heap that a million waiting tasks take, in bytes a task',
  variants: {
    memory: async (scale) => {
      const { gc } = globalThis;
      if (!gc) throw new Error('Run node with --expose-gc.');
      const count = 1_000_000 * scale;
      const store = new MemoryDataStore();
      await store.open();
      await gc({ execution: 'async' });
      const before = process.memoryUsage().heapUsed;
      await addFarFuture(store, count);
      await gc({ execution: 'async' });
      const bytes = (process.memoryUsage().heapUsed - before) / count;
      await store.close();
      return { 'bytes a task': bytes };
    },
  },
};

export const memoryDrain: Scenario = {
  name: 'memory-drain',
  title: 'Adding tasks in bulk and running them, alone and beside a million far-future ones',
  baseline: 'alone',
  variants: {
    alone: async (scale) => addAndDrain(50_000 * scale, 0),
    'beside far-future': async (scale) => addAndDrain(50_000 * scale, 1_000_000 * scale),
  },
};

export const memoryLateness: Scenario = {
  name: 'memory-lateness',
  title: 'How late 1,000 tasks at random moments run on an idle store',
  variants: {
    memory: async (scale) => lateness(new MemoryDataStore(), 1000 * scale, 10_000 * scale),
  },
};

async function addAndDrain(count: number, farFuture: number) {
  const store = new MemoryDataStore();
  await store.open();
  await addFarFuture(store, farFuture);
  const added = await add(store, count);
  return { 'add (tasks/s)': added, 'drain (tasks/s)': await drain(store, count) };
}
