/**
 * How the core talks to a data store: it opens it once, whoever asks first; bounds the time of every call; gives every
 * failure a code; and keeps an idea of the store's clock.
 */

import { type Clock, held } from './clock.js';
import type { DataStore } from './data-store.js';
import { isSchedError, SchedError } from './errors.js';

/** How many schedulers of this process have a store open, so that the last one to stop closes it. */
const users = /* @__PURE__ */ new WeakMap<DataStore, number>();

export class StoreAccess {
  readonly alias: string;
  readonly store: DataStore;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;
  /** The store's time less the clock's, never too large: see `noteTime`. */
  #offset: number | undefined;

  constructor(alias: string, store: DataStore, clock: Clock, timeoutMs: number) {
    this.alias = alias;
    this.store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes a call, opening the store first when nobody has.
   *
   * @param onLate is given the answer that comes after the call has been given up
   * @throws SchedError always: the store's own, or `SCHED_STORE_TIMEOUT`, or `SCHED_STORE_UNAVAILABLE` around whatever
   *   else a store threw
   */
  async call<T>(
    name: string,
    make: (store: DataStore) => Promise<T>,
    onLate?: (answer: T) => void,
  ): Promise<T> {
    if (!this.#isOpen) await this.open();
    return this.#bound(name, () => make(this.store), onLate);
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    if (this.#isClosed) {
      throw new SchedError('SCHED_CLOSED', 'The scheduler has been stopped. Make a new one.');
    }
    this.#opening ??= this.#bound('open', () => this.store.open())
      .then(() => {
        this.#isOpen = true;
        users.set(this.store, (users.get(this.store) ?? 0) + 1);
      })
      .finally(() => {
        this.#opening = undefined;
      });
    await this.#opening;
  }

  /** Closes the store, unless another scheduler of this process still uses it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const others = (users.get(this.store) ?? 1) - 1;
    users.set(this.store, others);
    if (others === 0) await this.#bound('close', () => this.store.close());
  }

  /** The same store inside a transaction of the user's, which needs no opening. */
  withTransaction(tx: unknown): StoreAccess {
    const inside = this.store.withTransaction(tx);
    const access = new StoreAccess(this.alias, inside, this.#clock, this.#timeoutMs);
    access.#isOpen = true;
    return access;
  }

  /** The store's time, asked for only when it is not known yet. */
  async now(): Promise<number> {
    if (this.#offset === undefined) this.noteTime(await this.call('now', (store) => store.now()));
    return this.estimateNow();
  }

  /**
   * The store's time as far as it is known. Never ahead of it, so that nothing is taken to have passed that has not:
   * the answer that told it was on its way for a while.
   */
  estimateNow(): number {
    return Math.floor(this.#clock.elapsed() + (this.#offset ?? 0));
  }

  /** Learns the store's time from an answer that has just come in. */
  noteTime(storeNow: number): void {
    this.#offset = storeNow - this.#clock.elapsed();
  }

  async #bound<T>(name: string, make: () => Promise<T>, onLate?: (answer: T) => void): Promise<T> {
    let timer: unknown;
    let isLate = false;
    const answer = () =>
      new Promise<T>((resolve, reject) => {
        timer = this.#clock.setTimeout(() => {
          isLate = true;
          reject(
            new SchedError(
              'SCHED_STORE_TIMEOUT',
              `The store "${this.alias}" (${this.store.name}) did not answer ${name} within ${this.#timeoutMs} ms.`,
            ),
          );
        }, this.#timeoutMs);
        make().then((answer) => {
          if (isLate) onLate?.(answer);
          else resolve(answer);
        }, reject);
      });
    try {
      return await held(this.#clock, answer);
    } catch (error) {
      throw isSchedError(error) ? error : this.#unavailable(name, error);
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  #unavailable(name: string, cause: unknown): SchedError {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new SchedError(
      'SCHED_STORE_UNAVAILABLE',
      `The store "${this.alias}" (${this.store.name}) failed at ${name}: ${message}`,
      { cause },
    );
  }
}

/** Whether a call that failed so may succeed when it is made again. */
export function isPassing(error: unknown): boolean {
  return (
    isSchedError(error, 'SCHED_STORE_UNAVAILABLE') || isSchedError(error, 'SCHED_STORE_TIMEOUT')
  );
}
