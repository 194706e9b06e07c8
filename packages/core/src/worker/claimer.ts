import type { ClaimedTask, ClaimResult } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { StoreHealth } from './store-health.js';
import { Waker } from './waker.js';

/** How long to wait when tasks are due and yet none could be had: others are taking them. */
const contendedMs = 10;

export interface ClaimerCallbacks {
  /** How many tasks to ask for now. */
  room(): number;
  /** Resolves when nothing is left to do that comes before a claim. */
  ready(): Promise<void> | undefined;
  /**
   * These were claimed. Resolves when what cannot be used has been given back.
   *
   * @param leaseUntil until when the leases are certain to last, by this machine's clock
   * @param now the store's time, or a little before it
   */
  claimed(tasks: readonly ClaimedTask[], leaseUntil: number, now: number): Promise<void>;
  /** The machine's clock has leapt: it was suspended, or its clock was set. */
  leapt(): void;
}

/** Asks the store for due tasks, one call at a time, whenever there may be some and there is room for them. */
export class Claimer {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #waker: Waker;
  readonly #callbacks: ClaimerCallbacks;
  /** The claims under way. */
  #claiming: Promise<void> | undefined;
  #isClaiming = false;
  /** There may be something to claim that the claim under way knows nothing of. */
  #mustClaim = false;
  /** The call under way, until its tasks have been taken. */
  #call: Promise<unknown> | undefined;
  /** The last claim left due tasks behind, or there was no room for one. */
  #isHungry = false;
  /** How many claims have failed that the store may have granted. */
  #unheard = 0;
  #isStopping = false;

  constructor(
    access: StoreAccess,
    context: WorkerContext,
    health: StoreHealth,
    callbacks: ClaimerCallbacks,
  ) {
    this.#access = access;
    this.#context = context;
    this.#health = health;
    this.#waker = new Waker(access, context, {
      wake: () => this.poke(),
      leapt: () => callbacks.leapt(),
    });
    this.#callbacks = callbacks;
  }

  /** There may be something to claim. */
  poke(): void {
    if (this.#isStopping) return;
    this.#mustClaim = true;
    if (this.#isClaiming) return;
    this.#isClaiming = true;
    this.#claiming = this.#claimAll();
  }

  /** There may be more room than there was. */
  pokeIfHungry(): void {
    if (this.#isHungry) this.poke();
  }

  /** There will be something to claim, at this moment by the store's clock. */
  wakeAt(moment: number): void {
    this.#waker.wakeAt(moment);
  }

  /** There will be something to claim soon, when a transaction of the user's is committed. */
  lookSoon(): void {
    this.#waker.lookSoon();
  }

  /** What is due at this moment cannot be run here. */
  putOff(until: number): void {
    this.#waker.putOff(until);
  }

  /** Resolves when the call to the store that is under way has been answered, and its tasks have been taken. */
  async answered(): Promise<void> {
    await this.#call;
  }

  /** Resolves when the claim under way has been answered. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#waker.stop();
    await this.#claiming;
  }

  async #claimAll(): Promise<void> {
    try {
      while (this.#mustClaim && !this.#isStopping) {
        this.#mustClaim = false;
        this.#waker.forget();
        const ready = this.#callbacks.ready();
        if (ready) await ready;
        const room = this.#callbacks.room();
        if (room < 1) {
          this.#isHungry = true;
          this.#waker.sleepUntil(null);
          return;
        }
        if (this.#isStopping) return;
        const call = this.#claim(room);
        this.#call = call;
        const result = await call;
        if (!result) return;
        const { tasks, now, nextWakeAt } = result;
        const isDue = nextWakeAt !== null && nextWakeAt <= now;
        this.#isHungry = isDue && tasks.length > 0;
        if (this.#isHungry) this.#mustClaim = true;
        else if (isDue) this.#waker.sleepFor(contendedMs);
        else this.#waker.sleepUntil(nextWakeAt);
      }
    } finally {
      // In the same turn as the last look at `mustClaim`: who pokes from now on begins anew.
      this.#isClaiming = false;
    }
  }

  async #claim(limit: number): Promise<ClaimResult | undefined> {
    const { clock, settings } = this.#context;
    const { queues, owner, leaseMs } = settings;
    const askedAt = clock.elapsed();
    const take = ({ tasks, now }: ClaimResult) => {
      this.#access.noteTime(now, askedAt);
      return this.#callbacks.claimed(
        tasks.map((task) => this.#excuse(task)),
        askedAt + leaseMs,
        Math.max(now, this.#access.estimateNow()),
      );
    };
    try {
      const result = await this.#access.call(
        'claim',
        (store) => store.claim({ queues, limit, owner, leaseMs }),
        {
          // Leased to this worker all the same, so better used than left to run out.
          onLate: (late) => {
            this.#unheard--;
            void take(late);
          },
        },
      );
      this.#health.answered('claim');
      const taken = take(result);
      if (this.#isStopping) await taken;
      return result;
    } catch (error) {
      this.#unheard++;
      this.#waker.sleepFor(this.#health.failed('claim', error));
      return undefined;
    }
  }

  /**
   * A task that was handed to this very worker, which never heard of it, is not to blame. Once is counted in any case,
   * for those that run at most once.
   */
  #excuse(task: ClaimedTask): ClaimedTask {
    if (task.lapsedOwner !== this.#context.settings.owner) return task;
    const excused = Math.min(this.#unheard, task.deliveries - 2);
    return excused > 0 ? { ...task, deliveries: task.deliveries - excused } : task;
  }
}
