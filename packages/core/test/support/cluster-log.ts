import type { HistoryEvent } from '../../src/conformance/index.js';
import type { DataStore, RunContext, Scheduler } from '../../src/index.js';
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

/** What handlers did and schedulers told, and what was asked of the store, in the order in which it happened. */
export type ClusterLog = (StoreEvent | HistoryEvent)[];

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

interface RunObserver {
  readonly now: () => number;
  readonly log: ClusterLog;
  /** Whether its process has vanished: what it does after that does not count. */
  readonly isDead?: () => boolean;
}

/** Notes down when a handler begins, and how it ends, unless its process has died meanwhile. */
export async function observeRun(
  { task: { id }, token, nominal, attempt, payload }: RunContext<unknown>,
  { now, log, isDead = () => false }: RunObserver,
  handle: () => unknown,
): Promise<void> {
  const run = { id, token, attempt, nominal: nominal.getTime() };
  log.push({ type: 'started', ...run, payload, at: now() });
  try {
    await handle();
  } catch (thrown) {
    if (!isDead()) log.push({ type: 'threw', ...run });
    throw thrown;
  }
  if (!isDead()) log.push({ type: 'returned', ...run });
}

/** Notes down which outcomes a scheduler says that the store has recorded. */
export function observeReports(scheduler: Scheduler, now: () => number, log: ClusterLog): void {
  for (const name of ['succeeded', 'failed', 'retried', 'interrupted'] as const) {
    scheduler.on(name, ({ id, token, attempt, nominal }) => {
      const outcome = name === 'retried' ? 'failed' : name;
      const run = { id, token, attempt, nominal: nominal.getTime() };
      log.push({ type: 'acknowledged', ...run, outcome, at: now() });
    });
  }
}
