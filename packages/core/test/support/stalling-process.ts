import type { Clock, DataStore } from '../../src/index.js';
import type { TestClock } from '../../src/testing/index.js';
import { interceptStore, type StoreCall } from './intercepted-store.js';

/** A process whose event loop can be blocked while time goes on: its timers come late, and so do answers to its calls. */
export interface StallingProcess {
  readonly clock: Clock;
  /** Blocks the process for so long from now on. */
  stall(forMs: number): void;
  /** Goes on when the process does. To be awaited by handlers after they stalled it. */
  resumed(): Promise<void>;
  /** A handle on the store of which calls are sent, and answers heard, only while the process is not blocked. */
  connect(store: DataStore, onCall?: CallListener): DataStore;
}

/** Is told of each call of the process, before it is sent and when its answer comes back. */
export type CallListener = (call: StoreCall, when: 'before' | 'after') => void;

export function createStallingProcess(clock: TestClock): StallingProcess {
  let stalledUntil = Number.NEGATIVE_INFINITY;
  const restMs = () => stalledUntil - clock.elapsed();
  const resumed = async () => {
    while (restMs() > 0) await clock.sleep(restMs());
  };
  interface LateTimer {
    handle: unknown;
  }
  const setTimer = (timer: LateTimer, callback: () => void, delayMs: number) => {
    timer.handle = clock.setTimeout(() => {
      if (restMs() > 0) setTimer(timer, callback, restMs());
      else callback();
    }, delayMs);
    return timer;
  };
  return {
    clock: {
      ...clock,
      elapsed: () => clock.elapsed(),
      setTimeout: (callback, delayMs) => setTimer({ handle: undefined }, callback, delayMs),
      clearTimeout: (timer) => clock.clearTimeout((timer as LateTimer | undefined)?.handle),
    },
    stall: (forMs) => {
      stalledUntil = Math.max(stalledUntil, clock.elapsed() + forMs);
    },
    resumed,
    connect: (store, onCall) =>
      interceptStore(store, async (call, proceed) => {
        onCall?.(call, 'before');
        await resumed();
        if (call === 'close') return undefined;
        try {
          return await proceed();
        } finally {
          onCall?.(call, 'after');
          await resumed();
        }
      }),
  };
}
