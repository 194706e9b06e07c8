/** Schedules many tasks with few calls to the store. */

import { checkMembers, invalid } from './check.js';
import { yieldToEventLoop } from './clock.js';
import type { NewTaskRecord, TaskRecord } from './data-store.js';
import {
  type Declaration,
  type DeclarationContext,
  type Draft,
  declarationNames,
  isEncoded,
  keepsMoment,
  newRecord,
  optionNames,
  readChecked,
  readDeclaration,
  redeclare,
  type TaskSettings,
} from './declaration.js';
import { isSchedError, SchedError } from './errors.js';
import { checkPayload } from './payload.js';
import { useWhenReady } from './promises.js';
import { readBody } from './record.js';
import type { TaskDefinition } from './task.js';
import type { TaskRecords } from './task-records.js';

/** The result of scheduling a task. */
export interface ScheduledTask {
  readonly id: string;
  /** `unchanged`: the task exists and is already as declared, or `onConflict` is `keep`. */
  readonly outcome: 'created' | 'updated' | 'replaced' | 'unchanged';
}

type OnStored = (draft: Draft, outcome: ScheduledTask['outcome']) => void;

const noneKnown: ReadonlyMap<string, TaskRecord> = /* @__PURE__ */ new Map();

/** How many records to send in one call. */
const batchSize = 500;
/** How many batches to store at once, so that a store is not idle while the next one is made, nor waits for its disk. */
const batchesAtOnce = 2;
/** How many updates of a batch to make at once. */
const updatesAtOnce = 10;

/**
 * Checks declarations. First reads all of them synchronously, because the caller could change them afterwards. Then
 * checks their payloads by their schemas.
 *
 * @throws SchedError when one is not valid
 */
export async function readDeclarations(
  declarations: readonly Declaration[],
  context: DeclarationContext,
): Promise<readonly Draft[]> {
  if (!Array.isArray(declarations)) throw invalid('declarations', declarations, 'an array');
  const sketches = declarations.map((declaration) => readDeclaration(declaration, context));
  const drafts: Draft[] = [];
  for (const [index, sketch] of sketches.entries()) {
    if (index > 0 && index % batchSize === 0) await yieldToEventLoop();
    const draft = isEncoded(sketch) ? sketch : { ...sketch, payload: await sketch.payload };
    await checkPayload(draft.definition, draft.payload, context.codec);
    drafts.push(draft);
  }
  return drafts;
}

/**
 * Checks the options of a single task.
 *
 * @throws SchedError when they are not valid
 */
export async function readSingle(
  task: TaskDefinition,
  options: TaskSettings | undefined,
  context: DeclarationContext,
): Promise<Draft> {
  if (options !== undefined) checkMembers('The options of schedule', options, optionNames());
  const sketch = readChecked({ task, ...options } as Declaration, context);
  const draft = isEncoded(sketch) ? sketch : { ...sketch, payload: await sketch.payload };
  await checkPayload(draft.definition, draft.payload, context.codec);
  return draft;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when a declaration has no id, or the id of another one */
export function distinctIds(declarations: readonly Declaration[]): ReadonlySet<string> {
  if (!Array.isArray(declarations)) throw invalid('declarations', declarations, 'an array');
  const ids = new Set<string>();
  for (const declaration of declarations) {
    const { id } = checkMembers('A declaration', declaration, declarationNames());
    if (id === undefined || ids.has(id)) {
      const problem = id === undefined ? 'has no id' : `uses the id "${id}" a second time`;
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        `A declaration given to sync ${problem}. Give each an id of its own, by which it is found again.`,
      );
    }
    ids.add(id);
  }
  return ids;
}

/**
 * Reads the declared tasks that exist already.
 *
 * @throws SchedError `SCHED_TASK_EXISTS` when one of them has another group than its declaration
 */
export async function readGroup(
  records: TaskRecords,
  drafts: readonly Draft[],
): Promise<ReadonlyMap<string, TaskRecord>> {
  const found = new Map<string, TaskRecord>();
  for (const batch of batches(drafts)) {
    for (const record of await records.getMany(batch.map(({ id }) => id))) {
      if (record) found.set(record.id, record);
    }
    for (const draft of batch) assertSameGroup(draft, found.get(draft.id));
    await yieldToEventLoop();
  }
  return found;
}

function assertSameGroup({ id, group }: Draft, record: TaskRecord | undefined): void {
  // A task without a group may be taken over: somebody scheduled it by hand.
  if (!record || record.group === null || record.group === group) return;
  throw new SchedError(
    'SCHED_TASK_EXISTS',
    `The id "${id}" is that of a task of the group "${record.group}", which sync of the group "${group}" leaves alone. Use another id, or put the task into the group with update(id, { group }).`,
  );
}

/**
 * Stores new tasks, and changes existing ones that differ from their declaration.
 *
 * @param onStored called for each task once the store has it
 * @param known the existing tasks that have been read already; there may be others
 * @returns the result for each draft, in their order
 * @throws SchedError `SCHED_TRIGGER_NEVER`, before anything is stored, and `SCHED_TASK_EXISTS`
 */
export async function storeAll(
  records: TaskRecords,
  drafts: readonly Draft[],
  now: number,
  onStored: OnStored,
  known: ReadonlyMap<string, TaskRecord> = noneKnown,
): Promise<readonly ScheduledTask[]> {
  const { fresh, over } = newRecords(drafts, now, known);
  if (over.length > 0) await assertOver(records, over);
  const results: (readonly ScheduledTask[])[] = [];
  // The declarations of one id are stored in their order.
  const areDistinct = new Set(drafts.map(({ id }) => id)).size === drafts.length;
  const most = areDistinct && !records.isInTransaction ? batchesAtOnce : 1;
  await eachOf([...batches(drafts)].entries(), most, async ([index, batch]) => {
    if (index > 0) await yieldToEventLoop();
    const start = index * batchSize;
    const wanted = fresh.slice(start, start + batch.length);
    results[index] = await storeBatch(records, batch, wanted, onStored, known);
  });
  return results.flat();
}

/** A declaration of a schedule without occurrences left, and the error for it unless it is stored like this already. */
type Over = readonly [draft: Draft, error: unknown];

/** Makes the records to insert. Null for a task that is known to exist, and for a schedule that is over. */
function newRecords(
  drafts: readonly Draft[],
  now: number,
  known: ReadonlyMap<string, TaskRecord>,
): { readonly fresh: readonly (NewTaskRecord | null)[]; readonly over: readonly Over[] } {
  const fresh: (NewTaskRecord | null)[] = [];
  const over: Over[] = [];
  for (const draft of drafts) {
    const current = known.get(draft.id);
    let record: NewTaskRecord | null = null;
    try {
      if (!current || draft.onConflict === 'replace' || !keepsMoment(draft, readBody(current.body)))
        record = newRecord(draft, now);
    } catch (error) {
      if (!isSchedError(error, 'SCHED_TRIGGER_NEVER') || draft.onConflict === 'replace')
        throw error;
      over.push([draft, error]);
    }
    fresh.push(current ? null : record);
  }
  return { fresh, over };
}

/** @throws SchedError `SCHED_TRIGGER_NEVER` unless all are stored as they are declared */
async function assertOver(records: TaskRecords, over: readonly Over[]): Promise<void> {
  for (const batch of batches(over)) {
    const found = await records.getMany(batch.map(([{ id }]) => id));
    batch.forEach(([draft, error], index) => {
      const current = found[index];
      if (!current || !keepsMoment(draft, readBody(current.body))) throw error;
    });
  }
}

async function storeBatch(
  records: TaskRecords,
  drafts: readonly Draft[],
  fresh: readonly (NewTaskRecord | null)[],
  onStored: OnStored,
  known: ReadonlyMap<string, TaskRecord>,
): Promise<readonly ScheduledTask[]> {
  const answers = await records.insert(fresh.filter((record) => record !== null));
  const present: Draft[] = [];
  let answered = 0;
  drafts.forEach((draft, index) => {
    const record = fresh[index];
    if (record && answers[answered++] === 'inserted') {
      onStored(draft, 'created');
      records.wake(record);
    } else present.push(draft);
  });
  const outcomes = await storePresent(records, present, onStored, known);
  return drafts.map((draft) => ({ id: draft.id, outcome: outcomes.get(draft) ?? 'created' }));
}

/** Changes existing tasks that differ from their declarations. */
async function storePresent(
  records: TaskRecords,
  present: readonly Draft[],
  onStored: OnStored,
  known: ReadonlyMap<string, TaskRecord>,
): Promise<ReadonlyMap<Draft, ScheduledTask['outcome']>> {
  const outcomes = new Map<Draft, ScheduledTask['outcome']>();
  if (present.length === 0) return outcomes;
  // One id may be declared twice. Apply its declarations in order: each builds on the result of the one before.
  const inTurn = new Map<string, Draft[]>();
  for (const draft of present) inTurn.set(draft.id, [...(inTurn.get(draft.id) ?? []), draft]);
  const unread = [...inTurn.keys()].filter((id) => !known.has(id) && mustBeRead(inTurn.get(id)));
  const read = await records.getMany(unread);
  const current = new Map(unread.map((id, index) => [id, read[index]]));
  // A transaction has one connection, so make its calls one after another.
  const most = records.isInTransaction ? 1 : updatesAtOnce;
  await eachOf(inTurn, most, async ([id, turns]) => {
    let record = known.get(id) ?? current.get(id);
    for (const draft of turns) {
      const outcome = await storeExisting(records, draft, record);
      outcomes.set(draft, outcome);
      onStored(draft, outcome);
      record = undefined;
    }
  });
  return outcomes;
}

function mustBeRead(drafts: readonly Draft[] = []): boolean {
  return drafts.some(({ onConflict }) => onConflict === 'update' || onConflict === 'replace');
}

async function storeExisting(
  records: TaskRecords,
  draft: Draft,
  known: TaskRecord | undefined,
): Promise<ScheduledTask['outcome']> {
  const { id, onConflict } = draft;
  if (onConflict === 'keep') return 'unchanged';
  if (onConflict === 'error') {
    throw new SchedError(
      'SCHED_TASK_EXISTS',
      `A task with the id "${id}" exists already. Use another id, or another onConflict than "error".`,
    );
  }
  const now = records.access.estimateNow();
  let isChanged = false;
  const decide = (current: TaskRecord) =>
    useWhenReady(redeclare(draft, current, now), (change) => {
      isChanged = change !== null;
      return change;
    });
  if (await records.tryEdit(id, decide, known)) {
    if (!isChanged) return 'unchanged';
    return onConflict === 'replace' ? 'replaced' : 'updated';
  }
  // The task was removed in the meantime.
  const record = newRecord(draft, now);
  const [answer] = await records.insert([record]);
  if (answer !== 'inserted') return storeExisting(records, draft, undefined);
  records.wake(record);
  return 'created';
}

/**
 * Does the work of each, so many at once. Begins no more once one has failed, and waits for all, so that nothing is
 * still under way when this fails.
 */
async function eachOf<T>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const takeTurns = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
  };
  const takers = Array.from({ length: most }, () =>
    takeTurns().catch((error: unknown) => {
      left.length = 0;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(takers)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += batchSize) {
    yield items.slice(start, start + batchSize);
  }
}
