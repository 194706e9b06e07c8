/**
 * Settlements on their way to the store. Collects them while the previous call is under way, sends them together, and
 * sends them again until the store answers.
 */

import { type Clock, holdTime, soon } from '../clock.js';
import type { Settlement, TaskRecord } from '../data-store.js';
import type { Claim } from '../decisions/claim.js';
import { concludeEdited, leaveWord } from '../decisions/conclude.js';
import type { Decision } from '../decisions/decision.js';
import { describeError } from '../record.js';
import { isPassing, type StoreAccess } from '../store-access.js';
import type { StoredRun } from '../task-info.js';
import type { HeldTask } from './held-task.js';

/** The most settlements in one call. */
const batchLimit = 500;
/** How many of a task's latest history entries to search for one that may have been recorded already. */
const searchLimit = 20;
/** How often to try to leave word of a run while others edit the task. */
const wordLimit = 5;

export interface OutboxCallbacks {
  /** The store has recorded the decision about this claim. */
  settled(held: HeldTask, claim: Claim, decision: Decision): void;
  /** The task is no longer this worker's. */
  lost(held: HeldTask): void;
  /** The task was edited before it ran. Give it back, so that it is claimed again. */
  stale(held: HeldTask): void;
  /** A call failed. Returns how long to wait before the next try, in milliseconds. */
  failed(call: string, error: unknown): number;
  answered(call: string): void;
  /** Reads the record of an edited task; undefined when it cannot be read here. */
  reread(held: HeldTask, record: TaskRecord): Claim | undefined;
  /** Resolves when the claim under way has been answered. It may show that this worker has the task again. */
  claimAnswered(): Promise<void>;
}

/** A run that has ended. */
export interface EndedRun {
  /** The claim under which the run began. */
  readonly claim: Claim;
  /** Decides what follows, given the claim as it was then or is now. */
  readonly decide: (claim: Claim) => Decision;
}

interface Entry {
  readonly held: HeldTask;
  readonly decision: Decision;
  /** Undefined when the task has not run. */
  readonly ran: EndedRun | undefined;
  /** The claim on which the decision is based. */
  readonly claim: Claim;
  /** The record was edited after the decision. */
  readonly isEdited?: boolean;
  /** A call with this entry has failed, so the store may have recorded it already. */
  readonly isRepeated?: boolean;
  /** Replaces a decision that the store refused. */
  readonly isLastResort?: boolean;
}

export class Outbox {
  readonly #access: StoreAccess;
  readonly #clock: Clock;
  readonly #callbacks: OutboxCallbacks;
  #entries: Entry[] = [];
  #inFlight = 0;
  /** How many entries the store has refused while it is unclear whether this worker has claimed the task again. */
  #unclear = 0;
  #batchSize = batchLimit;
  #sending: Promise<void> | undefined;
  #isSending = false;
  #isClosed = false;
  #retryTimer: unknown;
  #whenEmpty: (() => void)[] = [];

  constructor(access: StoreAccess, clock: Clock, callbacks: OutboxCallbacks) {
    this.#access = access;
    this.#clock = clock;
    this.#callbacks = callbacks;
  }

  /** How many settlements the store has not answered yet. */
  get size(): number {
    return this.#entries.length + this.#inFlight + this.#unclear;
  }

  /** Settles a run, under the claim with which it began or a newer one of this worker. */
  conclude(held: HeldTask, ran: EndedRun): void {
    this.#add(decideAgain({ held, ran, claim: ran.claim, decision: ran.decide(ran.claim) }));
  }

  /** Settles a task without a run. */
  settle(held: HeldTask, decision: Decision): void {
    this.#add({ held, decision, ran: undefined, claim: held.claim });
  }

  /** Resolves once every settlement has been answered, or `close` is called. */
  async drained(): Promise<void> {
    if (this.size === 0 || this.#isClosed) return;
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Resolves once every settlement has been sent, and either answered or delayed because the store fails. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  /** Retries now instead of waiting for the retry timer. */
  hurry(): void {
    if (this.#retryTimer === undefined) return;
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#isSending = false;
    this.#schedule();
  }

  /** Gives up. Tasks whose settlement has not been answered keep their leases until they expire. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#retryTimer);
    this.#entries = [];
    this.#noteEmpty();
  }

  #add(entry: Entry): void {
    if (this.#isClosed) return;
    entry.held.phase = 'settling';
    this.#entries.push(entry);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#sending = holdTime(this.#clock, async () => {
      await new Promise<void>(soon);
      await this.#send();
    });
  }

  async #send(): Promise<void> {
    while (this.#entries.length > 0) {
      const batch = this.#entries.splice(0, this.#batchSize);
      this.#inFlight = batch.length;
      const waitMs = await this.#sendBatch(batch);
      this.#inFlight = 0;
      if (this.#isClosed) return;
      if (waitMs > 0) {
        this.#retryTimer = this.#clock.setTimeout(() => this.hurry(), waitMs);
        return;
      }
    }
    this.#isSending = false;
    this.#noteEmpty();
  }

  /** @returns how long to wait before sending more, in milliseconds */
  async #sendBatch(entries: readonly Entry[]): Promise<number> {
    let batch = entries;
    let call = 'get';
    try {
      batch = await this.#decideAgain(entries);
      call = 'settle';
      if (batch.length === 0) return 0;
      const settlements = batch.map(settlementOf);
      const answers = await this.#access.call('settle', (store) => store.settle(settlements));
      this.#callbacks.answered(call);
      this.#batchSize = Math.min(batchLimit, this.#batchSize * 2);
      const refused: Entry[] = [];
      batch.forEach((entry, index) => {
        const answer = answers[index];
        const { held, claim, decision } = entry;
        if (answer === 'settled') this.#callbacks.settled(held, claim, decision);
        else if (answer === 'conflict') this.#entries.push({ ...entry, isEdited: true });
        else refused.push(entry);
      });
      const waitsMs = await Promise.all(refused.map((entry) => this.#onRefused(entry)));
      return Math.max(0, ...waitsMs);
    } catch (error) {
      return this.#isClosed ? 0 : this.#onFailure(batch, call, error);
    }
  }

  /**
   * Handles a settlement that the store refused because the lease is no longer the task's.
   *
   * @returns how long to wait before sending more, in milliseconds
   */
  async #onRefused(entry: Entry): Promise<number> {
    const { held, claim, ran } = entry;
    let call = 'history';
    try {
      if (entry.isRepeated && (await this.#isRecorded(entry))) {
        this.#callbacks.settled(held, claim, entry.decision);
        return 0;
      }
      call = 'update';
      if (ran && !isClaimedAgain(entry)) await this.#leaveWord(entry, ran);
    } catch (error) {
      const waitMs = this.#callbacks.failed(call, error);
      if (!isPassing(error)) this.#callbacks.lost(held);
      else this.#entries.push(entry);
      return waitMs;
    }
    void this.#awaitClaim(entry);
    return 0;
  }

  /** Waits for the claim under way: its answer shows whether this worker has claimed the task again. */
  async #awaitClaim(entry: Entry): Promise<void> {
    this.#unclear++;
    await this.#callbacks.claimAnswered();
    this.#unclear--;
    if (isClaimedAgain(entry)) this.#add(entry);
    else this.#callbacks.lost(entry.held);
    this.#noteEmpty();
  }

  /** Looks in the history, because a record that was removed or settled again no longer shows this settlement. */
  async #isRecorded(entry: Entry): Promise<boolean> {
    const [sought] = settlementOf(entry).history;
    if (!sought) return false;
    const found = await this.#access.call('history', (store) =>
      store.history(sought.taskId, searchLimit),
    );
    this.#callbacks.answered('history');
    return found.some(({ id }) => id === sought.id);
  }

  /** Tells the next worker that claims the task how this run ended, so that it need not run again. */
  async #leaveWord({ held, decision }: Entry, ran: EndedRun): Promise<void> {
    for (let tries = 0; tries < wordLimit; tries++) {
      const { id } = ran.claim.record;
      const [record] = await this.#access.call('get', (store) => store.get([id]));
      const current = record && this.#callbacks.reread(held, record);
      const body = current && leaveWord(ran.claim, decision, current.body);
      if (!record || !body) break;
      const { revision } = record;
      const answer = await this.#access.call('update', (store) =>
        store.update(id, { body }, { revision }),
      );
      if (answer !== 'conflict') break;
    }
    this.#callbacks.answered('update');
  }

  async #onFailure(batch: readonly Entry[], call: string, error: unknown): Promise<number> {
    const waitMs = this.#callbacks.failed(call, error);
    if (isPassing(error)) {
      // The size of the batch, or one entry in it, may be the cause: send smaller batches, after the other entries.
      this.#batchSize = Math.ceil(batch.length / 2);
      this.#entries.push(...batch.map((entry) => ({ ...entry, isRepeated: true })));
      return waitMs;
    }
    // One settlement that the store never accepts must not hold up the others.
    const [first] = batch;
    if (batch.length > 1) {
      let longestMs = 0;
      for (const entry of batch) longestMs = Math.max(longestMs, await this.#sendBatch([entry]));
      return longestMs;
    }
    if (first) this.#onUnacceptable(first, error);
    return 0;
  }

  /** Keeps the task as failed. Leaves its body unchanged, because the store has accepted this body before. */
  #onUnacceptable(entry: Entry, error: unknown): void {
    const { held, claim, isLastResort } = entry;
    if (isLastResort) {
      this.#callbacks.lost(held);
      return;
    }
    const { record, body, token, owner } = claim;
    const nominal = body.nominal ?? record.runAt ?? 0;
    const failed = { nominal, at: this.#access.estimateNow(), attempt: body.attempt, token, owner };
    const decision: Decision = {
      next: { status: 'failed', runAt: null, body: record.body },
      entries: [{ ...failed, outcome: 'failed', error: describeError(error) }],
      spawn: [],
    };
    const ran = entry.ran && { ...entry.ran, decide: () => decision };
    this.#entries.push({ held, claim, decision, ran, isLastResort: true });
  }

  /** Decides again for tasks that were claimed again or edited meanwhile. Both the edit and the outcome count. */
  async #decideAgain(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const batch: Entry[] = [];
    for (const entry of entries) {
      if (!isClaimedAgain(entry)) batch.push(entry);
      else if (entry.ran) batch.push(decideAgain(entry));
      else this.#callbacks.stale(entry.held);
    }
    const edited = batch.filter(({ isEdited }) => isEdited);
    if (edited.length === 0) return batch;
    const records = await this.#access.call('get', (store) =>
      store.get(edited.map(({ claim }) => claim.record.id)),
    );
    this.#callbacks.answered('get');
    const decided = edited.map((entry, index) => this.#decideEdited(entry, records[index]));
    return [
      ...batch.filter(({ isEdited }) => !isEdited),
      ...decided.filter((entry) => entry !== null),
    ];
  }

  #decideEdited(entry: Entry, record: TaskRecord | undefined): Entry | null {
    const { held, ran, claim } = entry;
    // Another claim has the lease now. Send the settlement all the same: the store answers what became of this one.
    if (record && record.lease?.token !== claim.token) return { ...entry, isEdited: false };
    const current = record && this.#callbacks.reread(held, record);
    if (!current) {
      this.#callbacks.lost(held);
      return null;
    }
    if (!ran) {
      this.#callbacks.stale(held);
      return null;
    }
    return { ...entry, ...decisionFor(current, ran), isEdited: false };
  }

  #noteEmpty(): void {
    if (this.size > 0 && !this.#isClosed) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** Whether this worker has claimed the task again, with another token, since the decision. */
function isClaimedAgain({ held, claim }: Entry): boolean {
  return held.claim.token !== claim.token;
}

function decideAgain(entry: Entry): Entry {
  const { held, ran, claim } = entry;
  if (!ran || held.claim === claim) return entry;
  const { isRepeated: _isRepeated, ...rest } = entry;
  return { ...rest, ...decisionFor(held.claim, ran), isEdited: false };
}

function decisionFor(claim: Claim, ran: EndedRun): Pick<Entry, 'claim' | 'decision'> {
  const isSameSchedule = claim.body.edition === ran.claim.body.edition;
  const decision = isSameSchedule
    ? ran.decide(claim)
    : concludeEdited(claim, ran.decide(ran.claim));
  return { claim, decision };
}

function settlementOf({ decision, claim }: Entry): Settlement {
  const { record, body, token } = claim;
  const { next, entries, spawn } = decision;
  return {
    id: record.id,
    token,
    revision: record.revision,
    next,
    history: entries.map((run, index) => ({
      taskId: body.parent ?? record.id,
      id: body.parent === undefined ? `${token}.${index}` : `${record.id}/${token}.${index}`,
      at: run.at,
      body: JSON.stringify({ name: record.name, ...run } satisfies StoredRun),
    })),
    spawn,
  };
}
