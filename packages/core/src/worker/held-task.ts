import type { Claim } from '../decisions/claim.js';
import type { RunEvent } from '../events.js';
import type { TaskDefinition } from '../task.js';
import type { Run } from './run.js';

/** A task that this worker has claimed, but not yet settled or given back. */
export interface HeldTask {
  /** The current claim. Replaced when this worker claims the task again. */
  claim: Claim;
  readonly definition: TaskDefinition;
  /** When the task was claimed, by this machine's clock. */
  readonly heldSince: number;
  /** Until when the lease surely lasts, by this machine's clock. Counted from before the call, so never too late. */
  leaseUntil: number;
  /** `waiting`: for a slot. `running`: the handler is at work. `settling`: the decision is on its way to the store. */
  phase: 'waiting' | 'running' | 'settling';
  /** The latest revision of the record that this worker has seen. */
  seenRevision: number;
  /** The payload, where a codec had encoded it. */
  decoded?: unknown;
  /** Present while the task runs. */
  run?: Run | undefined;
  /** Another worker may own the task: the store said so, or the lease expired without an answer. */
  isLost?: boolean;
}

/** The tasks that a worker holds. It may hold one id twice: while the first is settled, it may claim the task again. */
export class HeldTasks implements Iterable<HeldTask> {
  readonly #all = new Set<HeldTask>();
  readonly #latest = new Map<string, HeldTask>();

  get size(): number {
    return this.#all.size;
  }

  add(held: HeldTask): void {
    this.#all.add(held);
    this.#latest.set(held.claim.record.id, held);
  }

  delete(held: HeldTask): void {
    const { id } = held.claim.record;
    this.#all.delete(held);
    if (this.#latest.get(id) === held) this.#latest.delete(id);
  }

  has(held: HeldTask): boolean {
    return this.#all.has(held);
  }

  /** The latest claimed task with that id. */
  find(id: string): HeldTask | undefined {
    return this.#latest.get(id);
  }

  [Symbol.iterator](): Iterator<HeldTask> {
    return this.#all[Symbol.iterator]();
  }
}

/** The members that all events about a run have. */
export function runEventOf({ record, body, token }: Claim, store: string): RunEvent {
  return {
    id: record.id,
    name: record.name,
    store,
    queue: record.queue,
    nominal: new Date(body.nominal ?? record.runAt ?? 0),
    attempt: body.attempt,
    token,
  };
}
