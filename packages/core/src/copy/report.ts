import type { NewTaskRecord } from '../data-store.js';
import type { SchedErrorCode } from '../errors.js';

/** How many tasks of one outcome to name. All of them count. */
const namedLimit = 1000;

/** What became of the tasks read so far. Each counts once. */
export interface CopyCounts {
  /** Read from the source so far: the sum of the others. */
  readonly read: number;
  /** Stored in the target. */
  readonly inserted: number;
  /** In the target already, and the same: copied before, or by a call whose answer was lost. */
  readonly unchanged: number;
  /** In the target already, and made the same: `onConflict: 'replace'`. */
  readonly replaced: number;
  /** In the target already, and left different: `onConflict: 'keep'`. */
  readonly kept: number;
  /** Left alone in both stores, for example because a worker has or had it: see {@link LeftTask}. */
  readonly left: number;
  /** Not accepted by the target: see {@link RefusedTask}. */
  readonly refused: number;
  /**
   * Claimed, edited, paused, resumed or removed in the source during the copy. If the copy inserted such a task into
   * the target, it has removed it again.
   */
  readonly changed: number;
  /** Written to the target, but different when read back: see {@link DifferingTask}. */
  readonly differing: number;
}

export type CopyOutcome = Exclude<keyof CopyCounts, 'read'>;

/** The progress of a copy. */
export interface CopyProgress extends CopyCounts {
  /** How many tasks there were to copy at the beginning, including those before `after`. */
  readonly total: number;
  /** The `after` with which another copy continues here; null before the first page and after the last. */
  readonly cursor: string | null;
}

/**
 * Why a task was left alone:
 *
 * - `leased`: a worker holds it.
 * - `lapsed`: a worker held it, and its lease expired.
 * - `unsettled`: a worker had it and never reported back, or somebody cancelled a run of it. The next worker that
 *   claims it decides what follows.
 * - `resumed`: it is or was paused in that store, and the next worker that claims it there will skip the occurrences
 *   that passed meanwhile. The other store does not know of this pause.
 */
export type LeftReason = 'leased' | 'lapsed' | 'unsettled' | 'resumed';

/** A task that the copy left alone in both stores. */
export interface LeftTask {
  readonly id: string;
  /** The store in which `reason` applies. */
  readonly in: 'from' | 'to';
  readonly reason: LeftReason;
  /** Who holds or held the lease, if there is one. */
  readonly owner: string | null;
  /** The end of that lease, in epoch milliseconds by the clock of its store. */
  readonly expiresAt: number | null;
}

/** A task that the target does not accept, for example because its body is too large. */
export interface RefusedTask {
  readonly id: string;
  readonly code: SchedErrorCode;
  readonly message: string;
}

/**
 * A task that reads differently from the target than it was written. Either the target does not keep what it is given,
 * or somebody works on it: a worker, or another program that edits tasks.
 */
export interface DifferingTask {
  readonly id: string;
  /** What differs; `id` when the task is not there. */
  readonly members: readonly (keyof NewTaskRecord)[];
}

/** The tasks that somebody may want to look at: the first 1,000 of each kind. */
export interface CopiedTasks {
  readonly kept: readonly string[];
  readonly left: readonly LeftTask[];
  readonly refused: readonly RefusedTask[];
  readonly changed: readonly string[];
  readonly differing: readonly DifferingTask[];
}

/** What {@link copyTasks} has done. */
export interface CopyResult extends CopyProgress {
  /**
   * Whether every task to copy is in the target, and was read back unchanged. Otherwise copy again once the cause is
   * gone: `left`, `refused`, `changed` or `differing` tasks, tasks added to the source or removed from it meanwhile
   * (`sourceCount` is not `read`), or tasks that are no longer in the target.
   */
  readonly isComplete: boolean;
  /** How many tasks the source has at the end: all, or those of the group. */
  readonly sourceCount: number;
  /** How many tasks the target has at the end: all, or those of the group. Larger if it had others before. */
  readonly targetCount: number;
  readonly tasks: CopiedTasks;
}

/** Records what becomes of each task, in little memory. */
export class CopyReport {
  readonly tasks = {
    kept: [] as string[],
    left: [] as LeftTask[],
    refused: [] as RefusedTask[],
    changed: [] as string[],
    differing: [] as DifferingTask[],
  } satisfies CopiedTasks;
  total = 0;
  cursor: string | null;
  readonly #counts: Record<CopyOutcome, number> = {
    inserted: 0,
    unchanged: 0,
    replaced: 0,
    kept: 0,
    left: 0,
    refused: 0,
    changed: 0,
    differing: 0,
  };

  constructor(cursor: string | null) {
    this.cursor = cursor;
  }

  count(outcome: CopyOutcome): void {
    this.#counts[outcome]++;
  }

  /** Counts a task, and names it if there is room. */
  name<K extends keyof CopiedTasks>(outcome: K, task: CopiedTasks[K][number]): void {
    this.count(outcome);
    const named: CopiedTasks[K][number][] = this.tasks[outcome];
    if (named.length < namedLimit) named.push(task);
  }

  progress(): CopyProgress {
    const counts = this.#counts;
    const read = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { read, ...counts, total: this.total, cursor: this.cursor };
  }
}
