// Not the globals: those stand still where a test has put fake ones in their place.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isSchedError } from '@sched/core';
import { notInTransaction, UnderWay } from '@sched/core/adapter';
import { callError, isBusy } from './errors.js';
import { joinable } from './options.js';
import type { Session } from './session.js';

/**
 * Runs calls on a session. Each attempt is synchronous, so no two of them ever overlap on the connection. While the
 * database is locked an attempt is made again after a pause that leaves the event loop free, for the holder of the
 * lock may live in this very process.
 */
export interface Executor {
  /** Runs `attempt` until the database is not locked. */
  call<T>(attempt: (session: Session) => T): Promise<T>;
  /** Runs `work` in a transaction, which it may share with other writes of the moment. It may run more than once. */
  write<T>(work: (session: Session) => T): Promise<T>;
  /** Waits for what is under way. */
  idle(): Promise<void>;
}

interface Write {
  readonly work: (session: Session) => unknown;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** @param isNested whether the connection is inside a transaction that the user has begun and will end */
export function createExecutor(
  session: Session,
  busyTimeoutMs: number,
  isNested = false,
): Executor {
  const underWay = new UnderWay();
  /** What will share the next commit. */
  let gathering: Write[] | undefined;

  function assertUsable(): void {
    const { isTransaction } = session.database;
    if (isNested && isTransaction === false) throw notInTransaction(joinable);
    // The user's own, on the user's own connection. What was written in it may never be committed.
    if (!isNested && isTransaction) throw new Error('the connection is within a transaction');
  }

  async function call<T>(attempt: (session: Session) => T): Promise<T> {
    const deadline = performance.now() + busyTimeoutMs;
    // Short and uneven: the longer the pauses, the more often whoever had the lock is first to take it again.
    for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 8)) {
      try {
        assertUsable();
        return attempt(session);
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) {
          // A connection that was closed and opened again needs its statements prepared again.
          session.forget();
          throw callError(error, busyTimeoutMs);
        }
      }
      await setTimeout(pauseMs * (0.5 + Math.random()));
    }
  }

  const commit = (writes: readonly Write[]) =>
    call(() => session.transaction(() => writes.map(({ work }) => work(session))));

  async function flush(writes: readonly Write[]): Promise<void> {
    try {
      const results = await commit(writes);
      for (const [index, { resolve }] of writes.entries()) resolve(results[index]);
    } catch (error) {
      if (writes.length === 1 || isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) {
        for (const { reject } of writes) reject(error);
        return;
      }
      // One of them failed for a reason of its own. Now each has a transaction to itself.
      await Promise.all(writes.map((write) => flush([write])));
    }
  }

  function gather(): Write[] {
    const writes: Write[] = [];
    // Not at once: whatever else is written in this turn of the event loop can share the commit. It also gives others
    // their turn, which a worker that claims and settles without end would otherwise never do.
    const flushed = setImmediate().then(() => {
      gathering = undefined;
      return flush(writes);
    });
    void underWay.add(flushed);
    return writes;
  }

  function write<T>(work: (session: Session) => T): Promise<T> {
    return new Promise<unknown>((resolve, reject) => {
      gathering ??= gather();
      gathering.push({ work, resolve, reject });
    }) as Promise<T>;
  }

  return {
    call: (attempt) => underWay.add(call(attempt)),
    write,
    idle: () => underWay.idle(),
  };
}
