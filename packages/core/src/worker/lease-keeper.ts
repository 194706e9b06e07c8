import type { TaskRecord } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { HeldTask, HeldTasks } from './held-task.js';
import type { StoreHealth } from './store-health.js';

export interface LeaseCallbacks {
  /** The store did not confirm in time that the lease was extended. */
  silent(held: HeldTask): void;
  /** The store says that the lease of this token is no longer the task's. */
  taken(held: HeldTask, token: number): void;
  /** These tasks were claimed ahead, and have waited too long for a slot. */
  stale(tasks: readonly HeldTask[]): void;
  /** A waiting or running task was edited. */
  edited(held: HeldTask, record: TaskRecord): void;
  /** The store has said which leases were extended and which are lost, so tasks that wait for this may start. */
  renewed(): void;
}

/**
 * Extends the leases of all tasks that a worker holds, with one call, and notices when that fails.
 *
 * Gives up a lease when it expires before the store has answered. A late timer means that the process was blocked and
 * could not ask. Then it asks first, because the store extends an expired lease if nobody has claimed the task.
 */
export class LeaseKeeper {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #held: HeldTasks;
  readonly #callbacks: LeaseCallbacks;
  #timer: unknown;
  /** When the timer fires, by this machine's clock. */
  #beatAt = Number.POSITIVE_INFINITY;
  /** Until when the store may answer after the process was blocked, by this machine's clock. */
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

  /** Keeps the heartbeat going as long as any task is held. Call this after adding one. */
  keep(): void {
    this.#beatIn(this.#context.settings.heartbeatMs);
  }

  /** Extends all leases now. */
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
    // Do not wait for an earlier call that is still under way: it may never be answered.
    void this.renew();
  }

  /** Whether any held lease has expired, by this machine's clock. */
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

  /** Asks the store to extend all leases. Resolves when the store has answered, or the call has failed. */
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
        // Meanwhile the task may have been settled, or claimed again with another token.
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
      // The leases may expire before the next heartbeat, so retry sooner.
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

/** A settling task needs no watch: its lease just expires if the store does not accept the settlement in time. */
function isWatched({ isLost, phase }: HeldTask): boolean {
  return !isLost && phase !== 'settling';
}
