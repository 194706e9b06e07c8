import type { ClaimedTask, ClaimResult } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { StoreHealth } from './store-health.js';
import { Waker } from './waker.js';

/** How long to wait when tasks are due but the claim got none, because other workers are claiming them. */
const contendedMs = 10;

export interface ClaimerCallbacks {
  /** How many tasks to claim now. */
  room(): number;
  /** Does what must come before a claim. Resolves when it is done; undefined when there is nothing to do. */
  ready(): Promise<void> | undefined;
  /**
   * Takes the claimed tasks. Resolves when the unusable ones have been given back.
   *
   * @param leaseUntil until when the leases are certain to last, by this machine's clock
   * @param now the store's time, or a little earlier
   */
  claimed(tasks: readonly ClaimedTask[], leaseUntil: number, now: number): Promise<void>;
  /** The machine's clock has leapt: the machine was suspended, or its clock was set. */
  leapt(): void;
}

/** Claims due tasks, one call at a time, whenever there may be some and there is room for them. */
export class Claimer {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #waker: Waker;
  readonly #callbacks: ClaimerCallbacks;
  /** The loop of claims that is in progress. */
  #claiming: Promise<void> | undefined;
  #isClaiming = false;
  /** Something may have become due that the claim under way does not see. */
  #mustClaim = false;
  /** The latest call to the store. Settled once its tasks have been taken. */
  #call: Promise<unknown> | undefined;
  /** The last claim left due tasks behind, or there was no room for one. */
  #isHungry = false;
  /** How many claims have failed, although the store may have granted them. */
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

  /** Claims soon, because something may be due. */
  poke(): void {
    if (this.#isStopping) return;
    this.#mustClaim = true;
    if (this.#isClaiming) return;
    this.#isClaiming = true;
    this.#claiming = this.#claimAll();
  }

  /** Claims soon if tasks were left behind, because there may be more room now. */
  pokeIfHungry(): void {
    if (this.#isHungry && this.#callbacks.room() > 0) this.poke();
  }

  /** Claims at this moment by the store's clock, because something will be due then. */
  wakeAt(moment: number): void {
    this.#waker.wakeAt(moment);
  }

  /** Claims again and again for a while, because something will be due once the user's transaction commits. */
  lookSoon(): void {
    this.#waker.lookSoon();
  }

  /** Notes that this worker cannot run a task that becomes due at this moment. */
  putOff(until: number): void {
    this.#waker.putOff(until);
  }

  /** Resolves when the call under way has been answered and its tasks have been taken. */
  async answered(): Promise<void> {
    await this.#call;
  }

  /** Stops claiming. Resolves when the claim under way has been answered. */
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
        let room = this.#callbacks.room();
        const ready = room < 1 ? undefined : this.#callbacks.ready();
        if (ready) {
          await ready;
          if (this.#isStopping) return;
          room = this.#callbacks.room();
        }
        if (room < 1) {
          this.#isHungry = true;
          this.#waker.sleepUntil(null);
          return;
        }
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
      // Set in the same turn as the last check of `mustClaim`, so that a later poke starts a new loop.
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
          // The tasks are leased to this worker, so run them instead of letting the leases expire.
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
   * Does not count deliveries to this worker whose answer was lost: the task is not to blame. Always leaves one of them
   * counted, for tasks that run at most once.
   */
  #excuse(task: ClaimedTask): ClaimedTask {
    if (task.lapsedOwner !== this.#context.settings.owner) return task;
    const excused = Math.min(this.#unheard, task.deliveries - 2);
    return excused > 0 ? { ...task, deliveries: task.deliveries - excused } : task;
  }
}
