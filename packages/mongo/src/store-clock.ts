import type { Collection } from './collection.js';
import { stateId } from './schema.js';

/** How much further than expected the server's clock may be, in milliseconds. */
const slackMs = 1000;

/** The store's time: the injected clock's, or else the server's. */
export class StoreClock {
  readonly #meta: Collection;
  readonly #given: (() => number) | undefined;
  /** The server's time less this process's own, when it was asked last. */
  #offset: number | undefined;

  constructor(meta: Collection, given: (() => number) | undefined) {
    this.#meta = meta;
    this.#given = given;
  }

  /** The time, which is being found out, and a moment that it is not expected to be after. */
  async read(): Promise<{ readonly bound: number; readonly now: number | Promise<number> }> {
    if (this.#given || this.#offset === undefined) {
      const now = await this.now();
      return { bound: now, now };
    }
    return { bound: Math.ceil(performance.now() + this.#offset + slackMs), now: this.now() };
  }

  async now(): Promise<number> {
    if (this.#given) return this.#given();
    const pipeline = [{ $match: { _id: stateId } }, { $project: { now: { $toLong: '$$NOW' } } }];
    const [state] = await this.#meta.call((meta, options) =>
      meta.aggregate(pipeline, options).toArray(),
    );
    const now: number = state?.now;
    this.#offset = now - performance.now();
    return now;
  }
}
