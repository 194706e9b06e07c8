/** Checks what users want to schedule, and turns it into records. */

import { checkGroup, checkId, checkLabel, checkMembers, invalid, oneOf } from './check.js';
import type { NewTaskRecord, TaskRecord } from './data-store.js';
import { type Duration, parseDurationMs } from './duration.js';
import { SchedError } from './errors.js';
import { type Headers, hasHeaders, readHeaders } from './headers.js';
import { newId } from './new-id.js';
import { encodePayload, type PayloadCodec, readPayload, type StoredPayload } from './payload.js';
import {
  checkTogether,
  type Policies,
  policyNames,
  type ResolvedPolicies,
  resolvePolicies,
} from './policies.js';
import { isPromise, useWhenReady } from './promises.js';
import { bodyVersion, readBody, type TaskBody, writeBody } from './record.js';
import { firstOccurrence, triggerContext } from './schedule.js';
import type { TaskDefinition } from './task.js';
import type { Trigger } from './trigger.js';
import { sameJson, type TriggerRegistry } from './trigger-registry.js';
import { readWhen, type Timing, triggerOf, type When, whenNames } from './when.js';

/**
 * What to do when a task with the same id exists:
 *
 * - `update` (default): make it what is declared. If it is that already, nothing changes: an overdue run stays due. The
 *   next run changes only when a time other than `in` is given that differs from the task's.
 * - `keep`: leave it as it is.
 * - `replace`: schedule it anew, as if it had not existed.
 * - `error`: throw `SCHED_TASK_EXISTS`.
 *
 * None of them resumes a paused task or disturbs a run in progress.
 */
export type OnConflict = 'update' | 'keep' | 'replace' | 'error';

/** Everything that a declaration says about a task, except its payload. */
export interface TaskSettings extends When, Policies {
  /**
   * Up to 255 bytes, unique in the store. Default: a UUID of version 7.
   *
   * With an id, a call is safe to repeat as long as the task exists: without a time, or with `in`, an existing task
   * keeps the moment of its run, also while it is running. After its last run a task is removed and its id is free
   * again, unless `keepFinished` is set.
   */
  readonly id?: string;
  readonly queue?: string;
  readonly group?: string;
  /**
   * Run once, when nobody has made this call for that long: each call with the same id defers the run again, and
   * replaces the payload. A run in progress goes on, and one more follows. Excludes any other time; needs an `id`.
   */
  readonly debounce?: Duration;
  readonly onConflict?: OnConflict;
  /**
   * What is to travel with the task for its handler, beside the payload: up to 8 kB of names and texts, such as the
   * context of a trace. A call that is repeated does not change a task for its headers alone.
   */
  readonly headers?: Headers;
}

/** Options of `schedule`: what to run and when. Policies given here override the definition's. */
export type ScheduleOptions<Input = void> = TaskSettings &
  (undefined extends Input
    ? { readonly payload?: NoInfer<Input> }
    : { readonly payload: NoInfer<Input> });

/** A task to schedule: the options of `schedule`, and the task's definition. */
export type Declaration<Input = unknown> = ScheduleOptions<Input> & {
  readonly task: TaskDefinition<Input, unknown>;
};

const ownNames = [
  'payload',
  'id',
  'queue',
  'group',
  'debounce',
  'onConflict',
  'headers',
] satisfies readonly (keyof ScheduleOptions)[];

let names: readonly string[] | undefined;

/** The members of {@link Declaration}. A function, because bundlers cannot remove a list that spreads others. */
export function declarationNames(): readonly string[] {
  names ??= ['task', ...ownNames, ...whenNames, ...policyNames];
  return names;
}

let optional: readonly string[] | undefined;

/** The members of {@link ScheduleOptions}. */
export function optionNames(): readonly string[] {
  optional ??= declarationNames().slice(1);
  return optional;
}

/** A declaration that has passed all checks except that of its payload by the task's schema. */
export interface Draft {
  readonly id: string;
  readonly definition: TaskDefinition;
  readonly queue: string;
  readonly group: string | null;
  readonly timing: Timing;
  readonly isDebounced: boolean;
  readonly payload: StoredPayload;
  readonly codec: PayloadCodec | undefined;
  readonly policies: Partial<ResolvedPolicies>;
  readonly onConflict: OnConflict;
  /** Middleware may change them until the task is stored. */
  readonly headers: Record<string, string>;
}

/** A draft whose payload a codec may still be encoding. */
export type Sketch = Omit<Draft, 'payload'> & {
  readonly payload: StoredPayload | PromiseLike<StoredPayload>;
};

export function isEncoded(sketch: Sketch): sketch is Draft {
  return !isPromise(sketch.payload);
}

export interface DeclarationContext {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly triggers: TriggerRegistry;
  readonly codec: PayloadCodec | undefined;
  readonly maxPayloadBytes: number;
}

/** @throws SchedError when anything about the declaration is not valid */
export function readDeclaration(declaration: Declaration, context: DeclarationContext): Sketch {
  return readChecked(checkMembers('A declaration', declaration, declarationNames()), context);
}

/** @throws SchedError when anything about the declaration is not valid, except a member that is not known */
export function readChecked(given: Declaration, context: DeclarationContext): Sketch {
  const { task, id, onConflict, debounce } = given;
  if (typeof task?.run !== 'function') throw invalid('task', task, 'made by defineTask');
  if (id !== undefined) checkId(id);
  if (onConflict !== undefined) {
    oneOf('onConflict', onConflict, ['update', 'keep', 'replace', 'error']);
  }
  const definition = definitionOf(task.name, context);
  const queue = given.queue ?? definition.queue;
  const group = given.group ?? definition.group;
  checkLabel('queue', queue);
  if (group !== null) checkGroup(group);
  const policies = resolvePolicies(given);
  checkTogether({ ...definition.policies, ...policies });
  return {
    id: id ?? newId(),
    definition,
    queue,
    group,
    policies,
    codec: context.codec,
    onConflict: onConflict ?? 'update',
    headers: readHeaders(definition.name, given.headers),
    timing: debounce === undefined ? timingOf(given, context) : readDebounce(given, debounce),
    isDebounced: debounce !== undefined,
    payload: encodePayload(
      definition.name,
      definition.schema !== undefined,
      given.payload,
      context.codec,
      context.maxPayloadBytes,
    ),
  };
}

function timingOf(when: When, { triggers }: DeclarationContext): Timing {
  return readWhen(when, triggers) ?? { afterMs: 0 };
}

function readDebounce(given: TaskSettings, debounce: Duration): Timing {
  const other = [...whenNames, 'onConflict' as const].find((name) => given[name] !== undefined);
  if (other !== undefined || given.id === undefined) {
    const problem =
      other === undefined ? 'needs the id that the calls have in common' : `excludes ${other}`;
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      `debounce ${problem}: it puts off, with each call, the task of that id.`,
    );
  }
  return { afterMs: parseDurationMs(debounce, 'debounce') };
}

/** @throws SchedError `SCHED_TASK_UNKNOWN` */
export function definitionOf(
  name: string,
  { definitions }: Pick<DeclarationContext, 'definitions'>,
): TaskDefinition {
  const definition = definitions.get(name);
  if (definition) return definition;
  throw new SchedError(
    'SCHED_TASK_UNKNOWN',
    `The task definition "${name}" is not one of this scheduler's. Add it to createScheduler({ tasks }).`,
  );
}

/**
 * Makes the record of a task that is new or scheduled anew.
 *
 * @throws SchedError `SCHED_TRIGGER_NEVER` when the task would never run
 */
export function newRecord(draft: Draft, now: number, edition = 1): NewTaskRecord {
  const { id, definition, queue, group, payload, headers, policies } = draft;
  const trigger = triggerOf(draft.timing, now);
  const { nominal, runAt } = occurrenceOf(id, trigger, now);
  return {
    id,
    name: definition.name,
    queue,
    group,
    status: 'scheduled',
    paused: false,
    runAt,
    body: writeBody({
      v: bodyVersion,
      trigger: trigger.toJSON(),
      declaredAt: now,
      edition,
      nominal,
      attempt: 1,
      ...payload,
      ...(hasHeaders(headers) && { headers }),
      ...(Object.keys(policies).length > 0 && { policies }),
    }),
  };
}

/** What to change in a stored task; null for nothing. */
export type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>> | null;

/** What changes when a task is declared again. */
export function redeclare(
  draft: Draft,
  record: TaskRecord,
  now: number,
): Change | PromiseLike<Change> {
  const body = readBody(record.body);
  if (draft.onConflict === 'replace' || !keepsMoment(draft, body)) {
    const { id: _id, paused: _paused, ...change } = newRecord(draft, now, body.edition + 1);
    const { last, headers } = body;
    if (draft.onConflict === 'replace' || !(last || headers)) return change;
    const kept = { ...(headers && { headers }), ...readBody(change.body), ...(last && { last }) };
    return { ...change, body: writeBody(kept) };
  }
  return useWhenReady(isSamePayload(draft, body), (isSame) => adjust(draft, record, body, isSame));
}

/** What changes in a task that keeps the moment of its next run. */
function adjust(draft: Draft, record: TaskRecord, body: TaskBody, isSame: boolean): Change {
  const { definition, queue, group, headers, policies } = draft;
  const { name } = definition;
  const { payload: stored, encoded, policies: _policies, ...rest } = body;
  // A one-off has no next run. The new edition makes it run again after a run in progress with the old payload.
  const isNews = body.trigger.kind === 'at' && !isSame;
  // What a codec has encoded differently this time is no change.
  const isKept = isSame && encoded?.codec === draft.codec?.name;
  const kept = { ...(stored !== undefined && { payload: stored }), ...(encoded && { encoded }) };
  const payload = isKept ? kept : draft.payload;
  const changed: TaskBody = {
    ...rest,
    ...payload,
    ...(Object.keys(policies).length > 0 && { policies }),
    ...(isNews && { edition: body.edition + 1 }),
  };
  const isUnchanged =
    record.name === name &&
    record.queue === queue &&
    record.group === group &&
    sameJson(readBody(writeBody(changed)), body);
  if (isUnchanged) return null;
  const text = writeBody({ ...changed, ...(hasHeaders(headers) && { headers }) });
  return { name, queue, group, body: text };
}

/** Whether a task that is declared again keeps the moment of its next run. */
export function keepsMoment({ timing, isDebounced }: Draft, { trigger }: TaskBody): boolean {
  if ('trigger' in timing) return sameJson(trigger, timing.trigger.toJSON());
  return !isDebounced;
}

/** What changes when a task gets another trigger. */
export function withTrigger(body: TaskBody, id: string, trigger: Trigger, now: number) {
  const { begunAt: _begunAt, backlogUntil: _backlogUntil, isLast: _isLast, ...rest } = body;
  const { nominal, runAt } = occurrenceOf(id, trigger, now);
  return {
    runAt,
    status: 'scheduled' as const,
    body: {
      ...rest,
      trigger: trigger.toJSON(),
      declaredAt: now,
      edition: body.edition + 1,
      nominal,
      attempt: 1,
    },
  };
}

function occurrenceOf(id: string, trigger: Trigger, now: number) {
  const first = firstOccurrence(trigger, triggerContext(id, { declaredAt: now }), now);
  if (first) return first;
  throw new SchedError(
    'SCHED_TRIGGER_NEVER',
    `The trigger of ${id} has no occurrence from now on: ${JSON.stringify(trigger)}. Look at its end, or at the dates it names.`,
  );
}

function isSamePayload({ payload, codec }: Draft, body: TaskBody): boolean | Promise<boolean> {
  if (codec) return isSameDecoded(payload, body, codec);
  return !body.encoded && sameJson({ value: payload.payload }, { value: body.payload });
}

/** Compares decoded payloads, because a codec may encode one payload differently each time, as encryption does. */
async function isSameDecoded(
  payload: StoredPayload,
  body: TaskBody,
  codec: PayloadCodec,
): Promise<boolean> {
  try {
    const read = async (stored: StoredPayload) => ({ value: await readPayload(stored, codec) });
    const [given, stored] = await Promise.all([read(payload), read(body)]);
    return sameJson(given, stored);
  } catch {
    // A payload cannot be read or compared here, so compare the encoded texts.
    return payload.encoded?.text === body.encoded?.text;
  }
}
