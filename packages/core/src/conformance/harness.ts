import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import type { DataStore, DataStoreOptions } from '../data-store.js';
import { watchedStore } from './answers.js';
import { BrokenSentence, holds } from './check.js';
import { Waiting } from './limit.js';
import type {
  ConformanceAddress,
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

/** For what hangs. A machine that is busy with other things is slow, and that is no failure. */
const defaultLimitMs = 120_000;
/** How long a case that has failed already may take to put away what is left. */
const cleanupLimitMs = 10_000;

/** A place with its clock and its handles, while a case runs. */
export class Bench {
  readonly clock = new VirtualClock();
  readonly target: ConformanceTarget;
  readonly place: ConformancePlace;
  readonly waiting: Waiting;
  readonly #options: DataStoreOptions;
  readonly #connected: DataStore[] = [];
  readonly #opened: DataStore[] = [];
  readonly #elsewhere: Bench[] = [];
  readonly #later: (() => unknown)[] = [];

  private constructor(
    target: ConformanceTarget,
    place: ConformancePlace,
    options: DataStoreOptions,
    waiting: Waiting,
  ) {
    this.target = target;
    this.place = place;
    this.#options = options;
    this.waiting = waiting;
  }

  static async create(
    target: ConformanceTarget,
    options: DataStoreOptions,
    waiting: Waiting,
  ): Promise<Bench> {
    const place: unknown = await waiting.for('`create` to make a place', () => target.create());
    if (isPlace(place)) return new Bench(target, place, options, waiting);
    throw new Error(`\`create\` answers with a place, and not with ${inspect(place)}`);
  }

  /** How many seconds a store may take to come back, and to give up what never came: half of what its case may take. */
  get patience(): number {
    return limitOf(this.target) / 2000;
  }

  /** Creates a handle that is not open yet. Callers close what they open. */
  readonly connect = async (): Promise<DataStore> =>
    watchedStore(await this.#connect({ clock: this.clock.read }), this.waiting);

  /** Creates an open handle. It is closed when the case ends. */
  readonly open = (): Promise<DataStore> => this.#open(this.clock.read);

  readonly openMany = (count: number): Promise<DataStore[]> =>
    Promise.all(Array.from({ length: count }, this.open));

  /** The same, but it goes by another clock. */
  readonly openAt = (clock: () => number): Promise<DataStore> => this.#open(clock);

  /** The same, but it reaches the server of the place by another address. */
  readonly openThrough = (address: ConformanceAddress): Promise<DataStore> =>
    this.#open(this.clock.read, address);

  /** Like `connect`, but the handle reaches the server of the place by another address. */
  readonly connectThrough = async (address: ConformanceAddress): Promise<DataStore> =>
    watchedStore(await this.#connect({ clock: this.clock.read }, address), this.waiting);

  /** Like `connect`, but the handle uses the store's own clock. Do not mix it with other handles in one place. */
  readonly connectInRealTime = async (): Promise<DataStore> =>
    watchedStore(await this.#connect({}), this.waiting);

  /** Creates another place. It is disposed of together with this one. */
  readonly elsewhere = async (): Promise<Bench> => {
    const bench = await Bench.create(this.target, this.#options, this.waiting);
    this.#elsewhere.push(bench);
    return bench;
  };

  /** Puts off work to the end of the case, however it ends; the last first. */
  readonly later = (work: () => unknown): void => {
    this.#later.unshift(work);
  };

  async dispose(waiting: Waiting): Promise<void> {
    for (const bench of this.#elsewhere) await bench.dispose(waiting);
    for (const store of this.#opened) await waiting.for('close to answer', () => store.close());
    for (const work of this.#later) await work();
    await waiting.for('`dispose` to remove the place', () => this.place.dispose?.());
  }

  /** Closes all that a case that has failed may have left open, and disposes of the place, whatever else fails. */
  async abandon(): Promise<void> {
    const steps = [
      ...this.#elsewhere.map((bench) => () => bench.abandon()),
      ...this.#connected.map((store) => () => store.close()),
      ...this.#later,
      () => this.place.dispose?.(),
    ];
    const limitMs = Math.min(cleanupLimitMs, limitOf(this.target));
    for (const step of steps)
      await new Waiting().atMost(limitMs, async () => step()).catch(() => {});
  }

  async #open(clock: () => number, address?: ConformanceAddress): Promise<DataStore> {
    const raw = await this.#connect({ clock }, address);
    const store = watchedStore(raw, this.waiting);
    await store.open();
    this.#opened.push(raw);
    return store;
  }

  async #connect(options: DataStoreOptions, address?: ConformanceAddress): Promise<DataStore> {
    const store: unknown = await this.waiting.for('`connect` to make a handle', () =>
      this.place.connect({ ...this.#options, ...options }, address),
    );
    if (!isStore(store)) {
      throw new Error(`\`connect\` answers with a data store, and not with ${inspect(store)}`);
    }
    this.#connected.push(store);
    return store;
  }
}

function isPlace(value: unknown): value is ConformancePlace {
  return typeof value === 'object' && value !== null && 'connect' in value;
}

function isStore(value: unknown): value is DataStore {
  return typeof value === 'object' && value !== null && 'claim' in value;
}

function limitOf({ limitMs = defaultLimitMs }: ConformanceTarget): number {
  return limitMs;
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
  return definitions.map((definition) => ({
    name: definition.name,
    level,
    guarantee: definition.guarantee,
    run: () => runCase(target, definition),
  }));
}

async function runCase(target: ConformanceTarget, definition: CaseDefinition): Promise<void> {
  const limitMs = limitOf(target);
  const waiting = new Waiting();
  const bench = await createBench(target, definition, waiting);
  try {
    await waiting.atMost(limitMs, () => definition.run(bench));
  } catch (error) {
    // Report the first error. A cleanup that fails too is only its consequence.
    waiting.end();
    await bench.abandon();
    throw brokenGuarantee(definition, error);
  }
  try {
    await waiting.atMost(limitMs, () => bench.dispose(waiting));
  } catch (error) {
    waiting.end();
    await bench.abandon();
    throw new Error(`${definition.name}\nthe place cannot be disposed of: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function createBench(
  target: ConformanceTarget,
  { name, options = {} }: CaseDefinition,
  waiting: Waiting,
): Promise<Bench> {
  const creating = Bench.create(target, options, waiting);
  try {
    return await waiting.atMost(limitOf(target), () => creating);
  } catch (error) {
    // One that is made too late is removed when it is there.
    creating.then((bench) => bench.abandon()).catch(() => {});
    throw new Error(`${name}\nthe place cannot be made: ${messageOf(error)}`, { cause: error });
  }
}

/** Puts the guarantee and the case before the broken sentence. Keeps the values that runners show as a difference. */
function brokenGuarantee(definition: CaseDefinition, error: unknown): AssertionError {
  const { guarantee } = error instanceof BrokenSentence ? error : definition;
  const { actual, expected } = error instanceof AssertionError ? error : {};
  const broken = new AssertionError({
    message: `${guarantee} ${guarantees[guarantee]}: ${definition.name}\n${messageOf(error)}`,
    actual,
    expected,
  });
  broken.cause = error;
  return broken;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : inspect(error));
