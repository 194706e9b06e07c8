import {
  type Announcement,
  announcementGroup,
  announcementId,
  announcementRecord,
  goneAfterMs,
  readAnnouncement,
} from '../announcements.js';
import type { DataStore } from '../data-store.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';

/** How long a call may take. Stopping waits for the one under way. */
const timeoutMs = 2000;
/** How often to look for news, and how long to say nothing when there is none, in milliseconds. */
const everyMs = 10_000;
const silentMs = 60_000;
/** For how long to leave the announcement of a scheduler that has died, for whoever wonders what became of it. */
const keptMs = 3_600_000;

/** Everything in an announcement that may change. */
export type News = Pick<
  Announcement,
  'running' | 'waiting' | 'settling' | 'minutes' | 'lateness' | 'duration'
>;

/** Says in the store that this scheduler is there, and how it is doing. Nothing depends on whether that succeeds. */
export class Announcer {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #news: () => News;
  #timer: unknown;
  #startedAt: number | undefined;
  #saidAt = Number.NEGATIVE_INFINITY;
  /** The news that were told last. */
  #said = '';
  #isStopped = false;
  #underWay: Promise<void> | undefined;

  constructor(access: StoreAccess, context: WorkerContext, news: () => News) {
    this.#access = access;
    this.#context = context;
    this.#news = news;
  }

  start(): void {
    if (!this.#context.settings.announce) return;
    this.#underWay = this.#begin();
  }

  /** Takes the announcement away. Resolves when that is done, or has failed. */
  async stop(): Promise<void> {
    if (!this.#context.settings.announce || this.#isStopped) return;
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
    await this.#underWay;
    await this.#tolerate(() => this.#remove([announcementId(this.#context.settings.owner)]));
  }

  async #begin(): Promise<void> {
    await this.#beat();
    await this.#tolerate(() => this.#tidy());
  }

  async #beat(): Promise<void> {
    await this.#tolerate(() => this.#say());
    if (this.#isStopped) return;
    this.#timer = this.#context.clock.setTimeout(() => {
      this.#underWay = this.#beat();
    }, everyMs);
  }

  async #say(): Promise<void> {
    const { clock, definitions, settings } = this.#context;
    const news = this.#news();
    const text = JSON.stringify(news);
    if (text === this.#said && clock.elapsed() - this.#saidAt < silentMs) return;
    const now = await this.#access.now();
    this.#startedAt ??= now;
    const { owner, queues, concurrency } = settings;
    const record = announcementRecord(owner, {
      ...{ v: 1, startedAt: this.#startedAt, seenAt: now, ...machine() },
      tasks: [...definitions.values()].filter((each) => each.hasHandler).map(({ name }) => name),
      ...{ queues, concurrency, ...news },
    });
    const { id, body } = record;
    const [found] = await this.#call('get', (store) => store.get([id]));
    if (found) {
      const { revision } = found;
      await this.#call('update', (store) => store.update(id, { body }, { revision }));
    } else await this.#call('insert', (store) => store.insert([record]));
    this.#said = text;
    this.#saidAt = clock.elapsed();
  }

  /** Removes announcements of schedulers that died long ago. */
  async #tidy(): Promise<void> {
    const filter = { group: announcementGroup, limit: 1000 };
    const { tasks } = await this.#call('list', (store) => store.list(filter));
    const before = this.#access.estimateNow() - goneAfterMs - keptMs;
    const old = tasks.filter((task) => (readAnnouncement(task)?.seenAt.getTime() ?? 0) < before);
    if (old.length > 0) await this.#remove(old.map(({ id }) => id));
  }

  async #remove(ids: readonly string[]): Promise<void> {
    await this.#call('remove', (store) => store.remove({ ids }));
  }

  #call<T>(name: string, make: (store: DataStore) => Promise<T>): Promise<T> {
    return this.#access.call(name, make, { timeoutMs });
  }

  /** Failures are those of a store that cannot be reached, which calls that matter notice as well. */
  async #tolerate(work: () => Promise<void>): Promise<void> {
    await work().catch(() => {});
  }
}

function machine(): Pick<Announcement, 'host' | 'pid'> {
  const process = globalThis.process as typeof globalThis.process | undefined;
  const host = process?.getBuiltinModule?.('node:os').hostname() ?? null;
  return { host, pid: process?.pid ?? null };
}
