/** What the scenarios have in common: filling a store, emptying it, and looking at how late things run. */

import { createScheduler, type DataStore, defineTask, type NewTaskRecord } from '@sched/core';
import { percentile } from './stats.ts';

/** How many tasks are handed over in one call. */
const batchSize = 1000;

/** Schedules tasks that are due now, through the scheduler. Gives tasks per second. */
export async function add(store: DataStore, count: number): Promise<number> {
  const task = defineTask<{ index: number }>('bench', { handler: () => {} });
  const scheduler = createScheduler({ store, tasks: [task] });
  const start = performance.now();
  for (let from = 0; from < count; from += batchSize) {
    const length = Math.min(batchSize, count - from);
    const batch = Array.from({ length }, (_, i) => ({
      task,
      payload: { index: from + i },
      id: `bench-${from + i}`,
    }));
    await scheduler.scheduleMany(batch);
  }
  return (count / (performance.now() - start)) * 1000;
}

/** Runs `count` tasks that are due, with handlers that do nothing. Gives tasks per second, settlements included. */
export async function drain(store: DataStore, count: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let done = 0;
  const task = defineTask<{ index: number }>('bench', { handler: () => {} });
  const scheduler = createScheduler({ store, tasks: [task] });
  scheduler.on('succeeded', () => {
    if (++done === count) resolve();
  });
  const start = performance.now();
  await scheduler.start();
  await promise;
  const tasksPerSecond = (count / (performance.now() - start)) * 1000;
  await scheduler.stop();
  return tasksPerSecond;
}

/**
 * Schedules tasks at random moments of the next `spanMs`, and runs them. Gives how late their handlers were called, in
 * milliseconds by this machine's clock.
 */
export async function lateness(store: DataStore, count: number, spanMs: number) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late: number[] = [];
  const task = defineTask<{ at: number }>('bench', {
    handler: ({ payload }) => {
      late.push(performance.timeOrigin + performance.now() - payload.at);
      if (late.length === count) resolve();
    },
  });
  const scheduler = createScheduler({ store, tasks: [task] });
  const first = Date.now() + 1000;
  const times = Array.from({ length: count }, () => first + Math.floor(Math.random() * spanMs));
  await scheduler.scheduleMany(times.map((at) => ({ task, payload: { at }, at })));
  await scheduler.start();
  await promise;
  await scheduler.stop();
  return {
    'lateness p50 (ms)': percentile(late, 0.5),
    'lateness p99 (ms)': percentile(late, 0.99),
  };
}

/** Puts tasks into an open store that fall due in a year and later: a backlog that nobody should notice. */
export async function addFarFuture(store: DataStore, count: number): Promise<void> {
  const task = defineTask<{ index: number }>('bench');
  const template = await templateRecord(store, task.name);
  const start = Date.now() + 365 * 86_400_000;
  for (let from = 0; from < count; from += batchSize) {
    const length = Math.min(batchSize, count - from);
    const batch = Array.from({ length }, (_, i) => ({
      ...template,
      id: `far-${from + i}`,
      runAt: start + (from + i) * 1000,
      // A text of its own for each, as when each is scheduled; equal ones would share their memory.
      body: Buffer.from(template.body.replace('123456', String(from + i))).toString(),
    }));
    await store.insert(batch);
  }
}

/** A record such as the scheduler writes, so that a million of them need not be made one by one. */
async function templateRecord(store: DataStore, name: string): Promise<NewTaskRecord> {
  const task = defineTask<{ index: number }>(name);
  const scheduler = createScheduler({ store, tasks: [task] });
  await scheduler.schedule(task, { payload: { index: 123_456 }, id: 'template', in: '365d' });
  const [record] = await store.get(['template']);
  await store.remove({ ids: ['template'] });
  if (!record) throw new Error('The template record is gone.');
  const { id, queue, group, status, paused, runAt, body } = record;
  return { id, name, queue, group, status, paused, runAt, body };
}
