import { shardOf } from '@sched/core/adapter';
import type { Argument } from './records.js';
import { deliver, drain } from './scripts.js';
import type { Session } from './session.js';

/**
 * Inserts what settlements of a shard have spawned in others, and empties its outbox.
 *
 * A settlement and what it puts into the outbox are one atomic step. Whoever settles delivers before answering; if
 * that fails, or its process dies, the next claim does, whoever makes it. Any number may deliver at once: the receiving
 * shard notes what it has had from each other, so that a task is inserted once, even if it has been run and removed
 * since.
 */
export async function deliverOutbox({ run, shards }: Session, shard: number): Promise<void> {
  for (let delivered = ''; ; ) {
    const entries = await run<string[]>(drain, shard, '', [delivered]);
    if (entries.length === 0) return;
    const byShard = new Map<number, Argument[]>();
    for (const entry of entries) {
      delivered = entry.slice(0, entry.indexOf(' '));
      const task: string[] = JSON.parse(entry.slice(delivered.length));
      const target = shardOf(task[0] ?? '', shards);
      byShard.set(target, [...(byShard.get(target) ?? [shard]), delivered, ...task]);
    }
    await Promise.all([...byShard].map(([target, args]) => run(deliver, target, '', args)));
  }
}
