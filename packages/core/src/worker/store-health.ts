import { backoffDelayMs, backoffMs } from '../backoff.js';
import { isSchedError, type SchedError } from '../errors.js';
import type { WorkerContext } from './context.js';

/** Counts a store's failures in a row, decides how long to wait after each, and emits the events about them. */
export class StoreHealth {
  readonly #alias: string;
  readonly #context: WorkerContext;
  readonly #onRecovered: () => void;
  #failures = 0;
  #downSince = 0;
  /** For each call that has failed and not been answered since: its failures in a row. */
  readonly #failing = new Map<string, number>();

  /** @param onRecovered called when a call that had failed is answered: other calls may succeed again, too */
  constructor(alias: string, context: WorkerContext, onRecovered: () => void) {
    this.#alias = alias;
    this.#context = context;
    this.#onRecovered = onRecovered;
  }

  /** @returns how long to wait before making this call again, in milliseconds */
  failed(call: string, error: unknown): number {
    const { clock, events, settings } = this.#context;
    // The call was given up because the scheduler stopped. This says nothing about the store.
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
