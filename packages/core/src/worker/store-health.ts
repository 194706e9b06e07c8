import { backoffDelayMs, backoffMs } from '../backoff.js';
import { isSchedError, type SchedError } from '../errors.js';
import type { WorkerContext } from './context.js';

/** Counts a store's failures in a row, says how long to wait after each, and tells the world. */
export class StoreHealth {
  readonly #alias: string;
  readonly #context: WorkerContext;
  readonly #onRecovered: () => void;
  #failures = 0;
  #downSince = 0;
  /** The failures in a row of each call that has not been answered since. */
  readonly #failing = new Map<string, number>();

  /** @param onRecovered is told when a call is answered that had failed: others may be, too */
  constructor(alias: string, context: WorkerContext, onRecovered: () => void) {
    this.#alias = alias;
    this.#context = context;
    this.#onRecovered = onRecovered;
  }

  /** @returns how long to wait before this call is made again, in milliseconds */
  failed(call: string, error: unknown): number {
    const { clock, events, settings } = this.#context;
    // It was given up because the scheduler has stopped, which says nothing about the store.
    if (isSchedError(error, 'SCHED_CLOSED')) return backoffMs.max;
    const inRow = this.#failing.get(call) ?? 0;
    this.#failing.set(call, inRow + 1);
    if (this.#failures === 0) this.#downSince = clock.elapsed();
    this.#failures++;
    events.emit('storeError', {
      store: this.#alias,
      call,
      error: error as SchedError,
      failures: this.#failures,
    });
    return backoffDelayMs(inRow, settings.random());
  }

  answered(call: string): void {
    const hadFailed = this.#failing.delete(call);
    if (this.#failures > 0) {
      const { clock, events } = this.#context;
      this.#failures = 0;
      events.emit('storeRecovered', {
        store: this.#alias,
        downMs: clock.elapsed() - this.#downSince,
      });
    }
    if (hadFailed) this.#onRecovered();
  }
}
