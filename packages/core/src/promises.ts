/** Promises that code of others makes: where it makes none, nothing takes a turn longer; and it may never keep one. */

import { type Clock, holdTime } from './clock.js';
import { SchedError } from './errors.js';

/** Looks for `then`, not for a class: promises may come from other realms and libraries. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Uses a value at once, or the value of a promise once it is there. */
export function useWhenReady<T, R>(
  value: T | PromiseLike<T>,
  use: (ready: T) => R,
): R | PromiseLike<R> {
  return isPromise(value) ? value.then(use) : use(value);
}

/**
 * Does work of others, and waits for it no longer than `limitMs`.
 *
 * @param what the start of a sentence that ends in how long it took
 * @throws SchedError `SCHED_TIMEOUT`, with which the signal is aborted, and what the work throws
 */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  what: string,
  work: (signal: AbortSignal) => T | PromiseLike<T>,
): Promise<T> {
  const controller = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = clock.setTimeout(() => {
    const error = new SchedError('SCHED_TIMEOUT', `${what} took longer than ${limitMs} ms.`);
    reject(error);
    controller.abort(error);
  }, limitMs);
  try {
    return await Promise.race([holdTime(clock, async () => work(controller.signal)), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}

/** Waits for this long, or until the signal is aborted. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, delayMs);
    signal?.addEventListener('abort', end);
  });
}
