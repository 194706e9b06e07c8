/** How many looks there are while the index may be behind. */
const looks = 4;

/** A task that is to run then, if ever. */
interface Written {
  readonly id: string;
  readonly runAt: number | null;
  readonly paused?: boolean;
}

/** Remembers what this store has made due while the index need not show it yet, so that claims look again. */
export class IndexLag {
  readonly #lagMs: number;
  /** By id, in the order in which they were written. */
  readonly #written = new Map<string, { readonly runAt: number; readonly until: number }>();

  constructor(lagMs: number) {
    this.#lagMs = lagMs;
  }

  /** A task has just been written. */
  note({ id, runAt, paused }: Written, now: number): void {
    this.#forget(now);
    this.#written.delete(id);
    const until = now + this.#lagMs;
    const isSoon = this.#lagMs > 0 && runAt !== null && !paused && runAt < until;
    if (isSoon) this.#written.set(id, { runAt, until });
  }

  /** The index has shown a task. */
  found(id: string): void {
    this.#written.delete(id);
  }

  /** The earliest of when to wake and when to look again for what may be missing. */
  soonest(wakeAt: number | null, now: number): number | null {
    this.#forget(now);
    const again = now + Math.ceil(this.#lagMs / looks);
    for (const { runAt } of this.#written.values()) {
      if (runAt <= now) return Math.min(wakeAt ?? again, again);
    }
    return wakeAt;
  }

  /** Also where nobody claims, so that it does not grow. */
  #forget(now: number): void {
    for (const [id, { until }] of this.#written) {
      if (until > now) return;
      this.#written.delete(id);
    }
  }
}
