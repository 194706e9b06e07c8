import type { Place } from './database.ts';

/** A task as workloads hand it over. Its handler gets both numbers back. */
export interface BenchTask {
  readonly index: number;
  /** When it is to run, or when it was added if that is at once; in milliseconds of the epoch. */
  readonly at: number;
  /** Without it the task is due at once. */
  readonly later?: boolean;
}

/** What handlers call; the promise, if there is one, never resolves. */
type Ran = (index: number, at: number) => undefined | Promise<never>;

interface WorkOptions {
  /** Whether the tasks of a worker that dies should run elsewhere as soon as the contender can be set to. */
  readonly quickRecovery?: boolean;
}

/** A contender at work in a process: as a client, as a worker or as both. */
export interface Session {
  /** Adds one task; resolves when it is durable. */
  add?(task: BenchTask): Promise<unknown>;
  /** Adds up to 1,000 tasks in the quickest way; resolves when they are durable. */
  addMany?(tasks: readonly BenchTask[]): Promise<unknown>;
  /** Declares a task for each index that runs every second; `ran` gets the nominal time, or NaN if it is not known. */
  everySecond?(indexes: readonly number[]): Promise<unknown>;
  /** Runs tasks until the function that it gives is called. */
  work(ran: Ran, options: WorkOptions): Promise<() => Promise<unknown>>;
  /** How many one-off tasks are not done yet, far-future ones included. */
  remaining?(): Promise<number>;
  close(): Promise<unknown>;
}

/** What is measured. A module exports one or several of them as `contenders`. */
export interface Contender {
  readonly name: string;
  /** Of those in `peers/package.json`, the one whose version counts. */
  readonly package?: string;
  /** The databases that it works on. Default: all. */
  readonly databases?: readonly string[];
  /** Whether what has run can be looked up afterwards. */
  readonly history: 'kept' | 'failures' | 'none';
  /** How it is set, in a few words, for whoever reads the figures. */
  readonly settings: string;
  /** The workloads that it takes part in. Default: all. */
  readonly workloads?: readonly string[];
  /** Which part of the tasks it is given in workloads that ask how fast. Default 1; less for a slow one. */
  readonly share?: number;
  connect(place: Place): Promise<Session>;
}
