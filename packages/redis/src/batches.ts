import { SchedError } from '@sched/core';

/** The most tasks that one script deals with, so that the server is soon free for others. */
export const batchSize = 500;
/** About how much text one script is given, if it is given more than one task. */
const batchLength = 1024 * 1024;

/** In which shard a task is: FNV-1a over the UTF-16 units of its id. A task is not found when this changes. */
export function shardOf(id: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}

/** What a batch holds: an item, and its position among all items. */
export interface Positioned<T> {
  readonly item: T;
  readonly position: number;
}

/** Divides items into batches, each for one shard, in order; by shard. */
export function toBatches<T extends { readonly id: string }>(
  items: readonly T[],
  shards: number,
  lengthOf: (item: T) => number,
): Map<number, Positioned<T>[][]> {
  const byShard = new Map<number, Positioned<T>[][]>();
  const lengths = new Map<number, number>();
  for (const [position, item] of items.entries()) {
    checkText('An id', item.id);
    const shard = shardOf(item.id, shards);
    const batches = byShard.get(shard) ?? [];
    byShard.set(shard, batches);
    const length = (lengths.get(shard) ?? 0) + lengthOf(item);
    const last = batches.at(-1);
    if (last && last.length < batchSize && length <= batchLength) {
      last.push({ item, position });
      lengths.set(shard, length);
    } else {
      batches.push([{ item, position }]);
      lengths.set(shard, lengthOf(item));
    }
  }
  return byShard;
}

/** Half a surrogate pair would reach the server as another character. */
export function checkText(what: string, text: string): void {
  if (!text.isWellFormed()) {
    throw new SchedError('SCHED_ARGUMENT_INVALID', `${what} holds half of a surrogate pair.`);
  }
}
