import type {
  HistoryEntry,
  NewTaskRecord,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  TaskStatus,
} from '@sched/core';
import type { Sized } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';

/** What a settlement adds beside its task. It is written in one step with the task, into its document. */
export interface Parked {
  /** Which settlement this is from: no other, not even a repeated one, has the same. */
  readonly by: string;
  readonly history: readonly HistoryEntry[];
  readonly spawn: readonly NewTaskRecord[];
  /** The serials of the documents that the spawned tasks are, once that is decided. */
  readonly chosen?: readonly number[];
}

/** A task as it is stored. */
export interface TaskDocument {
  readonly _id: string;
  /** Tells this document from every other that had or will have its id. */
  readonly serial: number;
  readonly name: string;
  readonly queue: string;
  readonly group?: string;
  /**
   * `removed`: gone, and kept only for what is in its outbox. `spawned`: not there yet, but about to come out of the
   * outbox of another task. No caller sees either.
   */
  readonly status: TaskStatus | 'removed' | 'spawned';
  readonly paused: boolean;
  readonly runAt: number | null;
  readonly body: string;
  readonly resumedAt: number | null;
  /** Of the lease, like the owner and the end. */
  readonly token: number | null;
  readonly owner: string | null;
  readonly expiresAt: number | null;
  /** Who had the lease before, where it had run out. */
  readonly lapsedOwner?: string | null;
  /** What it was when it was claimed with its token, there if it was changed since. */
  readonly taken?: Pick<
    TaskDocument,
    'token' | 'name' | 'queue' | 'group' | 'runAt' | 'body' | 'revision' | 'resumedAt'
  >;
  readonly lastToken: number;
  readonly settledToken: number | null;
  readonly deliveries: number;
  readonly revision: number;
  /** Absent where there is none. */
  readonly wakeAt?: number;
  /** What settlements have added besides and has not been delivered yet. */
  readonly outbox?: readonly Parked[];
  /** There while something is left to be done about this document: see `Pending` of the schema. */
  readonly pending?: number;
  /** The call that released it last. */
  readonly releasedBy?: string;
  /** What a `spawned` task is going to be, of which task, and by which of its settlements. */
  readonly becomes?: TaskStatus;
  readonly parent?: string;
  readonly by?: string;
}

/** The statuses of tasks that are there. */
const visible: readonly TaskStatus[] = ['scheduled', 'finished', 'failed'];

/** Where there is a task for others to see. */
export const there = { status: { $in: visible } };

/** What the name of a field and its type take, generously, in characters. */
const fieldSize = 30;

/** What one command names and holds: in any script it has less than 16 MiB, like a document beside its outbox. */
export const limits = {
  maxItems: 500,
  maxSize: 4 * 1024 * 1024,
  sizeOf: ({ ids, texts, bodies }: Sized) =>
    [...ids, ...texts, ...bodies].reduce((sum, text) => sum + fieldSize + (text?.length ?? 0), 0),
  maxBodyBytes: 4 * 1024 * 1024,
  maxSettlementBytes: 12 * 1024 * 1024,
  maxTextBytes: 1000,
  unstorable: 'loneSurrogates',
} as const;

export function toDocument(record: NewTaskRecord, serial: number): TaskDocument {
  const { id, name, queue, group, status, paused, runAt, body } = record;
  const isAwake = status === 'scheduled' && !paused && runAt !== null;
  return {
    ...{ _id: id, serial, name, queue },
    ...(group === null ? {} : { group }),
    ...{ status, paused, runAt, body, resumedAt: null, token: null, owner: null, expiresAt: null },
    ...{ lastToken: 0, settledToken: null, deliveries: 0, revision: serial },
    ...(isAwake ? { wakeAt: runAt } : {}),
  };
}

export function toRecord(document: MongoDocument): TaskRecord {
  const task = document as TaskDocument;
  const { _id: id, name, queue, group = null, status, paused, runAt, body, resumedAt } = task;
  const { token, owner, expiresAt, deliveries, revision, wakeAt = null } = task;
  const lease = token === null ? null : { token, owner: owner ?? '', expiresAt: expiresAt ?? 0 };
  return {
    ...{ id, name, queue, group, status: status as TaskStatus, paused, runAt, body, resumedAt },
    ...{ lease, deliveries, revision, wakeAt },
  };
}

/** The tasks that a listing means at this time. */
export function matching(
  { group, name, queue, status, paused, leased }: TaskFilter,
  now: number,
): MongoDocument {
  const live = { $gt: now };
  const values = Object.entries({ name, queue, status, paused });
  return {
    ...there,
    ...Object.fromEntries(values.filter(([, value]) => value !== undefined)),
    ...(leased === undefined ? {} : { expiresAt: leased ? live : { $not: live } }),
    ...(group === undefined ? {} : { group: group ?? { $exists: false } }),
  };
}

/** The tasks that a bulk call means. */
export function selected(selector: TaskSelector): MongoDocument {
  if ('ids' in selector) return { _id: { $in: selector.ids }, ...there };
  return 'group' in selector ? { group: selector.group, ...there } : there;
}
