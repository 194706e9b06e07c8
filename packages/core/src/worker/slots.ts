/** The places in which handlers run, shared by the workers of all stores of a scheduler. */
export class Slots {
  #free: number;
  readonly #whenFreed = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  take(): void {
    this.#free--;
  }

  giveBack(): void {
    this.#free++;
    for (const notify of this.#whenFreed) notify();
  }

  onFreed(notify: () => void): void {
    this.#whenFreed.add(notify);
  }
}
