/** Timers in the order in which they fire: by time, and at the same time in the order in which they were set. */

export interface Timer {
  readonly at: number;
  readonly serial: number;
  readonly callback: () => void;
}

export interface TimerQueue {
  readonly size: number;
  add(at: number, callback: () => void): Timer;
  /** Does nothing for a timer that has fired or was removed. */
  remove(timer: Timer | undefined): void;
  /** Removes and returns the first timer, if it fires at `end` or before. */
  takeUntil(end: number): Timer | undefined;
}

export function createTimerQueue(): TimerQueue {
  /** The next timer is the last element, where removing it is cheap. */
  const timers: Timer[] = [];
  let serial = 0;

  /** The index of a timer, or where to insert it. */
  function indexOf({ at, serial: number }: Pick<Timer, 'at' | 'serial'>): number {
    let low = 0;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = timers[middle] as Timer;
      if (other.at > at || (other.at === at && other.serial > number)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    get size() {
      return timers.length;
    },
    add(at, callback) {
      const timer = { at, serial: serial++, callback };
      timers.splice(indexOf(timer), 0, timer);
      return timer;
    },
    remove(timer) {
      if (!timer) return;
      const index = indexOf(timer);
      if (timers[index] === timer) timers.splice(index, 1);
    },
    takeUntil(end) {
      const next = timers.at(-1);
      return next && next.at <= end ? timers.pop() : undefined;
    },
  };
}
