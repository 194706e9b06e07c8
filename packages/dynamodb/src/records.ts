import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { HistoryEntry, NewTaskRecord, TaskRecord, TaskStatus } from '@sched/core';
import { SchedError } from '@sched/core';
import type { Item } from './expressions.js';
import { numberOf, textOf, toItem } from './expressions.js';

/** The longest body, in bytes of UTF-8. An item has up to 400 KiB, of which this leaves some for everything else. */
const maxBodyBytes = 384 * 1024;
/** The longest sort key. */
const maxKeyBytes = 1024;

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
    return toItem({ pk: this.partition(this.#shardOf(id)), sk: id });
  }

  /** A queue in a shard, as the index of due tasks has it. */
  queueIn(shard: number, queue: string): string {
    return `${this.namespace}#${shard}#${queue}`;
  }

  /** The queue that a task is in, as the index has it. */
  queueOf(id: string, queue: string): string {
    return this.queueIn(this.#shardOf(id), queue);
  }

  groupOf(group: string): string {
    return `${this.namespace}#${group}`;
  }

  historyOf(taskId: string): string {
    return `${this.namespace}#history#${taskId}`;
  }

  /** In which shard a task is: FNV-1a over the UTF-16 units of its id. A task is not found if this ever changes. */
  #shardOf(id: string): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
    return (hash >>> 0) % this.shards;
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
      id: textOf(item, 'sk') ?? '',
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

/** @throws SchedError for what could not be given back as it was, or would not fit */
export function checkNew({ id, name, queue, group, body }: NewTaskRecord): void {
  checkKey(id);
  checkTexts([name, queue, group ?? '']);
  checkBody(body);
}

/** @throws SchedError as for a task */
export function checkEntry({ taskId, id, body }: HistoryEntry): void {
  checkTexts([taskId, id]);
  checkBody(body);
}

export function checkBody(body: string): void {
  checkWellFormed(body);
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return;
  throw new SchedError(
    'SCHED_PAYLOAD_TOO_LARGE',
    `A body has ${bytes} bytes, and @sched/dynamodb takes at most ${maxBodyBytes}.`,
  );
}

export function checkTexts(texts: readonly string[]): void {
  for (const text of texts) {
    checkWellFormed(text);
    if (Buffer.byteLength(text) > maxKeyBytes) throw keyError('has more than 1024 bytes');
  }
}

function checkKey(id: string): void {
  checkTexts([id]);
  if (!isKey(id)) throw keyError('is empty');
}

export function isKey(id: string): boolean {
  return id !== '' && id.isWellFormed() && Buffer.byteLength(id) <= maxKeyBytes;
}

const keyError = (problem: string) =>
  new SchedError('SCHED_ARGUMENT_INVALID', `An id, name, queue or group ${problem}.`);

/** Half of a surrogate pair would reach the server as another character. */
function checkWellFormed(text: string): void {
  if (text.isWellFormed()) return;
  throw new SchedError('SCHED_ARGUMENT_INVALID', 'A text holds half of a surrogate pair.');
}
