import type { HistoryEntry, NewTaskRecord, TaskRecord, TaskStatus } from '@sched/core';
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

/** How a namespace keeps its tasks and their history in the items of a table. */
export class Records {
  readonly namespace: string;
  readonly shards: number;

  constructor(namespace: string, shards: number) {
    this.namespace = namespace;
    this.shards = shards;
  }

  partition(shard: number): string {
    return `${this.namespace}#task#${shard}`;
  }

  /** Where a task is; for what cannot be an id, a place where none ever is. */
  keyOf(id: string): Key {
    if (!isKey(id)) return { pk: `${this.namespace}#nowhere`, sk: 'nowhere' };
    return { pk: this.partition(shardOf(id, this.shards)), sk: sortKeyOf(id) };
  }

  /** A queue in a shard, as the index of due tasks has it. */
  queueIn(shard: number, queue: string): string {
    return `${this.namespace}#${shard}#${queue}`;
  }

  /** The queue that a task is in, as the index has it. */
  queueOf(id: string, queue: string): string {
    return this.queueIn(shardOf(id, this.shards), queue);
  }

  groupOf(group: string): string {
    return `${this.namespace}#${group}`;
  }

  historyOf(taskId: string): string {
    return `${this.namespace}#history#${taskId}`;
  }

  encode(record: NewTaskRecord, revision: number): Key & Values {
    const { id, name, group, status, paused, runAt, body } = record;
    const queue = this.queueOf(id, record.queue);
    return {
      ...{ ...this.keyOf(id), name, queue, status, runAt, body, revision, deliveries: 0 },
      group: group === null ? null : this.groupOf(group),
      paused: paused || null,
      due: status === 'scheduled' && !paused ? queue : null,
      wakeAt: runAt,
    };
  }

  decode(item: TaskItem): TaskRecord {
    const { name, queue, group, status, body, deliveries, revision } = item;
    const { runAt = null, resumedAt = null, token = 0, owner, expiresAt, wakeAt = null } = item;
    const prefixLength = queue.indexOf('#', this.namespace.length + 1) + 1;
    return {
      ...{ id: idOf(item), name, status, runAt, body, resumedAt, deliveries, revision },
      queue: queue.slice(prefixLength),
      group: group === undefined ? null : group.slice(this.namespace.length + 1),
      paused: item.paused ?? false,
      lease: owner === undefined || expiresAt === undefined ? null : { token, owner, expiresAt },
      wakeAt: item.due === undefined ? null : wakeAt,
    };
  }

  /**
   * @param now when it is added
   * @param place among those that are added then
   * @param token of the lease under which it is
   */
  encodeEntry(entry: HistoryEntry, now: number, place: number, token: number): EntryItem {
    const { taskId, id, at, body } = entry;
    const sk = [at, now, place, token].map(sortable).join('#');
    return { pk: this.historyOf(taskId), sk, id, at, body };
  }
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
