import { SchedError } from '@sched/core';
import { callError, isBusy, isClosed, isStaleSnapshot } from './errors.js';
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

/** A write that waits for its transaction. */
interface Write {
  readonly work: (session: Session) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly deadline: number;
  /** Set when the group that it was in failed: each member then has a transaction to itself. */
  isAlone: boolean;
}

/** For a connection on which the store itself begins and commits. Writes that come together share one commit. */
export function ownExecutor(session: Session, busyTimeoutMs: number): Executor {
  const underWay = new Set<Promise<unknown>>();
  const writes: Write[] = [];
  let isDraining = false;

  function fail(error: unknown): never {
    throw failure(session, error, busyTimeoutMs);
  }

  function track<T>(promise: Promise<T>): Promise<T> {
    const done = () => underWay.delete(promise);
    underWay.add(promise);
    promise.then(done, done);
    return promise;
  }

  /** @returns whether to go on at once, rather than after a pause */
  function drainOnce(first: Write): boolean {
    const group = first.isAlone ? [first] : writes.slice();
    try {
      const results = session.transaction(() => group.map(({ work }) => work(session)));
      writes.splice(0, group.length);
      for (const [index, { resolve }] of group.entries()) resolve(results[index]);
      return true;
    } catch (error) {
      if (group.length > 1 && !isBusy(error)) {
        for (const write of group) write.isAlone = true;
        return true;
      }
      const now = isBusy(error) ? performance.now() : Number.POSITIVE_INFINITY;
      for (const write of group.filter(({ deadline }) => deadline <= now)) {
        writes.splice(writes.indexOf(write), 1);
        write.reject(failure(session, error, busyTimeoutMs));
      }
      return !isBusy(error);
    }
  }

  async function drain(): Promise<void> {
    let pauses = 0;
    for (let first = writes[0]; first; first = writes[0]) {
      if (drainOnce(first)) pauses = 0;
      else await pause(pauses++);
    }
    isDraining = false;
  }

  return {
    call(attempt) {
      const guarded = () => {
        // The user's own connection, and the user's own transaction: what it has written may never be committed.
        if (session.isInTransaction()) throw new Error('the connection is within a transaction');
        return attempt(session);
      };
      return track(patiently(guarded, busyTimeoutMs).catch(fail));
    },

    write<T>(work: (session: Session) => T) {
      const promise = new Promise<unknown>((resolve, reject) => {
        const deadline = performance.now() + busyTimeoutMs;
        writes.push({ work, resolve, reject, deadline, isAlone: false });
      });
      if (!isDraining) {
        isDraining = true;
        // Not at once: whatever else is written within this turn of the event loop can share the commit.
        queueMicrotask(drain);
      }
      return track(promise as Promise<T>);
    },

    async close() {
      await Promise.allSettled(underWay);
    },
  };
}

/** For a connection inside a transaction that the user has begun and will end. */
export function nestedExecutor(session: Session, busyTimeoutMs: number): Executor {
  // Once another connection has written, a transaction that had read before can no longer write, however long it waits.
  const mayPass = (error: unknown) => isBusy(error) && !isStaleSnapshot(error);

  function call<T>(attempt: (session: Session) => T): Promise<T> {
    const guarded = () => {
      if (session.isInTransaction() === false) {
        throw new SchedError(
          'SCHED_ARGUMENT_INVALID',
          'The connection given to withTransaction is not inside a transaction. BEGIN one before, and COMMIT it after.',
        );
      }
      return attempt(session);
    };
    return patiently(guarded, busyTimeoutMs, mayPass).catch((error) => {
      throw failure(session, error, busyTimeoutMs);
    });
  }

  return {
    call,
    write: (work) => call(() => session.transaction(() => work(session))),
    async close() {},
  };
}

/** Makes an attempt again as long as it fails for a reason that may pass, and no longer than the limit. */
export async function patiently<T>(
  attempt: () => T,
  limitMs: number,
  mayPass: (error: unknown) => boolean = isBusy,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (let pauses = 0; ; pauses++) {
    try {
      return attempt();
    } catch (error) {
      if (!mayPass(error) || performance.now() >= deadline) throw error;
    }
    await pause(pauses);
  }
}

function failure(session: Session, error: unknown, busyTimeoutMs: number): SchedError {
  if (isClosed(error)) session.forget();
  return callError(error, busyTimeoutMs);
}

/** Short, since most transactions are: 1 ms at first and 16 at most, and never twice the same for two processes. */
function pause(pauses: number): Promise<void> {
  const ms = Math.min(2 ** pauses, 16) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, ms));
}
