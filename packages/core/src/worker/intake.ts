/** Makes sense of claimed tasks. */

import type { ClaimedTask, TaskRecord } from '../data-store.js';
import type { Claim } from '../decisions/claim.js';
import { isSchedError, SchedError } from '../errors.js';
import { readPayload } from '../payload.js';
import { defaultPolicies, type ResolvedPolicies } from '../policies.js';
import { describeError, readBody } from '../record.js';
import { show } from '../show.js';
import type { TaskDefinition } from '../task.js';
import type { WorkerContext } from './context.js';
import type { HeldTask } from './held-task.js';

/** How long a task that nobody here can run stays out of the way. */
const deferMs = { min: 1000, max: 60_000 };
/**
 * They come up again together, and not one by one: once a second, and half past it, when hardly anything is scheduled.
 */
const deferStep = { everyMs: 1000, offsetMs: 500 };
/** How many tasks that nobody here can run are remembered as reported. */
const reportedLimit = 1000;

/** A claimed task that this worker can do nothing with. */
export interface Unusable {
  readonly task: TaskRecord;
  readonly token: number;
  readonly reason: 'noHandler' | 'unreadable';
  readonly error: SchedError;
  readonly deferUntil: number;
  /** This worker has not come across it in this state before. */
  readonly isNews: boolean;
}

export class Intake {
  readonly #context: WorkerContext;
  readonly #reported = new Set<string>();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  take(task: ClaimedTask, leaseUntil: number, now: number): HeldTask | Unusable {
    try {
      const definition = this.#definitionOf(task);
      const claim = this.read(task, task.lease.token, definition);
      const heldSince = this.#context.clock.elapsed();
      const seenRevision = task.revision;
      return { claim, definition, heldSince, leaseUntil, seenRevision, phase: 'waiting' };
    } catch (error) {
      return this.refuse({ record: task, token: task.lease.token }, error, now);
    }
  }

  /** @param thrown why it cannot be used */
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

  /** @throws SchedError when the body, the trigger or the payload's codec is not known here */
  read(record: TaskRecord, token: number, definition: TaskDefinition): Claim {
    const { triggers, codec, settings } = this.#context;
    const body = readBody(record.body);
    // JSON was read along with the body; what a codec encoded is read here, to be put back if it cannot be.
    if (body.encoded) readPayload(body, codec);
    const policies = { ...defaultPolicies, ...definition.policies, ...body.policies };
    if (body.policies) checkPolicies(policies);
    const trigger = triggers.parse(body.trigger);
    return { record, body, trigger, policies, token, owner: settings.owner };
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
 * Until when to put off a task that cannot be run now. The later it is already, the longer: what is missing may come
 * any time, or never.
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

/** @throws SchedError `SCHED_RECORD_UNREADABLE` when a policy that was stored is not one */
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
