/**
 * The worker of one store: claims what it has room for, runs it, keeps its leases alive and settles it, until it is
 * stopped. It survives whatever the store does: every call may fail, hang or answer late.
 */

import { backoffMs } from '../backoff.js';
import type { ClaimedTask, Release, TaskRecord } from '../data-store.js';
import { SchedError } from '../errors.js';
import { admit, type Claim, conclude, type Decision } from '../policy.js';
import { isPassing, type StoreAccess } from '../store-access.js';
import { Claimer } from './claimer.js';
import type { WorkerContext } from './context.js';
import { type HeldTask, runEventOf } from './held-task.js';
import { deferralOf, Intake, type Unusable } from './intake.js';
import { LeaseKeeper } from './lease-keeper.js';
import { Outbox } from './outbox.js';
import { reportSettled } from './report.js';
import { Run, type RunEnd } from './run.js';
import { StoreHealth } from './store-health.js';
import { undecidable } from './undecidable.js';
import { Watcher } from './watcher.js';

/** How many settlements may wait before no more tasks are claimed. */
const outboxLimit = 1000;
/** Tasks are claimed ahead as far as they are expected to start within this time. */
const prefetchMs = 50;

export class Worker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #claimer: Claimer;
  readonly #watcher: Watcher;
  readonly #intake: Intake;
  readonly #leases: LeaseKeeper;
  readonly #outbox: Outbox;
  /** Claimed, and neither settled nor given back. */
  readonly #held = new Set<HeldTask>();
  /** Those that wait for a slot, first come first served. */
  #waiting: HeldTask[] = [];
  #running = 0;
  #isStopping = false;
  #isStopped = false;
  /** What is under way, and is to be over before the worker has stopped. */
  readonly #underWay = new Set<Promise<void>>();
  /** Schedules to be paused because an occurrence of theirs has failed. */
  readonly #toPause = new Set<string>();
  /** A running mean of how long handlers take, in milliseconds; undefined before the first has ended. */
  #meanRunMs: number | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(access: StoreAccess, context: WorkerContext) {
    this.#access = access;
    this.#context = context;
    this.#health = new StoreHealth(access.alias, context, () => this.#onRecovered());
    this.#claimer = new Claimer(access, context, this.#health, {
      room: () => this.#room(),
      claimed: (tasks, leaseUntil, now) => this.#track(this.#accept(tasks, leaseUntil, now)),
    });
    this.#watcher = new Watcher(
      access,
      context,
      this.#health,
      ({ queue, wakeAt }) => this.wakeAt(queue, wakeAt),
      // For what came before the store began to notify.
      () => this.#claimer.poke(),
    );
    this.#intake = new Intake(context);
    this.#leases = new LeaseKeeper(access, context, this.#health, this.#held, {
      lost: (held) => this.#onLost(held),
      stale: (tasks) => this.#onStale(tasks),
      edited: (held, record) => this.#onEdited(held, record),
    });
    this.#outbox = new Outbox(access, context.clock, {
      settled: (held, decision) => this.#onSettled(held, decision),
      lost: (held) => this.#onLost(held),
      stale: (held) => void this.#track(this.#giveBack([held])),
      failed: (call, error) => this.#health.failed(call, error),
      answered: (call) => this.#health.answered(call),
      reread: (held, record) => this.#reread(held, record),
    });
    context.slots.onFreed(() => this.#onSlotFreed());
  }

  get counts(): { readonly running: number; readonly waiting: number; readonly settling: number } {
    return { running: this.#running, waiting: this.#waiting.length, settling: this.#outbox.size };
  }

  /** @param failure why the store could not be opened yet */
  start(failure?: unknown): void {
    if (failure !== undefined) this.#health.failed('open', failure);
    this.#watcher.start();
    this.#claimer.poke();
  }

  /** Nothing waits any longer for a store that answers again. */
  #onRecovered(): void {
    this.#claimer.poke();
    this.#outbox.hurry();
    this.#leases.beat();
    this.#pauseSchedules();
  }

  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    return tracked;
  }

  /** Makes sure that the worker looks for due tasks of this queue at this moment, by the store's clock. */
  wakeAt(queue: string | null, time: number): void {
    const isOurs = queue === null || this.#context.settings.queues.includes(queue);
    if (isOurs) this.#claimer.wakeAt(time);
  }

  /** Aborts a run of the task in this process. Says whether there was one. */
  cancel(id: string): boolean {
    let wasRunning = false;
    for (const { task, run } of this.#held) {
      if (task.id !== id || !run) continue;
      run.abort(new SchedError('SCHED_CANCELLED', `The run of ${id} was cancelled.`));
      wasRunning = true;
    }
    return wasRunning;
  }

  /**
   * Takes no more tasks, gives back those that wait, and resolves when those that run have ended and are settled. At
   * the deadline the rest is aborted, and what cannot be settled then is left to its lease.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, settings } = this.#context;
    this.#isStopping = true;
    const deadline = clock.setTimeout(() => {
      for (const { run } of this.#held) {
        run?.abort(
          new SchedError('SCHED_STOPPED', 'The scheduler stops, and its deadline passed.'),
        );
      }
    }, deadlineMs);
    let giveUp: unknown;
    // Handlers have ended by then, one way or the other: what is left is a store that does not answer.
    const isGivenUp = new Promise<void>((resolve) => {
      giveUp = clock.setTimeout(resolve, deadlineMs + settings.abortGraceMs + backoffMs.min);
    });
    await Promise.race([isGivenUp, this.#finish()]);
    clock.clearTimeout(deadline);
    clock.clearTimeout(giveUp);
    this.#isStopped = true;
    this.#leases.stop();
    this.#outbox.close();
  }

  async #finish(): Promise<void> {
    await Promise.all([
      this.#claimer.stop(),
      this.#watcher.stop(),
      this.#giveBack(this.#waiting.splice(0)),
    ]);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#outbox.hurry();
    this.#pauseSchedules();
    while (this.#outbox.size > 0 || this.#underWay.size > 0) {
      await Promise.all([this.#outbox.drained(), ...this.#underWay]);
    }
  }

  // Claiming

  /** How many tasks to ask for. */
  #room(): number {
    const { slots, settings } = this.#context;
    if (this.#outbox.size >= outboxLimit) return 0;
    const expected = (settings.concurrency * prefetchMs) / Math.max(this.#meanRunMs ?? 1e9, 0.01);
    const prefetch = Math.min(settings.prefetch, Math.floor(expected));
    // One at a time would cost a round trip each: first half of what was claimed ahead is used up.
    if (this.#waiting.length > prefetch / 2) return 0;
    return slots.free + prefetch - this.#waiting.length;
  }

  /** Resolves when what cannot be used has been given back. */
  async #accept(tasks: readonly ClaimedTask[], leaseUntil: number, now: number): Promise<void> {
    if (this.#isStopped) return;
    const { events } = this.#context;
    const unusable: Unusable[] = [];
    const refused: HeldTask[] = [];
    for (const task of tasks) {
      const held = this.#intake.take(task, leaseUntil, now);
      if ('error' in held) {
        unusable.push(held);
        continue;
      }
      this.#held.add(held);
      if (this.#isStopping) {
        refused.push(held);
        continue;
      }
      const reason = this.#consider(held, now);
      if (reason) {
        unusable.push(reason);
        continue;
      }
      events.emit('claimed', {
        ...runEventOf(held, this.#access.alias),
        lapsedOwner: task.lapsedOwner,
      });
    }
    this.#startWaiting();
    this.#leases.keep();
    await Promise.all([this.#giveBack(refused), this.#defer(unusable)]);
  }

  /**
   * Decides what to do with a task: run it when there is a slot, or settle it at once.
   *
   * @returns why nothing can be decided, if so
   */
  #consider(held: HeldTask, now: number): Unusable | undefined {
    const { claim, task } = held;
    try {
      const { maxRunning } = claim.policies.overlap;
      const children = claim.body.children ?? [];
      if (maxRunning !== null && children.length >= maxRunning) {
        this.#track(this.#considerChildren(held, children));
      } else {
        this.#apply(held, admit(claim, now, children.length));
      }
      return undefined;
    } catch (error) {
      this.#held.delete(held);
      return this.#intake.refuse(task, error, now);
    }
  }

  /** The record remembers which children were started; only the store knows which of them have ended. */
  async #considerChildren(held: HeldTask, ids: readonly string[]): Promise<void> {
    let records: readonly (TaskRecord | undefined)[];
    try {
      records = await this.#access.call('get', (store) => store.get(ids));
      this.#health.answered('get');
    } catch (error) {
      this.#health.failed('get', error);
      await this.#giveBack([held], deferralOf(held.task, this.#access.estimateNow()));
      return;
    }
    const now = this.#access.estimateNow();
    try {
      const children = ids.filter((_, index) => records[index]?.status === 'scheduled');
      const claim = { ...held.claim, body: { ...held.claim.body, children } };
      this.#apply(held, admit(claim, now, children.length));
      this.#startWaiting();
    } catch (error) {
      this.#held.delete(held);
      await this.#defer([this.#intake.refuse(held.task, error, now)]);
    }
  }

  #apply(held: HeldTask, decision: 'run' | Decision): void {
    if (decision !== 'run') this.#outbox.settle(held, decision);
    else if (this.#isStopping) this.#track(this.#giveBack([held]));
    else this.#waiting.push(held);
  }

  // Running

  #startWaiting(): void {
    const { clock, slots } = this.#context;
    while (slots.free > 0) {
      const held = this.#waiting.shift();
      if (!held) return;
      if (held.leaseUntil > clock.elapsed()) this.#start(held);
      else this.#onLost(held);
    }
  }

  #start(held: HeldTask): void {
    const { clock, events, slots } = this.#context;
    const { codec, settings } = this.#context;
    slots.take();
    this.#running++;
    const now = this.#access.estimateNow();
    const begunAt = clock.elapsed();
    events.emit('started', {
      ...runEventOf(held, this.#access.alias),
      latenessMs: Math.max(0, now - (held.task.runAt ?? now)),
    });
    const options = { clock, codec, abortGraceMs: settings.abortGraceMs };
    const run = new Run(held.claim, held.definition, now, options);
    held.phase = 'running';
    held.run = run;
    void run.ended.then((end) => {
      const durationMs = clock.elapsed() - begunAt;
      this.#meanRunMs = (this.#meanRunMs ?? durationMs) * 0.9 + durationMs * 0.1;
      this.#onEnded(held, run, end);
    });
  }

  #onEnded(held: HeldTask, run: Run, { outcome, isAbandoned }: RunEnd): void {
    const { events, slots, settings } = this.#context;
    held.run = undefined;
    held.phase = 'settling';
    if (isAbandoned) {
      const error = new SchedError(
        'SCHED_TIMEOUT',
        `The handler of ${held.task.name} did not end within ${settings.abortGraceMs} ms of being aborted. Pass its signal on to what it waits for.`,
      );
      events.emit('abandoned', { ...runEventOf(held, this.#access.alias), error });
    }
    // A handler that ignores the stop may still be at work: its task goes to nobody before its lease has run out.
    const isLeftToLease = outcome.kind === 'lost' || (outcome.kind === 'stopped' && isAbandoned);
    if (isLeftToLease) this.#held.delete(held);
    else {
      this.#outbox.conclude(held, (claim) => {
        const now = this.#access.estimateNow();
        try {
          return conclude(claim, outcome, run.startedAt, now);
        } catch (error) {
          return undecidable(claim, outcome, error, run.startedAt, now);
        }
      });
    }
    this.#running--;
    slots.giveBack();
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #onSlotFreed(): void {
    this.#startWaiting();
    this.#claimer.pokeIfHungry();
  }

  // Settling and giving back

  #onSettled(held: HeldTask, decision: Decision): void {
    const { next, records, spawn } = decision;
    this.#held.delete(held);
    reportSettled(this.#context.events, this.#access.alias, held, decision);
    const { body, policies } = held.claim;
    const hasFailed = records.some((run) => run.outcome === 'failed' && run.retryAt === undefined);
    if (body.parent !== undefined && hasFailed && policies.retry.whenExhausted === 'pause') {
      this.#toPause.add(body.parent);
    }
    this.#pauseSchedules();
    // What was settled may be due again, and a store that does not notify leaves it to us to look.
    for (const child of spawn) this.#claimer.wakeAt(child.runAt ?? 0);
    if (next && next.runAt !== null) this.#claimer.wakeAt(next.runAt);
    this.#claimer.pokeIfHungry();
  }

  #onLost(held: HeldTask): void {
    const wasLost = held.isLost;
    held.isLost = true;
    if (!wasLost) {
      const { id, name } = held.task;
      const { token } = held.claim;
      this.#context.events.emit('lost', { id, name, store: this.#access.alias, token });
    }
    if (held.run) {
      held.run.abort(
        new SchedError(
          'SCHED_LEASE_LOST',
          `The lease of ${held.task.id} was lost. The task may be running elsewhere now.`,
        ),
      );
    } else {
      this.#held.delete(held);
      this.#waiting = this.#waiting.filter((other) => other !== held);
      this.#claimer.pokeIfHungry();
    }
  }

  #onStale(tasks: readonly HeldTask[]): void {
    this.#waiting = this.#waiting.filter((held) => !tasks.includes(held));
    // Handlers take long after all; the mean has not noticed, since none has ended.
    this.#meanRunMs = this.#context.settings.heartbeatMs;
    this.#track(this.#giveBack(tasks));
  }

  #onEdited(held: HeldTask, record: TaskRecord): void {
    const { token } = held.claim;
    if (this.#reread(held, record)?.body.cancelToken === token) this.cancel(held.task.id);
  }

  #reread(held: HeldTask, record: TaskRecord): Claim | undefined {
    try {
      return this.#intake.read(record, held.claim.token, held.definition);
    } catch {
      return undefined;
    }
  }

  async #giveBack(tasks: readonly HeldTask[], deferUntil?: number): Promise<void> {
    for (const held of tasks) this.#held.delete(held);
    await this.#release(
      tasks.map(({ task, claim }) => ({
        ...{ id: task.id, token: claim.token },
        ...(deferUntil !== undefined && { deferUntil }),
      })),
    );
  }

  async #defer(tasks: readonly Unusable[]): Promise<void> {
    for (const { task, reason, error, deferUntil, isNews } of tasks) {
      this.#claimer.putOff(deferUntil);
      if (!isNews) continue;
      const { id, name } = task;
      const until = new Date(deferUntil);
      this.#context.events.emit('deferred', {
        ...{ id, name, store: this.#access.alias },
        ...{ reason, until, error },
      });
    }
    await this.#release(
      tasks.map(({ task, deferUntil }) => ({ id: task.id, token: task.lease.token, deferUntil })),
    );
  }

  /** A failure costs nothing but time: the leases run out. */
  async #release(leases: readonly Release[]): Promise<void> {
    if (leases.length === 0) return;
    try {
      await this.#access.call('release', (store) => store.release(leases));
      this.#health.answered('release');
      for (const { deferUntil } of leases) this.#claimer.wakeAt(deferUntil ?? 0);
    } catch (error) {
      this.#health.failed('release', error);
    }
  }

  /** What cannot be paused now is paused when the next task has been settled. */
  #pauseSchedules(): void {
    if (this.#toPause.size > 0) this.#track(this.#pause([...this.#toPause]));
  }

  async #pause(ids: readonly string[]): Promise<void> {
    this.#toPause.clear();
    try {
      await this.#access.call('setPaused', (store) => store.setPaused({ ids }, true));
      this.#health.answered('setPaused');
    } catch (error) {
      this.#health.failed('setPaused', error);
      if (isPassing(error)) for (const id of ids) this.#toPause.add(id);
    }
  }
}
