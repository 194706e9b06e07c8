import { MemoryDataStore } from '@sched/memory';
import type { DataStore, NewTaskRecord, TaskRecord } from '../../src/index.js';
import { bodyVersion, type TaskBody, writeBody } from '../../src/record.js';
import { createTestClock, type TestClock } from '../../src/testing/index.js';

export const hourMs = 3_600_000;

/** Two stores in virtual time, both open. */
export interface Stores {
  readonly clock: TestClock;
  readonly from: MemoryDataStore;
  readonly to: MemoryDataStore;
}

export async function createStores(records: readonly NewTaskRecord[] = []): Promise<Stores> {
  const clock = createTestClock();
  const from = new MemoryDataStore({ clock: clock.now });
  const to = new MemoryDataStore({ clock: clock.now });
  await Promise.all([from.open(), to.open()]);
  await from.insert(records);
  return { clock, from, to };
}

/** A task that has been due since before virtual time begins. */
export function record(id: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    ...{ id, name: 'job', queue: 'q', group: null, status: 'scheduled', paused: false },
    ...{ runAt: 1000, body: body() },
    ...members,
  };
}

export function records(count: number, members: Partial<NewTaskRecord> = {}): NewTaskRecord[] {
  return Array.from({ length: count }, (_, index) => record(`task ${index}`, members));
}

/** A body that recurs and whose next occurrence is the one at `runAt` of {@link record}. */
export function body(members: Partial<TaskBody> = {}): string {
  return writeBody({
    ...{ v: bodyVersion, trigger: { kind: 'every', everyMs: 1000 }, declaredAt: 0, edition: 1 },
    ...{ nominal: 1000, attempt: 1 },
    ...members,
  });
}

/** Everything in a store, by id. */
export async function contents(store: DataStore): Promise<TaskRecord[]> {
  const { tasks } = await store.list({ limit: 1_000_000 });
  return tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** What there is of the tasks that {@link record} tells. */
export function told(tasks: readonly (TaskRecord | undefined)[]): (NewTaskRecord | undefined)[] {
  return tasks.map((task) => {
    if (!task) return undefined;
    const { id, name, queue, group, status, paused, runAt, body } = task;
    return { id, name, queue, group, status, paused, runAt, body };
  });
}

/** Claims the task, which has to be the only one that is due in its queue. */
export async function claimOnly(store: DataStore, owner = 'worker', leaseMs = hourMs) {
  const { tasks } = await store.claim({ queues: ['q'], limit: 1000, owner, leaseMs });
  const [task, ...others] = tasks;
  if (!task || others.length > 0) throw new Error(`Claimed ${tasks.length} tasks, not one.`);
  return task;
}
