/** How many numbers there are from one that the counter gives to the next. */
const step = 1000;

/**
 * Numbers for revisions, which only have to be other ones than all before: they are taken from the counter by the
 * thousand. Tokens have to grow from owner to owner, so each claim takes the counter's next.
 */
export class Numbers {
  #last = 0;
  #end = 0;

  /** What the counter has given as a token. */
  static token(drawn: number): number {
    return drawn * step;
  }

  /** What the counter has given, for as many revisions as come before the next. */
  add(drawn: number): void {
    this.#last = drawn * step;
    this.#end = this.#last + step;
  }

  /** @returns one that nobody else has; nothing where more have to be added first */
  take(): number | undefined {
    return ++this.#last < this.#end ? this.#last : undefined;
  }
}
