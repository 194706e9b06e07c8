/**
 * The worker of one store: claims tasks while it has room, runs them, extends their leases and settles them, until it
 * is stopped. It survives whatever the store does: every call may fail, hang or answer late.
 *
 * It never starts a task that it still holds. If a lease expires while the process is blocked, the store may give the
 * task to this same worker again. The run in progress then takes over the new claim, and is settled under it.
 */

import { backoffMs } from '../backoff.js';
import type { TaskRecord } from '../data-store.js';
import { cancelWaiting } from '../decisions/admit.js';
import type { Claim } from '../decisions/claim.js';
import { conclude } from '../decisions/conclude.js';
import type { Decision } from '../decisions/decision.js';
import { SchedError } from '../errors.js';
import type { RunningTask } from '../events.js';
import type { RunEntry } from '../record.js';
import { nothing } from '../run-report.js';
import type { StoreAccess } from '../store-access.js';
import { Admission } from './admission.js';
import { Announcer } from './announcer.js';
import { Claimer } from './claimer.js';
import type { WorkerContext } from './context.js';
import { GiveBack } from './give-back.js';
import { type HeldTask, HeldTasks } from './held-task.js';
import { Intake } from './intake.js';
import { LeaseKeeper } from './lease-keeper.js';
import { type EndedRun, Outbox } from './outbox.js';
import { reportSettled } from './report.js';
import { Reporter } from './reporter.js';
import type { Run, RunEnd } from './run.js';
import { Runner } from './runner.js';
import { SchedulePauser } from './schedule-pauser.js';
import { Statistics } from './statistics.js';
import { StoreHealth } from './store-health.js';
import { undecidable } from './undecidable.js';
import { Watcher } from './watcher.js';

/** Stop claiming when this many settlements wait. */
const outboxLimit = 2000;

export class Worker {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #claimer: Claimer;
  readonly #watcher: Watcher;
  readonly #intake: Intake;
  readonly #runner: Runner;
  readonly #admission: Admission;
  readonly #leases: LeaseKeeper;
  readonly #outbox: Outbox;
  readonly #giveBack: GiveBack;
  readonly #pauser: SchedulePauser;
  readonly #reporter: Reporter;
  readonly #announcer: Announcer;
  readonly #statistics = new Statistics();
  /** Claimed, but not yet settled or given back. */
  readonly #held = new HeldTasks();
  /** A call is under way that asks the store whether the waiting tasks are still this worker's. */
  #isRenewing = false;
  #isStopping = false;
  #isStopped = false;
  /** Work in progress. `stop` waits for it. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(access: StoreAccess, context: WorkerContext) {
    this.#access = access;
    this.#context = context;
    this.#health = new StoreHealth(access.alias, context, () => this.#onRecovered());
    this.#claimer = new Claimer(access, context, this.#health, {
      room: () => this.#room(),
      ready: () => (this.#leases.hasOverdue ? this.#catchUp() : undefined),
      claimed: (tasks, leaseUntil, now) =>
        this.#track(this.#admission.accept(tasks, leaseUntil, now)),
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
    this.#runner = new Runner(access, context, {
      ended: (held, run, end) => this.#onEnded(held, run, end),
      started: (latenessMs) => this.#statistics.started(latenessMs),
      told: (held) => this.#reporter.note(held),
      overdue: () => this.#renewOverdue(),
    });
    this.#admission = new Admission(
      {
        ...{ access, context, health: this.#health, held: this.#held, intake: this.#intake },
        ...{ runner: this.#runner, giveBack: this.#giveBack },
      },
      {
        isStopping: () => this.#isStopping,
        isStopped: () => this.#isStopped,
        settle: (held, decision) => this.#outbox.settle(held, decision),
        lost: (held) => this.#onLost(held),
        considered: () => {
          this.#leases.keep();
          this.#runner.start();
        },
        freed: () => this.#claimer.pokeIfHungry(),
        track: (work) => void this.#track(work),
      },
    );
    this.#pauser = new SchedulePauser(access, this.#health);
    this.#reporter = new Reporter(access, context);
    this.#announcer = new Announcer(access, context, () => ({
      ...this.counts,
      ...this.#statistics.current,
    }));
    this.#leases = new LeaseKeeper(access, context, this.#health, this.#held, {
      silent: (held) => this.#onLost(held),
      taken: (held, token) => this.#onTaken(held, token),
      stale: (tasks) => this.#onStale(tasks),
      edited: (held, record) => this.#onEdited(held, record),
      renewed: () => this.#runner.start(),
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
    return { ...this.#runner.counts, settling: this.#outbox.size };
  }

  /** The runs in progress. The longest comes first. */
  get runs(): readonly RunningTask[] {
    return this.#runner.runs;
  }

  /** @param failure why the store is not open yet */
  start(failure?: unknown): void {
    if (failure !== undefined) this.#health.failed('open', failure);
    this.#watcher.start();
    this.#claimer.poke();
    this.#announcer.start();
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
    if (!this.#runner.remove(held)) return false;
    this.#settleCancelled(held);
    return true;
  }

  #settleCancelled(held: HeldTask): void {
    const now = this.#access.estimateNow();
    const unusable = this.#admission.decide(held, now, () => cancelWaiting(held.claim, now));
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
      this.#runner.abortAll(
        new SchedError('SCHED_STOPPED', 'The scheduler stops, and its deadline passed.'),
      );
    }, deadlineMs);
    let giveUp: unknown;
    // By then all handlers have ended or are abandoned. Only a store that does not answer can still hold up the stop.
    const isGivenUp = new Promise<void>((resolve) => {
      giveUp = clock.setTimeout(resolve, deadlineMs + settings.abortGraceMs + backoffMs.min);
    });
    const announced = this.#announcer.stop();
    await Promise.race([isGivenUp, Promise.all([this.#finish(), announced])]);
    clock.clearTimeout(deadline);
    clock.clearTimeout(giveUp);
    this.#isStopped = true;
    this.#leases.stop();
    this.#reporter.stop();
    this.#outbox.close();
  }

  async #finish(): Promise<void> {
    await Promise.all([
      this.#claimer.stop(),
      this.#watcher.stop(),
      this.#giveBack.waiting(this.#runner.clear()),
    ]);
    await this.#runner.idle();
    this.#outbox.hurry();
    this.#pauseSchedules();
    while (this.#outbox.size > 0 || this.#underWay.size > 0) {
      await Promise.all([this.#outbox.drained(), ...this.#underWay]);
    }
  }

  // Claiming

  /** How many tasks to claim. */
  #room(): number {
    const room = this.#runner.room - this.#admission.decoding;
    return this.#outbox.size >= outboxLimit ? 0 : room;
  }

  /** Settles held tasks and extends their leases, before the next claim can return the same tasks. */
  async #catchUp(): Promise<void> {
    await this.#outbox.flushed();
    await this.#leases.renew();
  }

  // Runs that have ended

  #onEnded(held: HeldTask, run: Run, { ending, isAbandoned }: RunEnd): void {
    if (ending.kind === 'lost') {
      this.#held.delete(held);
      // The store gave the task to this worker again during the abort.
      if (!held.isLost) this.#admission.considerAnew(held);
    } else if (ending.kind === 'stopped' && isAbandoned) {
      // The handler may still be at work, so keep the lease: nobody may claim the task before it expires.
      this.#held.delete(held);
    } else {
      this.#outbox.conclude(held, this.#endedRun(run, ending));
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

  #endedRun(
    { claim, startedAt, report, result }: Run,
    ending: Exclude<RunEnd['ending'], { kind: 'lost' }>,
  ) {
    const decide: EndedRun['decide'] = (latest) => {
      // Record the token that the handler was given.
      const current = { ...latest, token: claim.token };
      const now = this.#access.estimateNow();
      try {
        const decision = conclude(current, ending, startedAt, now);
        const hasTold = report !== nothing || result !== nothing;
        return hasTold ? withTold(decision, { ...report, ...result }) : decision;
      } catch (error) {
        return undecidable(current, ending, error, startedAt, now);
      }
    };
    return { claim, decide };
  }

  #onSlotFreed(): void {
    this.#runner.start();
    this.#claimer.pokeIfHungry();
  }

  // Settling and losing

  #onSettled(held: HeldTask, claim: Claim, decision: Decision): void {
    const { next, entries, spawn } = decision;
    this.#held.delete(held);
    for (const entry of entries) this.#statistics.recorded(entry);
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
    if (held.claim.token !== claim.token) this.#admission.considerAnew(held);
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
      this.#held.delete(held);
      this.#runner.remove(held);
      this.#runner.start();
      this.#claimer.pokeIfHungry();
    }
  }

  #onStale(tasks: readonly HeldTask[]): void {
    for (const held of tasks) this.#runner.remove(held);
    this.#runner.noteSlow();
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

/** Adds to the entry of a run what its handler has told and returned. */
function withTold(decision: Decision, told: Partial<RunEntry>): Decision {
  const [ran, ...others] = decision.entries;
  return ran ? { ...decision, entries: [{ ...ran, ...told }, ...others] } : decision;
}
