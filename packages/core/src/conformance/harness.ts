import { AssertionError } from 'node:assert';
import type { DataStore, DataStoreOptions } from '../data-store.js';
import { BrokenSentence, holds } from './check.js';
import type {
  ConformanceCase,
  ConformanceLevel,
  ConformancePlace,
  ConformanceTarget,
  Guarantee,
} from './types.js';
import { guarantees } from './types.js';

/** Where the clock of every case starts. Far from the real time, to expose a store that reads it. */
export const start = 1_000_000_000_000;

/** The time that a store under test sees. It stands still unless a case moves it. */
export class VirtualClock {
  now = start;
  /** How far each reading moves the clock on, for cases that look for a second reading. */
  stepMs = 0;

  readonly read = (): number => {
    const now = this.now;
    this.now += this.stepMs;
    return now;
  };

  advance(ms: number): void {
    this.now += ms;
  }
}

/** A place with its clock and its handles, while a case runs. */
export class Bench {
  readonly clock = new VirtualClock();
  readonly target: ConformanceTarget;
  readonly place: ConformancePlace;
  readonly #options: DataStoreOptions;
  readonly #opened: DataStore[] = [];
  readonly #elsewhere: Bench[] = [];

  private constructor(
    target: ConformanceTarget,
    place: ConformancePlace,
    options: DataStoreOptions,
  ) {
    this.target = target;
    this.place = place;
    this.#options = options;
  }

  static async create(target: ConformanceTarget, options: DataStoreOptions): Promise<Bench> {
    return new Bench(target, await target.create(), options);
  }

  /** Creates a handle that is not open yet. Callers close what they open. */
  readonly connect = async (): Promise<DataStore> =>
    this.place.connect({ ...this.#options, clock: this.clock.read });

  /** Creates an open handle. It is closed when the case ends. */
  readonly open = async (): Promise<DataStore> => {
    const store = await this.connect();
    await store.open();
    this.#opened.push(store);
    return store;
  };

  readonly openMany = (count: number): Promise<DataStore[]> =>
    Promise.all(Array.from({ length: count }, this.open));

  /** Like `connect`, but the handle uses the store's own clock. Do not mix it with other handles in one place. */
  readonly connectInRealTime = async (): Promise<DataStore> => this.place.connect(this.#options);

  /** Creates another place. It is disposed of together with this one. */
  readonly elsewhere = async (): Promise<Bench> => {
    const bench = await Bench.create(this.target, this.#options);
    this.#elsewhere.push(bench);
    return bench;
  };

  async dispose(): Promise<void> {
    for (const bench of this.#elsewhere) await bench.dispose();
    for (const store of this.#opened) await store.close();
    await this.place.dispose?.();
  }
}

/** Waits in real time until something has happened. For what only the outside world can do. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  seconds: number,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    const sentence = typeof what === 'string' ? what : what();
    holds(Date.now() < deadline, `${sentence}, within ${seconds} seconds`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A case as its file defines it. */
export interface CaseDefinition {
  readonly name: string;
  readonly guarantee: Guarantee;
  /** The options for the handles of this case, besides the clock. */
  readonly options?: DataStoreOptions;
  readonly run: (bench: Bench) => Promise<void>;
}

export function toCases(
  target: ConformanceTarget,
  level: ConformanceLevel,
  definitions: readonly CaseDefinition[],
): ConformanceCase[] {
  return definitions.map(({ name, guarantee, options = {}, run }) => ({
    name,
    level,
    guarantee,
    run: async () => {
      const bench = await Bench.create(target, options);
      try {
        await run(bench);
      } catch (error) {
        // Report the first error. A cleanup that fails too is only its consequence.
        await bench.dispose().catch(() => {});
        const broken = error instanceof BrokenSentence ? error.guarantee : guarantee;
        throw brokenGuarantee(broken, name, error);
      }
      await bench.dispose();
    },
  }));
}

/** Puts the guarantee and the case before the broken sentence. Keeps the values that runners show as a difference. */
function brokenGuarantee(guarantee: Guarantee, name: string, error: unknown): AssertionError {
  const { actual, expected } = error instanceof AssertionError ? error : {};
  const broken = new AssertionError({
    message: `${guarantee} ${guarantees[guarantee]}: ${name}\n${error instanceof Error ? error.message : error}`,
    actual,
    expected,
  });
  broken.cause = error;
  return broken;
}
