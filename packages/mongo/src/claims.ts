import type { ClaimedTask, ClaimRequest, ClaimResult } from '@sched/core';
import type { MongoDocument } from './client.js';
import type { TaskDocument } from './documents.js';
import { limits, toRecord } from './documents.js';
import type { Delivery } from './outbox.js';
import { claimed } from './pipelines.js';
import { minWakeAt } from './schema.js';
import type { StoreClock } from './store-clock.js';

/** A task as the index of due tasks shows it. */
interface Candidate {
  readonly _id: string;
  readonly serial: number;
  readonly wakeAt: number;
}

/** What there is in the queues. */
interface View {
  readonly now: number;
  /** How far the pages go, which is beyond what is due. */
  readonly bound: number;
  /** Those of each queue that may be due, one more than can be taken. */
  readonly pages: readonly (readonly Candidate[])[];
  /** The first of each queue that is certainly not due. */
  readonly later: readonly (Candidate | undefined)[];
}

/** How often a claim looks again when others have taken what it was about to take. */
const rounds = 50;

const shape = { serial: 1, wakeAt: 1 };

/** Takes due tasks: finds them, marks those that are still due with a number of its own, and reads these back. */
export async function claimFrom(
  delivery: Delivery,
  clock: StoreClock,
  horizons: Horizons,
  { queues, limit, owner, leaseMs }: ClaimRequest,
): Promise<ClaimResult> {
  const view = await look(delivery, clock, horizons, queues, limit);
  const { now, bound, later } = view;
  const tasks: ClaimedTask[] = [];
  let { pages } = view;
  for (let misses = 0; misses < rounds; ) {
    const due = pages.flat().filter(({ wakeAt }) => wakeAt <= now);
    const count = Math.min(limits.maxItems, limit - tasks.length);
    // Who has lost a race leaves the first to the others, or all would race for the same again.
    const start = Math.floor(Math.random() * (misses + 1)) * count;
    const candidates = due.slice(Math.max(0, Math.min(start, due.length - count))).slice(0, count);
    if (candidates.length === 0) break;
    const taken = await take(delivery, candidates, owner, now, leaseMs);
    tasks.push(...taken);
    const ids = new Set(taken.map(({ id }) => id));
    pages = pages.map((page) => page.filter(({ _id }) => !ids.has(_id)));
    if (taken.length < candidates.length && tasks.length < limit) {
      misses++;
      pages = await pagesOf(delivery, queues, bound, (limit - tasks.length) * (misses + 1));
    }
  }
  const moments = [...pages.flat(), ...later].flatMap((each) => (each ? [each.wakeAt] : []));
  if (tasks.length > 0) moments.push(now + leaseMs);
  return { tasks, now, nextWakeAt: moments.length > 0 ? Math.min(...moments) : null };
}

async function look(
  delivery: Delivery,
  clock: StoreClock,
  horizons: Horizons,
  queues: readonly string[],
  limit: number,
): Promise<View> {
  for (;;) {
    const reading = await clock.read();
    const { bound } = reading;
    const [now, pages, later] = await Promise.all([
      reading.now,
      pagesOf(delivery, queues, bound, limit),
      Promise.all(queues.map((queue) => firstAfter(delivery, horizons, queue, bound))),
    ]);
    if (now <= bound) return { now, bound, pages, later };
  }
}

function pagesOf(
  delivery: Delivery,
  queues: readonly string[],
  bound: number,
  limit: number,
): Promise<Candidate[][]> {
  return Promise.all(
    queues.map((queue) =>
      candidates(delivery, { queue, wakeAt: { $gte: minWakeAt, $lte: bound } }, limit + 1),
    ),
  );
}

/**
 * A task of each queue that is not due, with few before it. Not every server reads an index in its order: to find the
 * first of a million that are not due such a one looks at a million, and so it is asked only what comes before this one.
 */
export type Horizons = Map<string, { readonly task: Candidate; looks: number }>;

/** How many tasks there are up to a horizon when it is found: more than are leased and gone again in a moment. */
const stretch = 1000;

/** After how many looks it is seen to it that there are not many more by now. */
const looksAtAHorizon = 64;

/** The first task of a queue that is not due. */
async function firstAfter(delivery: Delivery, horizons: Horizons, queue: string, bound: number) {
  const known = horizons.get(queue);
  if (known && known.task.wakeAt > bound) {
    const { _id, wakeAt } = known.task;
    const { session } = delivery;
    const isReview = ++known.looks % looksAtAHorizon === 0;
    const filter = { queue, wakeAt: { $gt: bound, $lt: wakeAt } };
    const projection = { ...shape, queue: 1 };
    const [before, [same]] = await Promise.all([
      candidates(delivery, filter, isReview ? stretch : 1),
      session.find(session.tasks, { _id }, { projection }),
    ]);
    if (before.length === stretch) setHorizon(horizons, queue, before);
    if (before[0]) return before[0];
    if (same?.queue === queue && same.wakeAt === wakeAt) return known.task;
  }
  const found = await candidates(delivery, { queue, wakeAt: { $gt: bound } }, stretch);
  setHorizon(horizons, queue, found);
  return found[0];
}

function setHorizon(horizons: Horizons, queue: string, found: readonly Candidate[]): void {
  const task = found.at(-1);
  if (task) horizons.set(queue, { task, looks: 0 });
  else horizons.delete(queue);
}

async function candidates({ session }: Delivery, filter: MongoDocument, limit: number) {
  const order = { sort: { queue: 1, wakeAt: 1 }, limit, projection: shape };
  return (await session.find(session.tasks, filter, order)) as Candidate[];
}

/** Takes those of the candidates that nobody else has taken meanwhile. */
async function take(
  { session, numbers }: Delivery,
  candidates: readonly Candidate[],
  owner: string,
  now: number,
  leaseMs: number,
): Promise<ClaimedTask[]> {
  const { tasks, run, find } = session;
  // Only now: a number that was given before these documents were there might be less than a token of one before them.
  const token = await numbers.fresh();
  const ids = candidates.map(({ _id }) => _id);
  const free = {
    ...{ _id: { $in: ids }, serial: { $in: candidates.map(({ serial }) => serial) } },
    ...{ wakeAt: { $gte: minWakeAt, $lte: now }, lastToken: { $lt: token } },
  };
  const { matchedCount } = await run((options) =>
    tasks.updateMany(free, claimed(owner, token, now + leaseMs), options),
  );
  if (matchedCount === 0) return [];
  const found = (await find(tasks, { _id: { $in: ids }, token })) as TaskDocument[];
  const places = new Map(ids.map((id, place) => [id, place]));
  return found
    .map((task) => ({ ...toRecord(task), lapsedOwner: task.lapsedOwner ?? null }) as ClaimedTask)
    .sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
}
