/**
 * The body of a stored task: what the core remembers of it, as JSON text that an operator can read.
 *
 * - *occurrence*: one time on the schedule that the trigger makes. A one-off has one.
 * - *nominal*: the time of an occurrence, as the schedule says it, without jitter or delay. It names the occurrence.
 * - *runAt*: when the occurrence should run: its nominal time and jitter, or the time of the next attempt.
 * - *passed*: said of an occurrence whose `runAt` is not after now.
 * - *attempt*: one call of the handler for an occurrence. 1 is the first; retries count on.
 * - *delivery*: one claim of the task by a worker. More than one for an attempt means that a worker vanished.
 * - *edition*: a number that grows with each new trigger, and with each new payload of a one-off. A run that began
 *   under an older one records its outcome, and leaves the schedule as it is now.
 * - *backlogUntil*: occurrences up to this one have been decided to run, one by one. They are not asked about again.
 * - *begunAt*: since when the task has been running without a break: attempts, and occurrences queued behind them.
 * - *settled*: the outcome of a run, and what follows, are in the store.
 */

import { isSchedError, SchedError } from './errors.js';
import type { ResolvedPolicies } from './policies.js';
import type { Json, TriggerJson } from './trigger.js';

/** The version of the body that this code writes, and the newest that it can read. */
export const bodyVersion = 1;

/** An error as it is stored and reported. */
export interface RunError {
  /** The error's class, or `Error`. */
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, where it has one. */
  readonly code?: string;
}

/** Why occurrences did not run. */
export type SkipReason = 'missed' | 'overlap' | 'paused' | 'superseded';

/**
 * How a run ended:
 *
 * - `succeeded`: the handler returned.
 * - `failed`: it threw, timed out, was cancelled or vanished. With `retryAt`, another attempt follows.
 * - `interrupted`: the scheduler stopped, or a newer occurrence replaced the run; nothing is wrong with it.
 * - `skipped`: these occurrences never ran; `reason` says why.
 */
export type RunOutcome = 'succeeded' | 'failed' | 'interrupted' | 'skipped';

/** One entry of a task's history. Moments are epoch milliseconds by the store's clock. */
export interface RunEntry {
  readonly outcome: RunOutcome;
  readonly nominal: number;
  readonly at: number;
  readonly attempt?: number;
  readonly token?: number;
  readonly owner?: string;
  readonly startedAt?: number;
  readonly error?: RunError;
  readonly retryAt?: number;
  readonly reason?: SkipReason;
  /** For `skipped`: the last of the occurrences, of which `nominal` is the first. */
  readonly lastNominal?: number;
  /** For `skipped`: how many, counted up to 1,000. */
  readonly count?: number;
  /** The task that ran, where it is not the one whose history this is. */
  readonly childId?: string;
}

/** What the core remembers of a task beyond the envelope. */
export interface TaskBody {
  readonly v: number;
  readonly trigger: TriggerJson;
  /** When this trigger was declared, by the store's clock. */
  readonly declaredAt: number;
  /** Grows with each new trigger, so that a run in progress can tell that its schedule is no longer the current one. */
  readonly edition: number;
  /** The payload, as JSON. Absent when there is none, or when a codec has encoded it. */
  readonly payload?: Json;
  readonly encoded?: { readonly codec: string; readonly text: string };
  /** Overrides of the definition's policies. */
  readonly policies?: Partial<ResolvedPolicies>;
  /** The occurrence that `runAt` is about; null when there is none left. */
  readonly nominal: number | null;
  readonly attempt: number;
  /** Since when the task has been running, while more attempts or queued occurrences follow. */
  readonly begunAt?: number;
  /** Up to here occurrences that have passed are to run one by one: catch-up or overlap has been decided already. */
  readonly backlogUntil?: number;
  /** No occurrence follows this one, whatever the trigger says: those that did have been skipped. */
  readonly isLast?: true;
  /** The tasks that were given occurrences of this one, as far as they may still be running. */
  readonly children?: readonly string[];
  /** The task of which this one is an occurrence. */
  readonly parent?: string;
  /** The token under which somebody asked for the run to be cancelled. */
  readonly cancelToken?: number;
  /**
   * How a run ended whose lease was another worker's by then. Whoever claims the task next settles it so, unless its
   * edition, occurrence or attempt is another by then.
   */
  readonly returned?: RunEntry & { readonly edition: number };
  readonly last?: RunEntry;
}

export function writeBody(body: TaskBody): string {
  return JSON.stringify(body);
}

/**
 * @throws SchedError `SCHED_RECORD_UNREADABLE` when a newer version wrote it, or it is damaged
 */
export function readBody(text: string): TaskBody {
  try {
    const body: Partial<TaskBody> | null = JSON.parse(text);
    if (typeof body === 'object' && body !== null) {
      if (typeof body.v === 'number' && body.v > bodyVersion) {
        throw unreadable(
          `it was written by a newer version (${body.v}; this one reads up to ${bodyVersion}). Upgrade this process`,
        );
      }
      if (
        body.v === bodyVersion &&
        typeof body.trigger?.kind === 'string' &&
        typeof body.declaredAt === 'number' &&
        typeof body.edition === 'number' &&
        typeof body.attempt === 'number' &&
        (body.nominal === null || typeof body.nominal === 'number') &&
        (body.children === undefined || Array.isArray(body.children))
      ) {
        return body as TaskBody;
      }
    }
  } catch (error) {
    if (isSchedError(error)) throw error;
    throw unreadable('it is not JSON. Remove the task or mend its body', error);
  }
  throw unreadable('members are missing or of the wrong type. Remove the task or mend its body');
}

function unreadable(why: string, cause?: unknown): SchedError {
  return new SchedError('SCHED_RECORD_UNREADABLE', `The task's record cannot be read: ${why}.`, {
    cause,
  });
}

/** What is kept of a thrown value, whatever it is: reading it may throw, too. */
export function describeError(thrown: unknown): RunError {
  const read = (key: 'name' | 'message' | 'code'): string | undefined => {
    try {
      const value = (thrown as { readonly [K in typeof key]?: unknown } | null | undefined)?.[key];
      return typeof value === 'string' ? shorten(value) : undefined;
    } catch {
      return undefined;
    }
  };
  const isObject = typeof thrown === 'object' && thrown !== null;
  const code = read('code');
  return {
    name: (isObject && read('name')) || 'Error',
    message: (isObject ? read('message') : undefined) ?? printed(thrown),
    ...(code !== undefined && { code }),
  };
}

/** Whether a handler threw something that says that no further attempt will help. */
export function isPermanent(thrown: unknown): boolean {
  try {
    return (thrown as { readonly permanent?: unknown } | null | undefined)?.permanent === true;
  } catch {
    return false;
  }
}

function printed(thrown: unknown): string {
  try {
    const text = typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown);
    return shorten(text ?? '');
  } catch {
    return 'unprintable';
  }
}

/** Errors are kept in every record of a failure, so a message of megabytes must not be. */
function shorten(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
