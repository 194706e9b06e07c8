import { shardOf } from '@sched/core/adapter';

/** Of a script. Redis is sent numbers as text. */
export type Argument = string | number;

/** What a script is told of one task, one of many that a call deals with. */
export interface Item {
  /** Decides about the shard. */
  readonly id: string;
  readonly args?: readonly Argument[];
  /** The tasks whose history it adds to, once for each entry. */
  readonly histories?: readonly string[];
}

/** Items for one script, and where each of them stands among all. */
export interface Batch {
  readonly ids: string[];
  readonly args: Argument[];
  readonly histories: string[];
  readonly positions: number[];
}

/** The most tasks that one script deals with, so that the server is soon free for others. */
export const batchSize = 250;
/** About how much text one script is given, if it is given more than one item. */
const batchLength = 1024 * 1024;

/** Divides items into batches, in order; by shard. */
export function toBatches(items: readonly Item[], shards: number): Map<number, Batch[]> {
  const byShard = new Map<number, Batch[]>();
  const lengths = new Map<Batch, number>();
  for (const [position, { id, args = [], histories = [] }] of items.entries()) {
    const shard = shards === 1 ? 0 : shardOf(id, shards);
    const batches = byShard.get(shard) ?? [];
    byShard.set(shard, batches);
    let length = 0;
    for (const arg of args) length += String(arg).length;
    let batch = batches.at(-1);
    const total = batch ? (lengths.get(batch) ?? 0) + length : 0;
    if (!batch || batch.ids.length === batchSize || total > batchLength) {
      batch = { ids: [], args: [], histories: [], positions: [] };
      batches.push(batch);
    }
    batch.ids.push(id);
    batch.args.push(...args);
    batch.histories.push(...histories);
    batch.positions.push(position);
    lengths.set(batch, batch.ids.length === 1 ? length : total);
  }
  return byShard;
}
