/**
 * The body of a stored task: what the core stores about it, as JSON text that an operator can read.
 *
 * - *occurrence*: one time on the schedule that the trigger makes. A one-off has one.
 * - *nominal*: the scheduled time of an occurrence, without jitter or delay. It identifies the occurrence.
 * - *runAt*: when the occurrence should run: its nominal time plus jitter, or the time of the next attempt.
 * - *passed*: an occurrence has passed when its `runAt` is not after now.
 * - *attempt*: one call of the handler for an occurrence. The first is 1; retries count up.
 * - *delivery*: one claim of the task by a worker. More than one for an attempt means that a worker vanished.
 * - *edition*: a number that grows with each new trigger, and with each new payload of a one-off. A run that began
 *   under an older edition records its outcome, and leaves the schedule as it is now.
 * - *backlogUntil*: all occurrences up to this one will run, one by one. Policies do not decide about them again.
 * - *begunAt*: since when the task has been running without a break: attempts, and occurrences queued behind them.
 * - *settled*: a task is settled when the outcome of its run, and what follows, are in the store.
 */

import { isSchedError, SchedError } from './errors.js';
import type { ResolvedPolicies } from './policies.js';
import type { RunReport } from './run-report.js';
import type { Json, TriggerJson } from './trigger.js';

/** The version of the body that this code writes, and the newest version that it can read. */
export const bodyVersion = 1;

/** An error as it is stored and reported. */
export interface RunError {
  /** The error's class, or `Error`. */
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, if it has one. */
  readonly code?: string;
}

/** Why occurrences did not run. */
export type SkipReason = 'missed' | 'overlap' | 'paused' | 'superseded';

/**
 * How a run ended:
 *
 * - `succeeded`: the handler returned.
 * - `failed`: it threw, timed out, was cancelled or vanished. With `retryAt`, another attempt follows.
 * - `interrupted`: the scheduler stopped, or a newer occurrence replaced the run. Nothing is wrong with the run.
 * - `skipped`: these occurrences never ran. `reason` says why.
 */
export type RunOutcome = 'succeeded' | 'failed' | 'interrupted' | 'skipped';

/** One entry of a task's history. Times are epoch milliseconds by the store's clock. */
export interface RunEntry extends RunReport {
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
  /** For `skipped`: the last of the occurrences. `nominal` is the first. */
  readonly lastNominal?: number;
  /** For `skipped`: how many, counted up to 1,000. */
  readonly count?: number;
  /** What the handler returned, where results are kept. */
  readonly result?: unknown;
  /** The task that ran, if it is not the one that this history belongs to. */
  readonly childId?: string;
}

/** What the core stores about a task besides the envelope. */
export interface TaskBody {
  readonly v: number;
  readonly trigger: TriggerJson;
  /** When this trigger was declared, by the store's clock. */
  readonly declaredAt: number;
  /** See above. Shows a run in progress that its schedule is no longer the current one. */
  readonly edition: number;
  /** The payload as JSON. Absent when there is none, or when a codec has encoded it. */
  readonly payload?: Json;
  readonly encoded?: { readonly codec: string; readonly text: string };
  /** What travels with the task for its handler. Absent when there is nothing. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Overrides of the definition's policies. */
  readonly policies?: Partial<ResolvedPolicies>;
  /** The occurrence that `runAt` is for; null when none is left. */
  readonly nominal: number | null;
  readonly attempt: number;
  /** Since when the task has been running. Present while more attempts or queued occurrences follow. */
  readonly begunAt?: number;
  /** Occurrences up to this one will run one by one: catch-up or overlap has decided about them already. */
  readonly backlogUntil?: number;
  /** No occurrence follows this one, whatever the trigger says: later ones have been skipped already. */
  readonly isLast?: true;
  /** The tasks that run occurrences of this one and may not have ended. */
  readonly children?: readonly string[];
  /** The task that this one runs an occurrence of. */
  readonly parent?: string;
  /** What the handler has told in the run under this token. */
  readonly report?: RunReport & { readonly token: number };
  /** The token of the claim whose run somebody asked to cancel. */
  readonly cancelToken?: number;
  /**
   * How a run ended after another worker had taken over its lease. The next worker that claims the task settles it with
   * this, unless its edition, occurrence or attempt has changed by then.
   */
  readonly returned?: RunEntry & { readonly edition: number };
  readonly last?: RunEntry;
}

export function writeBody(body: TaskBody): string {
  return JSON.stringify(body);
}

/** @throws SchedError `SCHED_RECORD_UNREADABLE` when a newer version wrote the body, or it is damaged */
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

/** Describes any thrown value. Reading its members may throw, too. */
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

/** Whether a thrown value says that another attempt will not help. */
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

/** Every entry of a failure holds its error, so a message must not take megabytes. */
function shorten(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}
