/** Reads claimed tasks, and recognises those that this worker cannot run. */

import type { ClaimedTask, TaskRecord } from '../data-store.js';
import type { Claim } from '../decisions/claim.js';
import { isSchedError, SchedError } from '../errors.js';
import { defaultPolicies, type ResolvedPolicies } from '../policies.js';
import { describeError, readBody, type TaskBody } from '../record.js';
import { show } from '../show.js';
import type { TaskDefinition } from '../task.js';
import type { WorkerContext } from './context.js';
import type { HeldTask } from './held-task.js';

/** How long to defer a task that this worker cannot run. */
const deferMs = { min: 1000, max: 60_000 };
/** Deferred tasks become due together, once a second, at half past the second: hardly anything is scheduled then. */
const deferStep = { everyMs: 1000, offsetMs: 500 };
/** How many unusable tasks to remember as reported. */
const reportedLimit = 1000;

/** A claimed task that this worker cannot run. */
export interface Unusable {
  readonly task: TaskRecord;
  readonly token: number;
  readonly reason: 'noHandler' | 'unreadable';
  readonly error: SchedError;
  readonly deferUntil: number;
  /** This worker sees the task in this state for the first time. */
  readonly isNews: boolean;
}

export class Intake {
  readonly #context: WorkerContext;
  readonly #reported = new Set<string>();
  /** The policies of tasks that override none, by their definition. */
  readonly #policies = new Map<TaskDefinition, ResolvedPolicies>();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  take(task: ClaimedTask, leaseUntil: number, now: number): HeldTask | Unusable {
    try {
      const definition = this.#definitionOf(task);
      const claim = this.read(task, task.lease.token, definition);
      const heldSince = this.#context.clock.elapsed();
      const seenRevision = task.revision;
      const run = undefined;
      return { claim, definition, heldSince, leaseUntil, seenRevision, phase: 'waiting', run };
    } catch (error) {
      return this.refuse({ record: task, token: task.lease.token }, error, now);
    }
  }

  /** @param thrown why the task is unusable */
  refuse({ record: task, token }: Pick<Claim, 'record' | 'token'>, thrown: unknown, now: number) {
    const error = isSchedError(thrown)
      ? thrown
      : new SchedError(
          'SCHED_RECORD_UNREADABLE',
          `Nothing can be decided about ${task.id}: ${describeError(thrown).message}`,
          { cause: thrown },
        );
    const reason = error.code === 'SCHED_TASK_UNKNOWN' ? 'noHandler' : 'unreadable';
    const deferUntil = deferralOf(task, now);
    return { task, token, reason, error, deferUntil, isNews: this.#isNews(task) } as const;
  }

  /** @throws SchedError when the body, the policies or the trigger cannot be read here */
  read(record: TaskRecord, token: number, definition: TaskDefinition): Claim {
    const { triggers, settings } = this.#context;
    const body = readBody(record.body);
    const policies = this.#policiesOf(definition, body);
    const trigger = triggers.parse(body.trigger);
    return { record, body, trigger, policies, token, owner: settings.owner };
  }

  #policiesOf(definition: TaskDefinition, body: TaskBody): ResolvedPolicies {
    let policies = this.#policies.get(definition);
    if (!policies) {
      policies = { ...defaultPolicies, ...definition.policies };
      this.#policies.set(definition, policies);
    }
    if (!body.policies) return policies;
    const overridden = { ...policies, ...body.policies };
    checkPolicies(overridden);
    return overridden;
  }

  #definitionOf({ id, name }: TaskRecord): TaskDefinition {
    const definition = this.#context.definitions.get(name);
    if (definition?.hasHandler) return definition;
    throw new SchedError(
      'SCHED_TASK_UNKNOWN',
      `Task ${id} needs a handler for "${name}", and this worker has none. Add the definition to createScheduler({ tasks }), or let this worker listen to other queues.`,
    );
  }

  #isNews({ id, revision }: TaskRecord): boolean {
    const key = `${id}\n${revision}`;
    if (this.#reported.has(key)) return false;
    if (this.#reported.size >= reportedLimit) this.#reported.clear();
    this.#reported.add(key);
    return true;
  }
}

/**
 * Until when to defer a task that cannot run now. The later the task already is, the longer the deferral, because the
 * missing part may come soon or never.
 */
export function deferralOf(task: TaskRecord, now: number): number {
  const until = now + Math.min(deferMs.max, Math.max(deferMs.min, latenessMs(task, now)));
  const { everyMs, offsetMs } = deferStep;
  return Math.ceil((until - offsetMs) / everyMs) * everyMs + offsetMs;
}

function latenessMs(task: TaskRecord, now: number): number {
  try {
    return now - (readBody(task.body).nominal ?? now);
  } catch {
    return deferMs.max;
  }
}

/** @throws SchedError `SCHED_RECORD_UNREADABLE` when a stored policy has the wrong form */
function checkPolicies(policies: ResolvedPolicies): void {
  const given: Readonly<Record<string, unknown>> = { ...policies };
  for (const [key, example] of Object.entries(defaultPolicies)) {
    if (typeof example !== 'object' || example === null) continue;
    const value = given[key];
    const members = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    if (Object.keys(example).every((member) => members.includes(member))) continue;
    throw new SchedError(
      'SCHED_RECORD_UNREADABLE',
      `The policy ${key} of the task's record is ${show(value)}, which is not one.`,
    );
  }
}
