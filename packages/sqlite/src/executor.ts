// Not the globals: those stand still where a test has put fake ones in their place.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isSchedError } from '@sched/core';
import { UnderWay } from '@sched/core/adapter';
import { callError, isBusy, notInTransaction } from './errors.js';
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
  close(): Promise<void>;
}

type Work = (session: Session) => unknown;

/** @param isNested whether the connection is inside a transaction that the user has begun and will end */
export function createExecutor(
  session: Session,
  busyTimeoutMs: number,
  isNested = false,
): Executor {
  const underWay = new UnderWay();
  let gathering: { readonly works: Work[]; readonly results: Promise<unknown[]> } | undefined;

  function assertUsable(): void {
    const { isTransaction } = session.database;
    if (isNested && isTransaction === false) throw notInTransaction();
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

  const commit = (works: readonly Work[]) =>
    call(() => session.transaction(() => works.map((work) => work(session))));

  async function write(work: Work): Promise<unknown> {
    if (!gathering) {
      const works: Work[] = [];
      // Not at once: whatever else is written in this turn of the event loop can share the commit. It also gives others
      // their turn, which a worker that claims and settles without end would otherwise never do.
      const results = setImmediate().then(() => {
        gathering = undefined;
        return commit(works);
      });
      gathering = { works, results };
    }
    const { works, results } = gathering;
    const index = works.push(work) - 1;
    try {
      return (await results)[index];
    } catch (error) {
      // One of them failed for a reason of its own. Now each has a transaction to itself.
      if (works.length === 1 || isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) throw error;
      return (await commit([work]))[0];
    }
  }

  return {
    call: (attempt) => underWay.add(call(attempt)),
    write: <T>(work: (session: Session) => T) => underWay.add(write(work) as Promise<T>),
    close: () => underWay.idle(),
  };
}
