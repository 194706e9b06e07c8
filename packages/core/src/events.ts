import { invalid } from './check.js';
import type { SchedError } from './errors.js';
import type { RunError, SkipReason } from './record.js';

/** The members of every event about a task. */
export interface TaskEvent {
  readonly id: string;
  /** The task definition. */
  readonly name: string;
  /** The alias of the task's store. */
  readonly store: string;
}

/** The members of every event about a run. */
export interface RunEvent extends TaskEvent {
  readonly queue: string;
  readonly nominal: Date;
  /** 1 for the first attempt of an occurrence. */
  readonly attempt: number;
  readonly token: number;
}

/** A task whose handler is at work. */
export interface RunningTask extends RunEvent {
  /** By the store's clock. */
  readonly startedAt: Date;
}

/** All events, by name. */
export interface SchedulerEvents {
  /** This scheduler stored a task, changed it, or found it unchanged. */
  scheduled: TaskEvent & { readonly outcome: 'created' | 'updated' | 'replaced' | 'unchanged' };
  removed: { readonly store: string; readonly count: number };
  paused: { readonly store: string; readonly count: number };
  resumed: { readonly store: string; readonly count: number };

  /** The worker claimed a task. `lapsedOwner` had it before and vanished. */
  claimed: RunEvent & { readonly lapsedOwner: string | null };
  /** The worker calls the task's handler. */
  started: RunEvent & { readonly latenessMs: number };
  /** The handler returned, and the store has recorded it. */
  succeeded: RunEvent & { readonly durationMs: number; readonly nextRunAt: Date | null };
  /** The handler failed for good, and the store has recorded it. `nextRunAt` is for the next occurrence. */
  failed: RunEvent & {
    readonly durationMs: number;
    readonly error: RunError;
    readonly nextRunAt: Date | null;
  };
  /** The handler failed and will be called again. */
  retried: RunEvent & {
    readonly durationMs: number;
    readonly error: RunError;
    readonly retryAt: Date;
  };
  /** The run was aborted, but nothing is wrong with it: the scheduler stopped, or a newer occurrence replaced it. */
  interrupted: RunEvent & {
    readonly durationMs: number;
    readonly error: RunError;
    readonly nextRunAt: Date | null;
  };
  /** Occurrences will not run. */
  skipped: TaskEvent & {
    readonly reason: SkipReason;
    readonly from: Date;
    readonly to: Date;
    /** How many, counted up to 1,000. */
    readonly count: number;
  };
  /** An occurrence got a task of its own, so that it can run beside others of its schedule, or `runNow` created one. */
  spawned: TaskEvent & { readonly childId: string; readonly nominal: Date };
  /** The worker cannot run a task, and put it back for later. Reported once for each state of the task. */
  deferred: TaskEvent & {
    readonly reason: 'noHandler' | 'unreadable';
    readonly until: Date;
    readonly error: SchedError;
  };
  /** The lease of a task was lost. The signal of a run in progress is aborted. */
  lost: TaskEvent & { readonly token: number };
  /**
   * All slots are taken, and no handler has ended for `forMs`. Reported after a minute, and again after twice as long
   * each time. `runs` hold the slots. Give their tasks a `timeout`, or the worker more `concurrency`.
   */
  saturated: { readonly forMs: number; readonly runs: readonly RunningTask[] };
  /** A handler did not end after its signal was aborted. Its slot is free for others. */
  abandoned: RunEvent & { readonly error: SchedError };

  /** A call to a store failed. The worker keeps trying. */
  storeError: {
    readonly store: string;
    readonly call: string;
    readonly error: SchedError;
    /** Failures in a row, this one included. */
    readonly failures: number;
  };
  storeRecovered: { readonly store: string; readonly downMs: number };
  /** A listener threw, or its promise was rejected. */
  listenerError: { readonly event: string; readonly error: unknown };
  /** What a middleware has built could not be closed when the scheduler stopped, or a shutdown hook failed or its tasks were not run. */
  middlewareError: { readonly error: unknown };
  ready: { readonly owner: string };
  stopped: { readonly owner: string };
}

const eventNames: Readonly<Record<keyof SchedulerEvents, true>> = {
  scheduled: true,
  removed: true,
  paused: true,
  resumed: true,
  claimed: true,
  started: true,
  succeeded: true,
  failed: true,
  retried: true,
  interrupted: true,
  skipped: true,
  spawned: true,
  deferred: true,
  lost: true,
  saturated: true,
  abandoned: true,
  storeError: true,
  storeRecovered: true,
  listenerError: true,
  middlewareError: true,
  ready: true,
  stopped: true,
};

/** May be asynchronous, but nobody waits for it. */
export type Listener<E> = (event: E) => unknown;
type AnyListener = (name: keyof SchedulerEvents, event: unknown) => unknown;

/** A typed emitter. Calls listeners at once, in the order in which they were added, and catches what they throw. */
export class Emitter {
  readonly #listeners = new Map<keyof SchedulerEvents | '*', Set<AnyListener>>();

  on<K extends keyof SchedulerEvents>(name: K, listener: Listener<SchedulerEvents[K]>): () => void {
    if (!Object.hasOwn(eventNames, name)) {
      throw invalid('The event', name, `one of ${Object.keys(eventNames).join(', ')}`);
    }
    checkListener(listener);
    return this.#add(name, (_name, event) => listener(event as SchedulerEvents[K]));
  }

  onAny(
    listener: <K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]) => unknown,
  ): () => void {
    checkListener(listener);
    return this.#add('*', listener as AnyListener);
  }

  /** Whether any listener gets events of that name. */
  isHeard(name: keyof SchedulerEvents): boolean {
    return Boolean(this.#listeners.get(name)?.size || this.#listeners.get('*')?.size);
  }

  emit<K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]): void {
    this.#call(this.#listeners.get(name), name, event);
    this.#call(this.#listeners.get('*'), name, event);
  }

  #add(name: keyof SchedulerEvents | '*', listener: AnyListener): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(name, listeners);
    }
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  #call(
    listeners: Set<AnyListener> | undefined,
    name: keyof SchedulerEvents,
    event: unknown,
  ): void {
    if (!listeners) return;
    const report = (error: unknown) => {
      if (name !== 'listenerError') this.emit('listenerError', { event: name, error });
    };
    for (const listener of listeners) {
      try {
        const result = listener(name, event);
        // Check for `then`, not for a class: promises may come from other realms and libraries.
        if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
          Promise.resolve(result).catch(report);
        }
      } catch (error) {
        report(error);
      }
    }
  }
}

function checkListener(listener: unknown): void {
  if (typeof listener !== 'function') throw invalid('The listener', listener, 'a function');
}
