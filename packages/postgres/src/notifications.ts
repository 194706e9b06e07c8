import type { WakeUp } from '@sched/core';
import type { Client } from 'pg';
import type { PgQueryable } from './client.js';
import { storeError } from './errors.js';
import type { Settings } from './options.js';

/** In a queue a task has come to wake at this moment. */
export type Wake = readonly [queue: string, wakeAt: number];

/** Tells all that listen on the channel. */
export async function notify(client: PgQueryable, channel: string, wakes: readonly Wake[]) {
  const sql = "SELECT pg_notify($1, concat(w->>1, ' ', w->>0)) FROM json_array_elements($2) AS w";
  await client.query(sql, [channel, JSON.stringify(wakes)]);
}

/**
 * Tells others after what they are told of has been committed, and one thing at a time, whatever comes meanwhile going
 * into the next message. A NOTIFY within the transaction itself would make the commits of the whole database wait for
 * one another, each for the disk.
 */
export class Notifier {
  readonly #client: PgQueryable;
  readonly #channel: string;
  #waiting = new Map<string, number>();
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(client: PgQueryable, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  /** @returns when they have been told, or could not be: whoever has to know polls as well */
  async send(wakes: readonly Wake[]): Promise<void> {
    if (wakes.length === 0) return;
    for (const [queue, wakeAt] of wakes) {
      this.#waiting.set(queue, Math.min(wakeAt, this.#waiting.get(queue) ?? wakeAt));
    }
    this.#next ??= this.#last.then(async () => {
      const batch = [...this.#waiting];
      this.#waiting = new Map();
      this.#next = undefined;
      await notify(this.#client, this.#channel, batch).catch(() => {});
    });
    this.#last = this.#next;
    await this.#next;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#last;
  }
}

type Listener = (wakeUp: WakeUp) => void;

/** How long to wait before trying to connect again, at first and at most. */
const backoffMs = { min: 100, max: 10_000 };

/** Listens on a connection of its own for as long as somebody watches, and on another when that one is lost. */
export class Watcher {
  readonly #create: () => Promise<Client>;
  readonly #settings: Settings;
  readonly #queues: () => readonly string[];
  readonly #listeners = new Set<Listener>();
  #client: Client | undefined;
  #listening: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param queues those in which something may have happened while there was no connection */
  constructor(create: () => Promise<Client>, settings: Settings, queues: () => readonly string[]) {
    this.#create = create;
    this.#settings = settings;
    this.#queues = queues;
  }

  async watch(listener: Listener): Promise<() => Promise<void>> {
    // A listener that is given twice is called twice.
    const own: Listener = (wakeUp) => listener(wakeUp);
    const stop = async () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) await this.close();
    };
    this.#listeners.add(own);
    this.#listening ??= this.#listen();
    try {
      await this.#listening;
    } catch (error) {
      await stop();
      throw storeError(error, this.#settings.listen ? 'listen' : this.#settings.source);
    }
    return stop;
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    clearTimeout(this.#timer);
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.catch(() => {});
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  async #listen(): Promise<void> {
    const client = await this.#create();
    client.on('error', () => {});
    client.on('notification', ({ payload }) => this.#hear(payload));
    try {
      await client.connect();
      await client.query(`LISTEN "${this.#settings.channel}"`);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    client.on('end', () => {
      if (this.#client === client) this.#reconnect(0);
    });
  }

  #reconnect(attempt: number): void {
    const delayMs = Math.min(backoffMs.min * 2 ** attempt, backoffMs.max) * (1 - Math.random() / 2);
    this.#timer = setTimeout(async () => {
      this.#listening = this.#listen();
      try {
        await this.#listening;
        // What was said meanwhile was said to nobody.
        for (const queue of this.#queues()) this.#tell({ queue, wakeAt: 0 });
      } catch {
        if (this.#listeners.size > 0) this.#reconnect(attempt + 1);
      }
    }, delayMs);
  }

  #hear(payload: string | undefined): void {
    // Anybody may say anything on the channel.
    const [, wakeAt, queue] = /^(-?\d+) (.*)$/s.exec(payload ?? '') ?? [];
    if (queue !== undefined) this.#tell({ queue, wakeAt: Number(wakeAt) });
  }

  #tell(wakeUp: WakeUp): void {
    for (const listener of this.#listeners) listener(wakeUp);
  }
}
