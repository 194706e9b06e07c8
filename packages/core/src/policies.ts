/**
 * What a task does when something unusual happens: an attempt fails, a run takes too long, or occurrences are missed or
 * become due while the task is still running.
 *
 * A definition sets defaults for its tasks. Each task may override them when it is scheduled.
 */

import { checkMembers, invalid, oneOf, wholeNumber } from './check.js';
import { type Duration, parseDurationMs } from './duration.js';
import { SchedError } from './errors.js';

/** What to do when a handler throws or times out. */
export interface RetryPolicy {
  /** How many attempts may follow the first. 0 means none. Default 3. */
  readonly limit?: number;
  /** Default `exponential`: each delay is twice the one before. */
  readonly backoff?: 'fixed' | 'exponential';
  /** The first delay, or every delay when fixed. Default 1 second. */
  readonly min?: Duration;
  /** The longest delay. Default 1 hour. */
  readonly max?: Duration;
  /** Shortens each delay at random by up to this share of it, 0 to 1, so that retries spread out. Default 0.2. */
  readonly jitter?: number;
  /**
   * What a recurring task does when its attempts are exhausted: `continue` with the next occurrence (the default), or
   * `pause`. A one-off always stays as `failed`.
   */
  readonly whenExhausted?: 'continue' | 'pause';
}

/** What to do with occurrences that become due while the task itself is running. */
export type OverlapMode = 'skip' | 'queueOne' | 'queueAll' | 'allow' | 'replace';

export interface OverlapPolicy {
  /**
   * - `skip` (default): skip them.
   * - `queueOne`: run the latest of them afterwards.
   * - `queueAll`: run all of them afterwards, one after another.
   * - `allow`: run them at the same time, each as a task of its own.
   * - `replace`: abort the run in progress, and run the latest of them.
   */
  readonly mode: OverlapMode;
  /** For `allow`: how many may run at once. Skips occurrences beyond that. Default: any number. */
  readonly maxRunning?: number;
}

/** What to do with occurrences that passed while nothing could run them. */
export type CatchUpMode = 'none' | 'latest' | 'all';

export interface CatchUpPolicy {
  /**
   * - `none`: skip an occurrence that is more than `grace` late.
   * - `latest` (default): run only the latest.
   * - `all`: run all of them, one after another.
   */
  readonly mode: CatchUpMode;
  /** Skip occurrences older than this. Default: no limit. */
  readonly window?: Duration;
  /** For `all`: run only this many of the latest; at most 10,000. Default: no limit. */
  readonly limit?: number;
  /**
   * How late still counts as on time. Applies to `none`, and to retries and queued occurrences, which are part of the
   * run before them as long as they begin on time. Default 1 minute.
   */
  readonly grace?: Duration;
}

/**
 * `atLeastOnce` (default): repeat a run whose worker vanished. `atMostOnce`: do not repeat it but count it as failed,
 * and never retry a failed attempt.
 */
export type Delivery = 'atLeastOnce' | 'atMostOnce';

/** The policies of a task, as users write them. */
export interface Policies {
  /** A number means `{ limit }`. */
  readonly retry?: number | RetryPolicy;
  /** How long one attempt may run before its signal is aborted. Default: no limit. */
  readonly timeout?: Duration;
  readonly overlap?: OverlapMode | OverlapPolicy;
  readonly catchUp?: CatchUpMode | CatchUpPolicy;
  readonly delivery?: Delivery;
  /**
   * How often an occurrence may be given to a worker that then vanishes, before it counts as failed: it probably kills
   * its process. Default 5.
   */
  readonly maxDeliveries?: number;
  /** Whether to keep a task without occurrences left as `finished` instead of removing it. Default false. */
  readonly keepFinished?: boolean;
}

/** Policies as they are stored and used: with all defaults filled in, and all durations in milliseconds. */
export interface ResolvedPolicies {
  readonly retry: {
    readonly limit: number;
    readonly backoff: 'fixed' | 'exponential';
    readonly minMs: number;
    readonly maxMs: number;
    readonly jitter: number;
    readonly whenExhausted: 'continue' | 'pause';
  };
  readonly timeoutMs: number | null;
  readonly overlap: { readonly mode: OverlapMode; readonly maxRunning: number | null };
  readonly catchUp: {
    readonly mode: CatchUpMode;
    readonly windowMs: number | null;
    readonly limit: number | null;
    readonly graceMs: number;
  };
  readonly delivery: Delivery;
  readonly maxDeliveries: number;
  readonly keepFinished: boolean;
}

export const defaultPolicies: ResolvedPolicies = {
  retry: {
    limit: 3,
    backoff: 'exponential',
    minMs: 1000,
    maxMs: 3_600_000,
    jitter: 0.2,
    whenExhausted: 'continue',
  },
  timeoutMs: null,
  overlap: { mode: 'skip', maxRunning: null },
  catchUp: { mode: 'latest', windowMs: null, limit: null, graceMs: 60_000 },
  delivery: 'atLeastOnce',
  maxDeliveries: 5,
  keepFinished: false,
};

/** The members of {@link Policies}. */
export const policyNames = [
  'retry',
  'timeout',
  'overlap',
  'catchUp',
  'delivery',
  'maxDeliveries',
  'keepFinished',
] as const satisfies readonly (keyof Policies)[];

const retryNames = ['limit', 'backoff', 'min', 'max', 'jitter', 'whenExhausted'];

/** The highest `limit`: catch-up finds the latest occurrences one by one. */
const catchUpLimit = 10_000;

/**
 * Checks policies and converts them to the stored form. The result has only the policies that were given.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID`, naming the member
 */
export function resolvePolicies(policies: Policies): Partial<ResolvedPolicies> {
  const { retry, timeout, overlap, catchUp, delivery, maxDeliveries, keepFinished } = policies;
  const resolved: { -readonly [K in keyof ResolvedPolicies]?: ResolvedPolicies[K] } = {};
  if (retry !== undefined) resolved.retry = resolveRetry(retry);
  if (timeout !== undefined) resolved.timeoutMs = parseDurationMs(timeout, 'timeout');
  if (overlap !== undefined) resolved.overlap = resolveOverlap(overlap);
  if (catchUp !== undefined) resolved.catchUp = resolveCatchUp(catchUp);
  if (delivery !== undefined) {
    resolved.delivery = oneOf('delivery', delivery, ['atLeastOnce', 'atMostOnce']);
  }
  if (maxDeliveries !== undefined) {
    resolved.maxDeliveries = wholeNumber('maxDeliveries', maxDeliveries, 1);
  }
  if (keepFinished !== undefined) {
    resolved.keepFinished = oneOf('keepFinished', keepFinished, [true, false]);
  }
  checkTogether(resolved);
  return resolved;
}

/**
 * Checks that policies from several places (the definition, the call, the stored task) fit together.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID` when they contradict each other
 */
export function checkTogether({ delivery, retry }: Partial<ResolvedPolicies>): void {
  if (delivery !== 'atMostOnce' || !retry || retry.limit === 0) return;
  throw new SchedError(
    'SCHED_ARGUMENT_INVALID',
    'delivery: "atMostOnce" and retry contradict each other: a retry is a second delivery. Give one of them, or retry: 0 along with it.',
  );
}

function resolveRetry(policy: number | RetryPolicy): ResolvedPolicies['retry'] {
  const fallback = defaultPolicies.retry;
  const given =
    typeof policy === 'number' ? { limit: policy } : checkMembers('retry', policy, retryNames);
  const retry: ResolvedPolicies['retry'] = {
    limit: wholeNumber('retry.limit', given.limit ?? fallback.limit, 0),
    backoff: oneOf('retry.backoff', given.backoff ?? fallback.backoff, ['fixed', 'exponential']),
    minMs: given.min === undefined ? fallback.minMs : parseDurationMs(given.min, 'retry.min'),
    maxMs: given.max === undefined ? fallback.maxMs : parseDurationMs(given.max, 'retry.max'),
    jitter: given.jitter ?? fallback.jitter,
    whenExhausted: oneOf('retry.whenExhausted', given.whenExhausted ?? fallback.whenExhausted, [
      'continue',
      'pause',
    ]),
  };
  if (typeof retry.jitter !== 'number' || !(retry.jitter >= 0 && retry.jitter <= 1)) {
    throw invalid('retry.jitter', retry.jitter, 'a number from 0 to 1');
  }
  if (given.max === undefined) return { ...retry, maxMs: Math.max(retry.minMs, retry.maxMs) };
  if (retry.maxMs < retry.minMs) {
    throw invalid('retry.max', given.max, 'at least as long as retry.min');
  }
  return retry;
}

function resolveOverlap(policy: OverlapMode | OverlapPolicy): ResolvedPolicies['overlap'] {
  const given =
    typeof policy === 'string'
      ? { mode: policy }
      : checkMembers('overlap', policy, ['mode', 'maxRunning']);
  const mode = oneOf<OverlapMode>('overlap', given.mode, [
    'skip',
    'queueOne',
    'queueAll',
    'allow',
    'replace',
  ]);
  if (given.maxRunning === undefined) return { mode, maxRunning: null };
  if (mode !== 'allow') {
    throw invalid('overlap.maxRunning', given.maxRunning, 'absent unless mode is "allow"');
  }
  return { mode, maxRunning: wholeNumber('overlap.maxRunning', given.maxRunning, 1) };
}

function resolveCatchUp(policy: CatchUpMode | CatchUpPolicy): ResolvedPolicies['catchUp'] {
  const given =
    typeof policy === 'string'
      ? { mode: policy }
      : checkMembers('catchUp', policy, ['mode', 'window', 'limit', 'grace']);
  const fallback = defaultPolicies.catchUp;
  return {
    mode: oneOf('catchUp', given.mode, ['none', 'latest', 'all']),
    windowMs:
      given.window === undefined
        ? fallback.windowMs
        : parseDurationMs(given.window, 'catchUp.window'),
    limit:
      given.limit === undefined ? null : wholeNumber('catchUp.limit', given.limit, 1, catchUpLimit),
    graceMs:
      given.grace === undefined ? fallback.graceMs : parseDurationMs(given.grace, 'catchUp.grace'),
  };
}
