import { setTimeout } from 'node:timers/promises';
import type { Contender } from './contender.ts';
import type { Database, Place } from './database.ts';
import { Participant } from './process/participant.ts';
import { cpuMs, serverPids } from './process/usage.ts';
import { range } from './range.ts';

/** A contender along with the module that it is from, for its processes to load. */
export interface Entry {
  readonly contender: Contender;
  readonly module: string;
  /** Of a peer. */
  readonly version?: string;
}

/** What something took. */
export interface Cost {
  readonly ms: number;
  /** CPU time of the processes of the contender, and of the server; undefined where it cannot be told. */
  readonly nodeMs: number | undefined;
  readonly serverMs: number | undefined;
}

/** Where a contender is measured: a fresh place in a database, and processes of its own. */
export class Stage {
  readonly database: Database;
  readonly place: Place;
  readonly #entry: Entry;
  readonly #server: readonly number[];
  readonly #participants: Participant[] = [];

  /** @param url of the server */
  static async open(database: Database, url: string, entry: Entry): Promise<Stage> {
    const name = `bench_${crypto.randomUUID().slice(0, 8)}`;
    const place = await database.createPlace(url, name);
    const server = url === '' ? [] : serverPids(Number(new URL(url).port));
    return new Stage(database, place, entry, server);
  }

  private constructor(database: Database, place: Place, entry: Entry, server: readonly number[]) {
    this.database = database;
    this.place = place;
    this.#entry = entry;
    this.#server = server;
  }

  /** Starts a process that is connected; where tasks are in one process only, it is always the same. */
  async start(sessions = 1): Promise<Participant> {
    const [first] = this.#participants;
    if (first && this.database.inProcess) return first;
    const participant = await Participant.start({
      ...{ module: this.#entry.module, contender: this.#entry.contender.name },
      ...{ place: this.place, sessions },
    });
    this.#participants.push(participant);
    return participant;
  }

  /** Starts several that do the same; just one where it is always the same. */
  async startSeveral(processes: number): Promise<readonly Participant[]> {
    const started: Participant[] = [];
    for (const _ of range(processes)) started.push(await this.start());
    return [...new Set(started)];
  }

  async measure(participants: readonly Participant[], work: () => Promise<unknown>): Promise<Cost> {
    const all = [[...new Set(participants.map(({ pid }) => pid))], this.#server];
    const before = all.map(cpuMs);
    const start = performance.now();
    await work();
    const ms = performance.now() - start;
    const [nodeMs, serverMs] = all.map((pids, i) => {
      const [from, to] = [before[i], cpuMs(pids)];
      return from === undefined || to === undefined ? undefined : to - from;
    });
    return { ms, nodeMs, serverMs };
  }

  /** Waits until handlers have been called so often, whichever process they are in. */
  async untilRan(count: number, withinMs = 300_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (this.ran < count) {
      if (performance.now() > deadline) {
        throw new Error(`Only ${this.ran} of ${count} runs after ${withinMs / 1000} s.`);
      }
      await setTimeout(2);
    }
  }

  /** Waits until so many tasks have run, and no more than `left` are not recorded as done. */
  async untilDone(count: number, left = 0): Promise<void> {
    const [first] = this.#participants;
    await this.untilRan(count);
    while (first && (await first.call('remaining')) > left) await setTimeout(2);
  }

  /** How often handlers have been called. */
  get ran(): number {
    return this.#participants.reduce((sum, { ran }) => sum + ran, 0);
  }

  /** Ends the processes and removes the place. */
  async close(): Promise<void> {
    for (const participant of this.#participants) await participant.kill();
    await this.database.removePlace(this.place);
  }
}
