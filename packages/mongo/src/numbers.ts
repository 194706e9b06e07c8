import type { Collection } from './collection.js';
import { stateId } from './schema.js';

/** How many numbers are taken in advance where their order does not matter. */
const reserve = 100;

/** Numbers from the one counter of all that share the tasks: each is given once. */
export class Numbers {
  readonly #meta: Collection;
  #next = 0;
  #left = 0;

  constructor(meta: Collection) {
    this.#meta = meta;
  }

  /** Several in a row, above all that were given before this call. @returns the first */
  async fresh(count = 1): Promise<number> {
    const update = { $inc: { counter: count } };
    const state = await this.#meta.call((meta, options) =>
      meta.findOneAndUpdate({ _id: stateId }, update, { ...options, returnDocument: 'after' }),
    );
    return state?.counter - count + 1;
  }

  /** Several in a row that nobody else has, in no order with those of others. @returns the first */
  async unique(count = 1): Promise<number> {
    if (this.#left < count) {
      const taken = Math.max(count, reserve);
      const first = await this.fresh(taken);
      // Another call may have come by meanwhile; what it leaves behind is lost.
      this.#next = first;
      this.#left = taken;
    }
    this.#left -= count;
    this.#next += count;
    return this.#next - count;
  }
}
