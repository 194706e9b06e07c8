/** How many looks there are while the index may be behind. */
const looks = 4;

/** Remembers what this store has made due while the index need not show it yet, so that claims look again. */
export class IndexLag {
  readonly #lagMs: number;
  #dueAt = Number.POSITIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;

  constructor(lagMs: number) {
    this.#lagMs = lagMs;
  }

  /** @param moments at which tasks are due that have just been written; null for none */
  note(moments: readonly (number | null)[], now: number): void {
    const until = now + this.#lagMs;
    for (const moment of moments) {
      if (moment === null || moment >= until) continue;
      this.#dueAt = now < this.#until ? Math.min(this.#dueAt, moment) : moment;
      this.#until = until;
    }
  }

  /** The earliest of when to wake and when to look again for what may be missing. */
  soonest(wakeAt: number | null, now: number): number | null {
    if (now < this.#dueAt || now >= this.#until) return wakeAt;
    const again = now + Math.ceil(this.#lagMs / looks);
    return wakeAt === null ? again : Math.min(wakeAt, again);
  }
}
