import { createScheduler, defineTask } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { range } from '../range.ts';
import type { Scenario } from '../scenario.ts';

const yearMs = 365 * 86_400_000;

export const memorySize: Scenario = {
  name: 'memory-size',
  title: 'Heap that a million waiting tasks take, in bytes a task',
  variants: async () => [{ name: 'sched', run: (scale) => measureSize(1_000_000 * scale) }],
};

async function measureSize(count: number) {
  const { gc } = globalThis;
  if (!gc) throw new Error('Run node with --expose-gc.');
  const store = new MemoryDataStore();
  const task = defineTask<{ index: number }>('bench');
  const scheduler = createScheduler({ store, tasks: [task] });
  const start = Date.now() + yearMs;
  await scheduler.count();
  await gc({ execution: 'async' });
  const before = process.memoryUsage().heapUsed;
  for (let from = 0; from < count; from += 1000) {
    const indexes = range(Math.min(1000, count - from)).map((i) => from + i);
    await scheduler.scheduleMany(
      indexes.map((index) => ({
        ...{ task, id: `bench-${index}`, payload: { index } },
        at: start + index * 1000,
      })),
    );
  }
  await gc({ execution: 'async' });
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  await store.close();
  return { 'bytes a task': bytes };
}
