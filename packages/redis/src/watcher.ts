import type { WakeUp } from '@sched/core';
import type { RedisSubscriber } from './client.js';

type Listener = (wakeUp: WakeUp) => void;

/** Spreads what is published on a channel, over a connection of its own for as long as somebody listens. */
export class Watcher {
  /** Queues that are worked on here: what to look at after a gap, in which anything may have been missed. */
  readonly queues = new Set<string>();
  readonly #connect: () => RedisSubscriber;
  readonly #channel: string;
  readonly #listeners = new Set<Listener>();
  #stop: Promise<() => void> | undefined;

  /** @param connect makes a connection that is not open yet, and does not reconnect */
  constructor(connect: () => RedisSubscriber, channel: string) {
    this.#connect = connect;
    this.#channel = channel;
  }

  /** Resolves when it listens, to what ends that. */
  async add(listener: Listener): Promise<() => Promise<void>> {
    const own: Listener = (wakeUp) => queueMicrotask(() => listener(wakeUp));
    const remove = async () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) await this.close();
    };
    this.#listeners.add(own);
    this.#stop ??= this.#start();
    await this.#stop.catch(async (error) => {
      await remove();
      throw error;
    });
    return remove;
  }

  async close(): Promise<void> {
    const stopping = this.#stop;
    this.#stop = undefined;
    this.#listeners.clear();
    const stop = await stopping?.catch(() => undefined);
    stop?.();
  }

  /** @returns what stops it, once the first connection listens */
  async #start(): Promise<() => void> {
    let isStopped = false;
    let timer: NodeJS.Timeout | undefined;
    let subscriber: RedisSubscriber | undefined;
    const again = (failures: number) => {
      if (isStopped) return;
      const delayMs = Math.min(2000, 50 * 2 ** failures) * (0.5 + Math.random());
      timer = setTimeout(async () => {
        try {
          subscriber = await this.#listen(() => again(0));
          if (isStopped) subscriber.disconnect();
          for (const queue of this.queues) this.#notify({ queue, wakeAt: 0 });
        } catch {
          again(failures + 1);
        }
      }, delayMs);
    };
    subscriber = await this.#listen(() => again(0));
    return () => {
      isStopped = true;
      clearTimeout(timer);
      subscriber?.disconnect();
    };
  }

  async #listen(ended: () => void): Promise<RedisSubscriber> {
    const subscriber = this.#connect();
    subscriber.on('error', () => {});
    subscriber.on('message', (_channel, message) => {
      const space = message.indexOf(' ');
      this.#notify({ queue: message.slice(space + 1), wakeAt: Number(message.slice(0, space)) });
    });
    try {
      await subscriber.connect();
      await subscriber.subscribe(this.#channel);
    } catch (error) {
      subscriber.disconnect();
      throw error;
    }
    subscriber.on('end', ended);
    return subscriber;
  }

  #notify(wakeUp: WakeUp): void {
    for (const listener of this.#listeners) listener(wakeUp);
  }
}
