import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';

/** For how long a task that was put off here is left to workers that may be able to run it. */
const handOverMs = 100;

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
  /** The moments to which this worker has put off tasks that it cannot run. */
  readonly #deferrals = new Set<number>();
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
    const time = Math.min(this.#handOver(wakeAt ?? Number.POSITIVE_INFINITY), this.#wanted);
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
  wakeAt(moment: number): void {
    const time = this.#handOver(moment);
    this.#wanted = Math.min(this.#wanted, time);
    if (this.#isStopped || time >= this.#wakeAt) return;
    const delayMs = time - this.#access.estimateNow();
    if (delayMs <= 0) this.#wake();
    else this.sleepFor(delayMs);
  }

  /** Notes that something which cannot be run here is due at this moment. */
  putOff(until: number): void {
    for (const time of this.#deferrals) {
      if (time < this.#access.estimateNow()) this.#deferrals.delete(time);
    }
    this.#deferrals.add(until);
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }

  /** A little later if it is what was put off here: whoever can run it need not race with those who cannot. */
  #handOver(time: number): number {
    return this.#deferrals.has(time) ? time + handOverMs : time;
  }
}
