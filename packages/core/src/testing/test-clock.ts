/** A clock for tests. A month of a schedule passes in milliseconds, and always in the same way. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { checkMembers } from '../check.js';
import type { Clock } from '../clock.js';
import { type Duration, parseDurationMs, parseTime, type Time } from '../duration.js';
import { createTimerQueue, type Timer } from './timer-queue.js';

/**
 * Virtual time. Pass it to `createScheduler({ clock })`, and its `now` to the store: `new MemoryDataStore({ clock:
 * clock.now })`.
 *
 * Only {@link advance} and {@link runUntil} move time, from one timer to the next. It stands still during calls to a
 * store and while a handler works. A handler that waits for time to pass must wait on this clock, with {@link sleep}.
 *
 * In virtual time, a scheduler does not poll a store that notifies unless `pollInterval` says so: no notification gets
 * lost within one process, and most of what happens in a month would be polls.
 */
export interface TestClock extends Clock {
  /** The virtual time, in epoch milliseconds. */
  now(): number;
  /** How many timers are pending. 0 once every scheduler that uses this clock has stopped. */
  readonly pendingTimers: number;
  /**
   * Lets time pass, and runs everything that becomes due meanwhile. `0` runs only what is due already.
   *
   * @throws Error when a handler or a store holds time still for longer than the clock's patience
   */
  advance(duration: Duration): Promise<void>;
  /**
   * Lets time pass until `condition` holds. Checks it after each timer. The condition may be asynchronous.
   *
   * @param within how long to go on at most, in virtual time. Default 1 day
   * @throws Error when the condition does not hold by then, and as {@link advance}
   */
  runUntil(condition: () => unknown, within?: Duration): Promise<void>;
  /** Waits in virtual time; `Infinity` waits for ever. Rejects with the signal's reason when the signal is aborted. */
  sleep(duration: Duration, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

export interface TestClockOptions {
  /**
   * How long virtual time may stand still for a handler or a store, in real time, before this counts as a mistake.
   * Default 5 s.
   */
  readonly patience?: Duration;
}

/** Work during which time stands still, unless the work itself waits for time. */
interface Hold {
  /** The work that this is a part of. It counts as sleeping, too, while this part sleeps. */
  readonly parent: Hold | undefined;
  isOver: boolean;
  /** How many `sleep` calls are in progress in this work and its parts. */
  sleepers: number;
}

/** @param start the time at which the clock starts. Default: 1 January 2030, UTC */
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
  /** How many holds have no sleepers. */
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

  /** Waits until nothing more can happen unless time passes. */
  async function settle(): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      // One turn of the event loop completes everything that follows at once from what has happened.
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

  /** Moves time on until `isDone`, or to `end`. Returns whether it was done. */
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
      // The work that began this one may have ended long ago. Do not keep it in memory as a parent.
      const hold: Hold = {
        parent: around?.isOver ? undefined : around,
        isOver: false,
        sleepers: 0,
      };
      busy++;
      try {
        return await context.run(hold, work);
      } finally {
        // Sleepers that remain in this work no longer concern the work that waited for it.
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

/** Unlike elsewhere, a duration of zero is useful here. */
function lengthMs(duration: Duration, what: string): number {
  return duration === 0 ? 0 : parseDurationMs(duration, what);
}
