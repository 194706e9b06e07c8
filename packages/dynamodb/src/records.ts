import type { NewTaskRecord, TaskRecord, TaskStatus } from '@sched/core';
import { shardOf } from '@sched/core/adapter';
import type { Key, Values } from './expressions.js';

/**
 * An item has up to 400 KiB, of which bodies leave some for everything else; a sort key has 1024 bytes, of which one may
 * be an escape. Items of a call are dealt with at once, so that no two may be about the same task.
 */
export const limits = {
  maxItems: Number.POSITIVE_INFINITY,
  maxBodyBytes: 384 * 1024,
  maxTextBytes: 1023,
  unstorable: 'loneSurrogates',
  findsNone: true,
} as const;

/** A task as it is stored. Queues and groups begin with the namespace, as the indexes need it. */
export interface TaskItem extends Key {
  readonly name: string;
  readonly queue: string;
  readonly group?: string;
  readonly status: TaskStatus;
  /** There only where it is true. */
  readonly paused?: true;
  readonly runAt?: number;
  readonly body: string;
  readonly resumedAt?: number;
  /** The queue, where the task is scheduled and not paused: a place in the index of due tasks. */
  readonly due?: string;
  readonly wakeAt?: number;
  /** Of the last lease, which is there as long as it has an owner. */
  readonly token?: number;
  readonly owner?: string;
  readonly expiresAt?: number;
  readonly lapsedOwner?: string | null;
  /** The token of the last settlement. */
  readonly settled?: number;
  readonly deliveries: number;
  readonly revision: number;
}

export interface EntryItem extends Key {
  readonly id: string;
  readonly at: number;
  readonly body: string;
}

export type Records = ReturnType<typeof createRecords>;

/** How a namespace keeps its tasks and their history in the items of a table. */
export function createRecords(namespace: string, shardCount: number) {
  const shards = [...Array(shardCount).keys()];
  const partition = (shard: number) => `${namespace}#task#${shard}`;
  /** A queue in a shard, as the index of due tasks has it. */
  const queueIn = (shard: number, queue: string) => `${namespace}#${shard}#${queue}`;
  /** The queue that a task is in, as the index has it. */
  const queueOf = (id: string, queue: string) => queueIn(shardOf(id, shardCount), queue);
  const groupOf = (group: string) => `${namespace}#${group}`;
  const historyOf = (taskId: string) => `${namespace}#history#${taskId}`;

  /** Where a task is; for what cannot be an id, a place where none ever is. */
  function keyOf(id: string): Key {
    if (!isKey(id)) return { pk: `${namespace}#nowhere`, sk: 'nowhere' };
    return { pk: partition(shardOf(id, shardCount)), sk: sortKeyOf(id) };
  }

  function encode(record: NewTaskRecord, revision: number): Key & Values {
    const { id, name, group, status, paused, runAt, body } = record;
    const queue = queueOf(id, record.queue);
    return {
      ...{ ...keyOf(id), name, queue, status, runAt, body, revision, deliveries: 0 },
      group: group === null ? null : groupOf(group),
      paused: paused || null,
      due: status === 'scheduled' && !paused ? queue : null,
      wakeAt: runAt,
    };
  }

  function decode(item: TaskItem): TaskRecord {
    const { name, queue, group, status, body, deliveries, revision } = item;
    const { runAt = null, resumedAt = null, token = 0, owner, expiresAt, wakeAt = null } = item;
    const prefixLength = queue.indexOf('#', namespace.length + 1) + 1;
    return {
      ...{ id: idOf(item), name, status, runAt, body, resumedAt, deliveries, revision },
      queue: queue.slice(prefixLength),
      group: group === undefined ? null : group.slice(namespace.length + 1),
      paused: item.paused ?? false,
      lease: owner === undefined || expiresAt === undefined ? null : { token, owner, expiresAt },
      wakeAt: item.due === undefined ? null : wakeAt,
    };
  }

  return { shards, partition, queueIn, queueOf, groupOf, historyOf, keyOf, encode, decode };
}

/** A whole number as text that sorts as it does, also where it is negative. */
export function sortable(number: number): string {
  if (number >= 0) return `1${String(number).padStart(16, '0')}`;
  return `0${String(number + 9e15).padStart(16, '0')}`;
}

export function isKey(id: string): boolean {
  return id.isWellFormed() && Buffer.byteLength(id) <= limits.maxTextBytes;
}

const escapeMark = '\0';

/** An id in the place of a sort key, which cannot be empty. They sort as ids do. */
export function sortKeyOf(id: string): string {
  return id === '' || id.startsWith(escapeMark) ? escapeMark + id : id;
}

/** The id of the task that an item, or its key, is about. */
export function idOf({ sk }: Key): string {
  return sk.startsWith(escapeMark) ? sk.slice(1) : sk;
}
