import type { Claim } from '../decisions/claim.js';
import type { RunEvent } from '../events.js';
import type { TaskDefinition } from '../task.js';
import type { Run } from './run.js';

/** A task that this worker has claimed and not yet settled or given back. */
export interface HeldTask {
  /** The claim under which it is held: another one when this worker has claimed the task once more. */
  claim: Claim;
  readonly definition: TaskDefinition;
  /** When it was claimed, by this machine's clock. */
  readonly heldSince: number;
  /**
   * Until when the lease is certain to last, by this machine's clock: counted from before the store was asked, so
   * never too long.
   */
  leaseUntil: number;
  /** `waiting` for a slot, `running`, or `settling`: decided, and on its way to the store. */
  phase: 'waiting' | 'running' | 'settling';
  /** The revision of the record of which this worker knows. */
  seenRevision: number;
  /** There while it is running. */
  run?: Run | undefined;
  /** The store said, or time has shown, that somebody else may own the task. */
  isLost?: boolean;
}

/** What a worker holds. Two of one id are held while one of them is settled and the task has been claimed again. */
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

  /** The one of that id that was claimed last. */
  find(id: string): HeldTask | undefined {
    return this.#latest.get(id);
  }

  [Symbol.iterator](): Iterator<HeldTask> {
    return this.#all[Symbol.iterator]();
  }
}

/** What events say of a claimed task. */
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
