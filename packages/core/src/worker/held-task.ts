import type { ClaimedTask } from '../data-store.js';
import type { RunEvent } from '../events.js';
import type { Claim } from '../policy.js';
import type { TaskDefinition } from '../task.js';
import type { Run } from './run.js';

/** A task that this worker has claimed and not yet settled or given back. */
export interface HeldTask {
  readonly task: ClaimedTask;
  readonly claim: Claim;
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
  isLost?: true;
}

/** What events say of it. */
export function runEventOf({ task, claim }: HeldTask, store: string): RunEvent {
  return {
    id: task.id,
    name: task.name,
    store,
    queue: task.queue,
    nominal: new Date(claim.body.nominal ?? task.runAt ?? 0),
    attempt: claim.body.attempt,
    token: claim.token,
  };
}
