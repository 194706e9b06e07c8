import { shardOf } from '@sched/core/adapter';

/** Of a script. Redis is sent numbers as text. */
export type Argument = string | number;

/** What a script is told of one task, one of many that a call deals with. */
export interface Item {
  /** Decides about the shard. */
  readonly id: string;
  readonly args: readonly Argument[];
  /** Of what tasks the history is touched. */
  readonly histories?: readonly string[];
}

/** Items for one script, and where each of them stands among all. */
export interface Batch {
  readonly items: readonly Item[];
  readonly positions: readonly number[];
}

/** The most tasks that one script deals with, so that the server is soon free for others. */
export const batchSize = 250;
/** About how much text one script is given, if it is given more than one item. */
const batchLength = 1024 * 1024;

/** Divides items into batches, in order; by shard. */
export function toBatches(items: readonly Item[], shards: number): Map<number, Batch[]> {
  const byShard = new Map<number, { items: Item[]; positions: number[]; length: number }[]>();
  for (const [position, item] of items.entries()) {
    const shard = shardOf(item.id, shards);
    const batches = byShard.get(shard) ?? [];
    byShard.set(shard, batches);
    const length = item.args.reduce<number>((sum, arg) => sum + String(arg).length, 0);
    let batch = batches.at(-1);
    if (!batch || batch.items.length === batchSize || batch.length + length > batchLength) {
      batch = { items: [], positions: [], length: 0 };
      batches.push(batch);
    }
    batch.items.push(item);
    batch.positions.push(position);
    batch.length += length;
  }
  return byShard;
}
