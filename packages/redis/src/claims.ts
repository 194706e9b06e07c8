/**
 * How tasks are claimed. In one shard a single script takes them. Of several shards each first says what it has that
 * is due; then each is asked for as many as are its share of the first `limit` of all.
 */
import type { ClaimedTask, ClaimRequest, ClaimResult, Lease } from '@sched/core';
import { batchSize } from './batches.js';
import type { Hold } from './records.js';
import { decodeLease, decodeMoment, decodeTask, encodeText, unheld } from './records.js';
import { claim, peek } from './scripts.js';
import type { Session } from './session.js';

/** One moment of each queue, or null: as the due index has it. */
type Moments = readonly (string | null)[];

type Claimed = [
  now: string,
  first: Moments,
  token: string,
  expiresAt: string,
  ids: string[],
  records: string[],
  before: (string | number)[],
];

type Peeked = [now: string, first: Moments, due: string[][], outbox: number | string];

export async function claimFrom(
  session: Session,
  shard: number,
  { queues, limit, owner, leaseMs }: ClaimRequest,
  time: string,
): Promise<ClaimResult> {
  const tasks: ClaimedTask[] = [];
  let now = time;
  for (;;) {
    const wanted = Math.min(batchSize, limit - tasks.length);
    const args = [wanted, owner, leaseMs, queues.length, ...queues.map(encodeText)];
    const answer = await session.run<Claimed>(claim, shard, now, args);
    const [at, first, token, end, ids, records, before] = answer;
    const lease: Lease = { token: Number(token), owner, expiresAt: decodeMoment(end) ?? 0 };
    const held = new Map<number, Hold>();
    for (let index = 0; index < before.length; index += 2) {
      held.set(Number(before[index]), decodeLease(String(before[index + 1])));
    }
    for (const [index, id] of ids.entries()) {
      const { deliveries, lease: lapsed } = held.get(index) ?? unheld;
      const hold = { lease: { ...lease }, deliveries: deliveries + 1 };
      const task = decodeTask(id, records[index] ?? '', hold);
      tasks.push(Object.assign(task, { lapsedOwner: lapsed?.owner ?? null }));
    }
    if (ids.length < wanted || tasks.length === limit) {
      return { tasks, now: Number(at), nextWakeAt: earliest(first) };
    }
    now = at;
  }
}

/** @param leftBehind is told of shards in whose outbox something waits */
export async function claimFromAll(
  session: Session,
  request: ClaimRequest,
  time: string,
  leftBehind: (shard: number) => Promise<void>,
): Promise<ClaimResult> {
  const tasks: ClaimedTask[] = [];
  for (;;) {
    const limit = request.limit - tasks.length;
    const { wanted, result } = await claimShares(session, { ...request, limit }, time, leftBehind);
    tasks.push(...result.tasks);
    // Others took what was due when it was counted. They got on, so this ends.
    if (result.tasks.length === wanted) return { ...result, tasks };
  }
}

async function claimShares(
  session: Session,
  request: ClaimRequest,
  time: string,
  leftBehind: (shard: number) => Promise<void>,
): Promise<{ readonly wanted: number; readonly result: ClaimResult }> {
  const limit = Math.min(request.limit, Number.MAX_SAFE_INTEGER);
  const args = [limit, ...request.queues.map(encodeText)];
  const peeked = await Promise.all(
    Array.from({ length: session.shards }, (_, shard) =>
      session.run<Peeked>(peek, shard, time, args),
    ),
  );
  const due = peeked
    .flatMap(([, , queues], shard) =>
      queues.flatMap((moments, queue) =>
        moments.map((at) => ({ shard, queue, at: decodeMoment(at) ?? 0 })),
      ),
    )
    .sort((a, b) => a.queue - b.queue || a.at - b.at)
    .slice(0, request.limit);
  const results = await Promise.all(
    peeked.map(async ([now, first, , outbox], shard): Promise<ClaimResult> => {
      if (Number(outbox) > 0) await leftBehind(shard);
      const limit = due.filter((each) => each.shard === shard).length;
      if (limit > 0) return claimFrom(session, shard, { ...request, limit }, time);
      return { tasks: [], now: Number(now), nextWakeAt: earliest(first) };
    }),
  );
  return { wanted: due.length, result: merge(results, due) };
}

/** Each shard goes by the clock of its own server, so what is measured in one is moved into the time of all. */
function merge(results: readonly ClaimResult[], order: readonly { shard: number }[]): ClaimResult {
  const now = Math.max(...results.map((result) => result.now));
  const rest = results.map(({ tasks }) => [...tasks]);
  const tasks = order.flatMap(({ shard }) => rest[shard]?.shift() ?? []);
  const wakes = results.flatMap((result) =>
    result.nextWakeAt === null ? [] : [result.nextWakeAt - result.now + now],
  );
  return { tasks, now, nextWakeAt: wakes.length > 0 ? Math.min(...wakes) : null };
}

function earliest(moments: Moments): number | null {
  const known = moments.flatMap((at) => (at === null ? [] : [decodeMoment(at) ?? 0]));
  return known.length > 0 ? Math.min(...known) : null;
}
