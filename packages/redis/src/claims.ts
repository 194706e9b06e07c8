/**
 * How tasks are claimed. From one shard a single script takes them. Of several each first says what it has that is due;
 * then each is asked for as many as are its share of the first `limit` of all.
 */
import type { ClaimedTask, ClaimRequest, ClaimResult } from '@sched/core';
import { earliest, toClaimed } from '@sched/core/adapter';
import { deliverOutbox } from './outbox.js';
import { decodeMoment, decodeTasks, encodeText } from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';

/** The time of a shard, and the first moment of each queue in it. */
type Moments = readonly [now: string, first: readonly (string | null)[]];

type Claimed = [
  ...[...moments: Moments, token: string, expiresAt: string],
  ...[ids: string[], records: string[], bodies: string[]],
];

type Peeked = [...moments: Moments, due: string[][], outbox: number | string];

/**
 * @param most the most tasks to take at a time
 * @param time of the injected clock, or nothing
 */
export async function claim(
  session: Session,
  { queues: names, limit, owner, leaseMs }: ClaimRequest,
  most: number,
  time: string,
): Promise<ClaimResult> {
  const { run } = session;
  const queues = names.map(encodeText);
  // Each shard goes by the clock of its own server, and by one moment of it.
  const moments = Array<Moments>(session.shards).fill([time, []]);

  /** @returns the shards of the first tasks that are due, in order */
  async function peek(wanted: number): Promise<number[]> {
    const found = moments.map(async ([now], shard) => {
      const peeked = await run<Peeked>(scripts.peek, shard, now, [wanted, ...queues]);
      const [at, first, due, outbox] = peeked;
      moments[shard] = [at, first];
      // Whoever left something behind there may be at it still, and the next claim comes by again.
      if (Number(outbox) > 0) await deliverOutbox(session, shard).catch(() => {});
      return due.flatMap((each, queue) =>
        each.map((moment) => ({ shard, queue, at: decodeMoment(moment) ?? 0 })),
      );
    });
    return (await Promise.all(found))
      .flat()
      .sort((a, b) => a.queue - b.queue || a.at - b.at)
      .slice(0, wanted)
      .map(({ shard }) => shard);
  }

  async function take(shard: number, wanted: number): Promise<ClaimedTask[]> {
    if (wanted === 0) return [];
    const args = [wanted, encodeText(owner), leaseMs, ...queues];
    const claimed = await run<Claimed>(scripts.claim, shard, moments[shard]?.[0] ?? '', args);
    const [now, first, token, end, ids, records, bodies] = claimed;
    moments[shard] = [now, first];
    const expiresAt = decodeMoment(end) ?? 0;
    return decodeTasks(ids, records, bodies).map((before) =>
      toClaimed(before, { token: Number(token), owner, expiresAt }),
    );
  }

  const tasks: ClaimedTask[] = [];
  for (;;) {
    const wanted = Math.min(most, limit - tasks.length);
    let taken: ClaimedTask[];
    let isAll: boolean;
    if (session.shards === 1) {
      taken = await take(0, wanted);
      isAll = taken.length < wanted;
    } else {
      const order = await peek(wanted);
      const shares = await Promise.all(
        moments.map((_, shard) => take(shard, order.filter((each) => each === shard).length)),
      );
      taken = order.flatMap((shard) => shares[shard]?.shift() ?? []);
      // If others took what was due when it was counted, they got on, so this ends.
      isAll = order.length < wanted && taken.length === order.length;
    }
    tasks.push(...taken);
    if (isAll || tasks.length === limit) return { tasks, ...merge(moments) };
  }
}

/** What is measured in a shard by the clock of its server is moved into the time of all. */
function merge(moments: readonly Moments[]) {
  const now = Math.max(...moments.map(([time]) => Number(time)));
  const wakes = moments.flatMap(([time, first]) =>
    first.flatMap((at) => (at === null ? [] : (decodeMoment(at) ?? 0) - Number(time) + now)),
  );
  return { now, nextWakeAt: earliest(wakes) };
}
