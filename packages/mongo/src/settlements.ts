import type { Settlement } from '@sched/core';
import { chunks, firstOfEach } from '@sched/core/adapter';
import { findAdded } from './history.js';
import { deliver, parcelsOf } from './outbox.js';
import { fenced, type Outcome, settled } from './pipelines.js';
import type { TaskDocument } from './records.js';
import { Pending } from './schema.js';
import type { Session } from './session.js';

type Answer = 'settled' | 'conflict' | 'lost';

/** How many are settled by one update, in which each task looks for its own settlement among these. */
const together = 100;

/** Settles tasks, no two settlements being about the same one. */
export async function settle(
  session: Session,
  settlements: readonly Settlement[],
): Promise<Answer[]> {
  const outcomes = settlements.map(toOutcome);
  const alike = Map.groupBy(outcomes, (each) => `${each.next === null} ${pendingAfter(each)}`);
  const parts = [...alike.values()].flatMap((all) => chunks(all, together));
  const writes = parts.map((part) => ({
    updateMany: {
      filter: fenced(part, 'token', 'revision'),
      update: settled(part, part[0] && pendingAfter(part[0])),
    },
  }));
  const settling = session.tasks.updateEach(writes);
  const entries = settlements.reduce((sum, { history }) => sum + history.length, 0);
  const numbering = entries > 0 ? session.numbers.fresh(entries) : undefined;
  // Should it fail, that is not said before it is certain that nothing is being settled any more.
  numbering?.catch(() => {});
  const count = await settling;
  const first = (await numbering) ?? 0;
  if (count < settlements.length) return judge(session, outcomes, count);
  const parcels = outcomes.flatMap(({ id, next, parked }) =>
    parked ? [{ id, isRemoved: !next, parked }] : [],
  );
  await deliver(session, parcels, first);
  return settlements.map(() => 'settled');
}

/** With what is added beside the task. One that removes the task always has something, by which it is known. */
function toOutcome(settlement: Settlement): Outcome {
  const { next, history, spawn } = settlement;
  if (next && history.length + spawn.length === 0) return settlement;
  return { ...settlement, parked: { by: crypto.randomUUID(), history, spawn: firstOfEach(spawn) } };
}

/** What is left to be done about a task once it is settled. */
function pendingAfter({ parked, spawn }: Outcome): number | undefined {
  return parked && (spawn.length > 0 ? Pending.spawn : Pending.other);
}

/**
 * Finds out which settlements were applied, by what the tasks show, and delivers what these have left.
 *
 * @param count how many were applied by this call
 */
async function judge(
  session: Session,
  outcomes: readonly Outcome[],
  count: number,
): Promise<Answer[]> {
  const ids = outcomes.map(({ id }) => id);
  const projection = { status: 1, token: 1, settledToken: 1, outbox: 1 };
  const found = await session.tasks.find({ _id: { $in: ids } }, { projection });
  const there = new Map((found as TaskDocument[]).map((each) => [each._id, each]));
  let own = 0;
  const answers = outcomes.map(({ id, token, parked }): Answer => {
    const task = there.get(id);
    if (task?.outbox?.some(({ by }) => by === parked?.by)) {
      own++;
      return 'settled';
    }
    // What another call has removed is gone, though its document waits for what is in its outbox.
    if (task && task.settledToken === token && task.status !== 'removed') return 'settled';
    return task && task.token === token ? 'conflict' : 'lost';
  });
  const shown = answers.filter((answer) => answer === 'settled').length;
  const untraced = outcomes.filter((_, at) => answers[at] === 'lost');
  const isGone = ({ id, next }: Outcome) => !next && !there.has(id);
  const applied = await appliedOf(session, untraced, isGone, count - shown, count - own);
  for (const [at, outcome] of outcomes.entries()) if (applied.has(outcome)) answers[at] = 'settled';
  // Also what was left by a call of which this is a repetition.
  const left = ids.flatMap((id, at) => (answers[at] === 'settled' ? (there.get(id) ?? []) : []));
  await deliver(session, parcelsOf(left));
  return answers;
}

/**
 * Finds out which settlements this call has applied of those whose tasks do not show it: others may have delivered what
 * was left, and the tasks may be gone since, or have become something else. Then there is what they have added to the
 * history.
 *
 * @param isGone whether a task is as it would be then, if nobody has done more
 * @param least how many these are at least, what was settled before being counted as settled by this call
 * @param most how many at most
 */
async function appliedOf(
  session: Session,
  untraced: readonly Outcome[],
  isGone: (outcome: Outcome) => boolean,
  least: number,
  most: number,
): Promise<ReadonlySet<Outcome>> {
  if (most === 0 || untraced.length === 0) return new Set();
  if (least === untraced.length) return new Set(untraced);
  const known = untraced.filter(({ history }) => history.length > 0);
  const added = await findAdded(
    session,
    known.flatMap(({ history }) => history.slice(0, 1)),
  );
  const applied = known.filter(({ history: [first] }) => first && added(first));
  const others = untraced.filter(({ history }) => history.length === 0);
  const left = least - applied.length;
  const rest = [others, others.filter(isGone)].find(({ length }) => length === left) ?? [];
  return new Set([...applied, ...rest]);
}
