/**
 * Settlements on their way to the store: collected while the previous call is under way, sent together, and sent
 * again until the store has answered.
 */

import { type Clock, held, soon } from '../clock.js';
import type { Settlement, TaskRecord } from '../data-store.js';
import { type Claim, concludeEdited, type Decision } from '../policy.js';
import { describeError } from '../record.js';
import { isPassing, type StoreAccess } from '../store-access.js';
import type { HeldTask } from './held-task.js';

/** The most settlements in one call. */
const batchLimit = 500;
/** How many of a task's latest history entries are searched for one that may have been lost track of. */
const searchLimit = 20;

export interface OutboxEvents {
  /** The store has recorded the decision. */
  settled(held: HeldTask, decision: Decision): void;
  /** The task is no longer this worker's. */
  lost(held: HeldTask): void;
  /** The task was edited before it ran; it is to be given back and claimed again. */
  stale(held: HeldTask): void;
  /** A call failed. Gives how long to wait before the next try. */
  failed(call: string, error: unknown): number;
  answered(call: string): void;
  /** Reads the record of a task that was edited; undefined when it cannot be read here. */
  reread(held: HeldTask, record: TaskRecord): Claim | undefined;
}

interface Entry {
  readonly held: HeldTask;
  readonly decision: Decision;
  /** Makes the decision again for the record as it is now. Absent when the task has not run. */
  readonly decide: ((claim: Claim) => Decision) | undefined;
  /** The claim on which the decision stands. */
  readonly claim: Claim;
  /** The record was edited since. */
  readonly isEdited?: boolean;
  /** It may have been recorded already: a call with it has failed. */
  readonly isRepeated?: boolean;
  /** Made instead of a decision that the store refused. */
  readonly isLastResort?: boolean;
}

export class Outbox {
  readonly #access: StoreAccess;
  readonly #clock: Clock;
  readonly #events: OutboxEvents;
  #entries: Entry[] = [];
  #inFlight = 0;
  #batchSize = batchLimit;
  #isSending = false;
  #isClosed = false;
  #retryTimer: unknown;
  #whenEmpty: (() => void)[] = [];

  constructor(access: StoreAccess, clock: Clock, events: OutboxEvents) {
    this.#access = access;
    this.#clock = clock;
    this.#events = events;
  }

  /** How many settlements have not been answered yet. */
  get size(): number {
    return this.#entries.length + this.#inFlight;
  }

  /** @param decide makes the decision, now and again if the record turns out to have been edited */
  conclude(held: HeldTask, decide: (claim: Claim) => Decision): void {
    this.#add({ held, decision: decide(held.claim), decide, claim: held.claim });
  }

  /** Settles a task that does not run now. */
  settle(held: HeldTask, decision: Decision): void {
    this.#add({ held, decision, decide: undefined, claim: held.claim });
  }

  /** Resolves once everything has been answered, or `close` was called. */
  async drained(): Promise<void> {
    if (this.size === 0 || this.#isClosed) return;
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Tries again now what waits to be tried again. */
  hurry(): void {
    if (this.#retryTimer === undefined) return;
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#isSending = false;
    this.#schedule();
  }

  /** Gives up: what has not been answered is left to the leases. */
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
    void held(this.#clock, async () => {
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
      this.#events.answered(call);
      this.#batchSize = Math.min(batchLimit, this.#batchSize * 2);
      const unclear: Entry[] = [];
      batch.forEach((entry, index) => {
        const answer = answers[index];
        if (answer === 'settled') this.#events.settled(entry.held, entry.decision);
        else if (answer === 'conflict') this.#entries.push({ ...entry, isEdited: true });
        else if (entry.isRepeated) unclear.push(entry);
        else this.#events.lost(entry.held);
      });
      const waitsMs = await Promise.all(unclear.map((entry) => this.#search(entry)));
      return Math.max(0, ...waitsMs);
    } catch (error) {
      return this.#isClosed ? 0 : this.#onFailure(batch, call, error);
    }
  }

  /**
   * A record that was removed, or has been settled again since, cannot show that this settlement came before. The
   * history can.
   *
   * @returns how long to wait before sending more, in milliseconds
   */
  async #search(entry: Entry): Promise<number> {
    const [sought] = settlementOf(entry).history;
    try {
      const found =
        sought &&
        (await this.#access.call('history', (store) => store.history(sought.taskId, searchLimit)));
      if (found) this.#events.answered('history');
      if (found?.some(({ id }) => id === sought?.id)) {
        this.#events.settled(entry.held, entry.decision);
      } else this.#events.lost(entry.held);
      return 0;
    } catch (error) {
      const waitMs = this.#events.failed('history', error);
      if (!isPassing(error)) this.#events.lost(entry.held);
      else this.#entries.push(entry);
      return waitMs;
    }
  }

  async #onFailure(batch: readonly Entry[], call: string, error: unknown): Promise<number> {
    const waitMs = this.#events.failed(call, error);
    if (isPassing(error)) {
      // Smaller batches behind the others, in case that it was their size, or one that the store cannot digest.
      this.#batchSize = Math.ceil(batch.length / 2);
      this.#entries.push(...batch.map((entry) => ({ ...entry, isRepeated: true })));
      return waitMs;
    }
    // One settlement that the store will never take must not keep the others waiting.
    const [first] = batch;
    if (batch.length > 1) {
      let longestMs = 0;
      for (const entry of batch) longestMs = Math.max(longestMs, await this.#sendBatch([entry]));
      return longestMs;
    }
    if (first) this.#refused(first, error);
    return 0;
  }

  /** Keeps the task as failed, with its body as it is, which the store has taken before. */
  #refused(entry: Entry, error: unknown): void {
    const { held, claim, isLastResort } = entry;
    if (isLastResort) {
      this.#events.lost(held);
      return;
    }
    const { record, body, token, owner } = claim;
    const nominal = body.nominal ?? record.runAt ?? 0;
    const failed = { nominal, at: this.#access.estimateNow(), attempt: body.attempt, token, owner };
    const decision: Decision = {
      next: { status: 'failed', runAt: null, body: record.body },
      records: [{ ...failed, outcome: 'failed', error: describeError(error) }],
      spawn: [],
    };
    const decide = entry.decide && (() => decision);
    this.#entries.push({ held, claim, decision, decide, isLastResort: true });
  }

  /** For tasks that were edited meanwhile. Both the edit and the outcome count. */
  async #decideAgain(batch: readonly Entry[]): Promise<readonly Entry[]> {
    const edited = batch.filter(({ isEdited }) => isEdited);
    if (edited.length === 0) return batch;
    const records = await this.#access.call('get', (store) =>
      store.get(edited.map(({ held }) => held.task.id)),
    );
    this.#events.answered('get');
    const decided = edited.map((entry, index) => this.#decideEdited(entry, records[index]));
    return [
      ...batch.filter(({ isEdited }) => !isEdited),
      ...decided.filter((entry) => entry !== null),
    ];
  }

  #decideEdited(entry: Entry, record: TaskRecord | undefined): Entry | null {
    const { held, decide, decision, claim } = entry;
    const current =
      record?.lease?.token === claim.token ? this.#events.reread(held, record) : undefined;
    if (!current) {
      this.#events.lost(held);
      return null;
    }
    if (!decide) {
      this.#events.stale(held);
      return null;
    }
    // That of the run: the claim at hand may already be that of a new schedule.
    const isSameSchedule = current.body.edition === held.claim.body.edition;
    return {
      ...entry,
      decision: isSameSchedule ? decide(current) : concludeEdited(current, decision),
      claim: current,
      isEdited: false,
    };
  }

  #noteEmpty(): void {
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

function settlementOf({ decision, claim }: Entry): Settlement {
  const { record, body, token } = claim;
  const { next, records, spawn } = decision;
  return {
    id: record.id,
    token,
    revision: record.revision,
    next,
    history: records.map((run, index) => ({
      taskId: body.parent ?? record.id,
      id: body.parent === undefined ? `${token}.${index}` : `${record.id}/${token}.${index}`,
      at: run.at,
      body: JSON.stringify(run),
    })),
    spawn,
  };
}
