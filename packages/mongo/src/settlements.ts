import type { Settlement } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import { addBatch } from './batches.js';
import type { MongoWrite } from './client.js';
import type { Parked, TaskDocument } from './documents.js';
import { grouped } from './leases.js';
import type { Delivery, Parcel } from './outbox.js';
import { deliver, deliverCall, deliverEach, parcelsOf, park, toCall, toShare } from './outbox.js';
import { settled } from './pipelines.js';

type Answer = 'settled' | 'conflict' | 'lost';

/** The most characters of history in one document, so that its 16 MiB hold them in any script. */
const mostCharacters = 4 * 1024 * 1024;

/**
 * Settles tasks, no two settlements being about the same one.
 *
 * @returns the answers, the tasks whose history has got an entry by itself, and by chance one of those in a batch
 */
export async function settle(delivery: Delivery, settlements: readonly Settlement[]) {
  const { session, numbers } = delivery;
  const by = crypto.randomUUID();
  const alike = alikeOf(settlements);
  const others = settlements.filter((each) => !alike.has(each));
  const call = alike.size > 0 ? toCall(by, [...alike]) : undefined;
  const parcels = [
    ...[...alike].map(({ id }) => toShare(id, by)),
    ...others.flatMap((each) => toParcel(each, by) ?? []),
  ];
  const together = [...alike].flatMap(({ history }) => history);
  const alone = parcels.flatMap(({ parked }) => parked.history);
  const { taskId: drawn } = together[Math.floor(Math.random() * together.length)] ?? {};
  const added = { alone: alone.map(({ taskId }) => taskId), together: drawn };
  if (call) await park(session, call);
  const writes = [...writesTogether([...alike], by), ...writesAlone(others, by)];
  const settling = session.run((options) =>
    session.tasks.bulkWrite(writes, { ...options, ordered: false }),
  );
  const entries = together.length + alone.length;
  const numbering = entries > 0 ? numbers.fresh(entries) : undefined;
  // Should it fail, that is not said before it is certain that nothing is being settled any more.
  numbering?.catch(() => {});
  const { matchedCount } = await settling;
  const first = (await numbering) ?? 0;
  if (matchedCount < settlements.length) {
    const answers = await judge(delivery, settlements, parcels, call, by, matchedCount);
    return { answers, ...added };
  }
  if (together.length > 0) await addBatch(session, by, together, first + alone.length);
  await deliver(delivery, call ? [...parcels, call] : parcels, first);
  return { answers: settlements.map((): Answer => 'settled'), ...added };
}

/** Those that do nothing but remove their tasks, which is done in one step if there are several. */
function alikeOf(settlements: readonly Settlement[]): ReadonlySet<Settlement> {
  let characters = 0;
  const alike = settlements.filter(({ next, history, spawn }) => {
    if (next || spawn.length > 0) return false;
    characters += history.reduce((sum, { body }) => sum + body.length, 0);
    return characters <= mostCharacters;
  });
  return new Set(alike.length > 1 ? alike : []);
}

function writesTogether(settlements: readonly Settlement[], by: string): MongoWrite[] {
  return grouped(settlements, () => '').map(({ filter, first, all }) => {
    const ids = { $literal: all.map(({ id }) => id) };
    const revisions = all.map(({ revision }) => revision);
    const given = { $arrayElemAt: [revisions, { $indexOfArray: [ids, '$_id'] }] };
    return {
      updateMany: {
        filter: { ...filter, $expr: { $eq: ['$revision', given] } },
        update: settled(first, toShare(first.id, by).parked),
      },
    };
  });
}

function writesAlone(settlements: readonly Settlement[], by: string): MongoWrite[] {
  const writes = settlements.map((settlement) => {
    const { id, token, revision } = settlement;
    const update = settled(settlement, toParcel(settlement, by)?.parked);
    return { updateOne: { filter: { _id: id, token, revision }, update } };
  });
  // In one order for all, so that those that are about the same tasks wait for each other in turn.
  return writes.sort((a, b) => (a.updateOne.filter._id < b.updateOne.filter._id ? -1 : 1));
}

/** Finds out which settlements were applied, by what the tasks show, and delivers what these have left. */
async function judge(
  delivery: Delivery,
  settlements: readonly Settlement[],
  parcels: readonly Parcel[],
  call: Parcel | undefined,
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
  const own = parcels.filter(({ id, parked }) => !parked.isShared && isOwn(there.get(id)));
  if (call) await deliverCall(delivery, by);
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
