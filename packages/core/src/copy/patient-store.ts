import { backoffDelayMs } from '../backoff.js';
import type { DataStore } from '../data-store.js';
import { pause } from '../promises.js';
import { isPassing, StoreAccess } from '../store-access.js';
import type { CopySettings } from './options.js';

/** A store whose calls are retried for a while when they fail in passing. All of them are safe to repeat. */
export class PatientStore {
  readonly #access: StoreAccess;
  readonly #settings: CopySettings;

  constructor(alias: string, store: DataStore, settings: CopySettings) {
    this.#access = new StoreAccess(alias, store, settings.clock, settings.storeTimeoutMs, true);
    this.#settings = settings;
  }

  get name(): string {
    return this.#access.store.name;
  }

  /** @throws SchedError, or the signal's reason when the signal is aborted */
  async call<T>(name: string, make: (store: DataStore) => Promise<T>): Promise<T> {
    const { clock, retryForMs, random, signal } = this.#settings;
    const giveUpAt = clock.elapsed() + retryForMs;
    for (let failures = 0; ; failures++) {
      signal?.throwIfAborted();
      try {
        return await this.#access.call(name, make);
      } catch (error) {
        const delayMs = backoffDelayMs(failures, random());
        if (!isPassing(error) || clock.elapsed() + delayMs > giveUpAt) throw error;
        signal?.throwIfAborted();
        await pause(clock, delayMs, signal);
      }
    }
  }
}
