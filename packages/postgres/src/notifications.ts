import type { Subscribe } from '@sched/core/adapter';
import type { PgQueryable } from './client.js';
import { createListener } from './connect.js';
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
  idle(): Promise<void> {
    return this.#last;
  }
}

/** Listens on a connection of its own. */
export function listenOn(settings: Settings): Subscribe {
  return async ({ hear, lost }) => {
    const client = await createListener(settings);
    const end = () => client.end().catch(() => {});
    client.on('error', () => {});
    client.on('notification', ({ payload }) => {
      // Anybody may say anything on the channel.
      const [, wakeAt, queue] = /^(-?\d+) (.*)$/s.exec(payload ?? '') ?? [];
      if (queue !== undefined) hear({ queue, wakeAt: Number(wakeAt) });
    });
    try {
      await client.connect();
      await client.query(`LISTEN "${settings.channel}"`);
    } catch (error) {
      await end();
      throw error;
    }
    client.on('end', lost);
    return end;
  };
}
