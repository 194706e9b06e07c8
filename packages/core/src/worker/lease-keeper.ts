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
  #isExtending = false;

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

  /** Beats as long as anything is held. */
  keep(): void {
    if (this.#timer !== undefined || this.#held.size === 0) return;
    const { clock, settings } = this.#context;
    const now = clock.elapsed();
    let delayMs = settings.heartbeatMs;
    for (const held of this.#held) {
      if (held.isLost || held.phase === 'settling') continue;
      delayMs = Math.min(delayMs, held.leaseUntil - now);
    }
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#beat();
        this.keep();
      },
      Math.max(1, delayMs),
    );
  }

  stop(): void {
    this.#context.clock.clearTimeout(this.#timer);
  }

  #beat(): void {
    const { clock, settings } = this.#context;
    const now = clock.elapsed();
    const stale: HeldTask[] = [];
    for (const held of this.#held) {
      if (held.isLost || held.phase === 'settling') continue;
      // Whatever the store says or does not say: a lease that was not prolonged in time is over.
      if (held.leaseUntil <= now) this.#events.lost(held);
      else if (held.phase === 'waiting' && now - held.heldSince >= settings.heartbeatMs) {
        stale.push(held);
      }
    }
    if (stale.length > 0) this.#events.stale(stale);
    if (!this.#isExtending) void this.#extend();
  }

  async #extend(): Promise<void> {
    const { clock, settings } = this.#context;
    const tasks = [...this.#held].filter(({ isLost }) => !isLost);
    if (tasks.length === 0) return;
    this.#isExtending = true;
    const leaseUntil = clock.elapsed() + settings.leaseMs;
    const refs = tasks.map(({ task, claim }) => ({ id: task.id, token: claim.token }));
    try {
      const answers = await this.#access.call('extend', (store) =>
        store.extend(refs, settings.leaseMs),
      );
      this.#health.answered();
      const edited: HeldTask[] = [];
      tasks.forEach((held, index) => {
        const answer = answers[index];
        if (!this.#held.has(held)) return;
        if (answer !== 'lost') {
          held.leaseUntil = leaseUntil;
          if (held.phase === 'running' && answer !== held.claim.record.revision) edited.push(held);
        } else if (held.phase !== 'settling' && !held.isLost) {
          this.#events.lost(held);
        }
      });
      if (edited.length > 0) await this.#readEdited(edited);
    } catch (error) {
      this.#health.failed('extend', error);
    } finally {
      this.#isExtending = false;
    }
  }

  async #readEdited(edited: readonly HeldTask[]): Promise<void> {
    const records = await this.#access.call('get', (store) =>
      store.get(edited.map(({ task }) => task.id)),
    );
    edited.forEach((held, index) => {
      const record = records[index];
      if (record) this.#events.edited(held, record);
    });
  }
}
