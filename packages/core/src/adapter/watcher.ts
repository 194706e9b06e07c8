import type { WakeUp } from '../data-store.js';

type Listener = (wakeUp: WakeUp) => void;

/** What a subscription tells: that a task is to wake, and that it has ended without having been stopped. */
export interface Ear {
  /** The queues that are worked on here. */
  readonly queues: ReadonlySet<string>;
  hear(wakeUp: WakeUp): void;
  lost(): void;
}

/** Begins to listen. @returns what ends that, once it does */
export type Subscribe = (ear: Ear) => Promise<() => unknown>;

/** How long to wait before trying to listen again, at first and at most. */
const backoffMs = { min: 100, max: 10_000 };

/**
 * Spreads what one subscription hears among all that watch a store. It listens for as long as anybody watches, and again
 * when the connection is lost.
 */
export class Watcher {
  readonly #subscribe: Subscribe;
  readonly #toError: (error: unknown) => Error;
  readonly #listeners = new Set<Listener>();
  /** Where to look after a gap, in which anything may have been missed. */
  readonly #queues = new Set<string>();
  #listening: Listening | undefined;

  /** @param toError what `watch` rejects with when it cannot listen */
  constructor(subscribe: Subscribe, toError: (error: unknown) => Error) {
    this.#subscribe = subscribe;
    this.#toError = toError;
  }

  /** Somebody has claimed from these queues. */
  note(queues: readonly string[]): void {
    for (const queue of queues) this.#queues.add(queue);
  }

  /** Resolves when it listens, to what ends that. */
  async watch(listener: Listener): Promise<() => Promise<void>> {
    // A listener that is given twice is called twice.
    const own: Listener = (wakeUp) => listener(wakeUp);
    const stop = async () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) await this.close();
    };
    this.#listeners.add(own);
    this.#listening ??= this.#listen();
    try {
      await this.#listening.started;
    } catch (error) {
      await stop();
      throw this.#toError(error);
    }
    return stop;
  }

  async close(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    this.#listeners.clear();
    await listening?.stop();
  }

  #listen(): Listening {
    const hear = (wakeUp: WakeUp) => {
      for (const listener of this.#listeners) listener(wakeUp);
    };
    return listen(this.#subscribe, { hear, queues: this.#queues }, () => {
      for (const queue of this.#queues) hear({ queue, wakeAt: 0 });
    });
  }
}

interface Listening {
  /** When the first subscription listens. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/** @param resumed is told when it listens again */
function listen(subscribe: Subscribe, heard: Omit<Ear, 'lost'>, resumed: () => void): Listening {
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: Promise<() => unknown>;
  const again = (failures: number) => {
    if (isStopped) return;
    const delayMs = Math.min(backoffMs.min * 2 ** failures, backoffMs.max);
    timer = setTimeout(
      () => {
        current = subscribe(ear());
        current.then(resumed, () => again(failures + 1));
      },
      delayMs * (1 - Math.random() / 2),
    );
  };
  const ear = (): Ear => {
    let isLost = false;
    return {
      ...heard,
      lost() {
        if (!isLost) again(0);
        isLost = true;
      },
    };
  };
  current = subscribe(ear());
  return {
    started: current.then(() => {}),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      const end = await current.catch(() => undefined);
      await end?.();
    },
  };
}
