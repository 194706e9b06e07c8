import { stateId } from './schema.js';
import type { Session } from './session.js';

/** How many numbers are taken in advance where their order does not matter. */
const reserve = 100;

/** Numbers from the one counter of all that share the tasks: each is given once. */
export class Numbers {
  readonly #session: Session;
  #next = 0;
  #left = 0;

  /** @param session not in a transaction, which would keep everybody else from the counter */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Several in a row, above all that were given before this call. @returns the first */
  async fresh(count = 1): Promise<number> {
    const { meta, run } = this.#session;
    const state = await run((options) =>
      meta.findOneAndUpdate(
        { _id: stateId },
        { $inc: { counter: count } },
        { ...options, returnDocument: 'after' },
      ),
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
