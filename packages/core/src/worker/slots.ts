import type { Clock } from '../clock.js';

/** Slots count as saturated when no handler has ended for this long. Doubles with each report. */
const patienceMs = 60_000;

/** Limits how many handlers run at once. The workers of all stores of a scheduler share the slots. */
export class Slots {
  readonly #clock: Clock;
  readonly #onSaturated: (forMs: number) => void;
  #free: number;
  #takers: readonly (() => void)[] = [];
  /** When the last free slot was taken, by this machine's clock. */
  #fullSince = 0;
  #patienceMs = patienceMs;
  #timer: unknown;

  /** @param onSaturated called when all slots are taken, and none has been given back for `forMs` milliseconds */
  constructor(count: number, clock: Clock, onSaturated: (forMs: number) => void) {
    this.#free = count;
    this.#clock = clock;
    this.#onSaturated = onSaturated;
  }

  get free(): number {
    return this.#free;
  }

  take(): void {
    this.#free--;
    if (this.#free > 0) return;
    this.#fullSince = this.#clock.elapsed();
    this.#patienceMs = patienceMs;
    // One timer is enough for as long as there is work: it checks what has changed since it was set.
    if (this.#timer === undefined) this.#lookIn(patienceMs);
  }

  /** Offers the slot to each worker in turn, so that a busy store does not starve the others. */
  giveBack(): void {
    this.#free++;
    if (this.#takers.length > 1)
      this.#takers = [...this.#takers.slice(1), ...this.#takers.slice(0, 1)];
    for (const offer of this.#takers) offer();
  }

  onFreed(offer: () => void): void {
    this.#takers = [...this.#takers, offer];
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #lookIn(delayMs: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#look(), delayMs);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#free > 0) return;
    const forMs = this.#clock.elapsed() - this.#fullSince;
    if (forMs >= this.#patienceMs) {
      this.#patienceMs *= 2;
      this.#onSaturated(forMs);
    }
    this.#lookIn(this.#patienceMs - forMs);
  }
}
