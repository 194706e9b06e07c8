/** What is to become of a task. */
export interface DeclaredTask {
  readonly id: string;
  /** The nominal times of its occurrences, of which each has to come to one end. Epoch milliseconds. */
  readonly occurrences: readonly number[];
  /**
   * Occurrences that may have come to an end and need not, such as those that were still to come. One that comes before
   * another that was reached has to. Default none.
   */
  readonly open?: readonly number[];
  /**
   * Whether an occurrence may be skipped or superseded, for a reason: any, or one of these. One that passed before the
   * task was seen to be `resumed` may be skipped as `paused`, whatever is said here. Default false.
   */
  readonly maySkip?: boolean | readonly string[];
  /** Default false. */
  readonly isAtMostOnce?: boolean;
  /** The most attempts at one occurrence. If absent, attempts are not counted. */
  readonly attempts?: number;
  /** How many attempts at each occurrence fail: the first ones. If absent, any may. */
  readonly failures?: number;
  /** When an occurrence is to run, such as later than its nominal time, by jitter. Default at its nominal time. */
  readonly runAt?: (nominal: number) => number;
  /** What it is to be run with, where `started` runs show theirs. If absent, anything. */
  readonly payload?: unknown;
  /** How many of the tasks that its occurrences were given may be there at once. Default any number. */
  readonly maxRunning?: number;
}

/** Names a run: one call of a handler. */
export interface HistoryRun {
  /** The task that was declared. */
  readonly id: string;
  /** The task that ran, where an occurrence was given a task of its own. */
  readonly child?: string;
  readonly token: number;
  readonly nominal: number;
  readonly attempt: number;
}

/** A claim, by what the store answered. */
interface Held {
  readonly id: string;
  readonly child?: string;
  readonly token: number;
  /** By the store's clock. */
  readonly at: number;
}

/** An outcome that the store has accepted: an entry of the history of its task. */
export interface RecordedOutcome {
  readonly id: string;
  readonly child?: string;
  readonly outcome: 'succeeded' | 'failed' | 'interrupted' | 'skipped';
  readonly nominal: number;
  /** For `skipped`: the last of the occurrences, of which `nominal` is the first. */
  readonly lastNominal?: number;
  /** Of the run; for `skipped`, of the claim for which it was decided, where that is known. */
  readonly token?: number;
  readonly attempt?: number;
  /** By the store's clock. */
  readonly startedAt?: number;
  /** When it came to this, by the store's clock: no later than the store accepted it. */
  readonly at?: number;
  /** When the next attempt is to be made, where one follows. */
  readonly retryAt?: number;
  readonly reason?: string;
  /** The `code` of the error, where the scheduler made it and not the handler. */
  readonly code?: string;
}

/**
 * What happened. Of runs all has to be there: `started`, `returned` or `threw` unless the worker died, and `recorded`.
 * The rest is judged as far as it was seen.
 *
 * What users change in the meantime is part of it. A run goes by what held when its task was claimed or, if that was
 * not seen, when it began.
 */
export type HistoryEvent =
  /** A task was created, also one of an id that another had before. Those that were there from the start need no such event. */
  | (DeclaredTask & { readonly type: 'declared' })
  /**
   * A task was changed. What is absent stays as it was. With `occurrences`, or `open` ones, it has another schedule from
   * here on, and those of the former one that have not come to an end need not.
   */
  | (Partial<Omit<DeclaredTask, 'id'>> & { readonly type: 'edited'; readonly id: string })
  /** A task was removed: what has not come to an end need not. */
  | { readonly type: 'removed'; readonly id: string }
  | { readonly type: 'paused'; readonly id: string }
  /** `at` is by the store's clock. */
  | { readonly type: 'resumed'; readonly id: string; readonly at: number }
  /** With `nominal` and `attempt`, where what it is claimed for is known, and outcomes come in order with all else. */
  | (Held & {
      readonly type: 'claimed';
      readonly expiresAt: number;
      readonly nominal?: number;
      readonly attempt?: number;
    })
  | (Held & { readonly type: 'extended'; readonly expiresAt: number })
  /** The lease has ended before its time: by a settlement, a removal, or a release that may put the next claim off `until` then. */
  | (Held & { readonly type: 'freed'; readonly until?: number })
  /** A handler was called. `at`, where it is known, is by the store's clock. */
  | (HistoryRun & { readonly type: 'started'; readonly at?: number; readonly payload?: unknown })
  /** A handler ended. */
  | (HistoryRun & { readonly type: 'returned' | 'threw' })
  /** A worker was told that the store has recorded an outcome; default a success. `at` is by the store's clock. */
  | (HistoryRun & {
      readonly type: 'acknowledged';
      readonly outcome?: RecordedOutcome['outcome'];
      readonly at?: number;
    })
  | (RecordedOutcome & { readonly type: 'recorded' })
  /** An occurrence was given a task of its own, `child`, which is declared by itself. */
  | {
      readonly type: 'spawned';
      readonly id: string;
      readonly nominal: number;
      readonly child?: string;
    }
  /** The store has nothing more to come of a task, whether or not it keeps it. */
  | { readonly type: 'ended'; readonly id: string }
  /** A call of a worker failed. */
  | {
      readonly type: 'refused';
      readonly owner: string;
      readonly call: string;
      readonly code: string;
    }
  /**
   * A task that the store still has at the end, when nothing is left to do. One with `open` occurrences to come may be
   * `scheduled`, and must not be due. `nominal` is the one that it would run next.
   */
  | {
      readonly type: 'left';
      readonly id: string;
      readonly state: string;
      readonly leasedTo: string | null;
      readonly isDue?: boolean;
      readonly nominal?: number | null;
    };
