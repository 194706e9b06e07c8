import type { ClaimedTask, ClaimRequest, ClaimResult } from '@sched/core';
import { earliest } from '@sched/core/adapter';
import type { Candidate, DueTasks, View } from './due-tasks.js';
import { claimed } from './pipelines.js';
import type { TaskDocument } from './records.js';
import { limits, toRecord } from './records.js';
import { minWakeAt } from './schema.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

/** How often a claim looks again when others have taken what it was about to take. */
const rounds = 50;

/** Takes due tasks: finds them, marks those that are still due with a number of its own, and reads these back. */
export async function claimFrom(
  session: Session,
  dueTasks: DueTasks,
  { queues, limit, owner, leaseMs }: ClaimRequest,
): Promise<ClaimResult> {
  const viewsUntil = (bound: number, count: number) =>
    Promise.all(queues.map((queue) => dueTasks.look(queue, bound, count)));
  let { now, bound, views } = await look(session.clock, (bound) => viewsUntil(bound, limit));
  const tasks: ClaimedTask[] = [];
  for (let misses = 0; misses < rounds; ) {
    const due = views.flatMap(({ page }) => page.filter(({ wakeAt }) => wakeAt <= now));
    const count = Math.min(limits.maxItems, limit - tasks.length);
    // Who has lost a race leaves the first to the others, or all would race for the same again.
    const start = Math.floor(Math.random() * (misses + 1)) * count;
    const candidates = due.slice(Math.max(0, Math.min(start, due.length - count))).slice(0, count);
    if (candidates.length === 0) break;
    const taken = await take(session, candidates, { queues, owner, now, leaseMs });
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
  return { tasks, now, nextWakeAt: earliest(moments) };
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

/** Takes those of the candidates that nobody else has taken meanwhile. */
async function take(
  { tasks, numbers }: Session,
  candidates: readonly Candidate[],
  { queues, owner, now, leaseMs }: Omit<ClaimRequest, 'limit'> & { readonly now: number },
): Promise<ClaimedTask[]> {
  // Only now: a number that was given before these documents were there might be less than a token of one before them.
  const token = await numbers.fresh();
  const ids = candidates.map(({ _id }) => _id);
  const expiresAt = now + leaseMs;
  const free = {
    ...{ _id: { $in: ids }, serial: { $in: candidates.map(({ serial }) => serial) } },
    ...{ wakeAt: { $gte: minWakeAt, $lte: now }, lastToken: { $lt: token } },
    // Not in a way in which an index of queues might be taken for the better one.
    $expr: { $in: ['$queue', { $literal: queues }] },
  };
  const matchedCount = await tasks.update(free, claimed(owner, token, expiresAt));
  if (matchedCount === 0) return [];
  const found = (await tasks.find({ _id: { $in: ids }, token })) as TaskDocument[];
  const places = new Map(ids.map((id, place) => [id, place]));
  const lease = { token, owner, expiresAt };
  return found
    .map((task) => ({
      ...toRecord(asTaken(task)),
      // Others may have changed these since it was taken.
      ...({ status: 'scheduled', paused: false, lease, wakeAt: expiresAt } as const),
      lapsedOwner: task.lapsedOwner ?? null,
    }))
    .sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
}

/** What a task was when it was taken, though it was edited or resumed before it was read. */
function asTaken(task: TaskDocument): TaskDocument {
  const { taken, group: _group, ...rest } = task;
  return taken?.token === task.token ? { ...rest, ...taken } : task;
}
