/** Makes sense of claimed tasks. */

import type { ClaimedTask, TaskRecord } from '../data-store.js';
import { SchedError } from '../errors.js';
import { readPayload } from '../payload.js';
import { defaultPolicies } from '../policies.js';
import type { Claim } from '../policy.js';
import { readBody } from '../record.js';
import type { TaskDefinition } from '../task.js';
import type { WorkerContext } from './context.js';
import type { HeldTask } from './held-task.js';

/** How long a task that nobody here can run stays out of the way. */
const deferMs = { min: 1000, max: 60_000 };
/** How many tasks that nobody here can run are remembered as reported. */
const reportedLimit = 1000;

/** A claimed task that this worker can do nothing with. */
export interface Unusable {
  readonly task: ClaimedTask;
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
      return { task, claim, definition, heldSince, leaseUntil, phase: 'waiting' };
    } catch (thrown) {
      const error = thrown as SchedError;
      const reason = error.code === 'SCHED_TASK_UNKNOWN' ? 'noHandler' : 'unreadable';
      // The later it is already, the longer: a new worker that can run it may come any time, or never.
      const lateMs = reason === 'noHandler' ? latenessMs(task, now) : deferMs.max;
      const deferUntil = now + Math.min(deferMs.max, Math.max(deferMs.min, lateMs));
      return { task, reason, error, deferUntil, isNews: this.#isNews(task) };
    }
  }

  /** @throws SchedError when the body, the trigger or the payload's codec is not known here */
  read(record: TaskRecord, token: number, definition: TaskDefinition): Claim {
    const { triggers, codec, settings } = this.#context;
    const body = readBody(record.body);
    // JSON was read along with the body; what a codec encoded is read here, to be put back if it cannot be.
    if (body.encoded) readPayload(body, codec);
    return {
      record,
      body,
      trigger: triggers.parse(body.trigger),
      policies: { ...defaultPolicies, ...definition.policies, ...body.policies },
      token,
      owner: settings.owner,
    };
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

function latenessMs(task: ClaimedTask, now: number): number {
  try {
    return now - (readBody(task.body).nominal ?? now);
  } catch {
    return deferMs.max;
  }
}
