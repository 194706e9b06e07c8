import type { TaskRecord } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { HeldTask } from './held-task.js';
import type { StoreHealth } from './store-health.js';

export interface LeaseEvents {
  /** The lease is over, or was taken from this worker. */
  lost(held: HeldTask): void;
  /** These tasks were claimed ahead, and their slots are long in coming. */
  stale(tasks: readonly HeldTask[]): void;
  /** A task was edited while it is running. */
  edited(held: HeldTask, record: TaskRecord): void;
}

/** Prolongs the leases of everything that a worker holds, with one call for all, and notices when that fails. */
export class LeaseKeeper {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #held: ReadonlySet<HeldTask>;
  readonly #events: LeaseEvents;
  #timer: unknown;
  /** When the timer fires, by this machine's clock. */
  #beatAt = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(
    access: StoreAccess,
    context: WorkerContext,
    health: StoreHealth,
    held: ReadonlySet<HeldTask>,
    events: LeaseEvents,
  ) {
    this.#access = access;
    this.#context = context;
    this.#health = health;
    this.#held = held;
    this.#events = events;
  }

  /** Beats as long as anything is held. To be called when something has come to be. */
  keep(): void {
    this.#beatIn(this.#context.settings.heartbeatMs);
  }

  /** Prolongs all leases now. */
  beat(): void {
    const { clock, settings } = this.#context;
    const now = clock.elapsed();
    const stale: HeldTask[] = [];
    for (const held of this.#held) {
      if (!isWatched(held)) continue;
      // Whatever the store says or does not say: a lease that was not prolonged in time is over.
      if (held.leaseUntil <= now) this.#events.lost(held);
      else if (held.phase === 'waiting' && now - held.heldSince >= settings.heartbeatMs) {
        stale.push(held);
      }
    }
    if (stale.length > 0) this.#events.stale(stale);
    // Also when an earlier call is still under way: it may never be answered.
    void this.#extend();
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }

  #beatIn(delayMs: number): void {
    if (this.#isStopped || this.#held.size === 0) return;
    const { clock } = this.#context;
    const now = clock.elapsed();
    let beatAt = now + delayMs;
    for (const held of this.#held) {
      if (isWatched(held)) beatAt = Math.min(beatAt, held.leaseUntil);
    }
    if (beatAt >= this.#beatAt) return;
    clock.clearTimeout(this.#timer);
    this.#beatAt = beatAt;
    this.#timer = clock.setTimeout(
      () => {
        this.#beatAt = Number.POSITIVE_INFINITY;
        this.beat();
        this.keep();
      },
      Math.max(1, beatAt - now),
    );
  }

  async #extend(): Promise<void> {
    const { clock, settings } = this.#context;
    const tasks = [...this.#held].filter(({ isLost }) => !isLost);
    if (tasks.length === 0) return;
    const leaseUntil = clock.elapsed() + settings.leaseMs;
    const refs = tasks.map(({ task, claim }) => ({ id: task.id, token: claim.token }));
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
        if (!this.#held.has(held)) return;
        if (typeof answer === 'number') {
          held.leaseUntil = Math.max(held.leaseUntil, leaseUntil);
          if (held.phase === 'running' && answer !== held.seenRevision) edited.push(held);
        } else if (held.phase !== 'settling' && !held.isLost) {
          this.#events.lost(held);
        }
      });
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
      store.get(edited.map(({ task }) => task.id)),
    );
    edited.forEach((held, index) => {
      const record = records[index];
      if (!record) return;
      held.seenRevision = record.revision;
      this.#events.edited(held, record);
    });
  }
}

/** The lease of what is being settled runs out by itself, if the store does not accept it in time. */
function isWatched({ isLost, phase }: HeldTask): boolean {
  return !isLost && phase !== 'settling';
}
