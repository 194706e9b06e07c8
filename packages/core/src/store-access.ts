/**
 * How the core talks to a data store: it opens it once, whoever asks first; bounds the time of every call; gives every
 * failure a code; and keeps an idea of the store's clock.
 */

import { type Clock, holdTime } from './clock.js';
import type { DataStore } from './data-store.js';
import { isSchedError, SchedError } from './errors.js';
import { describeError } from './record.js';

/** What the schedulers of this process have to do with a store, so that the last one to stop closes it. */
interface Sharing {
  users: number;
  /** Under way: who opens it next has to wait. */
  closing: Promise<void> | undefined;
}

const sharings = /* @__PURE__ */ new WeakMap<DataStore, Sharing>();

/** How long an idea of the store's time is good enough. Clocks that are not set drift apart by less than 1 in 1,000. */
const timeIsGoodMs = 60_000;

/** How long a store may take to close. What it has to say then is of no interest to anybody. */
const closeTimeoutMs = 5000;

export interface CallOptions<T> {
  /** Is given the answer that comes after the call has been given up. */
  readonly onLate?: (answer: T) => void;
  /** Gives the call up earlier than others. */
  readonly timeoutMs?: number;
}

export class StoreAccess {
  readonly alias: string;
  readonly store: DataStore;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** What gives up the calls that are under way. */
  readonly #underWay = new Set<(error: SchedError) => void>();
  #opening: Promise<void> | undefined;
  #isOpen: boolean;
  #isUser = false;
  #isClosed = false;
  /** The store's time less the clock's, never too large: see `noteTime`. */
  #offset: number | undefined;
  #notedAt = Number.NEGATIVE_INFINITY;

  /** @param isOpen whether the store needs no opening, and is for others to close */
  constructor(alias: string, store: DataStore, clock: Clock, timeoutMs: number, isOpen = false) {
    this.alias = alias;
    this.#isOpen = isOpen;
    this.store = store;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes a call, opening the store first when nobody has.
   *
   * @throws SchedError always: the store's own, or `SCHED_STORE_TIMEOUT`, or `SCHED_STORE_UNAVAILABLE` around whatever
   *   else a store threw, or `SCHED_CLOSED`
   */
  async call<T>(
    name: string,
    make: (store: DataStore) => Promise<T>,
    options?: CallOptions<T>,
  ): Promise<T> {
    if (!this.#isOpen) await this.open();
    if (this.#isClosed) throw closed();
    return this.#bound(name, () => make(this.store), options);
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    if (this.#isClosed) throw closed();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /** Gives up what is under way, and closes the store unless another scheduler of this process uses it. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isOpen = false;
    for (const giveUp of this.#underWay) giveUp(closed());
    if (!this.#isUser) return;
    const sharing = sharingOf(this.store);
    if (--sharing.users > 0) return;
    sharing.closing = this.#bound('close', () => this.store.close(), {
      timeoutMs: closeTimeoutMs,
    }).finally(() => {
      sharing.closing = undefined;
    });
    await sharing.closing;
  }

  /** The same store inside a transaction of the user's, which needs no opening. */
  withTransaction(tx: unknown): StoreAccess {
    const inside = this.store.withTransaction(tx);
    return new StoreAccess(this.alias, inside, this.#clock, this.#timeoutMs, true);
  }

  /** The store's time, asked for only when nothing has told it for a while. */
  async now(): Promise<number> {
    const askedAt = this.#clock.elapsed();
    if (askedAt - this.#notedAt > timeIsGoodMs) {
      this.noteTime(await this.call('now', (store) => store.now()), askedAt);
    }
    return this.estimateNow();
  }

  /**
   * The store's time as far as it is known. Never ahead of it, so that nothing is taken to have passed that has not:
   * the answer that told it was on its way for a while.
   */
  estimateNow(): number {
    return Math.floor(this.#clock.elapsed() + (this.#offset ?? 0));
  }

  /** What was learnt of the store's time may be wrong by now: this machine was suspended, or a clock was set. */
  forgetTime(): void {
    this.#notedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Learns the store's time from an answer that has just come in. What an earlier answer told is kept where both agree:
   * this one may have been on its way for longer, or have waited for a busy process.
   *
   * @param askedAt when the store was asked, by this machine's clock
   */
  noteTime(storeNow: number, askedAt: number): void {
    const least = storeNow - this.#clock.elapsed();
    const most = storeNow - askedAt;
    const known = this.#offset ?? least;
    this.#offset = known < least || known > most ? least : known;
    this.#notedAt = this.#clock.elapsed();
  }

  async #open(): Promise<void> {
    const sharing = sharingOf(this.store);
    // From here on: a store that did not answer may be open all the same.
    if (!this.#isUser) sharing.users++;
    this.#isUser = true;
    await sharing.closing?.catch(() => {});
    if (this.#isClosed) throw closed();
    await this.#bound('open', () => this.store.open(), {
      onLate: () => {
        if (this.#isClosed && sharing.users === 0) this.store.close().catch(() => {});
      },
    });
    this.#isOpen = !this.#isClosed;
  }

  async #bound<T>(
    name: string,
    make: () => Promise<T>,
    { onLate, timeoutMs = this.#timeoutMs }: CallOptions<T> = {},
  ): Promise<T> {
    const limitMs = Math.min(timeoutMs, this.#timeoutMs);
    let timer: unknown;
    let isLate = false;
    let giveUp = (_error: SchedError): void => {};
    const answered = () =>
      new Promise<T>((resolve, reject) => {
        giveUp = (error) => {
          isLate = true;
          reject(error);
        };
        this.#underWay.add(giveUp);
        timer = this.#clock.setTimeout(() => giveUp(this.#late(name, limitMs)), limitMs);
        make().then((answer) => {
          if (isLate) onLate?.(answer);
          else resolve(answer);
        }, reject);
      });
    try {
      return await holdTime(this.#clock, answered);
    } catch (error) {
      throw isSchedError(error) ? error : this.#unavailable(name, error);
    } finally {
      this.#underWay.delete(giveUp);
      this.#clock.clearTimeout(timer);
    }
  }

  #late(name: string, timeoutMs: number): SchedError {
    return new SchedError(
      'SCHED_STORE_TIMEOUT',
      `The store "${this.alias}" (${this.store.name}) did not answer ${name} within ${timeoutMs} ms.`,
    );
  }

  #unavailable(name: string, cause: unknown): SchedError {
    return new SchedError(
      'SCHED_STORE_UNAVAILABLE',
      `The store "${this.alias}" (${this.store.name}) failed at ${name}: ${describeError(cause).message}`,
      { cause },
    );
  }
}

export function isDataStore(value: unknown): value is DataStore {
  return typeof (value as DataStore | null | undefined)?.claim === 'function';
}

/** Whether a call that failed so may succeed when it is made again. */
export function isPassing(error: unknown): boolean {
  return (
    isSchedError(error, 'SCHED_STORE_UNAVAILABLE') || isSchedError(error, 'SCHED_STORE_TIMEOUT')
  );
}

function sharingOf(store: DataStore): Sharing {
  let sharing = sharings.get(store);
  if (!sharing) {
    sharing = { users: 0, closing: undefined };
    sharings.set(store, sharing);
  }
  return sharing;
}

function closed(): SchedError {
  return new SchedError('SCHED_CLOSED', 'The scheduler has been stopped. Make a new one.');
}
