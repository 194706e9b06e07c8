/**
 * How tasks are claimed. The index says which are due, in every queue and shard, and may be a moment behind; each is
 * then taken by a write that looks at the task itself.
 *
 * A number for a token is drawn after the index, or the task, has been seen to have its revision. A task that was
 * removed and created since has another, so that its claim fails; hence a token is greater than any of those that an
 * earlier task of this id had.
 */
import type { ClaimedTask, ClaimRequest, ClaimResult, Lease } from '@sched/core';
import { earliest } from '@sched/core/adapter';
import type { Key } from './expressions.js';
import { expressions, update } from './expressions.js';
import type { Session } from './session.js';

/** What a first look takes: no more than one read unit pays for, whether or not anything is due. */
const firstPage = 25;
const laterPage = 500;
/** How often a claim tries to take a task that keeps changing and still is due. */
const maxTries = 4;

/** A place in the order in which tasks are taken. */
interface Place {
  /** As the index has it: in one shard. */
  readonly queue: string;
  /** The position of the queue in the request. */
  readonly rank: number;
  readonly wakeAt: number;
}

/** What has not been read of a queue in one shard: nothing that comes earlier than here. */
interface Unread extends Place {
  readonly from?: Key;
}

/** An entry of the index. */
interface Candidate extends Place {
  readonly key: Key;
  readonly revision: number;
  readonly tries: number;
}

const inOrder = (a: Place, b: Place) => a.rank - b.rank || a.wakeAt - b.wakeAt;

export async function claim(
  session: Session,
  { queues, limit, owner, leaseMs }: ClaimRequest,
  now: number,
): Promise<ClaimResult> {
  const { records, settings } = session;
  const expiresAt = now + leaseMs;
  const places = queues.flatMap((queue, rank) =>
    records.shards.map((shard) => ({ queue: records.queueIn(shard, queue), rank, wakeAt: now })),
  );
  const looks = places.map((place) => read(session, place, Math.min(limit + 1, firstPage)));
  const found = await Promise.all(looks);
  let candidates = found.flatMap(({ entries }) => entries);
  let unread = found.flatMap(({ rest }) => rest);
  const tasks: ClaimedTask[] = [];
  for (;;) {
    // What has not been read may come before what has.
    const [next] = unread.filter(({ wakeAt }) => wakeAt <= now).sort(inOrder);
    const picked = candidates
      .filter(({ wakeAt, tries }) => wakeAt <= now && tries < maxTries)
      .filter((candidate) => !next || inOrder(candidate, next) <= 0)
      .sort(inOrder)
      .slice(0, limit - tasks.length);
    if (picked.length > 0) {
      const token = await session.numbers(picked.length);
      const taking = picked.map((candidate, index) =>
        take(session, candidate, { token: token + index, owner, expiresAt }, now),
      );
      const taken = await Promise.all(taking);
      const tried = new Set(picked);
      candidates = candidates.filter((each) => !tried.has(each));
      candidates.push(...taken.flatMap(({ changed = [] }) => changed));
      tasks.push(...taken.flatMap(({ task = [] }) => task));
      // Those that have been taken are handed out, though others failed: they would have to wait for their leases to end.
      const failed = taken.find(({ error }) => error);
      if (failed && tasks.length === 0) throw failed.error;
    } else if (next && tasks.length < limit) {
      const { entries, rest } = await read(session, next, laterPage);
      candidates.push(...entries);
      unread = unread.filter((each) => each !== next).concat(rest);
    } else break;
  }
  const wakes = [...candidates, ...unread].map(({ wakeAt }) => wakeAt);
  if (tasks.length > 0) wakes.push(expiresAt + settings.maxClockSkewMs);
  return { tasks, now, nextWakeAt: earliest(wakes) };
}

async function read(
  session: Session,
  place: Unread,
  limit: number,
): Promise<{ readonly entries: Candidate[]; readonly rest: Unread[] }> {
  const { queue, rank, from } = place;
  const condition = expressions({ KeyConditionExpression: '#due = :queue' }, { queue });
  const input = { IndexName: 'due', Limit: limit, ...condition };
  const { items, next } = await session.query<Key & Pick<Candidate, 'wakeAt' | 'revision'>>(
    input,
    from,
  );
  const entries = items.map(({ pk, sk, wakeAt, revision }) => ({
    ...{ queue, rank, wakeAt, revision, tries: 0 },
    key: { pk, sk },
  }));
  const { wakeAt } = entries.at(-1) ?? place;
  return { entries, rest: next ? [{ queue, rank, wakeAt, from: next }] : [] };
}

/** What became of a candidate: nothing where it is no longer there to be taken. */
interface Taken {
  readonly task?: ClaimedTask;
  /** As it stands, where it has not been taken. */
  readonly changed?: Candidate;
  readonly error?: unknown;
}

async function take(
  session: Session,
  candidate: Candidate,
  lease: Lease,
  now: number,
): Promise<Taken> {
  const { queue, key, revision, tries } = candidate;
  const change = {
    condition:
      '#due = :due AND #wakeAt <= :now AND #revision = :revision AND (attribute_not_exists(#token) OR #token < :token)',
    set: { ...lease, wakeAt: lease.expiresAt + session.settings.maxClockSkewMs },
    derive: ['#lapsedOwner = if_not_exists(#owner, :nobody)', '#deliveries = #deliveries + :one'],
    values: { due: queue, now, revision, nobody: null, one: 1 },
  };
  try {
    const { isDone, item } = await session.write(update(key, change), 'ALL_NEW');
    // If it is not done, the client may have made the request twice, and the first has taken it.
    if (item && (isDone || item.token === lease.token)) {
      const { lapsedOwner = null } = item;
      return { task: { ...session.records.decode(item), lease, lapsedOwner } };
    }
    if (item?.due !== queue || item.wakeAt === undefined) return {};
    const { wakeAt } = item;
    return { changed: { ...candidate, wakeAt, revision: item.revision, tries: tries + 1 } };
  } catch (error) {
    return { changed: { ...candidate, tries: maxTries }, error };
  }
}
