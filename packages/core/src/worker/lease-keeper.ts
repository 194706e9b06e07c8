import type { TaskRecord } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { HeldTask, HeldTasks } from './held-task.js';
import type { StoreHealth } from './store-health.js';

export interface LeaseCallbacks {
  /** The store did not say in time that the lease was prolonged. */
  silent(held: HeldTask): void;
  /** The store says that the lease of this token is no longer the task's. */
  taken(held: HeldTask, token: number): void;
  /** These tasks were claimed ahead, and their slots are long in coming. */
  stale(tasks: readonly HeldTask[]): void;
  /** A task was edited that waits or is running. */
  edited(held: HeldTask, record: TaskRecord): void;
  /** Leases were prolonged or lost: what waits for that may go on. */
  renewed(): void;
}

/**
 * Prolongs the leases of everything that a worker holds, with one call for all, and notices when that fails.
 *
 * A lease is given up when it is over and the store has not answered by then. Where a timer came late, the process was
 * blocked and could not ask: the store is asked first, since it prolongs a lease that is over if nobody has taken it.
 */
export class LeaseKeeper {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #held: HeldTasks;
  readonly #callbacks: LeaseCallbacks;
  #timer: unknown;
  /** When the timer is to fire, by this machine's clock. */
  #beatAt = Number.POSITIVE_INFINITY;
  /** Until when the store is given time to answer after the process was blocked. */
  #answerBy = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(
    access: StoreAccess,
    context: WorkerContext,
    health: StoreHealth,
    held: HeldTasks,
    callbacks: LeaseCallbacks,
  ) {
    this.#access = access;
    this.#context = context;
    this.#health = health;
    this.#held = held;
    this.#callbacks = callbacks;
  }

  /** Beats as long as anything is held. To be called when something has come to be. */
  keep(): void {
    this.#beatIn(this.#context.settings.heartbeatMs);
  }

  /** Prolongs all leases now. */
  beat(): void {
    const { clock, settings } = this.#context;
    const now = clock.elapsed();
    if (now - this.#beatAt > settings.heartbeatMs / 4) this.#answerBy = now + settings.heartbeatMs;
    const stale: HeldTask[] = [];
    for (const held of this.#held) {
      if (!isWatched(held)) continue;
      if (this.#deadlineOf(held) <= now) this.#callbacks.silent(held);
      else if (held.phase === 'waiting' && now - held.heldSince >= settings.heartbeatMs) {
        stale.push(held);
      }
    }
    if (stale.length > 0) this.#callbacks.stale(stale);
    // Also when an earlier call is still under way: it may never be answered.
    void this.renew();
  }

  /** Whether the lease of anything held is over, by this machine's clock. */
  get hasOverdue(): boolean {
    const now = this.#context.clock.elapsed();
    for (const { isLost, leaseUntil } of this.#held) if (!isLost && leaseUntil <= now) return true;
    return false;
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }

  #deadlineOf({ leaseUntil }: HeldTask): number {
    return Math.max(leaseUntil, this.#answerBy);
  }

  #beatIn(delayMs: number): void {
    if (this.#isStopped || this.#held.size === 0) return;
    const { clock } = this.#context;
    const now = clock.elapsed();
    let beatAt = now + delayMs;
    for (const held of this.#held) {
      if (isWatched(held)) beatAt = Math.min(beatAt, this.#deadlineOf(held));
    }
    if (beatAt >= this.#beatAt) return;
    clock.clearTimeout(this.#timer);
    this.#beatAt = beatAt;
    this.#timer = clock.setTimeout(
      () => {
        this.beat();
        this.#beatAt = Number.POSITIVE_INFINITY;
        this.keep();
      },
      Math.max(1, beatAt - now),
    );
  }

  /** Asks the store to prolong all leases. Resolves when it has answered, or failed to. */
  async renew(): Promise<void> {
    const { clock, settings } = this.#context;
    const tasks = [...this.#held].filter(({ isLost }) => !isLost);
    if (tasks.length === 0) return;
    const leaseUntil = clock.elapsed() + settings.leaseMs;
    const refs = tasks.map(({ claim }) => ({ id: claim.record.id, token: claim.token }));
    let call = 'extend';
    try {
      const answers = await this.#access.call(
        call,
        (store) => store.extend(refs, settings.leaseMs),
        { timeoutMs: settings.leaseMs },
      );
      this.#health.answered(call);
      const edited: HeldTask[] = [];
      tasks.forEach((held, index) => {
        const answer = answers[index];
        const token = refs[index]?.token;
        // It may have been settled since, or claimed once more under another token.
        if (!this.#held.has(held) || token !== held.claim.token) return;
        if (typeof answer === 'number') {
          held.leaseUntil = Math.max(held.leaseUntil, leaseUntil);
          if (held.phase !== 'settling' && answer !== held.seenRevision) edited.push(held);
        } else if (held.phase !== 'settling' && !held.isLost) {
          this.#callbacks.taken(held, token);
        }
      });
      this.#callbacks.renewed();
      call = 'get';
      if (edited.length > 0) {
        await this.#readEdited(edited);
        this.#health.answered(call);
      }
    } catch (error) {
      // The leases do not wait for the next heartbeat.
      this.#beatIn(Math.min(settings.heartbeatMs, this.#health.failed(call, error)));
    }
  }

  async #readEdited(edited: readonly HeldTask[]): Promise<void> {
    const records = await this.#access.call('get', (store) =>
      store.get(edited.map(({ claim }) => claim.record.id)),
    );
    edited.forEach((held, index) => {
      const record = records[index];
      if (!record) return;
      held.seenRevision = record.revision;
      this.#callbacks.edited(held, record);
    });
  }
}

/** The lease of what is being settled runs out by itself, if the store does not accept it in time. */
function isWatched({ isLost, phase }: HeldTask): boolean {
  return !isLost && phase !== 'settling';
}
