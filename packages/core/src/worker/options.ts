import { checkLabel, invalid, wholeNumber } from '../check.js';
import { type Duration, parseDurationMs } from '../duration.js';

/** How tasks are run. */
export interface WorkerOptions {
  /** How many handlers run at once, over all stores. Default 10. */
  readonly concurrency?: number;
  /**
   * The most tasks that are claimed ahead of a free slot. How many really are follows from how fast they are run: none
   * while handlers take long. Default 200.
   */
  readonly prefetch?: number;
  /** The queues that are worked on, in strict order: the first has priority. Default `['default']`. */
  readonly queues?: readonly string[];
  /**
   * How long a claim lasts unless it is prolonged, which happens as long as the worker lives. When a worker dies, its
   * tasks run elsewhere after at most this long. From 300 ms; default 15 s.
   */
  readonly lease?: Duration;
  /**
   * How often the store is asked for due tasks when neither a timer nor a notification has caused it to be: the
   * safety net. Default 5 s, or 1 min for a store that notifies (never in virtual time). `Infinity` for never.
   */
  readonly pollInterval?: Duration;
  /** After how long a call to a store is given up. Default 30 s. */
  readonly storeTimeout?: Duration;
  /** How long a handler may take to end after its signal was aborted. Default 5 s. */
  readonly abortGrace?: Duration;
  /** How this worker is called in leases and in the history. Default: a random one. */
  readonly owner?: string;
  /** Chance in [0, 1), for the spread of delays after a store failed. Default `Math.random`. */
  readonly random?: () => number;
}

/** The members of {@link WorkerOptions}. */
export const workerOptionNames = [
  'concurrency',
  'prefetch',
  'queues',
  'lease',
  'pollInterval',
  'storeTimeout',
  'abortGrace',
  'owner',
  'random',
] satisfies readonly (keyof WorkerOptions)[];

/** Worker options with every choice made. */
export interface WorkerSettings {
  readonly concurrency: number;
  readonly prefetch: number;
  readonly queues: readonly string[];
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly pollIntervalMs: number | undefined;
  readonly storeTimeoutMs: number;
  readonly abortGraceMs: number;
  readonly owner: string;
  readonly random: () => number;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID`, naming the option */
export function readWorkerOptions(options: WorkerOptions): WorkerSettings {
  const {
    concurrency = 10,
    prefetch = 200,
    queues = ['default'],
    lease = 15_000,
    pollInterval,
    storeTimeout = 30_000,
    abortGrace = 5000,
    owner = crypto.randomUUID(),
    random = Math.random,
  } = options;
  const leaseMs = wholeNumber('lease, in milliseconds,', parseDurationMs(lease, 'lease'), 300);
  if (queues.length === 0) throw invalid('queues', queues, 'the names of one queue or more');
  for (const queue of queues) checkLabel('queue', queue);
  checkLabel('owner', owner);
  return {
    concurrency: wholeNumber('concurrency', concurrency, 1),
    prefetch: wholeNumber('prefetch', prefetch, 0),
    queues: [...new Set(queues)],
    leaseMs,
    heartbeatMs: Math.floor(leaseMs / 3),
    pollIntervalMs:
      pollInterval === undefined || pollInterval === Number.POSITIVE_INFINITY
        ? pollInterval
        : parseDurationMs(pollInterval, 'pollInterval'),
    storeTimeoutMs: parseDurationMs(storeTimeout, 'storeTimeout'),
    abortGraceMs: parseDurationMs(abortGrace, 'abortGrace'),
    owner,
    random,
  };
}
