/**
 * A clock for tests: a month of a schedule passes in milliseconds, and always in the same way.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { checkMembers } from '../check.js';
import type { Clock } from '../clock.js';
import { type Duration, parseDurationMs, parseTime, type Time } from '../duration.js';
import { createTimerQueue, type Timer } from './timer-queue.js';

/**
 * Virtual time. Give it to `createScheduler({ clock })`, and its `now` to the store: `new MemoryDataStore({ clock:
 * clock.now })`.
 *
 * Time moves only by {@link advance} and {@link runUntil}, from one timer to the next, and stands still while a store
 * is being asked or a handler is at work. A handler that waits for time to pass has to wait on this clock, with
 * {@link sleep}.
 *
 * In virtual time a store that notifies is not polled unless `pollInterval` says so: no notification gets lost within
 * one process, and polls are most of what would happen in a month.
 */
export interface TestClock extends Clock {
  /** The virtual time, in epoch milliseconds. */
  now(): number;
  /** How many timers are pending. None are once every scheduler that uses this clock has stopped. */
  readonly pendingTimers: number;
  /**
   * Lets time pass, and everything happen that is due in it. `0` lets happen what is due already.
   *
   * @throws Error when a handler, or a store, keeps time standing still for longer than the clock's patience
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Lets time pass until `condition` holds, looking after each thing that happens. The condition may be asynchronous.
   *
   * @param within how long to go on at the most, in virtual time. Default 1 day
   * @throws Error when the condition does not hold by then, and as {@link advance}
   */
  runUntil(condition: () => unknown, within?: Duration): Promise<void>;
  /**
   * Waits in virtual time; `Infinity` waits for ever. Rejects with the signal's reason when it is aborted.
   */
  sleep(duration: Duration, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

export interface TestClockOptions {
  /**
   * How long, in real time, virtual time may stand still for a handler or a store before that is taken for a mistake.
   * Default 5 s.
   */
  readonly patience?: Duration;
}

/** A piece of work that time stands still for, unless it waits for time itself. */
interface Hold {
  /** The work of which this is a part, so that who waits for a part that sleeps is known to sleep too. */
  readonly parent: Hold | undefined;
  isOver: boolean;
  /** How many `sleep`s are going on in it and in its parts. */
  sleepers: number;
}

/** @param start the time at which it begins. Default: 1 January 2030, UTC */
export function createTestClock(
  start: Time = '2030-01-01T00:00:00Z',
  options: TestClockOptions = {},
): TestClock {
  const epoch = parseTime(start, 'start');
  const { patience = 5000 } = checkMembers('The options of createTestClock', options, ['patience']);
  const patienceMs = parseDurationMs(patience, 'patience');
  const timers = createTimerQueue();
  const context = new AsyncLocalStorage<Hold>();
  let now = epoch;
  /** How many holds have no sleeper. */
  let busy = 0;
  let isMoving = false;

  function addTimer(callback: () => void, delayMs: number): Timer {
    return timers.add(now + Math.max(0, Math.ceil(delayMs)), callback);
  }

  function addSleepers(count: number, from: Hold | undefined): void {
    for (let hold = from; hold && !hold.isOver; hold = hold.parent) {
      if (hold.sleepers === 0) busy--;
      hold.sleepers += count;
      if (hold.sleepers === 0) busy++;
    }
  }

  /** Waits until nothing can happen any more unless time passes. */
  async function settle(): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      // After a turn of the event loop, whatever follows at once from what has happened has happened too.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (busy === 0) return;
      if (performance.now() > giveUpAt) {
        throw new Error(
          `Virtual time has been standing still for ${patienceMs} ms of real time: a handler, or a store, is waiting ` +
            'for something that is not the test clock. A handler that waits for time to pass has to use clock.sleep().',
        );
      }
    }
  }

  /** Moves time on until `isDone`, or to `end`. Says whether it was done. */
  async function moveTo(end: number, isDone: () => unknown): Promise<boolean> {
    if (isMoving) {
      throw new Error(
        'Time is being moved already. Await each advance() and runUntil() before the next, and use sleep() in handlers.',
      );
    }
    isMoving = true;
    try {
      await settle();
      while (!(await isDone())) {
        const timer = timers.takeUntil(end);
        if (!timer) {
          now = end;
          return false;
        }
        now = Math.max(now, timer.at);
        timer.callback();
        await settle();
      }
      return true;
    } finally {
      isMoving = false;
    }
  }

  return {
    now: () => now,
    get pendingTimers() {
      return timers.size;
    },
    elapsed: () => now - epoch,
    setTimeout: addTimer,
    clearTimeout: (handle) => timers.remove(handle as Timer | undefined),
    async hold(work) {
      const around = context.getStore();
      // Who began it may be long done, and is not to be remembered by all that follows from it.
      const hold: Hold = {
        parent: around?.isOver ? undefined : around,
        isOver: false,
        sleepers: 0,
      };
      busy++;
      try {
        return await context.run(hold, work);
      } finally {
        // What still sleeps in it is of no concern to those who waited for it.
        addSleepers(-hold.sleepers, hold);
        busy--;
        hold.isOver = true;
      }
    },
    async advance(duration) {
      await moveTo(now + lengthMs(duration, 'duration'), () => false);
    },
    async runUntil(condition, within = '1d') {
      if (await moveTo(now + lengthMs(within, 'within'), condition)) return;
      if (await condition()) return;
      throw new Error(`The condition did not hold within ${within} of virtual time.`);
    },
    async sleep(duration, options = {}) {
      const { signal } = checkMembers('The options of sleep', options, ['signal']);
      signal?.throwIfAborted();
      const hold = context.getStore();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer =
        duration === Number.POSITIVE_INFINITY
          ? undefined
          : addTimer(resolve, lengthMs(duration, 'duration'));
      const onAbort = () => {
        timers.remove(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort);
      addSleepers(1, hold);
      try {
        await promise;
      } finally {
        addSleepers(-1, hold);
        signal?.removeEventListener('abort', onAbort);
      }
    },
  };
}

/** Unlike elsewhere, a length of nothing is of use here. */
function lengthMs(duration: Duration, what: string): number {
  return duration === 0 ? 0 : parseDurationMs(duration, what);
}
