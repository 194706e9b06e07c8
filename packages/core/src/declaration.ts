/** What users ask to be scheduled, checked and put into the form of a record. */

import { checkId, checkLabel, oneOf } from './check.js';
import type { NewTaskRecord, TaskRecord } from './data-store.js';
import { SchedError } from './errors.js';
import { encodePayload, type PayloadCodec, type StoredPayload } from './payload.js';
import { type Policies, type ResolvedPolicies, resolvePolicies } from './policies.js';
import { bodyVersion, readBody, type TaskBody, writeBody } from './record.js';
import { firstOccurrence, triggerContext } from './schedule.js';
import type { TaskDefinition } from './task.js';
import type { Trigger } from './trigger.js';
import { sameTrigger, type TriggerRegistry } from './trigger-registry.js';
import { at } from './triggers/at.js';
import { triggerOf, type When } from './when.js';

/**
 * What happens when a task with the same id exists:
 *
 * - `update` (default): it becomes what is declared. Where that is what it is already, nothing changes: an overdue run
 *   stays due. Its next run is kept unless the trigger changes.
 * - `keep`: it stays as it is.
 * - `replace`: it is scheduled anew, as if it had not been there.
 * - `error`: `SCHED_TASK_EXISTS` is thrown.
 *
 * None of them resumes a paused task, or disturbs a run in progress.
 */
export type OnConflict = 'update' | 'keep' | 'replace' | 'error';

/** Options of `schedule`. Policies that are given override the definition's. */
export interface ScheduleOptions extends When, Policies {
  /** Up to 255 bytes, unique in the store. Default: a random one. */
  readonly id?: string;
  readonly queue?: string;
  readonly group?: string;
  readonly onConflict?: OnConflict;
}

/** A task to be scheduled. */
export interface Declaration<Input = unknown> extends ScheduleOptions {
  readonly task: TaskDefinition<Input, unknown>;
  readonly payload?: Input;
}

/** Pairs a task with its payload, checked by the compiler, for `scheduleMany` and `sync`. */
export function declareTask<Input>(
  task: TaskDefinition<Input, unknown>,
  payload: Input,
  options: ScheduleOptions = {},
): Declaration {
  return { ...options, task, payload } as Declaration;
}

/** A declaration that has passed all checks. */
export interface Prepared {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly group: string | null;
  readonly trigger: Trigger;
  readonly payload: StoredPayload;
  readonly policies: Partial<ResolvedPolicies>;
  readonly onConflict: OnConflict;
}

export interface PrepareContext {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly triggers: TriggerRegistry;
  readonly codec: PayloadCodec | undefined;
  readonly maxPayloadBytes: number;
}

/** @throws SchedError when anything about the declaration is not valid */
export async function prepare(
  { task, payload, ...options }: Declaration,
  context: PrepareContext,
  now: number,
): Promise<Prepared> {
  const { id = crypto.randomUUID(), onConflict = 'update' } = options;
  checkId(id);
  oneOf('onConflict', onConflict, ['update', 'keep', 'replace', 'error']);
  const definition = definitionOf(task?.name, context);
  const queue = options.queue ?? definition.queue;
  const group = options.group ?? definition.group;
  checkLabel('queue', queue);
  if (group !== null) checkLabel('group', group);
  return {
    ...{ id, name: definition.name, queue, group, onConflict },
    trigger: triggerOf(options, context.triggers, now) ?? at(now),
    policies: resolvePolicies(options),
    payload: await encodePayload(definition, payload, context.codec, context.maxPayloadBytes),
  };
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when one has no id, or that of another */
export function distinctIds(declarations: readonly Declaration[]): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { id } of declarations) {
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

/** @throws SchedError `SCHED_TASK_UNKNOWN` */
export function definitionOf(
  name: string,
  { definitions }: Pick<PrepareContext, 'definitions'>,
): TaskDefinition {
  const definition = definitions.get(name);
  if (definition) return definition;
  throw new SchedError(
    'SCHED_TASK_UNKNOWN',
    `The task definition "${name}" is not one of this scheduler's. Add it to createScheduler({ tasks }).`,
  );
}

/**
 * The record of a task that is new, or scheduled anew.
 *
 * @throws SchedError `SCHED_TRIGGER_NEVER` when it would never run
 */
export function newRecord(prepared: Prepared, now: number, edition = 1): NewTaskRecord {
  const { id, name, queue, group, trigger, payload, policies } = prepared;
  const { nominal, runAt } = occurrenceOf(id, trigger, now);
  return {
    ...{ id, name, queue, group, runAt },
    status: 'scheduled',
    paused: false,
    body: writeBody({
      v: bodyVersion,
      trigger: trigger.toJSON(),
      declaredAt: now,
      edition,
      ...payload,
      ...(Object.keys(policies).length > 0 && { policies }),
      nominal,
      attempt: 1,
    }),
  };
}

/** What is to change in a stored task, or null for nothing. */
export type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>> | null;

/** What changes when a task is declared again. */
export function redeclare(prepared: Prepared, record: TaskRecord, now: number): Change {
  const fresh = (edition: number) => {
    const { id: _id, paused: _paused, ...change } = newRecord(prepared, now, edition);
    return change;
  };
  const body = readBody(record.body);
  if (prepared.onConflict === 'replace') return fresh(body.edition + 1);
  if (!sameTrigger(body.trigger, prepared.trigger.toJSON())) {
    const { last } = body;
    const change = fresh(body.edition + 1);
    return last ? { ...change, body: writeBody({ ...readBody(change.body), last }) } : change;
  }
  const { name, queue, group, payload, policies } = prepared;
  const { payload: _payload, encoded: _encoded, policies: _policies, ...rest } = body;
  const text = writeBody({
    ...rest,
    ...payload,
    ...(Object.keys(policies).length > 0 && { policies }),
  });
  const isSame =
    record.name === name &&
    record.queue === queue &&
    record.group === group &&
    sameBody(readBody(text), body);
  return isSame ? null : { name, queue, group, body: text };
}

/** What changes when a task is given another trigger. */
export function reschedule(body: TaskBody, id: string, trigger: Trigger, now: number) {
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

/** Bodies are written with their members in one order, but what is inside a payload comes from the user. */
function sameBody(a: TaskBody, b: TaskBody): boolean {
  return sameTrigger({ kind: '', body: { ...a } as never }, { kind: '', body: { ...b } as never });
}
