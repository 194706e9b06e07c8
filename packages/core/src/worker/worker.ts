/**
 * The worker of one store: claims what it has room for, runs it, keeps its leases alive and settles it, until it is
 * stopped. It survives whatever the store does: every call may fail, hang or answer late.
 */

import type { ClaimedTask, ClaimResult, Release, TaskRecord } from '../data-store.js';
import { SchedError } from '../errors.js';
import { admit, type Claim, conclude, type Decision } from '../policy.js';
import { isPassing, type StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import { type HeldTask, runEventOf } from './held-task.js';
import { deferralOf, Intake, type Unusable } from './intake.js';
import { LeaseKeeper } from './lease-keeper.js';
import { Outbox } from './outbox.js';
import { reportSettled } from './report.js';
import { Run, type RunEnd } from './run.js';
import { backoffMs, StoreHealth } from './store-health.js';
import { undecidable } from './undecidable.js';
import { Waker } from './waker.js';
import { Watcher } from './watcher.js';

/** How many settlements may wait before no more tasks are claimed. */
const outboxLimit = 1000;
/** Tasks are claimed ahead as far as they are expected to start within this time. */
const prefetchMs = 50;
/** How long to wait when tasks are due and yet none could be had: others are taking them. */
const contendedMs = 10;

export class Worker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #waker: Waker;
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
  /** The claims under way. */
  #pumping: Promise<void> | undefined;
  /** What else is under way, and is to be over before the worker has stopped. */
  readonly #underWay = new Set<Promise<void>>();
  #mustClaimAgain = false;
  /** The last claim left due tasks behind, or there was no room for one. */
  #isHungry = false;
  /** A running mean of how long handlers take, in milliseconds; undefined before the first has ended. */
  #meanRunMs: number | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(access: StoreAccess, context: WorkerContext) {
    this.#access = access;
    this.#context = context;
    this.#health = new StoreHealth(access.alias, context, () => this.#onRecovered());
    this.#waker = new Waker(access, context, () => this.#poke());
    this.#watcher = new Watcher(
      access,
      context,
      this.#health,
      ({ queue, wakeAt }) => this.wakeAt(queue, wakeAt),
      // For what came before the store began to notify.
      () => this.#poke(),
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
      stale: (held) => this.#track(this.#giveBack([held])),
      failed: (call, error) => this.#health.failed(call, error),
      answered: () => this.#health.answered(),
      reread: (held, record) => this.#reread(held, record),
    });
    context.slots.onFreed(() => this.#onSlotFreed());
  }

  get counts(): { readonly running: number; readonly waiting: number; readonly settling: number } {
    return { running: this.#running, waiting: this.#waiting.length, settling: this.#outbox.size };
  }

  start(): void {
    this.#watcher.start();
    this.#poke();
  }

  #poke(): void {
    if (this.#isStopping) return;
    if (this.#pumping) {
      this.#mustClaimAgain = true;
      return;
    }
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** Something has changed that may make room for more, or bring more to do. */
  #pokeIfHungry(): void {
    if (this.#isHungry) this.#poke();
  }

  /** Nothing waits any longer for a store that answers again. */
  #onRecovered(): void {
    this.#poke();
    this.#outbox.hurry();
    this.#leases.beat();
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  /** Makes sure that the worker looks for due tasks of this queue at this moment, by the store's clock. */
  wakeAt(queue: string | null, time: number): void {
    const isOurs = queue === null || this.#context.settings.queues.includes(queue);
    if (isOurs) this.#waker.wakeAt(time);
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
    this.#waker.stop();
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
      this.#pumping,
      this.#watcher.stop(),
      this.#giveBack(this.#waiting.splice(0)),
    ]);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#outbox.hurry();
    while (this.#outbox.size > 0 || this.#underWay.size > 0) {
      await Promise.all([this.#outbox.drained(), ...this.#underWay]);
    }
  }

  // Claiming

  async #pump(): Promise<void> {
    do {
      this.#mustClaimAgain = false;
      this.#waker.forget();
      const room = this.#room();
      if (room < 1) {
        this.#isHungry = true;
        this.#waker.sleepUntil(null);
        return;
      }
      const result = await this.#claim(room);
      if (!result) return;
      const { tasks, now, nextWakeAt } = result;
      const isDue = nextWakeAt !== null && nextWakeAt <= now;
      this.#isHungry = isDue && tasks.length > 0;
      if (this.#isHungry) this.#mustClaimAgain = true;
      else if (isDue) this.#waker.sleepFor(contendedMs);
      else this.#waker.sleepUntil(nextWakeAt);
    } while (this.#mustClaimAgain && !this.#isStopping);
  }

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

  async #claim(limit: number): Promise<ClaimResult | undefined> {
    const { clock, settings } = this.#context;
    const { queues, owner, leaseMs } = settings;
    const askedAt = clock.elapsed();
    const leaseUntil = askedAt + leaseMs;
    try {
      const result = await this.#access.call(
        'claim',
        (store) => store.claim({ queues, limit, owner, leaseMs }),
        // Leased to this worker all the same, so better used than left to run out.
        { onLate: ({ tasks }) => this.#track(this.#accept(tasks, leaseUntil)) },
      );
      this.#access.noteTime(result.now, askedAt);
      this.#health.answered();
      const accepted = this.#accept(result.tasks, leaseUntil);
      if (this.#isStopping) await accepted;
      return result;
    } catch (error) {
      this.#waker.sleepFor(this.#health.failed('claim', error));
      return undefined;
    }
  }

  /** Resolves when what cannot be used has been given back. */
  async #accept(tasks: readonly ClaimedTask[], leaseUntil: number): Promise<void> {
    if (this.#isStopped) return;
    const { events } = this.#context;
    const unusable: Unusable[] = [];
    const refused: HeldTask[] = [];
    const now = this.#access.estimateNow();
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
      const reason = this.#consider(held);
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
  #consider(held: HeldTask): Unusable | undefined {
    const { claim, task } = held;
    const now = this.#access.estimateNow();
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
    this.#pokeIfHungry();
  }

  // Settling and giving back

  #onSettled(held: HeldTask, decision: Decision): void {
    const { next, records, spawn } = decision;
    this.#held.delete(held);
    reportSettled(this.#context.events, this.#access.alias, held, decision);
    const { body, policies } = held.claim;
    const hasFailed = records.some((run) => run.outcome === 'failed' && run.retryAt === undefined);
    if (body.parent !== undefined && hasFailed && policies.retry.whenExhausted === 'pause') {
      this.#track(this.#pause(body.parent));
    }
    // What was settled may be due again, and a store that does not notify leaves it to us to look.
    for (const child of spawn) this.#waker.wakeAt(child.runAt ?? 0);
    if (next && next.runAt !== null) this.#waker.wakeAt(next.runAt);
    this.#pokeIfHungry();
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
      this.#pokeIfHungry();
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
      this.#waker.putOff(deferUntil);
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
      this.#health.answered();
      for (const { deferUntil } of leases) this.#waker.wakeAt(deferUntil ?? 0);
    } catch (error) {
      this.#health.failed('release', error);
    }
  }

  async #pause(id: string): Promise<void> {
    try {
      await this.#access.call('setPaused', (store) => store.setPaused({ ids: [id] }, true));
      this.#health.answered();
    } catch (error) {
      const waitMs = this.#health.failed('setPaused', error);
      if (this.#isStopping || !isPassing(error)) return;
      await new Promise<void>((resolve) => this.#context.clock.setTimeout(resolve, waitMs));
      await this.#pause(id);
    }
  }
}
