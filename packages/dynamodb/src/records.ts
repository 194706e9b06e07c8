import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { HistoryEntry, NewTaskRecord, TaskRecord, TaskStatus } from '@sched/core';
import { shardOf } from '@sched/core/adapter';
import type { Item } from './expressions.js';
import { numberOf, textOf, toItem } from './expressions.js';

/**
 * An item has up to 400 KiB, of which bodies leave some for everything else; a sort key has 1024 bytes, of which one may
 * be an escape.
 */
export const limits = {
  maxBodyBytes: 384 * 1024,
  maxTextBytes: 1023,
  unstorable: 'loneSurrogates',
  findsNone: true,
} as const;

export type Key = Record<string, AttributeValue>;

/** How a namespace keeps its tasks and their history in the items of a table. */
export class Records {
  readonly table: string;
  readonly namespace: string;
  readonly shards: number;

  constructor(table: string, namespace: string, shards: number) {
    this.table = table;
    this.namespace = namespace;
    this.shards = shards;
  }

  partition(shard: number): string {
    return `${this.namespace}#task#${shard}`;
  }

  /** Where a task is; for what cannot be an id, a place where none ever is. */
  keyOf(id: string): Key {
    if (!isKey(id)) return toItem({ pk: `${this.namespace}#nowhere`, sk: 'nowhere' });
    return toItem({ pk: this.partition(shardOf(id, this.shards)), sk: sortKeyOf(id) });
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

  encode(record: NewTaskRecord, revision: number): Key {
    const { id, name, group, status, paused, runAt, body } = record;
    const queue = this.queueOf(id, record.queue);
    const attributes = toItem({
      ...{ name, queue, status, runAt, body, revision },
      group: group === null ? null : this.groupOf(group),
      paused: paused || null,
      due: status === 'scheduled' && !paused ? queue : null,
      wakeAt: runAt,
      deliveries: 0,
    });
    return { ...this.keyOf(id), ...attributes };
  }

  decode(item: Item): TaskRecord {
    const queue = textOf(item, 'queue') ?? '';
    const group = textOf(item, 'group');
    const [owner, expiresAt] = [textOf(item, 'owner'), numberOf(item, 'expiresAt')];
    const prefixLength = queue.indexOf('#', this.namespace.length + 1) + 1;
    return {
      id: idOf(item),
      name: textOf(item, 'name') ?? '',
      queue: queue.slice(prefixLength),
      group: group === null ? null : group.slice(this.namespace.length + 1),
      status: textOf(item, 'status') as TaskStatus,
      paused: 'paused' in item,
      runAt: numberOf(item, 'runAt'),
      body: textOf(item, 'body') ?? '',
      resumedAt: numberOf(item, 'resumedAt'),
      lease:
        owner === null || expiresAt === null
          ? null
          : { token: numberOf(item, 'token') ?? 0, owner, expiresAt },
      deliveries: numberOf(item, 'deliveries') ?? 0,
      revision: numberOf(item, 'revision') ?? 0,
      wakeAt: 'due' in item ? numberOf(item, 'wakeAt') : null,
    };
  }

  /**
   * @param now when it is added
   * @param place among those that are added then
   * @param token of the lease under which it is
   */
  encodeEntry(entry: HistoryEntry, now: number, place: number, token: number): Key {
    const { taskId, id, at, body } = entry;
    const sk = [at, now, place, token].map(sortable).join('#');
    return toItem({ pk: this.historyOf(taskId), sk, id, at, body });
  }

  decodeEntry(taskId: string, item: Item): HistoryEntry {
    return {
      taskId,
      id: textOf(item, 'id') ?? '',
      at: numberOf(item, 'at') ?? 0,
      body: textOf(item, 'body') ?? '',
    };
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
export function idOf(item: Item): string {
  const sortKey = textOf(item, 'sk') ?? '';
  return sortKey.startsWith(escapeMark) ? sortKey.slice(1) : sortKey;
}
