/** Reads and changes the records of one store, for the calls of users. */

import { checkId, childIdBytes } from './check.js';
import type { NewTaskRecord, TaskRecord } from './data-store.js';
import type { Change } from './declaration.js';
import { SchedError } from './errors.js';
import { batchLimit, type InsertAnswers, Inserter } from './inserter.js';
import { readBody, type TaskBody } from './record.js';
import type { StoreAccess } from './store-access.js';

/** How often to try an edit while others change the task. */
const editLimit = 20;

/** Decides what to change in a record as it is now. */
export type Decide = (record: TaskRecord, body: TaskBody) => Change | PromiseLike<Change>;

export class TaskRecords {
  readonly access: StoreAccess;
  /** Calls are part of the user's transaction, so make them one after another. */
  readonly isInTransaction: boolean;
  readonly #inserter: Inserter;
  readonly #wakeAt: (queue: string | null, time: number) => void;

  /** @param wakeAt called when a task of that queue, or of any, becomes due at that time */
  constructor(
    access: StoreAccess,
    isInTransaction: boolean,
    wakeAt: (queue: string | null, time: number) => void,
  ) {
    this.access = access;
    this.isInTransaction = isInTransaction;
    this.#inserter = new Inserter(access);
    this.#wakeAt = wakeAt;
  }

  async get(id: string): Promise<TaskRecord | undefined> {
    const [record] = await this.getMany([id]);
    return record;
  }

  async getMany(ids: readonly string[]): Promise<readonly (TaskRecord | undefined)[]> {
    return ids.length === 0 ? [] : this.access.call('get', (store) => store.get(ids));
  }

  /** @throws SchedError `SCHED_TASK_NOT_FOUND` */
  async require(id: string): Promise<TaskRecord> {
    checkId(id, childIdBytes);
    const record = await this.get(id);
    if (!record) throw notFound(id);
    return record;
  }

  /** @returns one answer for each record, in the same order */
  async insert(records: readonly NewTaskRecord[]): Promise<InsertAnswers> {
    if (records.length === 0) return [];
    // What belongs to a transaction must not share a statement with what does not, and a full one waits for nothing.
    if (this.isInTransaction || records.length >= batchLimit)
      return this.access.call('insert', (store) => store.insert(records));
    return this.#inserter.insert(records);
  }

  /** @throws SchedError `SCHED_TASK_NOT_FOUND` */
  async edit(id: string, decide: Decide): Promise<TaskRecord> {
    checkId(id, childIdBytes);
    const record = await this.tryEdit(id, decide);
    if (!record) throw notFound(id);
    return record;
  }

  /**
   * Reads, decides and writes. Repeats this while others write in between.
   *
   * @param known the record, if it was just read: saves a call
   * @returns the record before the edit; undefined when there is no such task
   */
  async tryEdit(id: string, decide: Decide, known?: TaskRecord): Promise<TaskRecord | undefined> {
    let record = known ?? (await this.get(id));
    for (let tries = 0; record && tries < editLimit; tries++) {
      const change = await decide(record, readBody(record.body));
      if (!change) return record;
      const { revision } = record;
      const answer = await this.access.call('update', (store) =>
        store.update(id, change, { revision }),
      );
      if (answer === 'missing') return undefined;
      if (answer !== 'conflict') {
        this.wake({ ...record, ...change });
        return record;
      }
      record = await this.get(id);
    }
    if (!record) return undefined;
    throw new SchedError(
      'SCHED_TASK_CONTENDED',
      `Task ${id} was changed by others ${editLimit} times while it was to be changed. Nothing was done; try again.`,
    );
  }

  /** Makes a worker of this process look when the task is due. */
  wake({ queue, runAt }: { readonly queue: string | null; readonly runAt: number | null }): void {
    if (runAt !== null) this.#wakeAt(queue, runAt);
  }
}

function notFound(id: string): SchedError {
  return new SchedError(
    'SCHED_TASK_NOT_FOUND',
    `There is no task with the id "${id}". It may have finished: finished tasks are removed unless keepFinished is set.`,
  );
}
