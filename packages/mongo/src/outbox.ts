import { SchedError } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import type { MongoDocument } from './client.js';
import { addHistory } from './history.js';
import { activated, chosen, delivered, removed, replaced } from './pipelines.js';
import type { Parked, TaskDocument } from './records.js';
import { toDocument } from './records.js';
import { Pending } from './schema.js';
import type { Session } from './session.js';

// What a settlement adds beside its task is delivered from the task's own document, by whoever gets there and as often as
// it takes.
//
// A history entry may be delivered twice, for its id is unique. A spawned task may not: by then it may have run and be
// gone again. So it is inserted as one that nobody sees yet, `spawned`; then it is noted in the outbox which documents
// are the ones, by their serials, which only the first can do; and then those become tasks that are there. Whoever is
// late finds that another was chosen, or that there is nothing in the outbox any more, and removes its own.

/** Something in the outbox of a task. */
export interface Parcel {
  readonly id: string;
  /** Whether nothing is to stay of that task. */
  readonly isRemoved: boolean;
  readonly parked: Parked;
}

/** What is in the outbox of these documents. */
export function parcelsOf(documents: readonly MongoDocument[]): Parcel[] {
  return (documents as TaskDocument[]).flatMap(({ _id: id, status, outbox = [] }) =>
    outbox.map((parked) => ({ id, isRemoved: status === 'removed', parked })),
  );
}

async function readParcels({ tasks }: Session, ids: readonly unknown[]): Promise<Parcel[]> {
  const projection = { status: 1, outbox: 1 };
  return parcelsOf(await tasks.find({ _id: { $in: ids } }, { projection }));
}

/** @param first the number of the first history entry, where all are from one call */
export async function deliver(
  session: Session,
  parcels: readonly Parcel[],
  first?: number,
): Promise<void> {
  if (parcels.length === 0) return;
  const historyOf = (all: readonly Parcel[]) => all.flatMap(({ parked }) => parked.history);
  const { gone = [], kept = [] } = Object.groupBy(parcels, (each) =>
    each.isRemoved ? 'gone' : 'kept',
  );
  // What one call has removed fits into one document, as it came in one command.
  const isBatch = first !== undefined && gone.length > 1;
  await addHistory(
    session,
    historyOf(isBatch ? kept : parcels),
    historyOf(isBatch ? gone : []),
    first,
  );
  const spawning = parcels.filter(({ parked }) => parked.spawn.length > 0);
  if (spawning.length > 0) await spawn(session, spawning);
  await clear(session, parcels);
}

/** Delivers what is in the outbox of a task. */
export async function deliverOf(session: Session, id: string): Promise<void> {
  await deliver(session, await readParcels(session, [id]));
}

const idsOf = (parcels: readonly Parcel[]) => [...new Set(parcels.map(({ id }) => id))];

/** Takes out of the outboxes what has been delivered, and removes what is left of tasks that are gone. */
async function clear(session: Session, parcels: readonly Parcel[]): Promise<void> {
  const { tasks } = session;
  const by = parcels.map(({ parked }) => parked.by);
  const ids = idsOf(parcels);
  const left = { _id: { $in: ids }, 'outbox.by': { $in: by } };
  const gone = idsOf(parcels.filter(({ isRemoved }) => isRemoved));
  const last = { ...left, status: 'removed', outbox: { $size: 1 } };
  const removedCount = gone.length > 0 ? await tasks.remove(last) : 0;
  if (removedCount === ids.length) return;
  await tasks.update(left, delivered(by));
  if (removedCount < gone.length) await sweep(session, gone);
}

/** Removes what is left of tasks that are gone and have delivered everything. */
async function sweep({ tasks }: Session, ids: readonly string[]): Promise<void> {
  const empty = { _id: { $in: ids }, status: 'removed', outbox: { $exists: false } };
  await tasks.remove(empty);
}

/** Makes tasks of what settlements spawn, exactly once. */
async function spawn(session: Session, parcels: readonly Parcel[]): Promise<void> {
  const { tasks } = session;
  const undecided = parcels.filter(({ parked }) => !parked.chosen);
  const places = await occupy(session, await toSpawned(session, undecided), false);
  const own = new Map(undecided.map(({ parked }): [string, number[]] => [parked.by, []]));
  for (const [{ by = '' }, serial] of places) if (serial !== null) own.get(by)?.push(serial);
  const decided = await decide(session, parcels, own);
  const ids = parcels.flatMap(({ parked }) => parked.spawn.map(({ id }) => id));
  const ready = { _id: { $in: ids }, serial: { $in: [...decided] }, status: 'spawned' };
  await tasks.update(ready, activated());
  const late = [...own.values()].flat().filter((serial) => !decided.has(serial));
  await discard(session, ids, late);
}

/**
 * Notes which documents are chosen, unless others have.
 *
 * @param own the serials to choose for each that is undecided
 * @returns the serials of those that are chosen
 */
async function decide(
  session: Session,
  parcels: readonly Parcel[],
  own: ReadonlyMap<string, readonly number[]>,
): Promise<ReadonlySet<number>> {
  const parents = new Map(parcels.map(({ id, parked }) => [parked.by, id]));
  const marks = [...own].map(([by, serials]) => {
    const outbox = { $elemMatch: { by, chosen: { $exists: false } } };
    return { updateOne: { filter: { _id: parents.get(by), outbox }, update: chosen(by, serials) } };
  });
  const isOwn = (await session.tasks.updateEach(marks)) === marks.length;
  const found = isOwn ? parcels : await readParcels(session, idsOf(parcels));
  return new Set(
    found.flatMap(({ parked: { by, chosen } }) =>
      parents.has(by) ? (chosen ?? own.get(by) ?? []) : [],
    ),
  );
}

/** What settlements spawn, each id once, for nobody to see yet. */
async function toSpawned(
  { numbers }: Session,
  parcels: readonly Parcel[],
): Promise<TaskDocument[]> {
  const all = parcels.flatMap(({ id: parent, parked: { by, spawn } }) =>
    spawn.map((record) => ({ id: record.id, record, parent, by })),
  );
  const first = await numbers.unique(all.length);
  return firstOfEach(all).map(({ record, parent, by }, index): TaskDocument => {
    const { wakeAt: _wakeAt, ...document } = toDocument(record, first + index);
    const becomes = record.status;
    return { ...document, status: 'spawned', becomes, parent, by, pending: Pending.other };
  });
}

/** How often it is tried again to insert a task where others come and go. */
const tries = 20;

/**
 * Puts documents where there is none, or where there is only what is left of a task that is gone.
 *
 * @param isSeen whether tasks that are about to be spawned have to be there before they are in the way
 * @returns the serials of what is theirs; null where another task is
 */
export async function occupy(
  session: Session,
  documents: readonly TaskDocument[],
  isSeen: boolean,
): Promise<ReadonlyMap<TaskDocument, number | null>> {
  const places = new Map(
    documents.map((each): [TaskDocument, number | null] => [each, each.serial]),
  );
  let open = documents;
  for (let round = 0; round < tries; round++) {
    const taken = await session.tasks.insertNew(open);
    open = open.filter((_, index) => taken.has(index));
    if (open.length === 0) return places;
    const ids = open.map(({ _id }) => _id);
    const projection = { status: 1, serial: 1, parent: 1, by: 1 };
    const found = await session.tasks.find({ _id: { $in: ids } }, { projection });
    const others = new Map((found as TaskDocument[]).map((each) => [each._id, each]));
    const awaited = await lookAfter(session, [...others.values()]);
    if (isSeen) await deliver(session, [...new Set(awaited.values())]);
    const again: TaskDocument[] = [];
    for (const document of open) {
      const other = others.get(document._id);
      const isInTheWay = other?.status === 'spawned' ? !isSeen && awaited.has(other) : other;
      if (other && isSame(other, document)) places.set(document, other.serial);
      else if (!isInTheWay) again.push(document);
      else if (other?.status !== 'removed') places.set(document, null);
      else if (!(await replace(session, other, document))) again.push(document);
    }
    if (again.length === 0) return places;
    open = again;
  }
  throw new SchedError(
    'SCHED_STORE_UNAVAILABLE',
    'Others kept inserting and removing the same tasks. Try again.',
  );
}

/** Whether one is the other, or comes out of the same outbox. */
function isSame(there: TaskDocument, document: TaskDocument): boolean {
  if (there.serial === document.serial) return true;
  return there.status === 'spawned' && there.by === document.by;
}

/** Puts a task in the place of one that is gone. @returns whether that was still there */
async function replace({ tasks }: Session, gone: TaskDocument, document: TaskDocument) {
  const filter = { _id: gone._id, status: 'removed', serial: gone.serial };
  return (await tasks.update(filter, replaced(document))) > 0;
}

/** Discards spawned documents that came too late. @returns what each of the others is about to come out of */
async function lookAfter(
  session: Session,
  documents: readonly TaskDocument[],
): Promise<ReadonlyMap<TaskDocument, Parcel>> {
  const awaited = new Map<TaskDocument, Parcel>();
  const spawned = documents.filter(({ status }) => status === 'spawned');
  if (spawned.length === 0) return awaited;
  const found = await readParcels(
    session,
    spawned.map(({ parent }) => parent),
  );
  const parcels = new Map(found.map((each) => [each.parked.by, each]));
  for (const each of spawned) {
    const parcel = parcels.get(each.by ?? '');
    const isChosen = parcel?.parked.chosen?.includes(each.serial) ?? true;
    if (parcel && isChosen) awaited.set(each, parcel);
  }
  const late = spawned.filter((each) => !awaited.has(each));
  await discard(
    session,
    late.map(({ _id }) => _id),
    late.map(({ serial }) => serial),
  );
  return awaited;
}

/** Removes documents that are not going to be tasks. */
async function discard(session: Session, ids: readonly string[], serials: readonly number[]) {
  if (serials.length === 0) return;
  const late = { _id: { $in: ids }, serial: { $in: serials }, status: 'spawned' };
  await session.tasks.update(late, removed());
  await sweep(session, ids);
}

/** How many documents are looked after at a time. */
const healed = 100;

/**
 * Does what processes have left undone that ended in the middle of a settlement.
 *
 * @param seen what was there at the last look; nothing else is touched, for others may be at it. All of it if absent
 * @returns what is there now
 */
export async function heal(
  session: Session,
  seen?: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const found = await findPending(session, Pending.other);
  const markOf = ({ _id, serial, outbox }: TaskDocument) => `${serial} ${outbox?.[0]?.by} ${_id}`;
  await complete(session, seen ? found.filter((each) => seen.has(markOf(each))) : found);
  return new Set(found.map(markOf));
}

/** Makes sure that everything is there that settlements have spawned, also those that were not answered. */
export async function deliverSpawned(session: Session): Promise<void> {
  for (let round = 0; round < tries; round++) {
    const found = await findPending(session, Pending.spawn);
    if (found.length === 0) return;
    await complete(session, found);
  }
}

async function findPending({ tasks }: Session, least: number): Promise<TaskDocument[]> {
  const pending = { pending: { $gte: least } };
  return (await tasks.find(pending, { limit: healed })) as TaskDocument[];
}

async function complete(session: Session, documents: readonly TaskDocument[]): Promise<void> {
  if (documents.length === 0) return;
  const awaited = await lookAfter(session, documents);
  const parcels = [...parcelsOf(documents), ...awaited.values()];
  // A task and what it spawns lead to the same.
  await deliver(session, [...new Map(parcels.map((each) => [each.parked.by, each])).values()]);
  await sweep(
    session,
    documents.map(({ _id }) => _id),
  );
}
