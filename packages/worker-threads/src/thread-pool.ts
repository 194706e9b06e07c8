import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type { ResourceLimits } from 'node:worker_threads';
import { checkMembers, type Middleware, SchedError } from '@sched/core';
import { Piscina } from 'piscina';

/** Options of {@link createThreadPool}. */
export interface ThreadPoolOptions {
  /** How many threads there are at most, which is how many handlers run at once. Default: as many as cores. */
  readonly maxThreads?: number;
  /** How many threads are kept while there is nothing to do. Default 0. */
  readonly minThreads?: number;
  /** How long a thread without work is kept, in milliseconds. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** The memory that each thread may take. One that takes more is ended, and its run fails. */
  readonly resourceLimits?: ResourceLimits;
  /** What `process.argv` and `process.env` are in threads. Default: those of the process. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Options of `node` for threads. Default: those of the process. */
  readonly execArgv?: readonly string[];
}

const names = [
  'maxThreads',
  'minThreads',
  'idleTimeoutMs',
  'resourceLimits',
  'argv',
  'env',
  'execArgv',
] satisfies readonly (keyof ThreadPoolOptions)[];

/**
 * Threads for handlers. As middleware it opens with the scheduler, and closes once that has stopped, after which nothing of
 * it is left. Several schedulers may use the same one. Made by {@link createThreadPool}.
 */
export class ThreadPool implements Middleware {
  readonly #options: ConstructorParameters<typeof Piscina>[0];
  #threads: Piscina | undefined;
  /** How many schedulers have opened it. */
  #users = 0;

  /** Use {@link createThreadPool}. */
  constructor(options: ThreadPoolOptions) {
    const { maxThreads = availableParallelism(), minThreads = 0, idleTimeoutMs = 30_000 } = options;
    const { resourceLimits, argv, env, execArgv } = options;
    this.#options = {
      filename: createRequire(import.meta.url).resolve('@sched/worker-threads/thread'),
      ...{ maxThreads, minThreads, idleTimeout: idleTimeoutMs },
      // Threads that wait by Atomics would not serve what a handler keeps open between runs, such as connections.
      atomics: 'disabled',
      ...(resourceLimits && { resourceLimits }),
      ...(argv && { argv: [...argv] }),
      ...(env && { env: { ...env } }),
      ...(execArgv && { execArgv: [...execArgv] }),
    };
  }

  /** How many threads there are now. */
  get size(): number {
    return this.#threads?.threads.length ?? 0;
  }

  open(): object {
    this.threads();
    this.#users++;
    return {};
  }

  /** Ends its threads, if nobody else has opened it. What runs in them is lost. */
  async close(): Promise<void> {
    this.#users--;
    if (this.#users > 0) return;
    const ended = this.#threads;
    this.#threads = undefined;
    await ended?.destroy();
  }

  /** @internal */
  threads(): Piscina {
    this.#threads ??= new Piscina(this.#options);
    return this.#threads;
  }
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when an option is not known, or not valid */
export function createThreadPool(options: ThreadPoolOptions = {}): ThreadPool {
  checkMembers('The options of createThreadPool', options, names);
  const { maxThreads = 1, minThreads = 0, idleTimeoutMs = 0 } = options;
  const isValid =
    Number.isInteger(maxThreads) &&
    Number.isInteger(minThreads) &&
    minThreads >= 0 &&
    maxThreads >= Math.max(1, minThreads) &&
    idleTimeoutMs >= 0;
  if (isValid) return new ThreadPool(options);
  throw invalid(
    'createThreadPool: maxThreads and minThreads have to be whole numbers, minThreads no more than maxThreads, and idleTimeoutMs 0 or more.',
  );
}

export function invalid(message: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', message);
}

let shared: ThreadPool | undefined;

/** The pool of handlers that name none. Its threads end when they have nothing to do, and keep no process from ending. */
export function sharedPool(): ThreadPool {
  shared ??= createThreadPool();
  return shared;
}
