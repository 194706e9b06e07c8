import { stateId } from './schema.js';
import type { Session } from './session.js';

/** How much further than expected the server's clock may be, in milliseconds. */
const slackMs = 1000;

/** The store's time: the injected clock's, or else the server's. */
export class StoreClock {
  readonly #session: Session;
  readonly #given: (() => number) | undefined;
  /** The server's time less this process's own, when it was asked last. */
  #offset: number | undefined;

  constructor(session: Session, given: (() => number) | undefined) {
    this.#session = session;
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
    const { meta, run } = this.#session;
    const pipeline = [{ $match: { _id: stateId } }, { $project: { now: { $toLong: '$$NOW' } } }];
    const [state] = await run((options) => meta.aggregate(pipeline, options).toArray());
    const now: number = state?.now;
    this.#offset = now - performance.now();
    return now;
  }
}
