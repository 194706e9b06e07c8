import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';

/** How long to leave a deferred task, once it is due again, to workers that may be able to run it. */
const handOverMs = 100;
/** How often to compare the machine's clock with that of its timers, in milliseconds. */
const compareMs = 1000;
/** How far the two may drift apart between two checks. More is a leap: a suspended machine, or a clock that was set. */
const leapMs = 500;
/** How long the pauses between two looks for a commit stay short, and the longest pause in that time. */
const lookOften = { forMs: 5000, pauseMs: 50 };
/** How long to look for a commit at all. */
const lookMs = 10 * 60_000;

export interface WakerCallbacks {
  /** There may be something to claim. */
  wake(): void;
  /** The machine's clock has leapt, so timers are wrong. */
  leapt(): void;
}

/** The single timer that wakes a worker when there may be something to claim. */
export class Waker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #callbacks: WakerCallbacks;
  #timer: unknown;
  /** When to wake the worker, by the store's clock. */
  #wakeAt = Number.POSITIVE_INFINITY;
  /** The earliest moment that `wakeAt` was called with since `forget`. */
  #wanted = Number.POSITIVE_INFINITY;
  /** The moments to which this worker has deferred tasks that it cannot run. */
  readonly #deferrals = new Set<number>();
  /** When the worker began to look for a commit, by the clock of this machine's timers. */
  #lookingSince: number | undefined;
  /** The machine's clock minus that of its timers, when they were last compared. */
  #wallOffset: number | undefined;
  #isStopped = false;

  constructor(access: StoreAccess, context: WorkerContext, callbacks: WakerCallbacks) {
    this.#access = access;
    this.#context = context;
    this.#callbacks = callbacks;
  }

  /**
   * Call this before asking the store. The store's answer may not include a wake-up that is requested from now on, and
   * `sleepUntil` does not sleep past such a wake-up.
   */
  forget(): void {
    this.#wanted = Number.POSITIVE_INFINITY;
  }

  /** Sleeps until the moment that the store named, or until the next poll. */
  sleepUntil(wakeAt: number | null): void {
    const time = Math.min(this.#handOver(wakeAt ?? Number.POSITIVE_INFINITY), this.#wanted);
    this.sleepFor(Math.min(this.#pollMs, this.#access.msUntil(time), this.#lookPauseMs()));
  }

  sleepFor(delayMs: number): void {
    this.#wakeAt = this.#access.estimateNow() + delayMs;
    this.#setTimer(this.#context.clock.elapsed() + delayMs);
  }

  /** Makes the worker look at this moment, by the store's clock. */
  wakeAt(moment: number): void {
    const time = this.#handOver(moment);
    this.#wanted = Math.min(this.#wanted, time);
    if (this.#isStopped || time >= this.#wakeAt) return;
    const delayMs = this.#access.msUntil(time);
    if (delayMs === 0) this.#callbacks.wake();
    else this.sleepFor(delayMs);
  }

  /**
   * Makes the worker look again and again, with growing pauses, because nothing tells when the user's transaction
   * commits. Does nothing for a store that notifies.
   */
  lookSoon(): void {
    if (this.#access.store.capabilities.watch) return;
    this.#lookingSince = this.#context.clock.elapsed();
    this.wakeAt(this.#access.estimateNow() + this.#lookPauseMs());
  }

  /** Notes that this worker cannot run a task that becomes due at this moment. */
  putOff(until: number): void {
    for (const time of this.#deferrals) {
      if (time < this.#access.estimateNow()) this.#deferrals.delete(time);
    }
    this.#deferrals.add(until);
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }

  get #pollMs(): number {
    const { clock, settings } = this.#context;
    if (settings.pollIntervalMs !== undefined) return settings.pollIntervalMs;
    // Virtual time exists only within one process, where no notification gets lost.
    const notifiedPollMs = clock.hold ? Number.POSITIVE_INFINITY : 60_000;
    return this.#access.store.capabilities.watch ? notifiedPollMs : 5000;
  }

  /** How long to wait before the next look for a commit: an eighth of the time so far. Infinite when there is none. */
  #lookPauseMs(): number {
    if (this.#lookingSince === undefined) return Number.POSITIVE_INFINITY;
    const passedMs = this.#context.clock.elapsed() - this.#lookingSince;
    const mostMs = passedMs < lookOften.forMs ? lookOften.pauseMs : Number.POSITIVE_INFINITY;
    const pauseMs = Math.ceil(Math.min(mostMs, Math.max(1, passedMs / 8)));
    if (pauseMs < this.#pollMs && passedMs < lookMs) return pauseMs;
    this.#lookingSince = undefined;
    return Number.POSITIVE_INFINITY;
  }

  /** @param end when to wake the worker, by this machine's timers */
  #setTimer(end: number): void {
    const { clock } = this.#context;
    clock.clearTimeout(this.#timer);
    if (this.#isStopped) return;
    // JavaScript's timers leave out fractions. One that fires too early has to be set again, which takes longer.
    const delayMs = Math.ceil(Math.max(0, end - clock.elapsed()));
    // Timers stop while the machine is suspended, and do not follow its clock. So check both often.
    const sliceMs = clock.wallTime ? Math.min(delayMs, compareMs) : delayMs;
    if (sliceMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimeout(() => this.#onTimer(end), sliceMs);
  }

  #onTimer(end: number): void {
    const hasLeapt = this.#hasLeapt();
    if (!hasLeapt && this.#context.clock.elapsed() < end) {
      this.#setTimer(end);
      return;
    }
    this.#wakeAt = Number.POSITIVE_INFINITY;
    if (hasLeapt) this.#callbacks.leapt();
    this.#callbacks.wake();
  }

  #hasLeapt(): boolean {
    const { clock } = this.#context;
    if (!clock.wallTime) return false;
    const offset = clock.wallTime() - clock.elapsed();
    const before = this.#wallOffset ?? offset;
    this.#wallOffset = offset;
    return Math.abs(offset - before) > leapMs;
  }

  /** Adds a little time if this worker deferred a task to that moment, so that workers that can run it go first. */
  #handOver(time: number): number {
    return this.#deferrals.has(time) ? time + handOverMs : time;
  }
}
