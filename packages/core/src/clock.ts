/**
 * The core's source of time and timers. Tests replace it with the virtual clock of `@sched/core/testing`.
 *
 * It measures delays and the age of leases on this machine. Only the store's clock decides what is due.
 */
export interface Clock {
  /** Milliseconds since some fixed moment. Never goes back, whatever happens to the machine's clock. */
  elapsed(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
  /**
   * The machine's clock, in epoch milliseconds. Comparing it with `elapsed` shows when the machine was suspended or its
   * clock was set. Absent where neither happens, as in virtual time.
   */
  wallTime?(): number;
  /**
   * Does work that needs real time to complete. Only a virtual clock has this method. It stands still until the promise
   * settles, unless the work waits for virtual time.
   */
  hold?<T>(work: () => Promise<T>): Promise<T>;
}

/** The longest delay that JavaScript's timers accept. A timer with a longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1;

/** Real time. */
export const systemClock: Clock = {
  elapsed: () => performance.now(),
  wallTime: Date.now,
  setTimeout(callback, delayMs) {
    const handle: { timer?: ReturnType<typeof setTimeout> } = {};
    const wait = (leftMs: number) => {
      const isLast = leftMs <= longestDelayMs;
      handle.timer = setTimeout(
        isLast ? callback : () => wait(leftMs - longestDelayMs),
        Math.min(leftMs, longestDelayMs),
      );
    };
    wait(delayMs);
    return handle;
  },
  clearTimeout: (handle) => clearTimeout((handle as { timer?: number } | undefined)?.timer),
};

/** Does work. Virtual time stands still until it is done. */
export function holdTime<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  return clock.hold ? clock.hold(work) : work();
}

/** Lets the event loop handle pending events during long work. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise(soon);
}

/** Calls `callback` after everything that is ready now, so that work that comes up together can be sent together. */
export function soon(callback: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(callback);
  else setTimeout(callback, 0);
}
