import { checkLabel, invalid, oneOf, wholeNumber } from '../check.js';
import { type Duration, parseDurationMs } from '../duration.js';

/** How a scheduler runs tasks. */
export interface WorkerOptions {
  /** How many handlers run at once, across all stores. Default 10. */
  readonly concurrency?: number;
  /**
   * The most tasks to claim before a slot is free for them. The actual number depends on how fast handlers are, none
   * while they take long, and on how large tasks are. Default 1000.
   */
  readonly prefetch?: number;
  /** The queues to work on, in strict order: the first has priority. Default `['default']`. */
  readonly queues?: readonly string[];
  /**
   * How long a claim lasts unless it is extended. A worker extends its claims as long as it lives. When a worker dies,
   * its tasks run elsewhere after at most this time. At least 300 ms; default 15 s.
   */
  readonly lease?: Duration;
  /**
   * How often to ask the store for due tasks when no timer or notification triggers it: the safety net. Default 5 s, or
   * 1 min for a store that notifies (never in virtual time). `Infinity` means never.
   */
  readonly pollInterval?: Duration;
  /** How long to wait for a call to a store before giving it up. Default 30 s. */
  readonly storeTimeout?: Duration;
  /** How long a handler may take to end after its signal is aborted. Default 5 s. */
  readonly abortGrace?: Duration;
  /** How long `stop` waits for tasks on shutdown, for each shutdown hook, and for each middleware to close. Default 10 s. */
  readonly shutdownTimeout?: Duration;
  /**
   * The most bytes that what a handler returns may have as JSON to be kept in the history. Default 0: nothing is kept.
   * What is larger, or is not JSON, is left out.
   */
  readonly maxResultBytes?: number;
  /**
   * Whether this scheduler says in its stores that it is there, for `workers()`: a small write every ten seconds while
   * it has news, and every minute otherwise. Default `true`.
   */
  readonly announce?: boolean;
  /** The name of this worker in leases and in the history. Default: a random one. */
  readonly owner?: string;
  /** Gives a random number in [0, 1), which spreads the delays after a store fails. Default `Math.random`. */
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
  'shutdownTimeout',
  'maxResultBytes',
  'announce',
  'owner',
  'random',
] satisfies readonly (keyof WorkerOptions)[];

/** Worker options with all defaults filled in. */
export interface WorkerSettings {
  readonly concurrency: number;
  readonly prefetch: number;
  readonly queues: readonly string[];
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly pollIntervalMs: number | undefined;
  readonly storeTimeoutMs: number;
  readonly abortGraceMs: number;
  readonly shutdownTimeoutMs: number;
  readonly maxResultBytes: number;
  readonly announce: boolean;
  readonly owner: string;
  readonly random: () => number;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` or `SCHED_DURATION_INVALID`, naming the option */
export function readWorkerOptions(options: WorkerOptions): WorkerSettings {
  const {
    concurrency = 10,
    prefetch = 1000,
    queues = ['default'],
    lease = 15_000,
    pollInterval,
    storeTimeout = 30_000,
    abortGrace = 5000,
    shutdownTimeout = 10_000,
    maxResultBytes = 0,
    announce = true,
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
    shutdownTimeoutMs: parseDurationMs(shutdownTimeout, 'shutdownTimeout'),
    announce: oneOf('announce', announce, [true, false]),
    maxResultBytes: wholeNumber('maxResultBytes', maxResultBytes, 0, 65_536),
    owner,
    random,
  };
}
