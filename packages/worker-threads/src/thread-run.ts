/** What a handler in a thread is given, and what is said between threads. */

import type { MessagePort } from 'node:worker_threads';
import type { RunContext } from '@sched/core';

/** The argument of a handler in a thread: that of any handler, copied. What middleware has built stays behind. */
export type ThreadRun<Payload = unknown> = Omit<RunContext<Payload>, 'context'>;

/** What the module of a handler exports. */
export type ThreadHandler<Payload = unknown> = (run: ThreadRun<Payload>) => unknown;

/** What a thread is sent to do. */
export interface ThreadJob {
  /** The URL of the module. */
  readonly module: string;
  readonly exportName: string;
  readonly run: Omit<ThreadRun, 'signal' | 'progress' | 'log'>;
  readonly port: MessagePort;
}

/** An error on its way between threads, which keep less of one than this. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly permanent?: boolean;
  readonly cause?: SentThrown;
}

/** Whatever was thrown: an error, or a value. */
export type SentThrown = { readonly error: SentError } | { readonly value: unknown };

/** From the thread. The last one is `returned` or `threw`. */
export type FromThread =
  | { readonly kind: 'began' }
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly thrown: SentThrown };

/** To the thread: the signal was aborted. */
export interface ToThread {
  readonly reason: SentThrown;
}
