// A process of a contender. It connects, does what it is asked over IPC, and says how many handlers have been called.

import { setTimeout } from 'node:timers/promises';
import type { BenchTask, Contender, Session } from '../contender.ts';
import type { Place } from '../database.ts';
import { range } from '../range.ts';

/** What the process is started with. */
export interface ChildArguments {
  /** The module of the contender, and which of those that it exports. */
  readonly module: string;
  readonly contender: string;
  readonly place: Place;
  /** How many sessions it opens; all but the first are only there to work. */
  readonly sessions: number;
}

/** One call of a handler. */
export interface Run {
  readonly index: number;
  /** As the task or the contender has it; NaN if neither does. */
  readonly at: number;
  readonly ranAt: number;
}

/** What the process can be asked for. */
export interface Calls {
  /** Adds tasks one by one, so many at the same time. Gives how long it took, in milliseconds. */
  add(count: number, parallel: number): Promise<number>;
  /** Adds tasks by the thousand. Gives how long it took, in milliseconds. */
  addMany(count: number): Promise<number>;
  addFarFuture(count: number): Promise<number>;
  addAt(times: readonly number[]): Promise<number>;
  /** Adds tasks one by one at this rate, three in ten of them for within the next two seconds. Gives how many. */
  addSteadily(perSecond: number, forMs: number): Promise<number>;
  everySecond(count: number): Promise<void>;
  /** @param hang whether handlers never end */
  work(options: { quickRecovery?: boolean; hang?: boolean; keepRuns?: boolean }): Promise<void>;
  /** Runs that were kept. */
  runs(): Promise<readonly Run[]>;
  remaining(): Promise<number>;
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** One message from the process. */
export type Message =
  | { readonly ready: true }
  | { readonly ran: number }
  | { readonly call: number; readonly result: unknown }
  | { readonly call: number; readonly error: string };

export interface Request {
  readonly call: number;
  readonly name: keyof Calls;
  readonly args: readonly unknown[];
}

/** How many tasks are handed over in one call. */
const batchSize = 1000;
/** How often the count of runs is told: seldom enough to cost nothing. */
const tellMs = 10;
const yearMs = 365 * 86_400_000;
const laterShare = 0.3;
const laterMs = 2000;

const { module, contender, place, sessions }: ChildArguments = JSON.parse(process.argv[2] ?? '');
const { contenders }: { contenders: readonly Contender[] } = await import(module);
const chosen = contenders.find(
  ({ name, databases = [place.database] }) =>
    name === contender && databases.includes(place.database),
);
if (!chosen) throw new Error(`${module} has no contender ${contender}.`);
const [session, ...others] = await openSessions(chosen);
const now = () => performance.timeOrigin + performance.now();

let next = 0;
let ran = 0;
let isTelling = false;
let stops: (() => Promise<unknown>)[] = [];
const runs: Run[] = [];

const calls: Calls = {
  async add(count, parallel) {
    return timed(async () => {
      const end = next + count;
      await Promise.all(
        range(parallel).map(async () => {
          while (next < end) await required('add')({ index: next++, at: now() });
        }),
      );
    });
  },
  addMany: (count) => addMany(range(count).map(() => ({ index: next++, at: Date.now() }))),
  addFarFuture: (count) => {
    const start = Date.now() + yearMs;
    return addMany(range(count).map((i) => ({ index: next++, at: start + i * 1000, later: true })));
  },
  addAt: (times) => addMany(times.map((at) => ({ index: next++, at, later: true }))),
  async addSteadily(perSecond, forMs) {
    const start = performance.now();
    const adding: Promise<unknown>[] = [];
    for (let passed = 0; passed < forMs; passed = performance.now() - start) {
      for (const due = (perSecond * passed) / 1000; adding.length < due; ) {
        const isLater = Math.random() < laterShare;
        const at = now() + (isLater ? Math.random() * laterMs : 0);
        adding.push(
          required('add')({ index: next++, at: Math.ceil(at), ...(isLater && { later: true }) }),
        );
      }
      await setTimeout(10);
    }
    await Promise.all(adding);
    return adding.length;
  },
  async everySecond(count) {
    await required('everySecond')(range(count));
  },
  async work({ hang = false, keepRuns = false, ...options }) {
    const note = (index: number, at: number) => {
      ran++;
      if (keepRuns) runs.push({ index, at, ranAt: now() });
      if (!isTelling) setTimeout(tellMs).then(tell);
      isTelling = true;
      return hang ? new Promise<never>(() => {}) : undefined;
    };
    stops = await Promise.all([session, ...others].map((each) => each.work(note, options)));
  },
  runs: async () => runs,
  remaining: () => required('remaining')(),
  async stop() {
    await Promise.all(stops.map((stop) => stop()));
  },
  async close() {
    await Promise.all([session, ...others].map((each) => each.close()));
  },
};

async function openSessions({ connect }: Contender): Promise<[Session, ...Session[]]> {
  // One after another: the first makes the tables.
  const first = await connect(place);
  const rest: Session[] = [];
  for (const _ of range(sessions - 1)) rest.push(await connect(place));
  return [first, ...rest];
}

function required<Name extends 'add' | 'addMany' | 'everySecond' | 'remaining'>(
  name: Name,
): NonNullable<Session[Name]> {
  const found = session[name];
  if (!found) throw new Error(`${contender} cannot ${name}.`);
  return found.bind(session) as NonNullable<Session[Name]>;
}

function addMany(tasks: readonly BenchTask[]): Promise<number> {
  return timed(async () => {
    for (let from = 0; from < tasks.length; from += batchSize) {
      await required('addMany')(tasks.slice(from, from + batchSize));
    }
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function send(message: Message): void {
  // Nobody is left to be told when whoever started this process is gone.
  process.send?.(message, undefined, {}, () => {});
}

function tell(): void {
  isTelling = false;
  send({ ran });
}

process.on('message', async ({ call, name, args }: Request) => {
  try {
    const method = calls[name] as (...args: readonly unknown[]) => Promise<unknown>;
    send({ call, result: await method(...args) });
  } catch (error) {
    send({ call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.once('disconnect', () => process.exit());
send({ ready: true });
