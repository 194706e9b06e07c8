import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';

/** For how long a task that was put off here is left to workers that may be able to run it. */
const handOverMs = 100;
/** How often the machine's clock is compared with the timers', in milliseconds. */
const compareMs = 1000;
/** How far the two may drift apart between two looks. More is a leap: a suspended machine, or a clock that was set. */
const leapMs = 500;
/** For how long the pauses between two looks for a commit stay short, and how short they stay. */
const lookOften = { forMs: 5000, pauseMs: 50 };
/** For how long the worker looks for a commit at all. */
const lookMs = 10 * 60_000;

export interface WakerCallbacks {
  /** There may be something to claim. */
  wake(): void;
  /** The machine's clock has leapt, so that timers are wrong. */
  leapt(): void;
}

/** The one timer that wakes a worker at the next moment at which there may be something to claim. */
export class Waker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #callbacks: WakerCallbacks;
  #timer: unknown;
  /** When it is to wake the worker, by the store's clock. */
  #wakeAt = Number.POSITIVE_INFINITY;
  /** The earliest moment asked for since `forget`. */
  #wanted = Number.POSITIVE_INFINITY;
  /** The moments to which this worker has put off tasks that it cannot run. */
  readonly #deferrals = new Set<number>();
  /** Since when, by this machine's timers, it has been looking for a commit. */
  #lookingSince: number | undefined;
  /** The machine's clock less that of its timers, when they were last compared. */
  #wallOffset: number | undefined;
  #isStopped = false;

  constructor(access: StoreAccess, context: WorkerContext, callbacks: WakerCallbacks) {
    this.#access = access;
    this.#context = context;
    this.#callbacks = callbacks;
  }

  /**
   * To be called before the store is asked: what others ask for from now on may be later than the store's answer
   * knows, and `sleepUntil` will not sleep past it.
   */
  forget(): void {
    this.#wanted = Number.POSITIVE_INFINITY;
  }

  /** Sleeps until the moment that the store named, or as long as polls allow. */
  sleepUntil(wakeAt: number | null): void {
    const time = Math.min(this.#handOver(wakeAt ?? Number.POSITIVE_INFINITY), this.#wanted);
    const untilDue = Math.max(0, time - this.#access.estimateNow());
    this.sleepFor(Math.min(this.#pollMs, untilDue, this.#lookPauseMs()));
  }

  sleepFor(delayMs: number): void {
    this.#wakeAt = this.#access.estimateNow() + delayMs;
    this.#setTimer(this.#context.clock.elapsed() + delayMs);
  }

  /** Makes sure that the worker looks at this moment, by the store's clock. */
  wakeAt(moment: number): void {
    const time = this.#handOver(moment);
    this.#wanted = Math.min(this.#wanted, time);
    if (this.#isStopped || time >= this.#wakeAt) return;
    const delayMs = time - this.#access.estimateNow();
    if (delayMs <= 0) this.#callbacks.wake();
    else this.sleepFor(delayMs);
  }

  /**
   * Has the worker look again and again, with growing pauses. When a transaction of the user's is committed nobody says
   * so; a store that notifies does.
   */
  lookSoon(): void {
    if (this.#access.store.capabilities.watch) return;
    this.#lookingSince = this.#context.clock.elapsed();
    this.wakeAt(this.#access.estimateNow() + this.#lookPauseMs());
  }

  /** Notes that something which cannot be run here is due at this moment. */
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
    // No notification gets lost within one process, and elsewhere time is not virtual.
    const notifiedPollMs = clock.hold ? Number.POSITIVE_INFINITY : 60_000;
    return this.#access.store.capabilities.watch ? notifiedPollMs : 5000;
  }

  /** How long until the next look for a commit: an eighth of the time that has passed. Infinite when there is none. */
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
    const delayMs = end - clock.elapsed();
    // Timers stand still while the machine is suspended, and know nothing of its clock.
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

  /** A little later if it is what was put off here: whoever can run it need not race with those who cannot. */
  #handOver(time: number): number {
    return this.#deferrals.has(time) ? time + handOverMs : time;
  }
}
