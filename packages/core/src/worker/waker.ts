import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';

/** The one timer that wakes a worker at the next moment at which there may be something to claim. */
export class Waker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #wake: () => void;
  #timer: unknown;
  /** When the timer fires, by the store's clock. */
  #wakeAt = Number.POSITIVE_INFINITY;
  /** The earliest moment asked for since `forget`. */
  #wanted = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(access: StoreAccess, context: WorkerContext, wake: () => void) {
    this.#access = access;
    this.#context = context;
    this.#wake = wake;
  }

  /**
   * To be called before the store is asked: what others ask for from now on may be later than the store's answer
   * knows, and `sleepUntil` will not sleep past it.
   */
  forget(): void {
    this.#wanted = Number.POSITIVE_INFINITY;
  }

  /** Sleeps until the moment that the store named, or as long as polls allow. */
  sleepUntil(wakeAt: number | null): void {
    const { clock, settings } = this.#context;
    // No notification gets lost within one process, and elsewhere time is not virtual.
    const notifiedPollMs = clock.hold ? Number.POSITIVE_INFINITY : 60_000;
    const pollMs =
      settings.pollIntervalMs ?? (this.#access.store.capabilities.watch ? notifiedPollMs : 5000);
    const time = Math.min(wakeAt ?? Number.POSITIVE_INFINITY, this.#wanted);
    this.sleepFor(Math.min(pollMs, Math.max(0, time - this.#access.estimateNow())));
  }

  sleepFor(delayMs: number): void {
    const { clock } = this.#context;
    clock.clearTimeout(this.#timer);
    this.#wakeAt = Number.POSITIVE_INFINITY;
    if (this.#isStopped || delayMs === Number.POSITIVE_INFINITY) return;
    this.#wakeAt = this.#access.estimateNow() + delayMs;
    this.#timer = clock.setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#wake();
    }, delayMs);
  }

  /** Makes sure that the worker looks at this moment, by the store's clock. */
  wakeAt(time: number): void {
    this.#wanted = Math.min(this.#wanted, time);
    if (this.#isStopped || time >= this.#wakeAt) return;
    const delayMs = time - this.#access.estimateNow();
    if (delayMs <= 0) this.#wake();
    else this.sleepFor(delayMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }
}
