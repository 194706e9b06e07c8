/**
 * A clock for tests: a month of a schedule passes in milliseconds, and always in the same way.
 */

import type { Clock } from '../clock.js';
import { type Duration, parseDurationMs, parseTime, type Time } from '../duration.js';

/** How long, in real milliseconds, virtual time stands still for a handler before that is taken for a mistake. */
const patienceMs = 5000;

/**
 * Virtual time. Give it to `createScheduler({ clock })`, and its `now` to the store: `new MemoryDataStore({ clock:
 * clock.now })`.
 *
 * Time moves only by {@link advance} and {@link runUntil}, from one timer to the next, and stands still while a store
 * is being asked or a handler is at work. A handler that waits for time to pass has to wait on this clock, with
 * {@link sleep}.
 */
export interface TestClock extends Clock {
  /** The virtual time, in epoch milliseconds. */
  now(): number;
  /**
   * Lets time pass, and everything happen that is due in it.
   *
   * @throws Error when a handler keeps time standing still for 5 real seconds
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Lets time pass until `condition` holds, looking after each thing that happens.
   *
   * @param within how long to go on at the most, in virtual time. Default 1 day
   * @throws Error when the condition does not hold by then
   */
  runUntil(condition: () => unknown, within?: Duration): Promise<void>;
  /** Waits in virtual time. Rejects with the signal's reason when it is aborted. */
  sleep(duration: Duration, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

interface Timer {
  readonly at: number;
  readonly serial: number;
  readonly callback: () => void;
}

/** @param start the time at which it begins. Default: 1 January 2030, UTC */
export function createTestClock(start: Time = '2030-01-01T00:00:00Z'): TestClock {
  const epoch = parseTime(start, 'start');
  const timers = new Set<Timer>();
  let now = epoch;
  let serial = 0;
  /** What time waits for, and how much of that waits for time. */
  let holds = 0;
  let sleepers = 0;

  function addTimer(callback: () => void, delayMs: number): Timer {
    const timer = { at: now + Math.max(0, Math.ceil(delayMs)), serial: serial++, callback };
    timers.add(timer);
    return timer;
  }

  function nextTimer(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (!next || timer.at < next.at || (timer.at === next.at && timer.serial < next.serial)) {
        next = timer;
      }
    }
    return next;
  }

  /** Waits until nothing can happen any more unless time passes. */
  async function settle(): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    // What is about to begin takes a few turns of the event loop to say so.
    for (let quietTurns = 0; quietTurns < 3; ) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      quietTurns = holds > sleepers ? 0 : quietTurns + 1;
      if (quietTurns === 0 && performance.now() > giveUpAt) {
        throw new Error(
          'Virtual time has been standing still for 5 s: a handler, or a store, is waiting for something that is not ' +
            'the test clock. A handler that waits for time to pass has to use clock.sleep().',
        );
      }
    }
  }

  async function moveTo(end: number, isDone: () => unknown): Promise<boolean> {
    await settle();
    while (!isDone()) {
      const timer = nextTimer();
      if (!timer || timer.at > end) {
        now = end;
        return false;
      }
      timers.delete(timer);
      now = Math.max(now, timer.at);
      timer.callback();
      await settle();
    }
    return true;
  }

  return {
    now: () => now,
    elapsed: () => now - epoch,
    setTimeout: addTimer,
    clearTimeout: (handle) => {
      timers.delete(handle as Timer);
    },
    hold() {
      let isHeld = true;
      holds++;
      return () => {
        if (isHeld) holds--;
        isHeld = false;
      };
    },
    async advance(duration) {
      await moveTo(now + parseDurationMs(duration, 'duration'), () => false);
    },
    async runUntil(condition, within = '1d') {
      const isMet = await moveTo(now + parseDurationMs(within, 'within'), condition);
      if (!isMet && !condition()) {
        throw new Error(`The condition did not hold within ${within} of virtual time.`);
      }
    },
    async sleep(duration, { signal } = {}) {
      signal?.throwIfAborted();
      const delayMs =
        duration === Number.POSITIVE_INFINITY ? duration : parseDurationMs(duration, 'duration');
      sleepers++;
      try {
        await new Promise<void>((resolve, reject) => {
          const timer = addTimer(resolve, delayMs);
          signal?.addEventListener(
            'abort',
            () => {
              timers.delete(timer);
              reject(signal.reason);
            },
            { once: true },
          );
        });
      } finally {
        sleepers--;
      }
    },
  };
}
