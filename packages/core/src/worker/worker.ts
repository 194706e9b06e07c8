/**
 * The worker of one store: claims tasks while it has room, runs them, extends their leases and settles them, until it
 * is stopped. It survives whatever the store does: every call may fail, hang or answer late.
 *
 * It never starts a task that it still holds. If a lease expires while the process is blocked, the store may give the
 * task to this same worker again. The run in progress then takes over the new claim, and is settled under it.
 */

import { backoffMs } from '../backoff.js';
import type { ClaimedTask, TaskRecord } from '../data-store.js';
import { admit, cancelWaiting } from '../decisions/admit.js';
import { type Claim, isSameRun } from '../decisions/claim.js';
import { conclude } from '../decisions/conclude.js';
import type { Decision } from '../decisions/decision.js';
import { SchedError } from '../errors.js';
import type { RunningTask } from '../events.js';
import type { StoreAccess } from '../store-access.js';
import { Claimer } from './claimer.js';
import type { WorkerContext } from './context.js';
import { GiveBack } from './give-back.js';
import { type HeldTask, HeldTasks, runEventOf } from './held-task.js';
import { deferralOf, Intake, type Unusable } from './intake.js';
import { LeaseKeeper } from './lease-keeper.js';
import { type EndedRun, Outbox } from './outbox.js';
import { reportSettled } from './report.js';
import { Run, type RunEnd } from './run.js';
import { SchedulePauser } from './schedule-pauser.js';
import { StoreHealth } from './store-health.js';
import { undecidable } from './undecidable.js';
import { Watcher } from './watcher.js';

/** Stop claiming when this many settlements wait. */
const outboxLimit = 1000;
/** Claim ahead only tasks that are expected to start within this time. */
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
  readonly #giveBack: GiveBack;
  readonly #pauser: SchedulePauser;
  /** Claimed, but not yet settled or given back. */
  readonly #held = new HeldTasks();
  /** Tasks that wait for a slot, in the order in which they get one. */
  #waiting: HeldTask[] = [];
  #running = 0;
  /** A call is under way that asks the store whether the waiting tasks are still this worker's. */
  #isRenewing = false;
  #isStopping = false;
  #isStopped = false;
  /** Work in progress. `stop` waits for it. */
  readonly #underWay = new Set<Promise<void>>();
  /** The running mean of how long handlers take, in milliseconds; undefined until the first has ended. */
  #meanRunMs: number | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(access: StoreAccess, context: WorkerContext) {
    this.#access = access;
    this.#context = context;
    this.#health = new StoreHealth(access.alias, context, () => this.#onRecovered());
    this.#claimer = new Claimer(access, context, this.#health, {
      room: () => this.#room(),
      ready: () => (this.#leases.hasOverdue ? this.#catchUp() : undefined),
      claimed: (tasks, leaseUntil, now) => this.#track(this.#accept(tasks, leaseUntil, now)),
      leapt: () => this.#onLeapt(),
    });
    this.#watcher = new Watcher(
      access,
      context,
      this.#health,
      ({ queue, wakeAt }) => this.wakeAt(queue, wakeAt),
      // Tasks may have come before the store began to notify.
      () => this.#claimer.poke(),
    );
    this.#intake = new Intake(context);
    this.#giveBack = new GiveBack(access, context, this.#health, this.#held, this.#claimer);
    this.#pauser = new SchedulePauser(access, this.#health);
    this.#leases = new LeaseKeeper(access, context, this.#health, this.#held, {
      silent: (held) => this.#onLost(held),
      taken: (held, token) => this.#onTaken(held, token),
      stale: (tasks) => this.#onStale(tasks),
      edited: (held, record) => this.#onEdited(held, record),
      renewed: () => this.#startWaiting(),
    });
    this.#outbox = new Outbox(access, context.clock, {
      settled: (held, claim, decision) => this.#onSettled(held, claim, decision),
      lost: (held) => this.#onLost(held),
      stale: (held) => void this.#track(this.#giveBack.waiting([held])),
      failed: (call, error) => this.#health.failed(call, error),
      answered: (call) => this.#health.answered(call),
      reread: (held, record) => this.#reread(held, record),
      claimAnswered: () => this.#claimer.answered(),
    });
    context.slots.onFreed(() => this.#onSlotFreed());
  }

  get counts(): { readonly running: number; readonly waiting: number; readonly settling: number } {
    return { running: this.#running, waiting: this.#waiting.length, settling: this.#outbox.size };
  }

  /** The runs in progress. The longest comes first. */
  get runs(): readonly RunningTask[] {
    const runs: RunningTask[] = [];
    for (const { run } of this.#held) {
      if (!run) continue;
      const { claim, startedAt } = run;
      runs.push({ ...runEventOf(claim, this.#access.alias), startedAt: new Date(startedAt) });
    }
    return runs;
  }

  /** @param failure why the store is not open yet */
  start(failure?: unknown): void {
    if (failure !== undefined) this.#health.failed('open', failure);
    this.#watcher.start();
    this.#claimer.poke();
  }

  /** The store answers again: retry now everything that waits for a retry. */
  #onRecovered(): void {
    this.#claimer.poke();
    this.#outbox.hurry();
    this.#leases.beat();
    this.#pauseSchedules();
  }

  /** The machine was suspended, or a clock was set: leases may have expired, and tasks may be due. */
  #onLeapt(): void {
    this.#access.forgetTime();
    this.#leases.beat();
  }

  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    return tracked;
  }

  /** Makes the worker look for due tasks of this queue at this moment, by the store's clock. */
  wakeAt(queue: string | null, time: number): void {
    if (this.#isOurs(queue)) this.#claimer.wakeAt(time);
  }

  /** Makes the worker find a task of this queue soon after the user's transaction commits. */
  lookSoon(queue: string | null): void {
    if (this.#isOurs(queue)) this.#claimer.lookSoon();
  }

  #isOurs(queue: string | null): boolean {
    return queue === null || this.#context.settings.queues.includes(queue);
  }

  /** Aborts the task's run in this process, or prevents its start. Returns whether there was one. */
  cancel(id: string): boolean {
    const held = this.#held.find(id);
    if (!held) return false;
    if (held.run) {
      held.run.abort(new SchedError('SCHED_CANCELLED', `The run of ${id} was cancelled.`));
      return true;
    }
    const isWaiting = this.#waiting.includes(held);
    if (isWaiting) this.#cancelWaiting(held);
    return isWaiting;
  }

  #cancelWaiting(held: HeldTask): void {
    const now = this.#access.estimateNow();
    this.#waiting = this.#waiting.filter((other) => other !== held);
    const unusable = this.#decide(held, now, () => cancelWaiting(held.claim, now));
    if (unusable) this.#track(this.#giveBack.unusable([unusable]));
  }

  /**
   * Stops claiming, gives back the waiting tasks, and resolves when the running ones have ended and are settled. Aborts
   * the rest at the deadline. A task that cannot be settled after that keeps its lease until it expires.
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
    // By then all handlers have ended or are abandoned. Only a store that does not answer can still hold up the stop.
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
      this.#giveBack.waiting(this.#waiting.splice(0)),
    ]);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    this.#outbox.hurry();
    this.#pauseSchedules();
    while (this.#outbox.size > 0 || this.#underWay.size > 0) {
      await Promise.all([this.#outbox.drained(), ...this.#underWay]);
    }
  }

  // Claiming

  /** How many tasks to claim. */
  #room(): number {
    const { slots, settings } = this.#context;
    if (this.#outbox.size >= outboxLimit) return 0;
    const expected = (settings.concurrency * prefetchMs) / Math.max(this.#meanRunMs ?? 1e9, 0.01);
    const prefetch = Math.min(settings.prefetch, Math.floor(expected));
    // Claiming one at a time would cost a round trip each, so wait until half of the tasks claimed ahead have started.
    if (this.#waiting.length > prefetch / 2) return 0;
    return slots.free + prefetch - this.#waiting.length;
  }

  /** Settles held tasks and extends their leases, before the next claim can return the same tasks. */
  async #catchUp(): Promise<void> {
    await this.#outbox.flushed();
    await this.#leases.renew();
  }

  /** Resolves when the unusable tasks have been given back. */
  async #accept(tasks: readonly ClaimedTask[], leaseUntil: number, now: number): Promise<void> {
    if (this.#isStopped) return;
    const { events } = this.#context;
    const unusable: Unusable[] = [];
    const refused: HeldTask[] = [];
    for (const task of tasks) {
      const taken = this.#intake.take(task, leaseUntil, now);
      if ('error' in taken) {
        unusable.push(taken);
        continue;
      }
      const held = this.#reconcile(taken);
      if (!held) continue;
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
        ...runEventOf(held.claim, this.#access.alias),
        lapsedOwner: task.lapsedOwner,
      });
    }
    this.#startWaiting();
    this.#leases.keep();
    await Promise.all([this.#giveBack.waiting(refused), this.#giveBack.unusable(unusable)]);
  }

  /**
   * Combines a new claim with what this worker already holds of the same task.
   *
   * @returns the task to consider, or undefined when there is nothing to do: a run has taken over the claim, or the
   *   claim is outdated
   */
  #reconcile(taken: HeldTask): HeldTask | undefined {
    const { claim } = taken;
    const before = this.#held.find(claim.record.id);
    if (!before) return taken;
    // A late answer: this worker has claimed the task again since.
    if (claim.token < before.claim.token) return undefined;
    if (!isSameRun(before.claim, claim)) {
      // A settlement under way was probably applied: this is why the task is due again.
      if (before.phase !== 'settling') this.#onLost(before);
      return taken;
    }
    if (before.phase === 'waiting') {
      // The task has not started, so do not count the second delivery against it.
      this.#drop(before);
      const deliveries = Math.max(1, claim.record.deliveries - 1);
      return { ...taken, claim: { ...claim, record: { ...claim.record, deliveries } } };
    }
    before.claim = claim;
    before.leaseUntil = taken.leaseUntil;
    before.seenRevision = taken.seenRevision;
    before.isLost = false;
    return undefined;
  }

  /** Considers a claim that a run took over, but that turned out to be for what follows that run. */
  #considerAnew({ claim, definition, leaseUntil, seenRevision }: HeldTask): void {
    const heldSince = this.#context.clock.elapsed();
    const held: HeldTask = {
      ...{ claim, definition, heldSince, leaseUntil, seenRevision },
      phase: 'waiting',
    };
    this.#held.add(held);
    if (this.#isStopping) {
      this.#track(this.#giveBack.waiting([held]));
      return;
    }
    const unusable = this.#consider(held, this.#access.estimateNow());
    if (unusable) this.#track(this.#giveBack.unusable([unusable]));
    this.#startWaiting();
    this.#leases.keep();
  }

  /**
   * Decides what to do with a task: run it when there is a slot, or settle it at once.
   *
   * @returns why no decision is possible, or undefined when there is one
   */
  #consider(held: HeldTask, now: number): Unusable | undefined {
    const { claim } = held;
    const { maxRunning } = claim.policies.overlap;
    const children = claim.body.children ?? [];
    if (maxRunning !== null && children.length >= maxRunning) {
      this.#track(this.#considerChildren(held, children));
      return undefined;
    }
    return this.#decide(held, now, () => admit(claim, now, children.length));
  }

  #decide(held: HeldTask, now: number, decide: () => 'run' | Decision): Unusable | undefined {
    try {
      this.#apply(held, decide());
      return undefined;
    } catch (error) {
      this.#held.delete(held);
      return this.#intake.refuse(held.claim, error, now);
    }
  }

  /** The record lists the children that were started. Only the store knows which of them have ended. */
  async #considerChildren(held: HeldTask, ids: readonly string[]): Promise<void> {
    let records: readonly (TaskRecord | undefined)[];
    try {
      records = await this.#access.call('get', (store) => store.get(ids));
      this.#health.answered('get');
    } catch (error) {
      this.#health.failed('get', error);
      if (!this.#held.has(held)) return;
      const until = deferralOf(held.claim.record, this.#access.estimateNow());
      await this.#giveBack.waiting([held], until);
      return;
    }
    // Meanwhile the task may have been lost or claimed again.
    if (!this.#held.has(held)) return;
    const now = this.#access.estimateNow();
    const children = ids.filter((_, index) => records[index]?.status === 'scheduled');
    const claim = { ...held.claim, body: { ...held.claim.body, children } };
    const unusable = this.#decide(held, now, () => admit(claim, now, children.length));
    if (unusable) await this.#giveBack.unusable([unusable]);
    else this.#startWaiting();
  }

  #apply(held: HeldTask, decision: 'run' | Decision): void {
    if (decision !== 'run') this.#outbox.settle(held, decision);
    else if (this.#isStopping) this.#track(this.#giveBack.waiting([held]));
    else this.#waiting.push(held);
  }

  // Running

  #startWaiting(): void {
    const { clock, slots } = this.#context;
    while (slots.free > 0) {
      const [held] = this.#waiting;
      if (!held) return;
      if (held.leaseUntil <= clock.elapsed()) {
        // The process was blocked. Start waiting tasks only once the store confirms that they are still this worker's.
        this.#renewOverdue();
        return;
      }
      this.#waiting.shift();
      this.#start(held);
    }
  }

  #renewOverdue(): void {
    if (this.#isRenewing || this.#isStopping) return;
    this.#isRenewing = true;
    this.#track(
      this.#leases.renew().finally(() => {
        this.#isRenewing = false;
      }),
    );
  }

  #start(held: HeldTask): void {
    const { clock, events, slots } = this.#context;
    const { codec, settings } = this.#context;
    const { claim, definition } = held;
    slots.take();
    this.#running++;
    const now = this.#access.estimateNow();
    const begunAt = clock.elapsed();
    events.emit('started', {
      ...runEventOf(claim, this.#access.alias),
      latenessMs: Math.max(0, now - (claim.record.runAt ?? now)),
    });
    const options = { clock, codec, abortGraceMs: settings.abortGraceMs };
    const run = new Run(claim, definition, now, options);
    held.phase = 'running';
    held.run = run;
    void run.ended.then((end) => {
      const durationMs = clock.elapsed() - begunAt;
      this.#meanRunMs = (this.#meanRunMs ?? durationMs) * 0.9 + durationMs * 0.1;
      this.#onEnded(held, run, end);
    });
  }

  #onEnded(held: HeldTask, run: Run, { ending, isAbandoned }: RunEnd): void {
    const { events, slots, settings } = this.#context;
    held.run = undefined;
    held.phase = 'settling';
    if (isAbandoned) {
      const { name } = held.claim.record;
      const error = new SchedError(
        'SCHED_TIMEOUT',
        `The handler of ${name} did not end within ${settings.abortGraceMs} ms of being aborted. Pass its signal on to what it waits for.`,
      );
      events.emit('abandoned', { ...runEventOf(run.claim, this.#access.alias), error });
    }
    this.#running--;
    if (ending.kind === 'lost') {
      this.#held.delete(held);
      // The store gave the task to this worker again during the abort.
      if (!held.isLost) this.#considerAnew(held);
    } else if (ending.kind === 'stopped' && isAbandoned) {
      // The handler may still be at work, so keep the lease: nobody may claim the task before it expires.
      this.#held.delete(held);
    } else {
      this.#outbox.conclude(held, this.#endedRun(run, ending));
    }
    slots.giveBack();
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #endedRun({ claim, startedAt }: Run, ending: Exclude<RunEnd['ending'], { kind: 'lost' }>) {
    const decide: EndedRun['decide'] = (latest) => {
      // Record the token that the handler was given.
      const current = { ...latest, token: claim.token };
      const now = this.#access.estimateNow();
      try {
        return conclude(current, ending, startedAt, now);
      } catch (error) {
        return undecidable(current, ending, error, startedAt, now);
      }
    };
    return { claim, decide };
  }

  #onSlotFreed(): void {
    this.#startWaiting();
    this.#claimer.pokeIfHungry();
  }

  // Settling and losing

  #onSettled(held: HeldTask, claim: Claim, decision: Decision): void {
    const { next, entries, spawn } = decision;
    this.#held.delete(held);
    reportSettled(this.#context.events, this.#access.alias, claim, decision);
    const { body, policies } = claim;
    const hasFailed = entries.some((run) => run.outcome === 'failed' && run.retryAt === undefined);
    if (body.parent !== undefined && hasFailed && policies.retry.whenExhausted === 'pause') {
      this.#pauser.add(body.parent);
    }
    this.#pauseSchedules();
    // The settled task or its children may be due now, and not every store notifies.
    for (const child of spawn) this.#claimer.wakeAt(child.runAt ?? 0);
    if (next && next.runAt !== null) this.#claimer.wakeAt(next.runAt);
    // The store applied the settlement before it gave the task to this worker again: the new claim is for what follows.
    if (held.claim.token !== claim.token) this.#considerAnew(held);
    this.#claimer.pokeIfHungry();
  }

  /** The store says that a lease is gone. Perhaps this same worker has the task again, by a claim not yet answered. */
  #onTaken(held: HeldTask, token: number): void {
    const check = async () => {
      await this.#claimer.answered();
      if (this.#held.has(held) && held.claim.token === token) this.#onLost(held);
    };
    this.#track(check());
  }

  #onLost(held: HeldTask): void {
    const wasLost = held.isLost;
    held.isLost = true;
    if (!wasLost) {
      const { id, name } = held.claim.record;
      const { token } = held.claim;
      this.#context.events.emit('lost', { id, name, store: this.#access.alias, token });
    }
    if (held.run) {
      held.run.abort(
        new SchedError(
          'SCHED_LEASE_LOST',
          `The lease of ${held.claim.record.id} was lost. The task may be running elsewhere now.`,
        ),
      );
    } else {
      this.#drop(held);
      this.#startWaiting();
      this.#claimer.pokeIfHungry();
    }
  }

  #drop(held: HeldTask): void {
    this.#held.delete(held);
    this.#waiting = this.#waiting.filter((other) => other !== held);
  }

  #onStale(tasks: readonly HeldTask[]): void {
    this.#waiting = this.#waiting.filter((held) => !tasks.includes(held));
    // Handlers take longer than the mean says. It does not show this yet, because none of them has ended.
    this.#meanRunMs = this.#context.settings.heartbeatMs;
    this.#track(this.#giveBack.waiting(tasks));
  }

  #onEdited(held: HeldTask, record: TaskRecord): void {
    const { token } = held.claim;
    if (this.#reread(held, record)?.body.cancelToken === token) this.cancel(held.claim.record.id);
  }

  #reread(held: HeldTask, record: TaskRecord): Claim | undefined {
    try {
      return this.#intake.read(record, held.claim.token, held.definition);
    } catch {
      return undefined;
    }
  }

  #pauseSchedules(): void {
    if (!this.#pauser.isEmpty) this.#track(this.#pauser.pause());
  }
}
