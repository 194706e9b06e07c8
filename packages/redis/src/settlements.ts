import type { Settlement } from '@sched/core';
import type { Argument, Item } from './batches.js';
import { shardOf } from './batches.js';
import { checkText, encodeChange, encodeNew } from './records.js';
import { deliver, drain } from './scripts.js';
import type { Session } from './session.js';

/** A settlement for the script, and the shard whose outbox it adds to, if any. */
export interface SettlementItem extends Item {
  readonly outbox: number | undefined;
}

export function encodeSettlement(
  { id, token, revision, next, history, spawn }: Settlement,
  shards: number,
): SettlementItem {
  const shard = shardOf(id, shards);
  const here = spawn.filter((task) => shardOf(task.id, shards) === shard);
  const elsewhere = spawn.filter((task) => !here.includes(task));
  const args = [
    ...[id, token, revision],
    ...(next ? [encodeChange(next), next.body] : ['', '']),
    history.length,
    ...history.flatMap(({ taskId, id, at, body }) => [
      ...[checkText(taskId), checkText(id), at, checkText(body)],
    ]),
    here.length,
    ...here.flatMap(encodeNew),
    elsewhere.length,
    ...elsewhere.map((task) => JSON.stringify(encodeNew(task))),
  ];
  return {
    id,
    args,
    histories: history.map(({ taskId }) => taskId),
    outbox: elsewhere.length > 0 ? shard : undefined,
  };
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
