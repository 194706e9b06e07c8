import type { Settlement, TaskFilter, TaskSelector } from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';
import type { Parked, TaskDocument } from './documents.js';
import { Pending, visible } from './documents.js';

/** A value as it is, whatever the language of pipelines would take it for. */
const literal = (value: unknown) => ({ $literal: value });

/** Takes each member of a change as it is. */
function literals(change: object): MongoDocument {
  return Object.fromEntries(
    Object.entries(change).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, literal(value)]],
    ),
  );
}

const withoutLease = { token: null, owner: null, expiresAt: null };

/** Derives when the task wakes from what it has become. */
const wake = {
  $set: {
    wakeAt: {
      $cond: [
        { $and: [{ $eq: ['$status', 'scheduled'] }, { $not: ['$paused'] }] },
        { $ifNull: ['$expiresAt', '$runAt', '$$REMOVE'] },
        '$$REMOVE',
      ],
    },
  },
};

/** Takes a task for a caller; `lastToken` keeps a token from being given again. */
export function claimed(owner: string, token: number, expiresAt: number): MongoDocument[] {
  return [
    {
      $set: {
        ...{ lapsedOwner: '$owner', owner: literal(owner), token, lastToken: token, expiresAt },
        ...{ wakeAt: expiresAt, deliveries: { $add: ['$deliveries', 1] } },
      },
    },
  ];
}

export function extended(expiresAt: number): MongoDocument[] {
  return [{ $set: { expiresAt } }, wake];
}

/** @param by marks what this very call has released */
export function released(by: string, deferUntil: number | undefined): MongoDocument[] {
  const isEarlier = [{ $ne: ['$runAt', null] }, { $lt: ['$runAt', deferUntil] }];
  const runAt =
    deferUntil === undefined
      ? {}
      : { runAt: { $cond: [{ $and: isEarlier }, deferUntil, '$runAt'] } };
  const deliveries = { $subtract: ['$deliveries', 1] };
  return [{ $set: { ...withoutLease, ...runAt, deliveries, releasedBy: by } }, wake];
}

export function updated(change: TaskChange, revision: number): MongoDocument[] {
  const { group, name, queue, status, runAt, body } = change;
  const grouped =
    group === undefined ? {} : { group: group === null ? '$$REMOVE' : literal(group) };
  const given = literals({ name, queue, status, runAt, body });
  return [{ $set: { ...given, ...grouped, revision } }, wake];
}

export function paused(isPaused: boolean, now: number | null): MongoDocument[] {
  return [{ $set: { paused: isPaused, ...(isPaused ? {} : { resumedAt: now }) } }, wake];
}

/** What a task becomes when it is gone but has something left in its outbox. */
const gone = {
  ...{ ...withoutLease, status: 'removed', body: '', runAt: null },
  ...{ group: '$$REMOVE', wakeAt: '$$REMOVE' },
};

/** Notes that there is something left to be done about a document. */
const noted = (pending: number) => ({ pending: { $max: ['$pending', pending] } });

export function removed(): MongoDocument[] {
  return [{ $set: { ...gone, ...noted(Pending.other) } }];
}

/**
 * Settles a task. Its token becomes its revision, which is new: no other settlement can have it.
 *
 * @param parked what it adds besides; where that is in the document of the call, this one is not pending but that
 */
export function settled({ next, token }: Settlement, parked: Parked | undefined): MongoDocument[] {
  const outbox = parked && {
    outbox: { $concatArrays: [{ $ifNull: ['$outbox', []] }, [literal(parked)]] },
    ...(parked.isShared ? {} : noted(parked.spawn.length > 0 ? Pending.spawn : Pending.other)),
  };
  const marks = { ...outbox, settledToken: token };
  if (!next) return [{ $set: { ...gone, ...marks } }];
  const become = { ...literals(next), ...withoutLease, deliveries: 0, revision: token };
  return [{ $set: { ...become, ...marks } }, wake];
}

/** Notes which documents are the spawned tasks of something in the outbox. */
export function chosen(by: string, serials: readonly (number | null)[]): MongoDocument[] {
  const isIt = { $eq: ['$$each.by', by] };
  const known = { $mergeObjects: ['$$each', { chosen: serials }] };
  const outbox = { $map: { input: '$outbox', as: 'each', in: { $cond: [isIt, known, '$$each'] } } };
  return [{ $set: { outbox } }];
}

/** Makes a spawned task one that is there. */
export function activated(): MongoDocument[] {
  const pending = { $cond: [{ $ifNull: ['$outbox', false] }, '$pending', '$$REMOVE'] };
  return [{ $set: { status: '$becomes', pending } }, { $unset: ['becomes', 'parent', 'by'] }, wake];
}

/** Takes what has been delivered out of the outbox. */
export function delivered(by: readonly string[]): MongoDocument[] {
  const isLeft = { $not: [{ $in: ['$$each.by', by] }] };
  const left = { $filter: { input: { $ifNull: ['$outbox', []] }, as: 'each', cond: isLeft } };
  const isEmpty = { $eq: [{ $size: '$outbox' }, 0] };
  const isDone = { $and: [isEmpty, { $in: ['$status', visible] }] };
  return [
    { $set: { outbox: left } },
    {
      $set: {
        pending: { $cond: [isDone, '$$REMOVE', '$pending'] },
        outbox: { $cond: [isEmpty, '$$REMOVE', '$outbox'] },
      },
    },
  ];
}

/** Puts a new task where one that is gone has left its outbox. */
export function replaced(document: TaskDocument): MongoDocument[] {
  const kept = { outbox: '$outbox', pending: '$pending' };
  return [{ $replaceWith: { $mergeObjects: [kept, literal(document)] } }];
}

/** The tasks that a listing means at this time. */
export function matching(
  { group, name, queue, status, paused, leased }: TaskFilter,
  now: number,
): MongoDocument {
  const live = { $gt: now };
  return {
    ...(name === undefined ? {} : { name }),
    ...(queue === undefined ? {} : { queue }),
    ...(paused === undefined ? {} : { paused }),
    ...(leased === undefined ? {} : { expiresAt: leased ? live : { $not: live } }),
    ...(group === undefined ? {} : { group: group ?? { $exists: false } }),
    status: status ?? { $in: visible },
  };
}

/** The tasks that a bulk call means. */
export function selected(selector: TaskSelector): MongoDocument {
  const there = { status: { $in: visible } };
  if ('ids' in selector) return { _id: { $in: selector.ids }, ...there };
  return 'group' in selector ? { group: selector.group, ...there } : there;
}
