import type { HistoryEntry, NewTaskRecord, Settlement, TaskRecord, TaskStatus } from '@sched/core';
import type { MongoDocument } from './client.js';

/**
 * `removed`: gone, and kept only for what is in its outbox. `spawned`: not there yet, but about to come out of the
 * outbox of another task. No caller sees either.
 */
type DocumentStatus = TaskStatus | 'removed' | 'spawned';

/** What is left to be done about a document. */
export const Pending = { other: 1, spawn: 2 } as const;

/**
 * What a settlement adds beside its task, and is delivered later. It is written in one step with the task, into the
 * task's own document.
 */
export interface Parked {
  /** The call that settled. */
  readonly by: string;
  readonly history: readonly HistoryEntry[];
  /** There if its history is in the document of the call. */
  readonly isShared?: true;
  /** All that share the document of the call, which this is in. */
  readonly shared?: readonly Pick<Settlement, 'id' | 'token' | 'revision' | 'history'>[];
  readonly spawn: readonly NewTaskRecord[];
  /** The serials of the spawned tasks, null for ids that were there already. */
  readonly chosen?: readonly (number | null)[];
}

/** A task as it is stored. */
export interface TaskDocument {
  readonly _id: string;
  /** Tells this document from every other that had or will have its id. */
  readonly serial: number;
  readonly name: string;
  readonly queue: string;
  readonly group?: string;
  readonly status: DocumentStatus;
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
  readonly lastToken: number;
  readonly settledToken: number | null;
  readonly deliveries: number;
  readonly revision: number;
  /** Absent where there is none. */
  readonly wakeAt?: number;
  /** What settlements have added besides and has not been delivered yet. */
  readonly outbox?: readonly Parked[];
  /** There while something is left to be done about this document: see {@link Pending}. */
  readonly pending?: number;
  /** The call that released it last. */
  readonly releasedBy?: string;
  /** What a `spawned` task is going to be, and in which outbox it comes from. */
  readonly becomes?: TaskStatus;
  readonly parent?: string;
  readonly by?: string;
}

/** The statuses of tasks that are there. */
export const visible: readonly TaskStatus[] = ['scheduled', 'finished', 'failed'];

/** What one command names, and what a document of 16 MiB holds beside what settlements leave in it. */
export const limits = {
  maxItems: 500,
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
