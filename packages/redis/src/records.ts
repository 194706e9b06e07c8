import type { ClaimedTask, NewTaskRecord, TaskFilter, TaskRecord, TaskStatus } from '@sched/core';
import { SchedError } from '@sched/core';
import { checkText } from './batches.js';

/** The longest body, in bytes of UTF-8. */
const maxBodyBytes = 8 * 1024 * 1024;

/** A task as it is stored, but for its body. Numbers are decimal text; what is null or false is absent. */
interface Envelope {
  readonly name: string;
  readonly queue: string;
  readonly group?: string;
  readonly status: TaskStatus;
  readonly paused?: true;
  readonly runAt?: string;
  readonly resumedAt?: string;
  readonly token?: string;
  readonly owner?: string;
  readonly expiresAt?: string;
  readonly deliveries?: number;
  readonly revision: string;
}

type Change = Partial<Pick<NewTaskRecord, 'name' | 'queue' | 'group' | 'status' | 'runAt'>> & {
  readonly paused?: true;
};

/** The members that are to change, as the scripts merge them: null removes. */
export function encodeChange(change: Change): string {
  const { name, queue, group, status, runAt, paused } = change;
  checkText('A name, queue or group', [name, queue, group].join());
  return JSON.stringify({
    ...{ name, queue, group, status, paused },
    runAt: typeof runAt === 'number' ? String(runAt) : runAt,
  });
}

/** A task that is to be created. */
export interface NewTask {
  readonly id: string;
  readonly envelope: string;
  readonly body: string;
}

/** @throws SchedError as {@link checkBody} */
export function encodeNew(record: NewTaskRecord): NewTask {
  const { id, name, queue, group, status, paused, runAt, body } = record;
  checkBody(body);
  checkText('An id, name, queue or group', [id, name, queue, group].join());
  const envelope = JSON.stringify({
    ...{ name, queue, status },
    group: group ?? undefined,
    paused: paused || undefined,
    runAt: runAt === null ? undefined : String(runAt),
  });
  return { id, envelope, body };
}

export function decodeTask(id: string, envelope: string, body: string): TaskRecord {
  const stored: Envelope = JSON.parse(envelope);
  const { name, queue, group = null, status, paused = false, deliveries = 0 } = stored;
  const runAt = decodeNumber(stored.runAt);
  const lease =
    stored.token === undefined
      ? null
      : {
          token: Number(stored.token),
          owner: stored.owner ?? '',
          expiresAt: Number(stored.expiresAt),
        };
  const isAwake = status === 'scheduled' && !paused;
  return {
    ...{ id, name, queue, group, status, paused, runAt, body },
    resumedAt: decodeNumber(stored.resumedAt),
    lease,
    deliveries,
    revision: Number(stored.revision),
    wakeAt: isAwake ? (lease?.expiresAt ?? runAt) : null,
  };
}

export function decodeClaimed(task: TaskRecord, lapsedOwner: string | null): ClaimedTask {
  const { lease } = task;
  if (!lease) throw new SchedError('SCHED_RECORD_UNREADABLE', `The task ${task.id} has no lease.`);
  return { ...task, lease, lapsedOwner };
}

function decodeNumber(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

/** What index entries of a queue or a group begin with; see scripts.ts. */
export function prefixOf(label: string): string {
  return `${Buffer.byteLength(label)}:${label}:`;
}

/** The members of an envelope that a listing asks for; null where they are to be absent. */
export function encodeFilter({ group, name, queue, status, paused }: TaskFilter): string {
  return JSON.stringify({
    ...{ name, queue, status },
    // A group by name is looked up in its index.
    group: group === null ? null : undefined,
    paused: paused === false ? null : paused,
  });
}

/** @throws SchedError `SCHED_PAYLOAD_TOO_LARGE` */
export function checkBody(body: string): void {
  checkText('A body', body);
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return;
  throw new SchedError(
    'SCHED_PAYLOAD_TOO_LARGE',
    `A body has ${bytes} bytes, and @sched/redis takes ${maxBodyBytes}.`,
  );
}
