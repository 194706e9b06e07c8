import { checkMembers, invalid, wholeNumber } from './check.js';
import { type Clock, systemClock } from './clock.js';
import type { DataStore, DataStoreCapabilities } from './data-store.js';
import { type Duration, parseDelayMs } from './duration.js';
import { SchedError } from './errors.js';
import { Emitter, type Listener, type RunningTask, type SchedulerEvents } from './events.js';
import {
  type Middleware,
  MiddlewareStack,
  type RunMiddleware,
  readMiddleware,
} from './middleware.js';
import type { PayloadCodec } from './payload.js';
import { type ShutdownTaskOptions, ShutdownTasks } from './shutdown-tasks.js';
import { isDataStore, isPassing, StoreAccess } from './store-access.js';
import type { TaskDefinition } from './task.js';
import { type ClientContext, TaskClient } from './task-client.js';
import type { TriggerKind } from './trigger.js';
import { createTriggerRegistry } from './trigger-registry.js';
import { at } from './triggers/at.js';
import { cron } from './triggers/cron.js';
import { every } from './triggers/every.js';
import type { WorkerContext } from './worker/context.js';
import { readWorkerOptions, type WorkerOptions, workerOptionNames } from './worker/options.js';
import { Slots } from './worker/slots.js';
import { Worker } from './worker/worker.js';

export interface SchedulerOptions extends WorkerOptions {
  /** The store of the tasks, or several by alias. The first is the default. */
  readonly store: DataStore | Readonly<Record<string, DataStore>>;
  /** The definitions of the tasks that this process schedules or runs. */
  readonly tasks?: readonly TaskDefinition[];
  /**
   * The kinds of trigger that stored tasks may have, besides `at`, `every` and `cron`: combinations, such as `[anyOf]`,
   * and your own kinds. A call that uses a trigger adds its kinds. A process that only runs what others have scheduled
   * must name them, because the store holds only the name of a kind, and bundlers leave out what is not imported.
   */
  readonly triggers?: readonly TriggerKind[];
  /** Replaces the encoding of payloads. */
  readonly codec?: PayloadCodec;
  /** The largest payload, in bytes of its encoded form. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** Replaces real time, in tests. */
  readonly clock?: Clock;
}

const ownNames = [
  'store',
  'tasks',
  'triggers',
  'codec',
  'maxPayloadBytes',
  'clock',
] satisfies readonly (keyof SchedulerOptions)[];

/** How a store is doing. */
export interface StoreReport {
  readonly name: string;
  /** What it can do beyond the core of the contract, as far as that is known: some learn it when they connect. */
  readonly capabilities: DataStoreCapabilities;
  readonly isUp: boolean;
  /** How long the store took to answer, in milliseconds. */
  readonly latencyMs: number;
  /** The store's clock minus this machine's, in milliseconds; null when the store did not answer. */
  readonly clockOffsetMs: number | null;
  readonly error: SchedError | null;
}

export interface Health {
  readonly state: 'idle' | 'running' | 'stopping' | 'stopped';
  readonly owner: string;
  /** The names of the task definitions that it has: of which tasks it can schedule and run. */
  readonly definitions: readonly string[];
  /** Handlers at work. */
  readonly running: number;
  /** Tasks claimed ahead. */
  readonly waiting: number;
  /** Outcomes that the store has not confirmed yet. */
  readonly settling: number;
  /** The runs in progress. The longest comes first. */
  readonly runs: readonly RunningTask[];
  readonly stores: Readonly<Record<string, StoreReport>>;
}

/** Schedules tasks and, once started, runs them. Made by {@link createScheduler}. */
export class Scheduler extends TaskClient implements AsyncDisposable {
  readonly #context: WorkerContext;
  readonly #clientContext: ClientContext;
  readonly #access: StoreAccess;
  readonly #accesses: ReadonlyMap<string, StoreAccess>;
  readonly #clients = new Map<string, TaskClient>();
  readonly #workers = new Map<string, Worker>();
  readonly #shutdownTasks = new ShutdownTasks();
  #state: Health['state'] = 'idle';
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** Use {@link createScheduler}. */
  constructor(options: SchedulerOptions) {
    checkMembers('The options of createScheduler', options, [...ownNames, ...workerOptionNames]);
    const { clock = systemClock, codec, maxPayloadBytes = 2 ** 20, store } = options;
    const settings = readWorkerOptions(options);
    if (codec !== undefined && !isCodec(codec)) {
      throw invalid('codec', codec, 'an object with a name, encode and decode');
    }
    const events = new Emitter();
    const context: WorkerContext = {
      ...{ clock, codec, settings },
      events,
      definitions: indexDefinitions(options.tasks ?? []),
      middleware: new MiddlewareStack(clock, settings.shutdownTimeoutMs),
      triggers: createTriggerRegistry([at, every, cron, ...(options.triggers ?? [])]),
      slots: new Slots(settings.concurrency, clock, (forMs) =>
        events.emit('saturated', { forMs, runs: this.#runs() }),
      ),
    };
    const accesses = new Map<string, StoreAccess>();
    const stores = isDataStore(store) ? { default: store } : storesByAlias(store);
    for (const [alias, each] of Object.entries(stores)) {
      if (!isDataStore(each)) throw invalid(`store "${alias}"`, each, 'a data store');
      accesses.set(alias, new StoreAccess(alias, each, clock, settings.storeTimeoutMs));
    }
    const [first] = accesses.values();
    if (!first) throw invalid('store', store, 'a data store, or at least one by alias');
    const clientContext: ClientContext = {
      ...context,
      maxPayloadBytes: wholeNumber('maxPayloadBytes', maxPayloadBytes, 1),
      wakeAt: (alias, queue, time) => this.#workers.get(alias)?.wakeAt(queue, time),
      lookSoon: (alias, queue) => this.#workers.get(alias)?.lookSoon(queue),
      cancel: (alias, id) => this.#workers.get(alias)?.cancel(id) ?? false,
    };
    super(clientContext, first);
    this.#context = context;
    this.#clientContext = clientContext;
    this.#access = first;
    this.#accesses = accesses;
    for (const [alias, access] of accesses) {
      this.#clients.set(alias, access === first ? this : new TaskClient(clientContext, access));
    }
  }

  /**
   * The client for one of several stores.
   *
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when no store has that alias
   */
  store(alias: string): TaskClient {
    const client = this.#clients.get(alias);
    if (client) return client;
    throw invalid('alias', alias, `one of ${[...this.#clients.keys()].join(', ')}`);
  }

  /**
   * Surrounds every run and every call that schedules, within what was used before. A function surrounds runs only. Use
   * it before `start`.
   *
   * @returns the scheduler
   * @throws SchedError `SCHED_ARGUMENT_INVALID`, also after `start`
   */
  use(middleware: Middleware | RunMiddleware): this {
    const read = readMiddleware('The middleware of a scheduler', middleware, false);
    this.#assertIdle('use');
    this.#context.middleware.add(read);
    return this;
  }

  /**
   * Starts to run tasks. Retries a store that cannot be reached until it can. Also resolves when `stop` is called
   * meanwhile.
   *
   * @throws SchedError when a store can never work with its settings; `SCHED_CLOSED` after `stop`; what the `open` of a
   *   middleware throws; and what `schedule` would of a task that is to run on shutdown
   */
  async start(): Promise<void> {
    if (this.#state !== 'running') {
      this.#assertNotStopped();
      this.#starting = this.#start();
    }
    await this.#starting;
  }

  async #start(): Promise<void> {
    this.#state = 'running';
    const accesses = [...this.#accesses.values()];
    const opened = await Promise.allSettled(accesses.map((access) => access.open()));
    const failures = opened.map((result) =>
      result.status === 'rejected' ? (result.reason as unknown) : undefined,
    );
    // `stop` may have been called meanwhile, which gives up the calls under way.
    if (this.#state !== 'running') return;
    for (const failure of failures) {
      if (failure === undefined || isPassing(failure)) continue;
      this.#state = 'idle';
      throw failure;
    }
    const { definitions, middleware } = this.#context;
    try {
      await this.#shutdownTasks.check(this.#clientContext);
      await middleware.open(definitions.values());
    } catch (error) {
      if (this.#state === 'running') this.#state = 'idle';
      throw error;
    }
    if (this.#state !== 'running') {
      // Stopped meanwhile.
      await this.#closeMiddleware();
      return;
    }
    accesses.forEach((access, index) => {
      const worker = new Worker(access, this.#context);
      this.#workers.set(access.alias, worker);
      const failure = failures[index];
      if (failure !== undefined) this.#warn(access.alias, failure as SchedError);
      worker.start(failure);
    });
    this.#context.events.emit('ready', { owner: this.#context.settings.owner });
  }

  /**
   * Stops for good. Claims no more tasks, gives back those that have not started, and waits for the running ones.
   * Aborts their signals at the deadline. A task that still does not end keeps its lease until it expires, and runs
   * again elsewhere. Calls the shutdown hooks, and closes the stores that nobody else in this process uses.
   *
   * @param options.deadline how long handlers may go on. Default 30 s
   */
  async stop(options: { readonly deadline?: Duration } = {}): Promise<void> {
    const { deadline = 30_000 } = checkMembers('The options of stop', options, ['deadline']);
    const deadlineMs = parseDelayMs(deadline, 'deadline');
    this.#stopping ??= this.#stop(deadlineMs);
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Has `hook` called once when this scheduler stops, if it has been started: after its last run has ended, and before
   * the stores are closed, so that the hook may still schedule. Hooks and the `close` of middleware are called one after
   * another, those that were added last first, and each is waited for no longer than `shutdownTimeout`. What they throw
   * is told by the event `middlewareError`.
   *
   * A process that is killed calls no hook. What must be done even then is to be a task.
   *
   * @returns the scheduler
   * @throws SchedError `SCHED_ARGUMENT_INVALID`, also after `start`
   */
  onShutdown(hook: (signal: AbortSignal) => unknown): this;
  /**
   * Has a task run once when this scheduler stops, if it has been started: it is scheduled in the first store after the
   * last run has ended, and run before any hook is called, together with the other such tasks. Its queue is `shutdown`
   * unless another one is given, whatever the definition says: `stop` works on that queue until the task has been run,
   * by this process or by another one. What has not been run after `shutdownTimeout` is told by the event
   * `middlewareError` and stays in the queue, for whoever works on it next. `start` checks the payload.
   *
   * @returns the scheduler
   * @throws SchedError `SCHED_ARGUMENT_INVALID`, also after `start`
   */
  onShutdown<Input>(
    task: TaskDefinition<Input, unknown>,
    ...options: undefined extends Input
      ? [options?: ShutdownTaskOptions<Input>]
      : [options: ShutdownTaskOptions<Input>]
  ): this;
  onShutdown(
    what: TaskDefinition | ((signal: AbortSignal) => unknown),
    options: ShutdownTaskOptions<unknown> = {},
  ): this {
    this.#assertIdle('onShutdown');
    if (typeof what === 'function') return this.use({ close: (_context, signal) => what(signal) });
    if (typeof what?.run !== 'function') {
      throw invalid('What is to be done on shutdown', what, 'a function, or made by defineTask');
    }
    this.#shutdownTasks.add(what, options);
    return this;
  }

  /** Calls `listener` for each event of that name. Returns a function that removes the listener. */
  on<K extends keyof SchedulerEvents>(name: K, listener: Listener<SchedulerEvents[K]>): () => void {
    return this.#context.events.on(name, listener);
  }

  /** Calls `listener` for every event, for logs and metrics. Returns a function that removes the listener. */
  onAny(
    listener: <K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]) => unknown,
  ): () => void {
    return this.#context.events.onAny(listener);
  }

  /** How this scheduler and its stores are doing. Asks each store for its time; never throws. */
  async health(): Promise<Health> {
    const counts = { running: 0, waiting: 0, settling: 0 };
    for (const worker of this.#workers.values()) {
      const { running, waiting, settling } = worker.counts;
      counts.running += running;
      counts.waiting += waiting;
      counts.settling += settling;
    }
    const reports = [...this.#accesses].map(
      async ([alias, access]) => [alias, await this.#examine(access)] as const,
    );
    const stores = Object.fromEntries(await Promise.all(reports));
    const { settings, definitions } = this.#context;
    return {
      state: this.#state,
      owner: settings.owner,
      definitions: [...definitions.keys()],
      ...counts,
      runs: this.#runs(),
      stores,
    };
  }

  #runs(): readonly RunningTask[] {
    const runs = [...this.#workers.values()].flatMap((worker) => worker.runs);
    return runs.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  }

  async #examine(access: StoreAccess): Promise<StoreReport> {
    const { clock } = this.#context;
    const askedAt = clock.elapsed();
    const answer = await access
      .call('now', (store) => store.now())
      .catch((error: SchedError) => error);
    const latencyMs = clock.elapsed() - askedAt;
    const isUp = typeof answer === 'number';
    const { name, capabilities } = access.store;
    return {
      name,
      capabilities,
      isUp,
      latencyMs,
      clockOffsetMs: isUp ? Math.round(answer - Date.now() + latencyMs / 2) : null,
      error: isUp ? null : answer,
    };
  }

  /** Warns those who do not listen for `storeError`, because nothing fails visibly while a store is down. */
  #warn(alias: string, { code, message }: SchedError): void {
    if (this.#context.events.isHeard('storeError')) return;
    globalThis.process?.emitWarning?.(
      `The store "${alias}" cannot be reached. Its tasks run once it can; listen to the event storeError to be told of this. ${message}`,
      { type: 'SchedWarning', code },
    );
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#state = 'stopping';
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop(deadlineMs)));
    if (this.#workers.size > 0) await this.#runShutdownTasks();
    await this.#closeMiddleware();
    // Ignore failures: if a store cannot even be closed, the caller can do nothing about it.
    await Promise.allSettled([...this.#accesses.values()].map((access) => access.close()));
    this.#context.slots.stop();
    this.#state = 'stopped';
    this.#context.events.emit('stopped', { owner: this.#context.settings.owner });
  }

  async #runShutdownTasks(): Promise<void> {
    const { events, settings } = this.#context;
    const workOn = (queues: readonly string[]) => {
      const context = { ...this.#context, settings: { ...settings, queues, announce: false } };
      const worker = new Worker(this.#access, context);
      this.#workers.set(this.#access.alias, worker);
      return worker;
    };
    try {
      await this.#shutdownTasks.run(this, this.#access, settings.shutdownTimeoutMs, workOn);
    } catch (error) {
      events.emit('middlewareError', { error });
    }
  }

  async #closeMiddleware(): Promise<void> {
    const { events, middleware } = this.#context;
    await middleware.close((error) => events.emit('middlewareError', { error }));
  }

  #assertIdle(call: string): void {
    if (this.#state === 'idle') return;
    throw new SchedError(
      'SCHED_ARGUMENT_INVALID',
      `${call}() comes too late: the scheduler has been started. Call it before start().`,
    );
  }

  #assertNotStopped(): void {
    if (this.#state === 'idle') return;
    throw new SchedError('SCHED_CLOSED', 'The scheduler has been stopped. Make a new one.');
  }
}

/**
 * Creates a scheduler. It connects to its store at the first call that needs it, and runs nothing before `start()`. So
 * a process may schedule without running tasks, and run tasks without scheduling.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`, `SCHED_DURATION_INVALID` or `SCHED_TASK_DUPLICATE`
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new Scheduler(options);
}

function storesByAlias(store: Readonly<Record<string, DataStore>>) {
  if (typeof store === 'object' && store !== null) return store;
  throw invalid('store', store, 'a data store, or several by alias');
}

function indexDefinitions(tasks: readonly TaskDefinition[]): ReadonlyMap<string, TaskDefinition> {
  const definitions = new Map<string, TaskDefinition>();
  for (const task of tasks) {
    if (typeof task?.run !== 'function') throw invalid('tasks', task, 'made by defineTask');
    if (definitions.has(task.name)) {
      throw new SchedError(
        'SCHED_TASK_DUPLICATE',
        `Two task definitions are named "${task.name}". A stored task finds its handler by that name: rename one.`,
      );
    }
    definitions.set(task.name, task);
  }
  return definitions;
}

function isCodec(value: unknown): value is PayloadCodec {
  const codec = value as Partial<PayloadCodec> | null;
  return (
    typeof codec?.name === 'string' &&
    codec.name !== '' &&
    [undefined, 'payload', 'json'].includes(codec.input) &&
    typeof codec.encode === 'function' &&
    typeof codec.decode === 'function'
  );
}
