import { AssertionError } from 'node:assert';

/** What a case is waiting for, so that one that hangs can say what it hangs in. */
export class Waiting {
  readonly #pending = new Set<{ readonly what: string }>();
  #isOver = false;

  /** Waits for an answer under a name: `a store to open`. After the end of the case nothing more begins. */
  async for<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    if (this.#isOver) throw new Error(`the case has ended, and waits no more for ${what}`);
    const entry = { what };
    this.#pending.add(entry);
    try {
      return await work();
    } finally {
      this.#pending.delete(entry);
    }
  }

  /** Does work that has to end in time. What it still waits for by then is the reason of the rejection. */
  async atMost<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const [first] = this.#pending;
        const limit = limitMs < 1000 ? `${limitMs} ms` : `${limitMs / 1000} seconds`;
        reject(
          new AssertionError({
            message: `waited ${limit} for ${first?.what ?? 'the case to end'}`,
          }),
        );
      }, limitMs);
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#isOver = true;
  }
}
