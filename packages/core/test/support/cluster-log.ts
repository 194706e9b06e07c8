import type { DataStore } from '../../src/index.js';
import { interceptStore, type StoreCall } from './intercepted-store.js';

/** A call that reached the store, in the order in which the store applied it. */
export interface StoreEvent {
  readonly type: 'store';
  readonly at: number;
  readonly call: StoreCall;
  readonly args: readonly unknown[];
  /** Absent when the store refused it. */
  answer?: unknown;
}

/** A handler began, or ended well. */
export interface RunEvent {
  readonly type: 'began' | 'succeeded';
  readonly at: number;
  readonly id: string;
  readonly token: number;
  readonly nominal: number;
  readonly attempt: number;
  readonly payload: unknown;
}

/** A scheduler told its listeners that the outcome of a run was recorded. */
interface ReportEvent {
  readonly type: 'reported';
  readonly at: number;
  readonly id: string;
  readonly token: number;
}

/** Everything that happened in a cluster, in the order in which it happened. */
export type ClusterLog = (StoreEvent | RunEvent | ReportEvent)[];

/**
 * The store that all members share, with its calls noted down. It has to apply a call before it returns the promise of
 * its answer, as the memory store does.
 */
export function observeStore(store: DataStore, now: () => number, log: ClusterLog): DataStore {
  return interceptStore(store, async (call, proceed, args) => {
    const event: StoreEvent = { type: 'store', at: now(), call, args };
    const answered = proceed();
    log.push(event);
    const answer = await answered;
    event.answer = answer;
    return answer;
  });
}
