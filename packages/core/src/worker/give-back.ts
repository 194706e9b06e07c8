import type { Release } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { Claimer } from './claimer.js';
import type { WorkerContext } from './context.js';
import type { HeldTask, HeldTasks } from './held-task.js';
import type { Unusable } from './intake.js';
import type { StoreHealth } from './store-health.js';

/** Releases claimed tasks that this worker does not run now, for other workers or for later. */
export class GiveBack {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #held: HeldTasks;
  readonly #claimer: Claimer;

  constructor(
    access: StoreAccess,
    context: WorkerContext,
    health: StoreHealth,
    held: HeldTasks,
    claimer: Claimer,
  ) {
    this.#access = access;
    this.#context = context;
    this.#health = health;
    this.#held = held;
    this.#claimer = claimer;
  }

  /** Releases tasks that have not started. */
  async waiting(tasks: readonly HeldTask[], deferUntil?: number): Promise<void> {
    for (const held of tasks) this.#held.delete(held);
    await this.#release(
      tasks.map(({ claim }) => ({
        ...{ id: claim.record.id, token: claim.token },
        ...(deferUntil !== undefined && { deferUntil }),
      })),
    );
  }

  /** Defers tasks that this worker cannot run. */
  async unusable(tasks: readonly Unusable[]): Promise<void> {
    for (const { task, reason, error, deferUntil, isNews } of tasks) {
      this.#claimer.putOff(deferUntil);
      if (!isNews) continue;
      const { id, name } = task;
      const until = new Date(deferUntil);
      this.#context.events.emit('deferred', {
        ...{ id, name, store: this.#access.alias },
        ...{ reason, until, error },
      });
    }
    await this.#release(
      tasks.map(({ task, token, deferUntil }) => ({ id: task.id, token, deferUntil })),
    );
  }

  /** A failure only costs time: the leases expire by themselves. */
  async #release(leases: readonly Release[]): Promise<void> {
    if (leases.length === 0) return;
    try {
      await this.#access.call('release', (store) => store.release(leases));
      this.#health.answered('release');
      for (const { deferUntil } of leases) this.#claimer.wakeAt(deferUntil ?? 0);
    } catch (error) {
      this.#health.failed('release', error);
    }
  }
}
