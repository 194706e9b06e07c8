/** What is to become of a task. */
export interface DeclaredTask {
  readonly id: string;
  /** The nominal times of its occurrences, of which each has to come to one end. Epoch milliseconds. */
  readonly occurrences: readonly number[];
  /** Occurrences that may have come to an end and need not, such as those that were still to come. Default none. */
  readonly open?: readonly number[];
  /** Whether an occurrence may be skipped or superseded, for a reason. Default false. */
  readonly maySkip?: boolean;
  /** Default false. */
  readonly isAtMostOnce?: boolean;
  /** The most attempts at one occurrence. If absent, attempts are not counted. */
  readonly attempts?: number;
  /** How many attempts at each occurrence fail: the first ones. If absent, any may. */
  readonly failures?: number;
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
  readonly token?: number;
  readonly attempt?: number;
  /** By the store's clock. */
  readonly startedAt?: number;
  /** When the next attempt is to be made, where one follows. */
  readonly retryAt?: number;
  readonly reason?: string;
  /** The `code` of the error, where the scheduler made it and not the handler. */
  readonly code?: string;
}

/**
 * What happened. Of runs all has to be there: `started`, `returned` or `threw` unless the worker died, and `recorded`.
 * The rest is judged as far as it was seen.
 */
export type HistoryEvent =
  | (Held & { readonly type: 'claimed' | 'extended'; readonly expiresAt: number })
  /** The lease has ended before its time: by a settlement, a release or a removal. */
  | (Held & { readonly type: 'freed' })
  /** A handler was called. `at`, where it is known, is by the store's clock. */
  | (HistoryRun & { readonly type: 'started'; readonly at?: number })
  /** A handler ended. */
  | (HistoryRun & { readonly type: 'returned' | 'threw' })
  /** A worker was told that the store has recorded a success. */
  | (HistoryRun & { readonly type: 'acknowledged' })
  | (RecordedOutcome & { readonly type: 'recorded' })
  /** An occurrence was given a task of its own, which is declared by itself. */
  | { readonly type: 'spawned'; readonly id: string; readonly nominal: number }
  /** A call of a worker failed. */
  | {
      readonly type: 'refused';
      readonly owner: string;
      readonly call: string;
      readonly code: string;
    }
  /** A task that the store still has at the end, when nothing is left to do. */
  | {
      readonly type: 'left';
      readonly id: string;
      readonly state: string;
      readonly leasedTo: string | null;
    };
