/** The places in which handlers run, shared by the workers of all stores of a scheduler. */
export class Slots {
  #free: number;
  readonly #takers: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get free(): number {
    return this.#free;
  }

  take(): void {
    this.#free--;
  }

  /** Offers the slot to each worker in turn, so that a busy store does not starve the others. */
  giveBack(): void {
    this.#free++;
    const [first] = this.#takers.splice(0, 1);
    if (first) this.#takers.push(first);
    for (const offer of [...this.#takers]) offer();
  }

  onFreed(offer: () => void): void {
    this.#takers.push(offer);
  }
}
