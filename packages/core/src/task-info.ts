/** Stored tasks and runs, as users see them. */

import type { HistoryEntry, TaskRecord } from './data-store.js';
import type { SchedError } from './errors.js';
import { type Headers, noHeaders } from './headers.js';
import { type PayloadCodec, readPayload } from './payload.js';
import { defaultPolicies, type ResolvedPolicies } from './policies.js';
import {
  type RunEntry,
  type RunError,
  type RunOutcome,
  readBody,
  type SkipReason,
  type TaskBody,
} from './record.js';
import type { LogLine, RunReport } from './run-report.js';
import type { TaskDefinition } from './task.js';
import type { TriggerJson } from './trigger.js';

/**
 * - `scheduled`: waits for its next run, which may be due.
 * - `running`: a worker holds it.
 * - `paused`: will not run until it is resumed. A run in progress goes on.
 * - `finished`: has no occurrence left, and is kept because of `keepFinished`.
 * - `failed`: its attempts are exhausted, and it has no further occurrence. `retry` gives it another chance.
 */
export type TaskState = 'scheduled' | 'running' | 'paused' | 'finished' | 'failed';

/** One run of a task, or several occurrences that did not run. */
export interface RunInfo {
  readonly outcome: RunOutcome;
  /** The occurrence; for `skipped`, the first of them. */
  readonly nominal: Date;
  /** For `skipped`: the last of them. */
  readonly lastNominal?: Date;
  /** For `skipped`: how many, counted up to 1,000. */
  readonly count?: number;
  /** For `skipped` and `interrupted`: why. */
  readonly reason?: SkipReason;
  readonly startedAt?: Date;
  readonly endedAt: Date;
  readonly attempt?: number;
  readonly token?: number;
  /** The worker. */
  readonly owner?: string;
  readonly error?: RunError;
  /** How far the handler said that it had come, from 0 to 1. */
  readonly progress?: number;
  /** The last lines that the handler logged, the oldest first. */
  readonly log?: readonly LogLine[];
  /** What the handler returned, where results are kept: see `maxResultBytes`. */
  readonly result?: unknown;
  /** When the next attempt at the same occurrence should start, if one follows. */
  readonly retryAt?: Date;
  /** The task that ran the occurrence, if the occurrence had one of its own. */
  readonly childId?: string;
}

/** A run among those of all tasks. */
export interface LatestRun extends RunInfo {
  /** The task in whose history it is, and which may be gone. */
  readonly id: string;
  /** The task definition; null where that was not written down. */
  readonly name: string | null;
}

/** A stored task. */
export interface TaskInfo {
  readonly id: string;
  /** The task definition. */
  readonly name: string;
  readonly queue: string;
  readonly group: string | null;
  readonly state: TaskState;
  /** Whether the task is paused, also while a run is still in progress. */
  readonly isPaused: boolean;
  /** The payload as it is stored. Undefined also when it cannot be read here. */
  readonly payload: unknown;
  /** What travels with the task for its handler. */
  readonly headers: Headers;
  /** The stored form of the trigger; null when the record cannot be read. */
  readonly trigger: TriggerJson | null;
  /** When that trigger was declared, by the store's clock: an interval without an anchor counts from here. */
  readonly declaredAt: Date | null;
  /**
   * The policies of its runs. Where the task's definition is not one of this scheduler's, only those that were given
   * with the task itself: what the definition says of the others is not known here.
   */
  readonly policies: Partial<ResolvedPolicies>;
  /** When the task runs next, or since when it is due; null when it will not run again. Also set while paused. */
  readonly runAt: Date | null;
  /** The occurrence that the next run is for. */
  readonly nominal: Date | null;
  /** Which attempt the next run is. */
  readonly attempt: number;
  /** Who is running it, and until when its lease lasts. */
  readonly lease: { readonly owner: string; readonly expiresAt: Date } | null;
  /** What the handler has told in the run in progress; null when there is none, or it has told nothing. */
  readonly report: RunReport | null;
  readonly lastRun: RunInfo | null;
  /** The task that this one runs an occurrence of. */
  readonly parent: string | null;
  /** Why the record or its payload cannot be read here; null when both can. */
  readonly error: SchedError | null;
}

export function describeTask(
  record: TaskRecord,
  codec: PayloadCodec | undefined,
  definition: TaskDefinition | undefined,
  now: number,
): TaskInfo {
  const { id, name, queue, group, lease, runAt } = record;
  const envelope = {
    ...{ id, name, queue, group },
    state: stateOf(record, now),
    isPaused: record.paused,
    runAt: dateOf(runAt),
    lease: lease && { owner: lease.owner, expiresAt: new Date(lease.expiresAt) },
  };
  const known = definition && { ...defaultPolicies, ...definition.policies };
  const unread = {
    ...{ trigger: null, declaredAt: null, nominal: null, attempt: 1, lastRun: null, parent: null },
    ...{ policies: { ...known }, headers: noHeaders, report: null },
  };
  let body: TaskBody;
  try {
    body = readBody(record.body);
  } catch (error) {
    return { ...envelope, ...unread, payload: undefined, error: error as SchedError };
  }
  const { trigger, nominal, attempt, last, parent = null, headers = noHeaders } = body;
  const read = {
    ...{ ...envelope, headers, trigger, attempt, parent },
    report: reportOf(record, body, now),
    declaredAt: dateOf(body.declaredAt),
    policies: { ...known, ...body.policies },
    nominal: dateOf(nominal),
    lastRun: last ? describeRun(last) : null,
  };
  try {
    return { ...read, payload: readPayload(body, codec), error: null };
  } catch (error) {
    return { ...read, payload: undefined, error: error as SchedError };
  }
}

/** An entry of a history, as it is stored. */
export interface StoredRun extends RunEntry {
  /** The task definition. */
  readonly name?: string;
}

export function describeEntry({ body }: HistoryEntry): RunInfo {
  const { name: _name, ...run }: StoredRun = JSON.parse(body);
  return describeRun(run);
}

/** An entry as one of those of all tasks; undefined when it cannot be read. */
export function describeLatest({ taskId: id, body }: HistoryEntry): LatestRun | undefined {
  try {
    const { name, ...run }: StoredRun = JSON.parse(body);
    return Number.isFinite(run.at) ? { id, name: name ?? null, ...describeRun(run) } : undefined;
  } catch {
    return undefined;
  }
}

function describeRun({ nominal, lastNominal, startedAt, at, retryAt, ...rest }: RunEntry): RunInfo {
  return {
    ...rest,
    nominal: new Date(nominal),
    endedAt: new Date(at),
    ...(lastNominal !== undefined && { lastNominal: new Date(lastNominal) }),
    ...(startedAt !== undefined && { startedAt: new Date(startedAt) }),
    ...(retryAt !== undefined && { retryAt: new Date(retryAt) }),
  };
}

function reportOf({ lease }: TaskRecord, { report }: TaskBody, now: number): RunReport | null {
  if (!report || report.token !== lease?.token || lease.expiresAt <= now) return null;
  const { token: _token, ...told } = report;
  return told;
}

function stateOf({ status, paused, lease }: TaskRecord, now: number): TaskState {
  if (status !== 'scheduled') return status;
  if (lease && lease.expiresAt > now) return 'running';
  return paused ? 'paused' : 'scheduled';
}

function dateOf(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}
