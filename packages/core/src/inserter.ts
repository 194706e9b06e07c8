/**
 * New tasks on their way to the store. Calls that come together share one statement, and so do those that come while
 * the one before is under way. Each call is answered when its own tasks are in the store.
 */

import type { NewTaskRecord } from './data-store.js';
import { isSchedError } from './errors.js';
import type { StoreAccess } from './store-access.js';

/** The most records in one statement, unless a single call has more. */
export const batchLimit = 500;
/** How long calls wait for the statement under way. One that takes longer may be waiting for a lock. */
const patienceMs = 100;

export type InsertAnswers = readonly ('inserted' | 'exists')[];

/** A call that waits to be sent. */
interface Insertion {
  readonly records: readonly NewTaskRecord[];
  readonly resolve: (answers: InsertAnswers) => void;
  readonly reject: (error: unknown) => void;
}

export class Inserter {
  readonly #access: StoreAccess;
  #waiting: Insertion[] = [];
  /** The statement that the waiting calls wait for. Others that took too long may be under way, too. */
  #underWay: readonly Insertion[] | undefined;
  /** The waiting calls are sent at the end of this turn, or after the statement under way. */
  #isScheduled = false;
  #timer: unknown;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /**
   * @returns one answer for each record, in the same order
   * @throws SchedError as a call of the store with these records alone
   */
  insert(records: readonly NewTaskRecord[]): Promise<InsertAnswers> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject });
      if (this.#underWay) this.#limitWait();
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      // The calls that were made together with this one come first.
      queueMicrotask(() => this.#send());
    });
  }

  #limitWait(): void {
    this.#timer ??= this.#access.clock.setTimeout(() => this.#send(), patienceMs);
  }

  #send(): void {
    this.#access.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#takeBatch();
    this.#isScheduled = batch.length > 0;
    this.#underWay = this.#isScheduled ? batch : undefined;
    if (!this.#isScheduled) return;
    if (this.#waiting.length > 0) this.#limitWait();
    void this.#insert(batch).then(() => {
      if (this.#underWay === batch) this.#send();
    });
  }

  #takeBatch(): readonly Insertion[] {
    let size = 0;
    const end = this.#waiting.findIndex(({ records }, index) => {
      size += records.length;
      return index > 0 && size > batchLimit;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  /** Resolves when all these calls have been answered. */
  async #insert(batch: readonly Insertion[]): Promise<void> {
    const records = batch.flatMap((insertion) => insertion.records);
    try {
      const answers = await this.#access.call('insert', (store) => store.insert(records));
      let start = 0;
      for (const { records, resolve } of batch) {
        resolve(answers.slice(start, start + records.length));
        start += records.length;
      }
    } catch (error) {
      if (batch.length > 1 && isRefusal(error)) {
        const half = batch.length >> 1;
        await this.#insert(batch.slice(0, half));
        await this.#insert(batch.slice(half));
      } else for (const { reject } of batch) reject(error);
    }
  }
}

/** Whether the store refused one of the records, and has stored none of them. */
function isRefusal(error: unknown): boolean {
  return (
    isSchedError(error, 'SCHED_PAYLOAD_TOO_LARGE') || isSchedError(error, 'SCHED_ARGUMENT_INVALID')
  );
}
