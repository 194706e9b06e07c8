import { isSchedError, type SchedError } from '../errors.js';
import type { WorkerContext } from './context.js';

/** The shortest and the longest delay after a failure. */
export const backoffMs = { min: 100, max: 30_000 };

/** Counts a store's failures in a row, says how long to wait after each, and tells the world. */
export class StoreHealth {
  readonly #alias: string;
  readonly #context: WorkerContext;
  readonly #onRecovered: () => void;
  #failures = 0;
  #downSince = 0;

  constructor(alias: string, context: WorkerContext, onRecovered: () => void) {
    this.#alias = alias;
    this.#context = context;
    this.#onRecovered = onRecovered;
  }

  /** @returns how long to wait before the next try, in milliseconds */
  failed(call: string, error: unknown): number {
    const { clock, events, settings } = this.#context;
    // It was given up because the scheduler has stopped, which says nothing about the store.
    if (isSchedError(error, 'SCHED_CLOSED')) return backoffMs.max;
    if (this.#failures === 0) this.#downSince = clock.elapsed();
    this.#failures++;
    events.emit('storeError', {
      store: this.#alias,
      call,
      error: error as SchedError,
      failures: this.#failures,
    });
    const delayMs = Math.min(backoffMs.max, backoffMs.min * 2 ** (this.#failures - 1));
    return Math.ceil(delayMs * (0.5 + settings.random() / 2));
  }

  answered(): void {
    if (this.#failures === 0) return;
    const { clock, events } = this.#context;
    this.#failures = 0;
    events.emit('storeRecovered', {
      store: this.#alias,
      downMs: clock.elapsed() - this.#downSince,
    });
    this.#onRecovered();
  }
}
