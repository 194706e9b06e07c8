import type { Release, Settlement } from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';
import type { Parked, TaskDocument } from './records.js';
import { there } from './records.js';
import { Pending } from './schema.js';

/** A value as it is, whatever the language of pipelines would take it for. */
const literal = (value: unknown) => ({ $literal: value });

/** What is given for each of several tasks, each of which finds its own by its place in the list. */
function given<T extends { readonly id: string }>(
  items: readonly T[],
  giveTo: (item: T) => unknown,
): MongoDocument {
  const values = items.map(giveTo);
  if (new Set(values).size === 1) return literal(values[0]);
  const place = { $indexOfArray: [literal(items.map(({ id }) => id)), '$_id'] };
  return { $arrayElemAt: [literal(values), place] };
}

/** Those of the tasks that have what is given for each of them. */
export function fenced<Field extends 'token' | 'revision'>(
  items: readonly ({ readonly id: string } & { readonly [Name in Field]: number })[],
  ...fields: Field[]
): MongoDocument {
  const isAsGiven = fields.map((field) => ({
    $eq: [`$${field}`, given(items, (item) => item[field])],
  }));
  return { _id: { $in: items.map(({ id }) => id) }, $expr: { $and: isAsGiven } };
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

/** The same for one whose lease has ended. */
const wakeUnleased = { $set: { ...wake.$set, taken: '$$REMOVE' } };

const ofClaim = ['token', 'name', 'queue', 'group', 'runAt', 'body', 'revision', 'resumedAt'];

/** Keeps what a leased task was when it was claimed, before it is changed for the first time since. */
const remembered = {
  $set: {
    taken: {
      $cond: [
        { $or: [{ $eq: ['$token', null] }, { $eq: ['$taken.token', '$token'] }] },
        '$taken',
        Object.fromEntries(ofClaim.map((field) => [field, `$${field}`])),
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
        ...{ wakeAt: expiresAt, deliveries: { $add: ['$deliveries', 1] }, taken: '$$REMOVE' },
      },
    },
  ];
}

export function extended(expiresAt: number): MongoDocument[] {
  return [{ $set: { expiresAt } }, wake];
}

/** @param by marks what this very call has released */
export function released(releases: readonly Release[], by: string): MongoDocument[] {
  const later = { $max: ['$runAt', given(releases, ({ deferUntil = null }) => deferUntil)] };
  const runAt = { $cond: [{ $eq: ['$runAt', null] }, null, later] };
  const deliveries = { $subtract: ['$deliveries', 1] };
  return [{ $set: { ...withoutLease, runAt, deliveries, releasedBy: by } }, wakeUnleased];
}

export function updated(change: TaskChange, revision: number): MongoDocument[] {
  const { group, name, queue, status, runAt, body } = change;
  const members = Object.entries({ name, queue, status, runAt, body }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, literal(value)]],
  );
  const grouped =
    group === undefined ? {} : { group: group === null ? '$$REMOVE' : literal(group) };
  const edited = { $set: { ...Object.fromEntries(members), ...grouped, revision } };
  return [remembered, edited, wake];
}

export function paused(isPaused: boolean, now: number | null): MongoDocument[] {
  if (isPaused) return [{ $set: { paused: true } }, wake];
  return [remembered, { $set: { paused: false, resumedAt: now } }, wake];
}

/** What a task becomes when it is gone but has something left in its outbox. */
const gone = { ...withoutLease, status: 'removed', body: '', runAt: null, taken: '$$REMOVE' };

/** Notes that there is something left to be done about a document. */
const noted = (pending: number) => ({ pending: { $max: ['$pending', pending] } });

export function removed(): MongoDocument[] {
  return [{ $set: { ...gone, ...noted(Pending.other) } }, wake];
}

/** A settlement, and what it adds beside its task, if it does. */
export interface Outcome extends Settlement {
  readonly parked?: Parked;
}

/**
 * Settles tasks. Their tokens become their revisions, which are new: no other settlement can have them.
 *
 * @param outcomes that are alike in whether there is something next, and in what is left to be done
 */
export function settled(outcomes: readonly Outcome[], pending?: number): MongoDocument[] {
  const parked = [given(outcomes, (each) => each.parked)];
  const outbox = { $concatArrays: [{ $ifNull: ['$outbox', []] }, parked] };
  const left = pending === undefined ? {} : { outbox, ...noted(pending) };
  const marks = { ...left, settledToken: '$token' };
  if (!outcomes[0]?.next) return [{ $set: { ...gone, ...marks, wakeAt: '$$REMOVE' } }];
  const next = given(outcomes, (each) => each.next && become(each.next));
  const common = { ...withoutLease, deliveries: 0, revision: '$token', ...marks };
  return [{ $replaceWith: { $mergeObjects: ['$$ROOT', next, common] } }, wakeUnleased];
}

function become({ status, runAt, body, paused }: NonNullable<Settlement['next']>) {
  return { status, runAt, body, ...(paused && { paused }) };
}

/** Notes which documents are the spawned tasks of something in the outbox. */
export function chosen(by: string, serials: readonly number[]): MongoDocument[] {
  const isIt = { $eq: ['$$each.by', by] };
  const known = { $mergeObjects: ['$$each', { chosen: serials }] };
  const outbox = { $map: { input: '$outbox', as: 'each', in: { $cond: [isIt, known, '$$each'] } } };
  return [{ $set: { outbox } }];
}

/** What is left to be done about a document that is a task itself: only what is in its outbox, if it has one. */
const rest = { $cond: [{ $ifNull: ['$outbox', false] }, '$pending', '$$REMOVE'] };

/** Makes a spawned task one that is there. */
export function activated(): MongoDocument[] {
  const stages = [{ $set: { status: '$becomes', pending: rest } }];
  return [...stages, { $unset: ['becomes', 'parent', 'by'] }, wake];
}

/** Takes what has been delivered out of the outbox. */
export function delivered(by: readonly string[]): MongoDocument[] {
  const isLeft = { $not: [{ $in: ['$$each.by', by] }] };
  const left = { $filter: { input: '$outbox', as: 'each', cond: isLeft } };
  const outbox = { $cond: [{ $eq: ['$outbox', []] }, '$$REMOVE', '$outbox'] };
  const pending = { $cond: [{ $in: ['$status', there.status.$in] }, rest, '$pending'] };
  return [{ $set: { outbox: left } }, { $set: { outbox } }, { $set: { pending } }];
}

/** Puts a new document where one that is gone has left its outbox. */
export function replaced(document: TaskDocument): MongoDocument[] {
  const kept = { outbox: '$outbox', pending: rest };
  return [{ $replaceWith: { $mergeObjects: [kept, literal(document)] } }];
}
