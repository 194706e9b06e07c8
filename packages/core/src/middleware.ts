/** What surrounds runs, and calls that schedule: logging, tracing, error reporting, and what handlers need. */

import type { ScheduledTask } from './bulk.js';
import { checkMembers, invalid } from './check.js';
import type { Clock } from './clock.js';
import { SchedError } from './errors.js';
import { within } from './promises.js';
import { nothing } from './run-report.js';
import type { RunContext, TaskDefinition } from './task.js';

/** A task on its way to a store. */
export interface OutgoingTask {
  readonly id: string;
  /** The task definition. */
  readonly name: string;
  readonly queue: string;
  /** What travels with the task, for its handler. May be changed before `next` is called. */
  readonly headers: Record<string, string>;
}

/** A call of `schedule`, `scheduleMany` or `sync`. */
export interface ScheduleCall {
  /** The alias of the store. */
  readonly store: string;
  readonly tasks: readonly OutgoingTask[];
}

/**
 * Surrounds runs and calls that schedule, in the manner of an onion: what is used first is outermost, and what a
 * scheduler uses is outside of what a definition uses.
 *
 * @typeParam Context what `open` builds for handlers
 */
export interface Middleware<Context extends object = object> {
  /**
   * Surrounds each attempt, once the payload has been read. `next` runs what is inside, at the most once, and gives what
   * the handler returned or rejects with what it threw. The run ends as this call does: it fails when this throws, and
   * succeeds when this returns, whether `next` was called or not.
   */
  run?(run: RunContext, next: () => Promise<unknown>): unknown;
  /**
   * Surrounds each call that schedules, once all of it has been checked. `next` stores the tasks with the headers that
   * they have then; it has to be called, and the call gives what it gives.
   */
  schedule?(call: ScheduleCall, next: () => Promise<readonly ScheduledTask[]>): Promise<unknown>;
  /**
   * Builds what handlers find in `context`, a database handle or a logger, when the scheduler starts. It is built once
   * for all definitions that use the same middleware. When this throws, the scheduler does not start.
   */
  open?(): Context | Promise<Context>;
  /**
   * Disposes of what `open` has built, after the last run has ended. Those opened last are closed first. Without `open`,
   * it is called with an empty context.
   *
   * @param signal aborted when `shutdownTimeout` has passed, after which nobody waits for it
   */
  close?(context: Context, signal: AbortSignal): unknown;
}

/** Middleware that only surrounds runs. */
export type RunMiddleware = NonNullable<Middleware['run']>;

/** What handlers get in `context` from the middleware that their definition uses. */
export type ContextOf<Use extends readonly unknown[]> = Use extends readonly [
  infer First,
  ...infer Rest,
]
  ? (First extends { open?(): infer Built } ? Extract<Awaited<Built>, object> : object) &
      ContextOf<Rest>
  : object;

const forDefinitions = ['run', 'open', 'close'] satisfies readonly (keyof Middleware)[];
const forSchedulers = ['run', 'open', 'close', 'schedule'];

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when it is no middleware */
export function readMiddleware(
  what: string,
  given: Middleware | RunMiddleware,
  ofDefinition: boolean,
): Middleware {
  if (typeof given === 'function') return { run: given };
  const members = ofDefinition ? forDefinitions : forSchedulers;
  const checked: Readonly<Record<string, unknown>> = { ...checkMembers(what, given, members) };
  for (const [member, value] of Object.entries(checked)) {
    if (value !== undefined && typeof value !== 'function') {
      throw invalid(`${member} of ${what}`, value, 'a function');
    }
  }
  return given;
}

/** What surrounds the runs of one definition. */
interface Layers {
  readonly around: readonly Middleware[];
  readonly context: object;
}

const noLayers: Layers = { around: [], context: nothing };

/** The middleware of a scheduler and its definitions, and what it has built. */
export class MiddlewareStack {
  readonly #clock: Clock;
  readonly #closeTimeoutMs: number;
  readonly #common: Middleware[] = [];
  /** In the order in which it was built. */
  readonly #built = new Map<Middleware, object>();
  readonly #layers = new Map<TaskDefinition, Layers>();

  constructor(clock: Clock, closeTimeoutMs: number) {
    this.#clock = clock;
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  add(middleware: Middleware): void {
    this.#common.push(middleware);
  }

  /** Builds what the handlers of these definitions need. Leaves nothing open when it fails. */
  async open(definitions: Iterable<TaskDefinition>): Promise<void> {
    const handled = [...definitions].filter(({ hasHandler }) => hasHandler);
    const all = new Set([...this.#common, ...handled.flatMap(({ middleware }) => middleware)]);
    for (const middleware of all) {
      try {
        const context = middleware.open ? await middleware.open() : middleware.close && nothing;
        if (context) this.#built.set(middleware, context);
      } catch (error) {
        await this.close(() => {});
        throw error;
      }
    }
    for (const definition of handled) {
      const used = [...this.#common, ...definition.middleware];
      if (used.length === 0) continue;
      this.#layers.set(definition, {
        around: used.filter(({ run }) => run),
        context: Object.freeze(
          Object.assign({}, ...used.map((middleware) => this.#built.get(middleware))),
        ),
      });
    }
  }

  /** @param failed is told of each that cannot be closed; the others are closed all the same */
  async close(failed: (error: unknown) => void): Promise<void> {
    for (const [middleware, context] of [...this.#built].reverse()) {
      this.#built.delete(middleware);
      try {
        await within(
          this.#clock,
          this.#closeTimeoutMs,
          'A shutdown hook, or the close of a middleware,',
          (signal) => middleware.close?.(context, signal),
        );
      } catch (error) {
        failed(error);
      }
    }
  }

  /** What the middleware of a definition has built for its handler. */
  contextOf(definition: TaskDefinition): object {
    return this.#layersOf(definition).context;
  }

  /** Calls the handler inside of all that surrounds it. */
  run(definition: TaskDefinition, run: RunContext): unknown {
    const { around } = this.#layersOf(definition);
    if (around.length === 0) return definition.run(run);
    return inside(
      around.map((middleware) => (next) => middleware.run?.(run, next)),
      () => definition.run(run),
    );
  }

  /** Whether calls that schedule are surrounded by anything. */
  get surroundsCalls(): boolean {
    return this.#common.some(({ schedule }) => schedule);
  }

  /** Stores tasks inside of all that surrounds it. */
  async schedule(
    call: ScheduleCall,
    store: () => Promise<readonly ScheduledTask[]>,
  ): Promise<readonly ScheduledTask[]> {
    const around = this.#common.filter(({ schedule }) => schedule);
    let stored: readonly ScheduledTask[] | undefined;
    await inside(
      around.map((middleware) => (next) => middleware.schedule?.(call, next as typeof store)),
      async () => {
        stored = await store();
        return stored;
      },
    );
    if (stored) return stored;
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      'A middleware did not call next() in schedule, so nothing was stored. Throw an error to refuse a task.',
    );
  }

  #layersOf(definition: TaskDefinition): Layers {
    return this.#layers.get(definition) ?? noLayers;
  }
}

type Layer = (next: () => Promise<unknown>) => unknown;

function inside(layers: readonly Layer[], innermost: () => unknown): Promise<unknown> {
  const enter = async (index: number): Promise<unknown> => {
    const layer = layers[index];
    if (!layer) return innermost();
    let isEntered = false;
    return layer(async () => {
      if (isEntered) {
        throw new SchedError('SCHED_ARGUMENT_INVALID', 'A middleware called next() twice.');
      }
      isEntered = true;
      return enter(index + 1);
    });
  };
  return enter(0);
}
