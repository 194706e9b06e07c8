/**
 * How tasks are claimed. The index says which are due, in every queue and shard, and may be a moment behind; each is
 * then taken by a write that looks at the task itself.
 *
 * A number for a token is drawn after the index, or the task, has been seen to have its revision. A task that was
 * removed and created since has another, so that its claim fails; hence a token is greater than any of those that an
 * earlier task of this id had.
 */
import type { ClaimedTask, ClaimRequest, ClaimResult, Lease } from '@sched/core';
import type { Item } from './expressions.js';
import { expressions, numberOf, textOf } from './expressions.js';
import type { Key } from './records.js';
import type { Session, Written } from './session.js';

/** What a first look takes: no more than one read unit pays for, whether or not anything is due. */
const firstPage = 25;
const laterPage = 500;
/** How often a claim tries to take a task that has changed and still is due. */
const maxTries = 3;

/** An entry of the index. */
interface Candidate {
  readonly source: Source;
  readonly key: Key;
  readonly wakeAt: number;
  readonly revision: number;
  readonly tries: number;
}

/** A queue in one shard. */
interface Source {
  readonly queue: string;
  /** The position of the queue in the request. */
  readonly rank: number;
  /** What has been read and not been tried, in order. */
  entries: Candidate[];
  /** Where to read on; undefined at the end. */
  next: Key | undefined;
}

export async function claim(
  session: Session,
  request: ClaimRequest,
  now: number,
): Promise<ClaimResult> {
  const { records } = session;
  const sources = request.queues.flatMap((queue, rank) =>
    Array.from(
      { length: records.shards },
      (_, shard): Source => ({
        queue: records.queueIn(shard, queue),
        rank,
        entries: [],
        next: undefined,
      }),
    ),
  );
  const readAll = (some: readonly Source[], limit: number) =>
    Promise.all(some.map((source) => read(session, source, limit)));
  await readAll(sources, Math.min(request.limit + 1, firstPage));
  const tasks: ClaimedTask[] = [];
  const wakes: number[] = [];
  for (;;) {
    const { picked, unread } = pick(sources, request.limit - tasks.length, now);
    if (picked.length > 0) {
      const taken = await take(session, picked, request, now);
      tasks.push(...taken.tasks);
      wakes.push(...taken.wakes);
    } else if (unread.length > 0) {
      await readAll(unread, laterPage);
    } else {
      wakes.push(...sources.flatMap(({ entries }) => entries[0]?.wakeAt ?? []));
      // What was not read is not earlier than what was.
      if (sources.some(({ entries, next }) => next && entries.length === 0)) wakes.push(now);
      return { tasks, now, nextWakeAt: wakes.length > 0 ? wakes.reduce(earlier) : null };
    }
  }
}

const earlier = (a: number, b: number) => Math.min(a, b);

async function read({ records, call }: Session, source: Source, limit: number): Promise<void> {
  const { Items = [], LastEvaluatedKey } = await call('Query', {
    TableName: records.table,
    IndexName: 'due',
    Limit: limit,
    ...(source.next && { ExclusiveStartKey: source.next }),
    ...expressions({ KeyConditionExpression: '#due = :queue' }, { queue: source.queue }),
  });
  source.entries.push(
    ...Items.map(({ pk, sk, ...item }) => ({
      source,
      key: { pk, sk } as Key,
      wakeAt: numberOf(item, 'wakeAt') ?? 0,
      revision: numberOf(item, 'revision') ?? 0,
      tries: 0,
    })),
  );
  source.next = LastEvaluatedKey;
}

/** The first that are due, and if there are none for want of reading, where to read. */
function pick(sources: readonly Source[], limit: number, now: number) {
  const picked: Candidate[] = [];
  const ranks = sources.at(-1)?.rank ?? -1;
  for (let rank = 0; rank <= ranks; rank++) {
    const queue = sources.filter((source) => source.rank === rank);
    while (picked.length < limit) {
      const unread = queue.filter(({ entries, next }) => entries.length === 0 && next);
      if (unread.length > 0) return { picked, unread };
      const [first] = queue
        .flatMap(({ entries }) => entries[0] ?? [])
        .sort((a, b) => a.wakeAt - b.wakeAt);
      if (!first || first.wakeAt > now) break;
      first.source.entries.shift();
      picked.push(first);
    }
  }
  return { picked, unread: [] };
}

async function take(
  session: Session,
  picked: readonly Candidate[],
  { owner, leaseMs }: ClaimRequest,
  now: number,
): Promise<{ readonly tasks: ClaimedTask[]; readonly wakes: number[] }> {
  const firstToken = await session.numbers(picked.length);
  const expiresAt = now + leaseMs;
  const results = await Promise.allSettled(
    picked.map((candidate, index) =>
      takeOne(session, candidate, { token: firstToken + index, owner, expiresAt }, now),
    ),
  );
  const tasks: ClaimedTask[] = [];
  const wakes: number[] = [];
  for (const [index, candidate] of picked.entries()) {
    const result = results[index];
    const { source, key, tries } = candidate;
    const written = result?.status === 'fulfilled' ? result.value : undefined;
    const item = written?.item;
    const token = firstToken + index;
    // If not, the client may have made the request twice, and the first has taken it.
    if (item && (written.isDone || numberOf(item, 'token') === token)) {
      const lease: Lease = { token, owner, expiresAt };
      tasks.push({
        ...session.records.decode(item),
        lease,
        lapsedOwner: textOf(item, 'lapsedOwner'),
      });
      continue;
    }
    const wakeAt = written ? dueAt(item, source) : candidate.wakeAt;
    if (wakeAt === undefined) continue;
    if (item && wakeAt <= now && tries < maxTries) {
      const revision = numberOf(item, 'revision') ?? 0;
      source.entries.push({ source, key, wakeAt, revision, tries: tries + 1 });
      source.entries.sort((a, b) => a.wakeAt - b.wakeAt);
    } else {
      wakes.push(wakeAt);
    }
  }
  // Those that have been taken are handed out, though others failed: they would have to wait for their leases to end.
  const failed = results.find((result) => result.status === 'rejected');
  if (failed && tasks.length === 0) throw failed.reason;
  const { maxClockSkewMs } = session.settings;
  if (tasks.length > 0) wakes.push(expiresAt + maxClockSkewMs);
  return { tasks, wakes };
}

/** When a task is to wake, if it still is in this queue. */
function dueAt(item: Item | undefined, { queue }: Source): number | undefined {
  return textOf(item, 'due') === queue ? (numberOf(item, 'wakeAt') ?? undefined) : undefined;
}

function takeOne(
  { records, settings, write }: Session,
  { source, key, revision }: Candidate,
  { token, owner, expiresAt }: Lease,
  now: number,
): Promise<Written> {
  const update = expressions(
    {
      ConditionExpression:
        '#due = :due AND #wakeAt <= :now AND #revision = :revision AND (attribute_not_exists(#token) OR #token < :token)',
      UpdateExpression:
        'SET #token = :token, #owner = :owner, #expiresAt = :expiresAt, #wakeAt = :wakeAt, #lapsedOwner = if_not_exists(#owner, :nobody), #deliveries = #deliveries + :one',
    },
    {
      ...{ due: source.queue, now, revision, token, owner, expiresAt, nobody: null, one: 1 },
      wakeAt: expiresAt + settings.maxClockSkewMs,
    },
  );
  return write({ Update: { TableName: records.table, Key: key, ...update } }, 'ALL_NEW');
}
