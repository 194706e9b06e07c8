import type { WakeUp } from '@sched/core';
import type { MongoChangeStreamLike, MongoCollectionLike, MongoDocument } from './client.js';
import { storeError } from './errors.js';

type Listener = (wakeUp: WakeUp) => void;

/** How long to wait before trying again, at first and at most. */
const backoffMs = { min: 100, max: 10_000 };

/** Whatever makes a task wake at another time; a lease that is taken or extended does so without anybody waking. */
const pipeline = [
  {
    $match: {
      $or: [
        { operationType: { $in: ['insert', 'replace'] }, 'fullDocument.wakeAt': { $exists: true } },
        { operationType: 'update', 'updateDescription.updatedFields.queue': { $exists: true } },
        {
          operationType: 'update',
          'updateDescription.updatedFields.wakeAt': { $exists: true },
          'updateDescription.updatedFields.expiresAt': { $not: { $type: 'number' } },
        },
      ],
    },
  },
];

/** Follows the changes of the tasks for as long as somebody watches, and anew when that is interrupted. */
export class Watcher {
  readonly #tasks: MongoCollectionLike;
  readonly #source: string;
  readonly #queues: () => readonly string[];
  readonly #listeners = new Set<Listener>();
  #stream: MongoChangeStreamLike | undefined;
  #following: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param queues those in which something may have happened during an interruption */
  constructor(tasks: MongoCollectionLike, source: string, queues: () => readonly string[]) {
    this.#tasks = tasks;
    this.#source = source;
    this.#queues = queues;
  }

  async watch(listener: Listener): Promise<() => Promise<void>> {
    // A listener that is given twice is called twice.
    const own: Listener = (wakeUp) => listener(wakeUp);
    const stop = async () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) await this.close();
    };
    this.#listeners.add(own);
    this.#following ??= this.#follow();
    try {
      await this.#following;
    } catch (error) {
      await stop();
      throw storeError(error, this.#source);
    }
    return stop;
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    clearTimeout(this.#timer);
    const following = this.#following;
    this.#following = undefined;
    await following?.catch(() => {});
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.close().catch(() => {});
  }

  /** Resolves when every change from then on is heard of. */
  async #follow(): Promise<void> {
    const stream = this.#tasks.watch(pipeline, {
      fullDocument: 'updateLookup',
      readConcern: { level: 'majority' },
    });
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        this.#stream ??= stream;
        resolve();
      };
      // Comes with the server's first answer already.
      stream.on('resumeTokenChanged', begin);
      stream.on('change', (change) => this.#hear(change));
      const end = (error: MongoDocument = new Error('The change stream was closed')) => {
        reject(error);
        stream.close().catch(() => {});
        if (this.#stream !== stream) return;
        this.#stream = undefined;
        this.#again(0);
      };
      stream.on('error', end);
      // The reason, if there is one, comes right after.
      stream.on('close', () => setImmediate(end));
    });
  }

  #again(attempt: number): void {
    const delayMs = Math.min(backoffMs.min * 2 ** attempt, backoffMs.max) * (1 - Math.random() / 2);
    this.#timer = setTimeout(async () => {
      this.#following = this.#follow();
      try {
        await this.#following;
        // What has happened meanwhile nobody has heard of.
        for (const queue of this.#queues()) this.#tell({ queue, wakeAt: 0 });
      } catch {
        if (this.#listeners.size > 0) this.#again(attempt + 1);
      }
    }, delayMs);
  }

  #hear({ fullDocument, updateDescription }: MongoDocument): void {
    const wakeAt = updateDescription?.updatedFields?.wakeAt ?? fullDocument?.wakeAt;
    // Of a task that is gone by now there is no document.
    if (fullDocument && wakeAt !== undefined) this.#tell({ queue: fullDocument.queue, wakeAt });
  }

  #tell(wakeUp: WakeUp): void {
    for (const listener of this.#listeners) listener(wakeUp);
  }
}
