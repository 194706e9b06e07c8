import type { WakeUp } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { StoreHealth } from './store-health.js';

/** Listens to a store that notifies. */
export class Watcher {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #onWakeUp: (wakeUp: WakeUp) => void;
  readonly #onWatching: () => void;
  #watching: Promise<void> | undefined;
  #unwatch: (() => Promise<void>) | undefined;
  #timer: unknown;
  #isStopped = false;

  /** @param onWatching called when notifications start to come; earlier ones may have been missed */
  constructor(
    access: StoreAccess,
    context: WorkerContext,
    health: StoreHealth,
    onWakeUp: (wakeUp: WakeUp) => void,
    onWatching: () => void,
  ) {
    this.#access = access;
    this.#context = context;
    this.#health = health;
    this.#onWakeUp = onWakeUp;
    this.#onWatching = onWatching;
  }

  start(): void {
    if (this.#access.store.capabilities.watch) this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
    await this.#watching;
    // Ignore a failure: nobody listens any longer.
    await this.#unwatch?.().catch(() => {});
  }

  async #watch(): Promise<void> {
    try {
      this.#unwatch = await this.#access.call('watch', (store) => store.watch(this.#onWakeUp), {
        onLate: (unwatch) => void unwatch().catch(() => {}),
      });
      this.#health.answered('watch');
      this.#onWatching();
    } catch (error) {
      const waitMs = this.#health.failed('watch', error);
      if (this.#isStopped) return;
      this.#timer = this.#context.clock.setTimeout(() => this.start(), waitMs);
    }
  }
}
