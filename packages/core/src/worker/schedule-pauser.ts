import { isPassing, type StoreAccess } from '../store-access.js';
import type { StoreHealth } from './store-health.js';

/** Pauses a schedule after the failure of an occurrence that ran as a task of its own. */
export class SchedulePauser {
  readonly #access: StoreAccess;
  readonly #health: StoreHealth;
  readonly #ids = new Set<string>();

  constructor(access: StoreAccess, health: StoreHealth) {
    this.#access = access;
    this.#health = health;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  /** Pauses all that were added. Those that fail in passing are paused with the next call. */
  async pause(): Promise<void> {
    const ids = [...this.#ids];
    this.#ids.clear();
    try {
      await this.#access.call('setPaused', (store) => store.setPaused({ ids }, true));
      this.#health.answered('setPaused');
    } catch (error) {
      this.#health.failed('setPaused', error);
      if (isPassing(error)) for (const id of ids) this.#ids.add(id);
    }
  }
}
