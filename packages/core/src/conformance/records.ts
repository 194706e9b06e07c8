import type {
  ClaimedTask,
  ClaimRequest,
  DataStore,
  HistoryEntry,
  LeaseRef,
  NewTaskRecord,
  Settlement,
  TaskRecord,
} from '../data-store.js';
import { plain, present, same } from './check.js';
import { start } from './harness.js';

/** How long leases last in cases where it does not matter. */
export const leaseMs = 1000;

/** A task that is due at the start, in queue `q`. */
export function record(id: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    id,
    name: 'job',
    queue: 'q',
    group: null,
    status: 'scheduled',
    paused: false,
    runAt: start,
    body: '{}',
    ...members,
  };
}

/** `count` records whose ids are the prefix and a number. */
export function recordsOf(
  count: number,
  prefix = 'task-',
  members: Partial<NewTaskRecord> = {},
): NewTaskRecord[] {
  return Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, members));
}

export function historyEntry(taskId: string, id: string, at = start): HistoryEntry {
  return { taskId, id, at, body: `{"run":"${id}"}` };
}

/** Claims up to 100 tasks from queue `q`, unless told otherwise. */
export async function claim(
  store: DataStore,
  request: Partial<ClaimRequest> = {},
): Promise<readonly ClaimedTask[]> {
  return (await claimRequest(store, request)).tasks;
}

/** Like {@link claim}, but returns the whole answer. */
export function claimRequest(store: DataStore, request: Partial<ClaimRequest> = {}) {
  return store.claim({ queues: ['q'], limit: 100, owner: 'alice', leaseMs, ...request });
}

/** Claims the one task that is due in queue `q`. */
export async function claimOne(
  store: DataStore,
  request: Partial<ClaimRequest> = {},
): Promise<ClaimedTask> {
  const tasks = await claim(store, { limit: 1, ...request });
  return present(tasks[0], 'claim takes a task that is due');
}

/** Reads a task that must exist. */
export async function read(store: DataStore, id: string): Promise<TaskRecord> {
  const [task] = await store.get([id]);
  return present(task, `get gives the task ${JSON.stringify(id)}, which exists`);
}

/** Makes a call that must leave these tasks exactly as they are, and returns its answer. */
export async function untouched<T>(
  store: DataStore,
  ids: readonly string[],
  call: () => Promise<T>,
  sentence: string,
): Promise<T> {
  const before = (await store.get(ids)).map(plain);
  const answer = await call();
  same((await store.get(ids)).map(plain), before, sentence);
  return answer;
}

export function idsOf(tasks: readonly (TaskRecord | undefined)[]): (string | undefined)[] {
  return tasks.map((task) => task?.id);
}

/** Requires these entries, newest first, if the store keeps a history, and none if it does not. */
export async function sameHistory(
  store: DataStore,
  taskId: string,
  ids: readonly string[],
  sentence: string,
): Promise<void> {
  const entries = await store.history(taskId, 1000);
  const expected = store.capabilities.history ? ids : [];
  same(
    entries.map((entry) => entry.id),
    expected,
    sentence,
  );
}

export function leaseOf(task: ClaimedTask): LeaseRef {
  return { id: task.id, token: task.lease.token };
}

/** A settlement that finishes the task, based on the record as it was claimed. */
export function finish(task: ClaimedTask, members: Partial<Settlement> = {}): Settlement {
  return settlement(task, { status: 'finished', runAt: null, body: '{}' }, members);
}

/** A settlement after which the task runs again at `runAt`. */
export function again(
  task: ClaimedTask,
  runAt: number,
  members: Partial<Settlement> = {},
): Settlement {
  return settlement(task, { status: 'scheduled', runAt, body: '{}' }, members);
}

export function settlement(
  task: ClaimedTask,
  next: Settlement['next'],
  members: Partial<Settlement> = {},
): Settlement {
  return {
    id: task.id,
    token: task.lease.token,
    revision: task.revision,
    next,
    history: [],
    spawn: [],
    ...members,
  };
}
