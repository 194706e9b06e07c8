import type { Settlement } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import type { Parked, TaskDocument } from './documents.js';
import type { Delivery, Parcel } from './outbox.js';
import { deliver, deliverEach, parcelsOf } from './outbox.js';
import { settled } from './pipelines.js';

type Answer = 'settled' | 'conflict' | 'lost';

/** Settles tasks, no two settlements being about the same one. */
export async function settle(
  delivery: Delivery,
  settlements: readonly Settlement[],
): Promise<Answer[]> {
  const { tasks, run } = delivery.session;
  const by = crypto.randomUUID();
  const parcels = settlements.map((each) => toParcel(each, by));
  const writes = settlements.map((settlement, index) => {
    const { id, token, revision } = settlement;
    const update = settled(settlement, parcels[index]?.parked);
    return { updateOne: { filter: { _id: id, token, revision }, update } };
  });
  const entries = parcels.flatMap((each) => each?.parked.history ?? []).length;
  // In one order for all, so that those that are about the same tasks wait for each other in turn.
  writes.sort((a, b) => (a.updateOne.filter._id < b.updateOne.filter._id ? -1 : 1));
  const settling = run((options) => tasks.bulkWrite(writes, { ...options, ordered: false }));
  const numbering = entries > 0 ? delivery.numbers.fresh(entries) : undefined;
  // Should it fail, that is not said before it is certain that nothing is being settled any more.
  numbering?.catch(() => {});
  const { matchedCount } = await settling;
  const first = await numbering;
  if (matchedCount === settlements.length) {
    const all = parcels.flatMap((each) => each ?? []);
    await deliver(delivery, all, first);
    return settlements.map(() => 'settled');
  }
  return judge(delivery, settlements, parcels, by, matchedCount);
}

/** Finds out which settlements were applied, by what the tasks show, and delivers what these have left. */
async function judge(
  delivery: Delivery,
  settlements: readonly Settlement[],
  parcels: readonly (Parcel | undefined)[],
  by: string,
  matchedCount: number,
): Promise<Answer[]> {
  const { tasks, find } = delivery.session;
  const ids = settlements.map(({ id }) => id);
  const projection = { status: 1, token: 1, settledToken: 1, outbox: 1 };
  const found = (await find(tasks, { _id: { $in: ids } }, { projection })) as TaskDocument[];
  const there = new Map(found.map((each) => [each._id, each]));
  const isOwn = (each: TaskDocument | undefined) =>
    each?.outbox?.some((parked) => parked.by === by) ?? false;
  const answers = settlements.map(({ id, token }): Answer => {
    const task = there.get(id);
    // What another call has removed is gone, though its document waits for what is in its outbox.
    const isGone = task?.status === 'removed' && !isOwn(task);
    if (task && task.settledToken === token && !isGone) return 'settled';
    return task && task.token === token ? 'conflict' : 'lost';
  });
  const shown = answers.filter((answer) => answer === 'settled').length;
  // Somebody else may have delivered what a removed task had left, and so removed the last trace of it.
  const traceless = settlements.flatMap(({ id, next }, index) =>
    !next && !there.has(id) ? [index] : [],
  );
  if (traceless.length > 0 && matchedCount - shown === traceless.length) {
    for (const index of traceless) answers[index] = 'settled';
  }
  const own = parcels.filter(
    (each): each is Parcel => each !== undefined && isOwn(there.get(each.id)),
  );
  await deliver(delivery, own);
  const applied = found.filter(({ _id }) => answers[ids.indexOf(_id)] === 'settled');
  const others = parcelsOf(applied).filter(({ parked }) => parked.by !== by);
  await deliverEach(delivery, others);
  return answers;
}

/** What a settlement adds beside its task. One that removes the task always has something, by which it is known. */
function toParcel({ id, next, history, spawn }: Settlement, by: string): Parcel | undefined {
  if (next && history.length + spawn.length === 0) return undefined;
  const parked: Parked = { by, history, spawn: firstOfEach(spawn) };
  return { id, isRemoved: next === null, parked };
}
