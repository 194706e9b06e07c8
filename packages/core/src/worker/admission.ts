import type { ClaimedTask, TaskRecord } from '../data-store.js';
import { admit } from '../decisions/admit.js';
import { isSameRun } from '../decisions/claim.js';
import type { Decision } from '../decisions/decision.js';
import { readPayload } from '../payload.js';
import { isPromise, within } from '../promises.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { GiveBack } from './give-back.js';
import { type HeldTask, type HeldTasks, runEventOf } from './held-task.js';
import { deferralOf, type Intake, type Unusable } from './intake.js';
import type { Runner } from './runner.js';
import type { StoreHealth } from './store-health.js';

export interface AdmissionCallbacks {
  /** The worker stops: nothing new may start. */
  isStopping(): boolean;
  /** The worker has stopped: it holds nothing any more. */
  isStopped(): boolean;
  /** Settle this task, which does not run now. */
  settle(held: HeldTask, decision: Decision): void;
  /** The task is no longer this worker's. */
  lost(held: HeldTask): void;
  /** Claimed tasks have been considered: start what waits, and extend the new leases. */
  considered(): void;
  /** Tasks that were being considered may have left room for others. */
  freed(): void;
  /** Work that `stop` has to wait for. */
  track(work: Promise<void>): void;
}

/** What this worker shares among its parts, as far as admission needs it. */
export interface AdmissionParts {
  readonly access: StoreAccess;
  readonly context: WorkerContext;
  readonly health: StoreHealth;
  readonly held: HeldTasks;
  readonly intake: Intake;
  readonly runner: Runner;
  readonly giveBack: GiveBack;
}

/** Decides about claimed tasks: run them, settle them at once, or give them back. */
export class Admission {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #health: StoreHealth;
  readonly #held: HeldTasks;
  readonly #intake: Intake;
  readonly #runner: Runner;
  readonly #giveBack: GiveBack;
  readonly #callbacks: AdmissionCallbacks;
  #decoding = 0;

  constructor(parts: AdmissionParts, callbacks: AdmissionCallbacks) {
    this.#access = parts.access;
    this.#context = parts.context;
    this.#health = parts.health;
    this.#held = parts.held;
    this.#intake = parts.intake;
    this.#runner = parts.runner;
    this.#giveBack = parts.giveBack;
    this.#callbacks = callbacks;
  }

  /** How many tasks have yet to ask for a slot, because an asynchronous codec is decoding their payload. */
  get decoding(): number {
    return this.#decoding;
  }

  /** Resolves when the unusable tasks have been given back. */
  async accept(tasks: readonly ClaimedTask[], leaseUntil: number, now: number): Promise<void> {
    if (this.#callbacks.isStopped()) return;
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
      if (this.#callbacks.isStopping()) {
        refused.push(held);
        continue;
      }
      const reason = this.#consider(held, now);
      if (reason) {
        unusable.push(reason);
        continue;
      }
      if (events.isHeard('claimed')) {
        events.emit('claimed', {
          lapsedOwner: task.lapsedOwner,
          ...runEventOf(held.claim, this.#access.alias),
        });
      }
    }
    this.#callbacks.considered();
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
      if (before.phase !== 'settling') this.#callbacks.lost(before);
      return taken;
    }
    if (before.phase === 'waiting') {
      // The task has not started, so do not count the second delivery against it.
      this.#held.delete(before);
      this.#runner.remove(before);
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
  considerAnew({ claim, definition, leaseUntil, seenRevision }: HeldTask): void {
    const heldSince = this.#context.clock.elapsed();
    const held: HeldTask = {
      ...{ claim, definition, heldSince, leaseUntil, seenRevision },
      phase: 'waiting',
    };
    this.#held.add(held);
    if (this.#callbacks.isStopping()) {
      this.#callbacks.track(this.#giveBack.waiting([held]));
      return;
    }
    const unusable = this.#consider(held, this.#access.estimateNow());
    if (unusable) this.#callbacks.track(this.#giveBack.unusable([unusable]));
    this.#callbacks.considered();
  }

  /**
   * Decides what to do with a task: run it when there is a slot, or settle it at once. Decides nothing about a task whose
   * payload cannot be decoded here.
   *
   * @returns why no decision is possible, or undefined when there is one, or will be
   */
  #consider(held: HeldTask, now: number): Unusable | undefined {
    const { body } = held.claim;
    // A JSON payload was read with the body.
    if (!body.encoded) return this.#considerRead(held, now);
    try {
      const decoded = readPayload(body, this.#context.codec);
      if (isPromise(decoded)) this.#callbacks.track(this.#considerDecoded(held, decoded));
      else held.decoded = decoded;
      return isPromise(decoded) ? undefined : this.#considerRead(held, now);
    } catch (error) {
      return this.#refuse(held, error, now);
    }
  }

  async #considerDecoded(held: HeldTask, decoding: PromiseLike<unknown>): Promise<void> {
    const { clock, settings } = this.#context;
    let consider = (now: number) => this.#considerRead(held, now);
    this.#decoding++;
    try {
      // What waits longer would be given back as if for want of a slot, and claimed again at once.
      const limitMs = settings.heartbeatMs / 2;
      held.decoded = await within(clock, limitMs, 'The codec', () => decoding);
    } catch (error) {
      consider = (now) => this.#refuse(held, error, now);
    }
    this.#decoding--;
    // Meanwhile the task may have been lost, claimed again or given back.
    if (!this.#held.has(held)) return;
    const unusable = consider(this.#access.estimateNow());
    this.#callbacks.considered();
    this.#callbacks.freed();
    if (unusable) await this.#giveBack.unusable([unusable]);
  }

  #considerRead(held: HeldTask, now: number): Unusable | undefined {
    const { claim } = held;
    const { maxRunning } = claim.policies.overlap;
    const children = claim.body.children ?? [];
    if (maxRunning !== null && children.length >= maxRunning) {
      this.#callbacks.track(this.#considerChildren(held, children));
      return undefined;
    }
    return this.decide(held, now, () => admit(claim, now, children.length));
  }

  decide(held: HeldTask, now: number, decide: () => 'run' | Decision): Unusable | undefined {
    try {
      this.#apply(held, decide());
      return undefined;
    } catch (error) {
      return this.#refuse(held, error, now);
    }
  }

  #refuse(held: HeldTask, error: unknown, now: number): Unusable {
    this.#held.delete(held);
    return this.#intake.refuse(held.claim, error, now);
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
    const unusable = this.decide(held, now, () => admit(claim, now, children.length));
    if (unusable) await this.#giveBack.unusable([unusable]);
    else this.#runner.start();
  }

  #apply(held: HeldTask, decision: 'run' | Decision): void {
    if (decision !== 'run') this.#callbacks.settle(held, decision);
    else if (this.#callbacks.isStopping()) this.#callbacks.track(this.#giveBack.waiting([held]));
    else this.#runner.add(held);
  }
}
