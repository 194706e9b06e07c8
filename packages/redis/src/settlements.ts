import type { Settlement } from '@sched/core';
import { shardOf } from './batches.js';
import { keyNames } from './lua.js';
import type { NewTask } from './records.js';
import { encodeChange } from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';

/** A settlement whose spawned tasks are ready to be stored. */
export interface EncodedSettlement extends Omit<Settlement, 'spawn'> {
  readonly spawn: readonly NewTask[];
}

/** About how much text a settlement is. */
export function settlementLength({ next, history, spawn }: EncodedSettlement): number {
  return [next, ...history, ...spawn].reduce((sum, part) => sum + (part?.body.length ?? 0), 0);
}

/** The keys of a task's history: its entries by id, and their ids by moment. */
export function historyKeys(taskId: string): string[] {
  return [`runs:${taskId}`, `history:${taskId}`];
}

/** What the script `settle` is given for settlements of one shard. */
export function settleArguments(
  settlements: readonly EncodedSettlement[],
  shards: number,
  shard: number,
) {
  const keys: string[] = [];
  const positions = new Map<string, string>();
  const ids: string[] = [];
  const args: string[] = [];
  let goesElsewhere = false;

  /** The position of the keys of a task's history among all keys of the script. */
  function positionOf(taskId: string): string {
    const known = positions.get(taskId);
    if (known !== undefined) return known;
    const position = String(keyNames.length + keys.length + 1);
    positions.set(taskId, position);
    keys.push(...historyKeys(taskId));
    return position;
  }

  for (const { id, token, revision, next, history, spawn } of settlements) {
    const isHere = (task: NewTask) => shardOf(task.id, shards) === shard;
    const here = spawn.filter(isHere);
    const elsewhere = spawn.filter((task) => !isHere(task));
    if (elsewhere.length > 0) goesElsewhere = true;
    ids.push(id, ...here.map((task) => task.id));
    args.push(id, String(token), String(revision));
    args.push(next ? encodeChange(next) : '', next?.body ?? '');
    args.push(String(history.length));
    for (const entry of history) {
      args.push(positionOf(entry.taskId), entry.id, String(entry.at), entry.body);
    }
    args.push(String(here.length));
    for (const task of here) args.push(task.id, task.envelope, task.body);
    args.push(String(elsewhere.length));
    for (const { id, envelope, body } of elsewhere) {
      args.push(JSON.stringify([id, envelope, body]));
    }
  }
  return { args: [String(ids.length), ...ids, ...args], keys, goesElsewhere };
}

/**
 * Inserts what settlements of a shard have spawned in others, and empties its outbox.
 *
 * The settlement and its outbox are one atomic step. Whoever settles delivers before answering; should it fail or die
 * in between, the next claim does, whoever makes it. Any number may deliver at once: the receiving shard notes the
 * last number that it has had from each other, and each outbox is read from its start, so that a task is inserted
 * once, even if it has been run and removed since.
 */
export async function deliver(session: Session, shard: number): Promise<void> {
  let delivered = '';
  for (;;) {
    const entries = await session.run<string[]>(scripts.drain, shard, '', [delivered]);
    const last = entries.at(-1);
    if (last === undefined) return;
    const byShard = new Map<number, string[]>();
    for (const entry of entries) {
      const { sequence, rest } = split(entry);
      const [id = '', ...task]: string[] = JSON.parse(rest);
      const target = shardOf(id, session.shards);
      const args = byShard.get(target) ?? [String(shard)];
      byShard.set(target, args);
      args.push(id, sequence, ...task);
    }
    const deliveries = [...byShard].map(([target, args]) =>
      session.run(scripts.deliver, target, '', args),
    );
    await Promise.all(deliveries);
    delivered = split(last).sequence;
  }
}

/** `<number> <task as JSON>` */
function split(entry: string): { readonly sequence: string; readonly rest: string } {
  const space = entry.indexOf(' ');
  return { sequence: entry.slice(0, space), rest: entry.slice(space + 1) };
}
