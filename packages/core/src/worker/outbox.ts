/**
 * Settlements on their way to the store: collected while the previous call is under way, sent together, and sent
 * again until the store has answered.
 */

import { type Clock, held, soon } from '../clock.js';
import type { Settlement, TaskRecord } from '../data-store.js';
import { type Claim, concludeEdited, type Decision } from '../policy.js';
import { isPassing, type StoreAccess } from '../store-access.js';
import type { HeldTask } from './held-task.js';

/** The most settlements in one call. */
const batchSize = 500;

export interface OutboxEvents {
  /** The store has recorded the decision. */
  settled(held: HeldTask, decision: Decision): void;
  /** The task is no longer this worker's. */
  lost(held: HeldTask): void;
  /** The task was edited before it ran; it is to be given back and claimed again. */
  stale(held: HeldTask): void;
  /** A call failed. Gives how long to wait before the next try. */
  failed(call: string, error: unknown): number;
  answered(): void;
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
  readonly isEdited: boolean;
}

export class Outbox {
  readonly #access: StoreAccess;
  readonly #clock: Clock;
  readonly #events: OutboxEvents;
  #entries: Entry[] = [];
  #inFlight = 0;
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
    this.#add({ held, decision: decide(held.claim), decide, claim: held.claim, isEdited: false });
  }

  /** Settles a task that does not run now. */
  settle(held: HeldTask, decision: Decision): void {
    this.#add({ held, decision, decide: undefined, claim: held.claim, isEdited: false });
  }

  /** Resolves once everything has been answered, or `close` was called. */
  async drained(): Promise<void> {
    if (this.size === 0 || this.#isClosed) return;
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
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
      const batch = this.#entries.splice(0, batchSize);
      this.#inFlight = batch.length;
      const waitMs = await this.#sendBatch(batch);
      this.#inFlight = 0;
      if (this.#isClosed) return;
      if (waitMs > 0) {
        this.#retryTimer = this.#clock.setTimeout(() => {
          this.#isSending = false;
          this.#schedule();
        }, waitMs);
        return;
      }
    }
    this.#isSending = false;
    this.#noteEmpty();
  }

  /** @returns how long to wait before sending more, in milliseconds */
  async #sendBatch(entries: readonly Entry[]): Promise<number> {
    let batch = entries;
    try {
      batch = await this.#decideAgain(entries);
      if (batch.length === 0) return 0;
      const settlements = batch.map(settlementOf);
      const answers = await this.#access.call('settle', (store) => store.settle(settlements));
      this.#events.answered();
      batch.forEach((entry, index) => {
        const answer = answers[index];
        if (answer === 'settled') this.#events.settled(entry.held, entry.decision);
        else if (answer === 'lost') this.#events.lost(entry.held);
        else this.#entries.push({ ...entry, isEdited: true });
      });
      return 0;
    } catch (error) {
      if (this.#isClosed) return 0;
      const waitMs = this.#events.failed('settle', error);
      if (isPassing(error)) {
        this.#entries.unshift(...batch);
        return waitMs;
      }
      // One settlement that the store will never take must not hold back the others.
      const [first] = batch;
      if (batch.length === 1 && first) this.#events.lost(first.held);
      else for (const entry of batch) await this.#sendBatch([entry]);
      return 0;
    }
  }

  /** For tasks that were edited meanwhile. Both the edit and the outcome count. */
  async #decideAgain(batch: readonly Entry[]): Promise<readonly Entry[]> {
    const edited = batch.filter(({ isEdited }) => isEdited);
    if (edited.length === 0) return batch;
    const records = await this.#access.call('get', (store) =>
      store.get(edited.map(({ held }) => held.task.id)),
    );
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
    const isSameSchedule = current.body.edition === claim.body.edition;
    return {
      held,
      decide,
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
