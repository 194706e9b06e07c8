/**
 * How the core calls a data store: opens it once, at the first call; limits the time of every call; gives every failure
 * a code; and estimates the store's clock.
 */

import { type Clock, holdTime } from './clock.js';
import type { DataStore } from './data-store.js';
import { isSchedError, SchedError } from './errors.js';
import { describeError } from './record.js';

/** How many schedulers of this process use a store, so that the last one to stop closes it. */
interface Sharing {
  users: number;
  /** Present while the store is being closed. The next one to open it waits for this. */
  closing: Promise<void> | undefined;
}

const sharings = /* @__PURE__ */ new WeakMap<DataStore, Sharing>();

/** How long an estimate of the store's time is good enough. Clocks that nobody sets drift by less than 1 in 1,000. */
const timeIsGoodMs = 60_000;

/** How long a store may take to close. */
const closeTimeoutMs = 5000;

export interface CallOptions<T> {
  /** Called with the answer if it comes after the call was given up. */
  readonly onLate?: (answer: T) => void;
  /** Gives the call up after this time, if that is earlier than usual. */
  readonly timeoutMs?: number;
}

export class StoreAccess {
  readonly alias: string;
  readonly store: DataStore;
  readonly clock: Clock;
  readonly #timeoutMs: number;
  /** For each call under way, a function that gives it up. */
  readonly #underWay = new Set<(error: SchedError) => void>();
  #opening: Promise<void> | undefined;
  #askingTime: Promise<void> | undefined;
  /** The store is inside a transaction. */
  #isInside = false;
  #isOpen: boolean;
  #isUser = false;
  #isClosed = false;
  /** The store's time minus the clock's. Never too large: see `noteTime`. */
  #offset: number | undefined;
  #notedAt = Number.NEGATIVE_INFINITY;

  /** @param isOpen whether the store is open already, and others close it */
  constructor(alias: string, store: DataStore, clock: Clock, timeoutMs: number, isOpen = false) {
    this.alias = alias;
    this.#isOpen = isOpen;
    this.store = store;
    this.clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes a call. Opens the store first if necessary.
   *
   * @throws SchedError and nothing else: the store's own, `SCHED_STORE_TIMEOUT`, `SCHED_CLOSED`, or
   *   `SCHED_STORE_UNAVAILABLE` around anything else that the store threw
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

  /** Gives up the calls under way, and closes the store unless another scheduler of this process uses it. */
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

  /** The same store inside the user's transaction, where it needs no opening. */
  withTransaction(tx: unknown): StoreAccess {
    const inside = this.store.withTransaction(tx);
    const access = new StoreAccess(this.alias, inside, this.clock, this.#timeoutMs, true);
    access.#isInside = true;
    access.#offset = this.#offset;
    access.#notedAt = this.#notedAt;
    return access;
  }

  /**
   * The store's time. Waits for the store only if no recent answer has told it. Asks in good time, so that a process
   * that needs it often does not wait; but not beside the other calls of a transaction, which has one connection.
   */
  async now(): Promise<number> {
    const ageMs = this.clock.elapsed() - this.#notedAt;
    if (ageMs > timeIsGoodMs) await this.#askTime();
    // A failure does not matter yet: the next call asks again.
    else if (ageMs > timeIsGoodMs / 2 && !this.#isInside) this.#askTime().catch(() => {});
    return this.estimateNow();
  }

  /**
   * An estimate of the store's time. Never ahead of it, so that nothing seems to have passed before it has. May lag a
   * little, because the answer that told it took some time to arrive.
   */
  estimateNow(): number {
    return Math.floor(this.clock.elapsed() + (this.#offset ?? 0));
  }

  /** How long to wait until this moment of the store's, in milliseconds and fractions of one. Never too short. */
  msUntil(moment: number): number {
    return Math.max(0, moment - this.clock.elapsed() - (this.#offset ?? 0));
  }

  /** Makes `now` ask the store again, because this machine was suspended or a clock was set. */
  forgetTime(): void {
    this.#notedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Learns the store's time from an answer that has just arrived. Keeps the earlier offset while this answer is
   * consistent with it: this one may have taken longer to arrive, or have waited for a busy process.
   *
   * @param askedAt when the store was asked, by this machine's clock
   */
  noteTime(storeNow: number, askedAt: number): void {
    const least = storeNow - this.clock.elapsed();
    const most = storeNow - askedAt;
    const known = this.#offset ?? least;
    this.#offset = known < least || known > most ? least : known;
    this.#notedAt = this.clock.elapsed();
  }

  #askTime(): Promise<void> {
    const ask = async () => {
      const askedAt = this.clock.elapsed();
      this.noteTime(await this.call('now', (store) => store.now()), askedAt);
    };
    this.#askingTime ??= ask().finally(() => {
      this.#askingTime = undefined;
    });
    return this.#askingTime;
  }

  async #open(): Promise<void> {
    const sharing = sharingOf(this.store);
    // Count this user before opening, because a store that does not answer may be open all the same.
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
        timer = this.clock.setTimeout(() => giveUp(this.#late(name, limitMs)), limitMs);
        make().then((answer) => {
          if (isLate) onLate?.(answer);
          else resolve(answer);
        }, reject);
      });
    try {
      return await holdTime(this.clock, answered);
    } catch (error) {
      throw isSchedError(error) ? error : this.#unavailable(name, error);
    } finally {
      this.#underWay.delete(giveUp);
      this.clock.clearTimeout(timer);
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

/** Whether a call that failed with this error may succeed when repeated. */
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
