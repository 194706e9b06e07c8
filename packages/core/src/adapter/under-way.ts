/** The calls that have not been answered yet, for a store that has to wait for them before it closes. */
export class UnderWay {
  readonly #calls = new Set<Promise<unknown>>();

  /** @returns the same call */
  add<T>(call: Promise<T>): Promise<T> {
    const done = () => this.#calls.delete(call);
    this.#calls.add(call);
    call.then(done, done);
    return call;
  }

  /** Waits until none is left. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
  }
}
