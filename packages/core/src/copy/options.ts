import { checkGroup, checkMembers, invalid, oneOf, wholeNumber } from '../check.js';
import { type Clock, systemClock } from '../clock.js';
import type { DataStore, TaskFilter } from '../data-store.js';
import { type Duration, parseDurationMs } from '../duration.js';
import { isDataStore } from '../store-access.js';
import type { CopyProgress } from './report.js';

/** What to do with a task that is in the target already and differs there. */
export type CopyConflict = 'error' | 'keep' | 'replace';

/** What {@link copyTasks} copies, and how. */
export interface CopyOptions {
  /** Only the tasks of this group; `null`: only those without one. Default: all tasks. */
  readonly group?: string | null;
  /**
   * What to do with a task whose id is in the target already with different content:
   *
   * - `error` (default): leave it, and throw `SCHED_TASK_EXISTS`.
   * - `keep`: leave it, and count it as `kept`.
   * - `replace`: make it what it is in the source, unless a worker of the target has it or had it.
   *
   * A task that is the same in both is no conflict.
   */
  readonly onConflict?: CopyConflict;
  /**
   * Where to continue: the `cursor` of an earlier copy of the same tasks from the same source. By default, or with
   * `null`, from the beginning. Only saves time: a copy from the beginning skips what is in the target already.
   */
  readonly after?: string | null;
  /** The most tasks to hold in memory at once. Fewer if they are large. Default 500. */
  readonly pageSize?: number;
  /** Ends the copy after the current call to a store. Tasks copied so far stay. */
  readonly signal?: AbortSignal;
  /** Called after each page with the progress of the copy. If it throws, the copy ends. */
  readonly onProgress?: (progress: CopyProgress) => void;
  /** How long to wait for a call to a store before giving it up. Default 30 s. */
  readonly storeTimeout?: Duration;
  /** How long to retry a call while a store cannot be reached or does not answer. Default 1 min. */
  readonly retryFor?: Duration;
  /** Gives a random number in [0, 1), which spreads the delays after a store fails. Default `Math.random`. */
  readonly random?: () => number;
  /** Replaces real time, in tests. */
  readonly clock?: Clock;
}

/** Copy options with all defaults filled in. */
export interface CopySettings {
  readonly filter: Pick<TaskFilter, 'group'>;
  readonly onConflict: CopyConflict;
  readonly after: string | null;
  readonly pageSize: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly storeTimeoutMs: number;
  readonly retryForMs: number;
  readonly random: () => number;
  readonly clock: Clock;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID`, naming the argument or option */
export function readCopyOptions(
  from: DataStore,
  to: DataStore,
  options: CopyOptions,
): CopySettings {
  if (!isDataStore(from)) throw invalid('from', from, 'a data store');
  if (!isDataStore(to)) throw invalid('to', to, 'a data store');
  if (from === to) throw invalid('to', to.name, 'another store than from');
  const {
    group,
    onConflict = 'error',
    after = null,
    pageSize = 500,
    signal,
    onProgress,
    storeTimeout = 30_000,
    retryFor = 60_000,
    random = Math.random,
    clock = systemClock,
  } = checkMembers('The options of copyTasks', options, [
    'group',
    'onConflict',
    'after',
    'pageSize',
    'signal',
    'onProgress',
    'storeTimeout',
    'retryFor',
    'random',
    'clock',
  ]);
  if (group !== undefined && group !== null) checkGroup(group);
  if (after !== null && typeof after !== 'string') throw invalid('after', after, 'a cursor');
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw invalid('signal', signal, 'an AbortSignal');
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid('onProgress', onProgress, 'a function');
  }
  return {
    filter: group === undefined ? {} : { group },
    onConflict: oneOf('onConflict', onConflict, ['error', 'keep', 'replace']),
    ...{ after, signal, onProgress, random, clock },
    pageSize: wholeNumber('pageSize', pageSize, 1, 10_000),
    storeTimeoutMs: parseDurationMs(storeTimeout, 'storeTimeout'),
    retryForMs: parseDurationMs(retryFor, 'retryFor'),
  };
}
