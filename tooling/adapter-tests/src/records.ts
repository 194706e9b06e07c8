import type {
  ClaimedTask,
  DataStore,
  LeaseRef,
  NewTaskRecord,
  Settlement,
  TaskRecord,
} from '@sched/core';

/** A task that is due at 1000, in queue `q`. */
export function record(id: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    id,
    name: 'job',
    queue: 'q',
    group: null,
    status: 'scheduled',
    paused: false,
    runAt: 1000,
    body: '{}',
    ...members,
  };
}

/** `count` tasks whose ids are the prefix and a number. */
export function records(
  count: number,
  prefix: string,
  members: Partial<NewTaskRecord> = {},
): NewTaskRecord[] {
  return Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, members));
}

export const claimAll = { queues: ['q'], limit: 1000, owner: 'me', leaseMs: 1000 };

/** Claims the first task that is due in queue `q`. */
export async function claimOne(store: DataStore): Promise<ClaimedTask> {
  const [task] = (await store.claim({ ...claimAll, limit: 1 })).tasks;
  if (!task) throw new Error('no task was due');
  return task;
}

export function leaseOf({ id, lease }: ClaimedTask): LeaseRef {
  return { id, token: lease.token };
}

/** Runs the task again at once, or as told. */
export function settlement(
  { id, lease, revision }: TaskRecord,
  members: Partial<Settlement> = {},
): Settlement {
  const next = { status: 'scheduled', runAt: 1000, body: '{}' } as const;
  return { id, token: lease?.token ?? 0, revision, next, history: [], spawn: [], ...members };
}
