import type { NewTaskRecord, TaskRecord, TaskStatus } from '@sched/core';
import { SchedError } from '@sched/core';
import type { MongoDocument } from './client.js';
import type { Parked } from './outbox.js';

/**
 * `removed`: gone, and kept only for what is in its outbox. `spawned`: not there yet, but about to come out of the
 * outbox of another task. No caller sees either.
 */
type DocumentStatus = TaskStatus | 'removed' | 'spawned';

/** What is left to be done about a document. */
export const Pending = { other: 1, spawn: 2 } as const;

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

/** The largest body. Several of this size fit into one document. */
const maxBodyBytes = 4 * 1024 * 1024;

/** The most that one settlement may add to its document, which may have 16 MiB. */
const maxBytes = 12 * 1024 * 1024;

/** The longest id, name, queue, group or owner, in bytes. */
const maxTextBytes = 1000;

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
  const {
    _id: id,
    name,
    queue,
    group = null,
    status,
    paused,
    runAt,
    body,
  } = document as TaskDocument;
  const {
    resumedAt,
    token,
    owner,
    expiresAt,
    deliveries,
    revision,
    wakeAt = null,
  } = document as TaskDocument;
  const lease = token === null ? null : { token, owner: owner ?? '', expiresAt: expiresAt ?? 0 };
  return {
    ...{ id, name, queue, group, status: status as TaskStatus, paused, runAt, body, resumedAt },
    ...{ lease, deliveries, revision, wakeAt },
  };
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when one of these is not a text that BSON can hold */
export function checkTexts(...texts: readonly (string | null | undefined)[]): void {
  for (const text of texts) {
    if (text === null || text === undefined) continue;
    checkText(text);
    if (text.length * 3 > maxTextBytes && Buffer.byteLength(text) > maxTextBytes) {
      throw invalid(`has ${Buffer.byteLength(text)} bytes, and may have ${maxTextBytes}`);
    }
  }
}

function checkText(text: unknown): void {
  if (typeof text !== 'string') throw invalid(`is no text but ${typeof text}`);
  if (!text.isWellFormed()) throw invalid('has half a surrogate pair, which UTF-8 cannot hold');
}

/** @throws SchedError when the texts are none, or too long */
export function checkRecord(record: NewTaskRecord): void {
  const { id, name, queue, group, status, body } = record;
  for (const text of [id, name, queue, status]) checkText(text);
  checkTexts(id, name, queue, group);
  checkBodies([body]);
}

/** @throws SchedError when one of these, or all together, are too large for a document, or no texts */
export function checkBodies(bodies: readonly string[]): void {
  let sum = 0;
  for (const body of bodies) {
    checkText(body);
    const bytes = Buffer.byteLength(body);
    if (bytes > maxBodyBytes) {
      throw tooLarge(`A body of ${bytes} bytes is over the limit of ${maxBodyBytes}.`);
    }
    sum += bytes;
  }
  if (sum > maxBytes) {
    throw tooLarge(
      `The bodies of one settlement have ${sum} bytes, over the limit of ${maxBytes}.`,
    );
  }
}

function tooLarge(message: string): SchedError {
  return new SchedError('SCHED_PAYLOAD_TOO_LARGE', message);
}

function invalid(what: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', `A text cannot be stored: it ${what}.`);
}
