import type { Settlement } from '@sched/core';
import { shardOf } from '@sched/core/adapter';
import type { Argument, Item } from './batches.js';
import { encodeMoment, encodeNew, encodeText } from './records.js';
import { deliver, drain } from './scripts.js';
import type { Session } from './session.js';

/** A settlement for the script. */
export interface SettlementItem extends Item {
  /** The shard whose outbox it adds to, if any. */
  readonly outbox: number | undefined;
  /** What it spawns there. */
  readonly elsewhere: readonly string[];
}

export function encodeSettlement(
  { id, token, revision, next, history, spawn }: Settlement,
  shards: number,
): SettlementItem {
  const shard = shardOf(id, shards);
  const here = spawn.filter((task) => shardOf(task.id, shards) === shard);
  const elsewhere = spawn.filter((task) => !here.includes(task));
  const isPlain = !next && history.length === 0 && spawn.length === 0;
  const shape = `${next ? 1 : 0} ${history.length} ${here.length} ${elsewhere.length}`;
  const args: Argument[] = [`${token} ${revision} `, isPlain ? '' : shape];
  if (next) args.push(next.paused ? '1' : '', next.status, encodeMoment(next.runAt), next.body);
  for (const { id, at, body } of history) args.push(`${encodeText(id)} ${at} ${body}`);
  for (const task of here) args.push(task.id, ...encodeNew(task));
  for (const task of elsewhere) args.push(JSON.stringify([task.id, ...encodeNew(task)]));
  return {
    id,
    args,
    histories: history.map(({ taskId }) => taskId),
    outbox: elsewhere.length > 0 ? shard : undefined,
    elsewhere: elsewhere.map((task) => task.id),
  };
}

/**
 * Cuts a call before each task that it spawns in another shard and then settles: what is spawned there is delivered
 * last, and would come when that task is gone.
 */
export function inTurn(items: readonly SettlementItem[]): SettlementItem[][] {
  const parts: SettlementItem[][] = [];
  let spawned = new Set<string>();
  for (const item of items) {
    if (parts.length === 0 || spawned.has(item.id)) {
      parts.push([]);
      spawned = new Set();
    }
    parts.at(-1)?.push(item);
    for (const id of item.elsewhere) spawned.add(id);
  }
  return parts;
}

/**
 * Inserts what settlements of a shard have spawned in others, and empties its outbox.
 *
 * A settlement and what it puts into the outbox are one atomic step. Whoever settles delivers before answering; if
 * that fails, or its process dies, the next claim does, whoever makes it. Any number may deliver at once: the receiving
 * shard notes what it has had from each other, so that a task is inserted once, even if it has been run and removed
 * since.
 */
export async function deliverOutbox(session: Session, shard: number): Promise<void> {
  for (let delivered = ''; ; ) {
    const entries = await session.run<string[]>(drain, shard, '', [delivered]);
    if (entries.length === 0) return;
    const byShard = new Map<number, Argument[]>();
    for (const entry of entries) {
      delivered = entry.slice(0, entry.indexOf(' '));
      const task: string[] = JSON.parse(entry.slice(delivered.length));
      const target = shardOf(task[0] ?? '', session.shards);
      byShard.set(target, [...(byShard.get(target) ?? [shard]), delivered, ...task]);
    }
    await Promise.all([...byShard].map(([target, args]) => session.run(deliver, target, '', args)));
  }
}
