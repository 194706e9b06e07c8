import type { Settlement } from '@sched/core';
import { SchedError } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import { addBatch } from './batches.js';
import type { MongoDocument } from './client.js';
import type { Parked, TaskDocument } from './documents.js';
import { Pending, toDocument, visible } from './documents.js';
import type { Numbers } from './numbers.js';
import { activated, chosen, delivered, removed, replaced } from './pipelines.js';
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

export interface Delivery {
  readonly session: Session;
  readonly numbers: Numbers;
}

const parcel = { projection: { status: 1, outbox: 1 } };

/** What is in the outbox of these documents. */
export function parcelsOf(documents: readonly MongoDocument[]): Parcel[] {
  return (documents as TaskDocument[]).flatMap(({ _id: id, status, outbox = [] }) =>
    outbox.map((parked) => ({ id, isRemoved: status === 'removed', parked })),
  );
}

/** @param first the number of the first history entry; they are in the order in which they were added */
export async function deliver(
  delivery: Delivery,
  parcels: readonly Parcel[],
  first?: number,
): Promise<void> {
  if (parcels.length === 0) return;
  const { session, numbers } = delivery;
  const entries = parcels.flatMap(({ parked }) => parked.history);
  if (entries.length > 0) {
    const seq = first ?? (await numbers.fresh(entries.length));
    const documents = entries.map(({ taskId, id, at, body }, index) => ({
      ...{ _id: { task: taskId, id }, at, seq: seq + index, body },
    }));
    await session.insertNew(session.history, documents);
  }
  const spawning = parcels.filter(({ parked }) => parked.spawn.length > 0);
  if (spawning.length > 0) await spawn(delivery, spawning);
  await clear(session, parcels);
}

/**
 * The document of a call, with the history of all tasks that it removes together, of which each only notes the call. It
 * is there before and until all is delivered, and looks like a task that is gone.
 */
export function toCall(by: string, settlements: readonly Settlement[]): Parcel {
  const shared = settlements.map(({ id, token, revision, history }) => ({
    ...{ id, token, revision, history },
  }));
  return { id: by, isRemoved: true, parked: { by, history: [], shared, spawn: [] } };
}

/** Inserts the document of a call. */
export async function park({ tasks, insertNew }: Session, { id, parked }: Parcel): Promise<void> {
  const call = { _id: id, serial: 0, status: 'removed', pending: Pending.other, outbox: [parked] };
  await insertNew(tasks, [call]);
}

/** What a task has in its outbox whose history is in the document of the call. */
export function toShare(id: string, by: string): Parcel {
  return { id, isRemoved: true, parked: { by, history: [], isShared: true, spawn: [] } };
}

/** Delivers what is in the document of a call, as far as the tasks show that it was settled. */
export async function deliverCall({ session, numbers }: Delivery, by: string): Promise<void> {
  const { tasks, find } = session;
  const [call] = parcelsOf(await find(tasks, { _id: by }, parcel));
  if (!call) return;
  const { shared = [] } = call.parked;
  const projection = { token: 1, revision: 1, outbox: 1 };
  const ids = shared.map(({ id }) => id);
  const found = (await find(tasks, { _id: { $in: ids } }, { projection })) as TaskDocument[];
  const there = new Map(found.map((each) => [each._id, each]));
  const settled = shared.filter(({ id }) => there.get(id)?.outbox?.some((each) => each.by === by));
  // While a task has this token and this revision it may still be about to be settled; afterwards never again.
  const isOpen = shared.some(({ id, token, revision }) => {
    const task = there.get(id);
    return task?.token === token && task.revision === revision;
  });
  const entries = settled.flatMap(({ history }) => history);
  if (entries.length > 0) {
    const seq = await numbers.fresh(entries.length);
    await addBatch(session, isOpen ? `${by} ${seq}` : by, entries, seq);
  }
  await clear(session, [...settled.map(({ id }) => toShare(id, by)), ...(isOpen ? [] : [call])]);
}

/** Delivers what is in the outbox of a task. */
export async function deliverOf(delivery: Delivery, id: string): Promise<void> {
  const { tasks, find } = delivery.session;
  await deliverEach(delivery, parcelsOf(await find(tasks, { _id: id }, parcel)));
}

/** Takes out of the outboxes what has been delivered. */
async function clear({ tasks, run }: Session, parcels: readonly Parcel[]): Promise<void> {
  const by = [...new Set(parcels.map(({ parked }) => parked.by))];
  const gone = idsOf(parcels.filter(({ isRemoved }) => isRemoved));
  const last = { status: 'removed', outbox: { $size: 1 } };
  const { deletedCount } =
    gone.length > 0
      ? await run((options) =>
          tasks.deleteMany({ _id: { $in: gone }, 'outbox.by': { $in: by }, ...last }, options),
        )
      : { deletedCount: 0 };
  const ids = idsOf(parcels);
  if (deletedCount === ids.length) return;
  const parked = { _id: { $in: ids }, 'outbox.by': { $in: by } };
  await run((options) => tasks.updateMany(parked, delivered(by), options));
  if (deletedCount < gone.length) await sweep({ tasks, run }, gone);
}

/** Removes what is left of tasks that are gone and have delivered everything. */
async function sweep({ tasks, run }: Pick<Session, 'tasks' | 'run'>, ids: readonly string[]) {
  const empty = { status: 'removed', outbox: { $exists: false } };
  await run((options) => tasks.deleteMany({ _id: { $in: ids }, ...empty }, options));
}

/** Makes tasks of what settlements spawn, exactly once. */
async function spawn(delivery: Delivery, parcels: readonly Parcel[]): Promise<void> {
  const { session } = delivery;
  const { tasks, run } = session;
  const undecided = parcels.filter(({ parked }) => !parked.chosen);
  const documents = await toSpawned(delivery, undecided);
  const serials = await occupy(delivery, documents, false);
  const serialOf = new Map(documents.map((document, index) => [document, serials[index] ?? null]));
  const own = undecided.map(({ id, parked }) => {
    const { by } = parked;
    const mine = documents.filter((document) => document.parent === id && document.by === by);
    return mine.map((document) => serialOf.get(document) ?? null);
  });
  const decided = await decide(session, parcels, undecided, own);
  const ids = parcels.flatMap(({ parked }) => parked.spawn.map(({ id }) => id));
  const ready = { _id: { $in: ids }, serial: { $in: [...decided] }, status: 'spawned' };
  await run((options) => tasks.updateMany(ready, activated(), options));
  const late = own.flat().filter((serial) => serial !== null && !decided.has(serial));
  if (late.length > 0) await discard(session, ids, late);
}

/** Notes which documents are chosen, unless others have. @returns the serials of those that are */
async function decide(
  { tasks, run, find }: Session,
  parcels: readonly Parcel[],
  undecided: readonly Parcel[],
  own: readonly (readonly (number | null)[])[],
): Promise<ReadonlySet<number | null>> {
  const before = parcels.flatMap(({ parked }) => parked.chosen ?? []);
  if (undecided.length === 0) return new Set(before);
  const marks = undecided.map(({ id, parked: { by } }, index) => ({
    updateOne: {
      filter: { _id: id, outbox: { $elemMatch: { by, chosen: { $exists: false } } } },
      update: chosen(by, own[index] ?? []),
    },
  }));
  const { matchedCount } = await run((options) => tasks.bulkWrite(marks, options));
  if (matchedCount === marks.length) return new Set([...before, ...own.flat()]);
  const found = parcelsOf(await find(tasks, { _id: { $in: idsOf(parcels) } }, parcel));
  const keys = new Set(parcels.map(keyOf));
  return new Set(
    found.filter((each) => keys.has(keyOf(each))).flatMap(({ parked }) => parked.chosen ?? []),
  );
}

/** What settlements spawn, each id once, for nobody to see yet. */
async function toSpawned({ numbers }: Delivery, parcels: readonly Parcel[]) {
  const all = parcels.flatMap(({ id: parent, parked: { by, spawn } }) =>
    spawn.map((record) => ({ id: record.id, record, parent, by })),
  );
  const first = await numbers.unique(all.length);
  return firstOfEach(all).map(({ record, parent, by }, index): TaskDocument => {
    const { wakeAt: _wakeAt, ...document } = toDocument(record, first + index);
    return {
      ...{ ...document, status: 'spawned', becomes: record.status, parent, by },
      pending: Pending.other,
    };
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
  delivery: Delivery,
  documents: readonly TaskDocument[],
  isSeen: boolean,
): Promise<(number | null)[]> {
  const { session } = delivery;
  const answers: (number | null)[] = documents.map(({ serial }) => serial);
  let open = [...documents.keys()];
  for (let round = 0; open.length > 0 && round < tries; round++) {
    const given = open.map((position) => documents[position] as TaskDocument);
    const taken = await session.insertNew(session.tasks, given);
    const rest = open.filter((_, index) => taken.has(index));
    if (rest.length === 0) return answers;
    const ids = rest.map((position) => documents[position]?._id);
    const shape = { status: 1, serial: 1, parent: 1, by: 1 };
    const found = await session.find(session.tasks, { _id: { $in: ids } }, { projection: shape });
    const there = new Map((found as TaskDocument[]).map((each) => [each._id, each]));
    const awaited = await expose(delivery, [...there.values()], isSeen);
    open = [];
    for (const position of rest) {
      const document = documents[position] as TaskDocument;
      const other = there.get(document._id);
      if (!other) open.push(position);
      else if (isSame(other, document)) answers[position] = other.serial;
      else if (other.status === 'removed') {
        if (!(await replace(session, other, document))) open.push(position);
      } else if (other.status === 'spawned' && (isSeen || !awaited.has(other))) open.push(position);
      else answers[position] = null;
    }
  }
  if (open.length === 0) return answers;
  throw new SchedError(
    'SCHED_STORE_UNAVAILABLE',
    'Others kept inserting and removing the same tasks. Try again.',
  );
}

/** Whether one is the other, or comes out of the same outbox. */
function isSame(there: TaskDocument, document: TaskDocument): boolean {
  if (there.serial === document.serial) return true;
  const { parent, by } = there;
  return there.status === 'spawned' && parent === document.parent && by === document.by;
}

/** Puts a task in the place of one that is gone. @returns whether that was still there */
async function replace({ tasks, run }: Session, gone: TaskDocument, document: TaskDocument) {
  const filter = { _id: gone._id, status: 'removed', serial: gone.serial };
  const { matchedCount } = await run((options) =>
    tasks.updateMany(filter, replaced(document), options),
  );
  return matchedCount > 0;
}

/**
 * Looks after documents that are spawned: those that nothing is in an outbox for any more came too late, and are
 * discarded.
 *
 * @param isSeen whether the others are delivered
 * @returns the others
 */
async function expose(
  delivery: Delivery,
  documents: readonly TaskDocument[],
  isSeen: boolean,
): Promise<ReadonlySet<TaskDocument>> {
  const { session } = delivery;
  const spawned = documents.filter(({ status }) => status === 'spawned');
  if (spawned.length === 0) return new Set();
  const parents = spawned.map(({ parent }) => parent);
  const found = await session.find(session.tasks, { _id: { $in: parents } }, parcel);
  const parcels = new Map(parcelsOf(found).map((each) => [keyOf(each), each]));
  const keyOfSource = ({ parent, by }: TaskDocument) => `${by} ${parent}`;
  const awaited = spawned.filter((each) => parcels.has(keyOfSource(each)));
  const late = spawned.filter((each) => !parcels.has(keyOfSource(each)));
  if (late.length > 0) {
    await discard(
      session,
      late.map(({ _id }) => _id),
      late.map(({ serial }) => serial),
    );
  }
  if (isSeen) {
    const keys = new Set(awaited.map(keyOfSource));
    await deliverEach(
      delivery,
      [...keys].flatMap((key) => parcels.get(key) ?? []),
    );
  }
  return new Set(awaited);
}

async function discard(
  session: Session,
  ids: readonly string[],
  serials: readonly (number | null)[],
): Promise<void> {
  const { tasks, run } = session;
  const late = { _id: { $in: ids }, serial: { $in: serials }, status: 'spawned' };
  await run((options) => tasks.updateMany(late, removed(), options));
  await sweep(session, ids);
}

/** One after another, for different ones may be about the same tasks. */
export async function deliverEach(delivery: Delivery, parcels: readonly Parcel[]): Promise<void> {
  for (const each of parcels) {
    const { by, isShared, shared } = each.parked;
    if (isShared || shared) await deliverCall(delivery, by);
    if (!shared) await deliver(delivery, [each]);
  }
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
  delivery: Delivery,
  seen?: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const { tasks, find } = delivery.session;
  const pending = { pending: { $gte: Pending.other } };
  const found = (await find(tasks, pending, { limit: healed })) as TaskDocument[];
  const markOf = ({ _id, serial, outbox }: TaskDocument) => `${serial} ${outbox?.[0]?.by} ${_id}`;
  await complete(delivery, seen ? found.filter((each) => seen.has(markOf(each))) : found);
  return new Set(found.map(markOf));
}

/** Makes sure that everything is there that settlements have spawned, also those that were not answered. */
export async function deliverSpawned(delivery: Delivery): Promise<void> {
  const { tasks, find } = delivery.session;
  for (let round = 0; round < tries; round++) {
    const found = await find(tasks, { pending: { $gte: Pending.spawn } }, { limit: healed });
    if (found.length === 0) return;
    await complete(delivery, found as TaskDocument[]);
  }
}

async function complete(delivery: Delivery, documents: readonly TaskDocument[]): Promise<void> {
  if (documents.length === 0) return;
  const { session } = delivery;
  const { tasks, run } = session;
  await expose(delivery, documents, true);
  await deliverEach(delivery, parcelsOf(documents));
  const ids = documents.map(({ _id }) => _id);
  await sweep(session, ids);
  const done = { _id: { $in: ids }, status: { $in: visible }, outbox: { $exists: false } };
  await run((options) => tasks.updateMany(done, { $unset: { pending: '' } }, options));
}

const keyOf = ({ id, parked }: Parcel) => `${parked.by} ${id}`;

function idsOf(parcels: readonly Parcel[]): string[] {
  return [...new Set(parcels.map(({ id }) => id))];
}
