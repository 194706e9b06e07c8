import { SchedError } from '../errors.js';
import type { RunningTask } from '../events.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import { type HeldTask, runEventOf } from './held-task.js';
import { Run, type RunEnd, type RunOptions } from './run.js';

/** Claim ahead only tasks that are expected to start within this time. */
const prefetchMs = 50;
/** About how many characters the bodies of the tasks claimed ahead may have. */
const prefetchLength = 4_000_000;

export interface RunnerCallbacks {
  /** A run has ended, or its handler was given up. */
  ended(held: HeldTask, run: Run, end: RunEnd): void;
  /** A handler is about to be called, so much later than its task was due. */
  started(latenessMs: number): void;
  /** The handler has told how far it has come. */
  told(held: HeldTask): void;
  /** The lease of a waiting task has expired. The task must not start before the store says that it is still ours. */
  overdue(): void;
}

/** Tasks that wait for a slot, and tasks that run in one. */
export class Runner {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #callbacks: RunnerCallbacks;
  readonly #runOptions: RunOptions;
  /** In the order in which they get a slot. */
  #waiting: HeldTask[] = [];
  readonly #running = new Set<Run>();
  /** The running mean of how long handlers take, in milliseconds; undefined until the first has ended. */
  #meanRunMs: number | undefined;
  /** The running mean of how long the bodies of claimed tasks are. */
  #meanLength = 1;
  #whenIdle: (() => void)[] = [];

  constructor(access: StoreAccess, context: WorkerContext, callbacks: RunnerCallbacks) {
    this.#access = access;
    this.#context = context;
    this.#callbacks = callbacks;
    const { clock, middleware, settings } = context;
    const { abortGraceMs, maxResultBytes } = settings;
    this.#runOptions = {
      ...{ clock, middleware, abortGraceMs, maxResultBytes },
      estimateNow: () => access.estimateNow(),
    };
  }

  get counts(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running.size, waiting: this.#waiting.length };
  }

  /** The runs in progress. The longest comes first. */
  get runs(): readonly RunningTask[] {
    return Array.from(this.#running, ({ claim, startedAt }) => ({
      ...runEventOf(claim, this.#access.alias),
      startedAt: new Date(startedAt),
    }));
  }

  /** How many tasks to claim. */
  get room(): number {
    const { slots, settings } = this.#context;
    const expected = (settings.concurrency * prefetchMs) / Math.max(this.#meanRunMs ?? 1e9, 0.01);
    const affordable = prefetchLength / this.#meanLength;
    const prefetch = Math.min(settings.prefetch, Math.floor(expected), Math.floor(affordable));
    // Claiming one at a time would cost a round trip each, so wait until half of the tasks claimed ahead have started.
    if (this.#waiting.length > prefetch / 2) return 0;
    return slots.free + prefetch - this.#waiting.length;
  }

  add(held: HeldTask): void {
    this.#meanLength += (held.claim.record.body.length - this.#meanLength) / 10;
    this.#waiting.push(held);
  }

  /** Takes a task out that waits. Returns whether it did. */
  remove(held: HeldTask): boolean {
    const index = this.#waiting.indexOf(held);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  /** Takes out all tasks that wait. */
  clear(): readonly HeldTask[] {
    return this.#waiting.splice(0);
  }

  /** Handlers take longer than the mean says. It does not show this yet, because none of them has ended. */
  noteSlow(): void {
    this.#meanRunMs = this.#context.settings.heartbeatMs;
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  abortAll(reason: SchedError): void {
    for (const run of this.#running) run.abort(reason);
  }

  /** Starts waiting tasks while there are free slots. */
  start(): void {
    const { clock, slots } = this.#context;
    while (slots.free > 0) {
      const held = this.#waiting[0];
      if (!held) return;
      if (held.leaseUntil <= clock.elapsed()) {
        this.#callbacks.overdue();
        return;
      }
      this.#waiting.shift();
      this.#run(held);
    }
  }

  #run(held: HeldTask): void {
    const { clock, events, slots } = this.#context;
    const { claim } = held;
    slots.take();
    const now = this.#access.estimateNow();
    const begunAt = clock.elapsed();
    const latenessMs = Math.max(0, now - (claim.record.runAt ?? now));
    this.#callbacks.started(latenessMs);
    if (events.isHeard('started')) {
      events.emit('started', {
        latenessMs,
        ...runEventOf(claim, this.#access.alias),
      });
    }
    const run = new Run(held, now, this.#runOptions);
    this.#running.add(run);
    held.phase = 'running';
    held.run = run;
    const onEnd = (end: RunEnd) => {
      const durationMs = clock.elapsed() - begunAt;
      this.#meanRunMs = (this.#meanRunMs ?? durationMs) * 0.9 + durationMs * 0.1;
      this.#onEnded(held, run, end);
    };
    run.start(onEnd, () => this.#callbacks.told(held));
  }

  #onEnded(held: HeldTask, run: Run, end: RunEnd): void {
    const { events, settings, slots } = this.#context;
    held.run = undefined;
    held.phase = 'settling';
    if (end.isAbandoned) {
      const error = new SchedError(
        'SCHED_TIMEOUT',
        `The handler of ${run.claim.record.name} did not end within ${settings.abortGraceMs} ms of being aborted. Pass its signal on to what it waits for.`,
      );
      events.emit('abandoned', { ...runEventOf(run.claim, this.#access.alias), error });
    }
    this.#running.delete(run);
    this.#callbacks.ended(held, run, end);
    slots.giveBack();
    if (this.#running.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
