/**
 * Where the core takes time and timers from. Replaced in tests by the virtual clock of `@sched/core/testing`.
 *
 * It measures delays and the age of leases on this machine. What is due is decided by the store's clock alone.
 */
export interface Clock {
  /** Milliseconds that passed since some fixed moment. Never goes back, whatever happens to the machine's clock. */
  elapsed(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
  /**
   * The machine's clock, in epoch milliseconds. Compared with `elapsed`, it shows that the machine was suspended, or that
   * its clock was set. Absent where neither happens, as in virtual time.
   */
  wallTime?(): number;
  /**
   * Does work which real time, not virtual time, brings to an end. Only a virtual clock has this: it stands still until
   * the promise is settled, unless the work waits for virtual time.
   */
  hold?<T>(work: () => Promise<T>): Promise<T>;
}

/** The longest delay that JavaScript's timers can hold. A longer one would fire at once. */
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

/** Does work, and holds virtual time until it is done. */
export function holdTime<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  return clock.hold ? clock.hold(work) : work();
}

/** Lets the event loop handle what waits for it, in the middle of long work. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise(soon);
}

/**
 * Calls `callback` once everything that is ready now has been handled, so that work which comes up together is sent
 * together.
 */
export function soon(callback: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(callback);
  else setTimeout(callback, 0);
}
