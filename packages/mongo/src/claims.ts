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

/** What there is in a queue. */
interface View {
  /** The first of those that may be due: more than are to be taken, or all that there are. */
  readonly page: readonly Candidate[];
  /** The first moment after these; at the latest, if there was no need to look for it. */
  readonly next: number | undefined;
}

/** How often a claim looks again when others have taken what it was about to take. */
const rounds = 50;

const shape = { serial: 1, wakeAt: 1 };

/** Takes due tasks: finds them, marks those that are still due with a number of its own, and reads these back. */
export async function claimFrom(
  delivery: Delivery,
  clock: StoreClock,
  landmarks: Landmarks,
  { queues, limit, owner, leaseMs }: ClaimRequest,
): Promise<ClaimResult> {
  const viewsUntil = (bound: number, count: number) =>
    Promise.all(queues.map((queue) => viewOf(delivery, landmarks, queue, bound, count)));
  let { now, bound, views } = await look(clock, (bound) => viewsUntil(bound, limit));
  const tasks: ClaimedTask[] = [];
  for (let misses = 0; misses < rounds; ) {
    const due = views.flatMap(({ page }) => page.filter(({ wakeAt }) => wakeAt <= now));
    const count = Math.min(limits.maxItems, limit - tasks.length);
    // Who has lost a race leaves the first to the others, or all would race for the same again.
    const start = Math.floor(Math.random() * (misses + 1)) * count;
    const candidates = due.slice(Math.max(0, Math.min(start, due.length - count))).slice(0, count);
    if (candidates.length === 0) break;
    const taken = await take(delivery, candidates, owner, now, leaseMs);
    tasks.push(...taken);
    const ids = new Set(taken.map(({ id }) => id));
    views = views.map(({ page, next }) => ({
      page: page.filter(({ _id }) => !ids.has(_id)),
      next,
    }));
    if (taken.length < candidates.length && tasks.length < limit) {
      misses++;
      views = await viewsUntil(bound, (limit - tasks.length) * (misses + 1));
    }
  }
  const moments = views.flatMap(({ page: [first], next }) => first?.wakeAt ?? next ?? []);
  if (tasks.length > 0) moments.push(now + leaseMs);
  return { tasks, now, nextWakeAt: moments.length > 0 ? Math.min(...moments) : null };
}

/** @param viewsUntil looks at the queues as far as a moment that is after now */
async function look(clock: StoreClock, viewsUntil: (bound: number) => Promise<View[]>) {
  for (;;) {
    const reading = await clock.read();
    const { bound } = reading;
    const [now, views] = await Promise.all([reading.now, viewsUntil(bound)]);
    if (now <= bound) return { now, bound, views };
  }
}

async function viewOf(
  delivery: Delivery,
  { crowds, horizons }: Landmarks,
  queue: string,
  bound: number,
  limit: number,
): Promise<View> {
  const dueUntil = (moment: number, count: number) =>
    candidates(delivery, { queue, wakeAt: { $gte: minWakeAt, $lte: moment } }, count);
  const known = crowds.get(queue) ?? [];
  for (let [crowd] = known; crowd !== undefined && crowd <= bound; [crowd] = known) {
    const page = await dueUntil(crowd, limit + 1);
    if (page.length > limit) return { page, next: bound };
    known.shift();
  }
  const [page, later] = await Promise.all([
    dueUntil(bound, Math.max(ahead, limit + 1)),
    firstAfter(delivery, horizons, queue, bound),
  ]);
  if (page.length > limit) {
    const size = Math.max(ahead / 8, 2 * limit);
    const ends = page.filter((_, at) => (at + 1) % size === 0 || at === page.length - 1);
    crowds.set(queue, [...new Set(ends.map(({ wakeAt }) => wakeAt))]);
  }
  return { page, next: later?.wakeAt };
}

/**
 * What is remembered of each queue, because not every server reads an index in its order. To find the first of a million
 * tasks such a one looks at a million, and so it is asked only what comes before a task with few before it.
 */
export class Landmarks {
  /** The moments until which some more are due each time than a claim takes. */
  readonly crowds = new Map<string, number[]>();
  readonly horizons: Horizons = new Map();
}

/** How many that are due are looked at for the claims that follow. */
const ahead = 2000;

/** A task of each queue that is not due, with few before it that are not. */
type Horizons = Map<string, { readonly task: Candidate; looks: number }>;

/** How many tasks there are up to a landmark when it is found: more than are leased and gone again in a moment. */
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
  const order = { sort: { wakeAt: 1 }, limit, projection: shape };
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
