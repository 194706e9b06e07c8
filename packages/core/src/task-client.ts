/** Everything that can be asked of the tasks in one store. */

import { checkId, checkLabel, childIdBytes, wholeNumber } from './check.js';
import type { NewTaskRecord, TaskFilter, TaskRecord } from './data-store.js';
import {
  type Change,
  type Declaration,
  definitionOf,
  distinctIds,
  newRecord,
  type PrepareContext,
  type Prepared,
  prepare,
  redeclare,
  reschedule,
  type ScheduleOptions,
} from './declaration.js';
import type { Time } from './duration.js';
import { isSchedError, SchedError } from './errors.js';
import type { Emitter, SchedulerEvents } from './events.js';
import { encodePayload } from './payload.js';
import { type Policies, resolvePolicies } from './policies.js';
import { childOf } from './policy.js';
import { previewTimes } from './preview.js';
import { readBody, type TaskBody, writeBody } from './record.js';
import { type Selection, selectorOf } from './selection.js';
import type { StoreAccess } from './store-access.js';
import type { TaskDefinition } from './task.js';
import { describeEntry, describeTask, type RunInfo, type TaskInfo } from './task-info.js';
import type { Trigger } from './trigger.js';
import { sameTrigger } from './trigger-registry.js';
import { triggerOf, type When } from './when.js';

/** What came of scheduling a task. */
export interface ScheduledTask {
  readonly id: string;
  /** `unchanged`: it was there already, and is what was declared, or `onConflict` is `keep`. */
  readonly outcome: 'created' | 'updated' | 'replaced' | 'unchanged';
}

/** What can be changed about a task. Members that are absent stay as they are. */
export interface TaskChanges extends When, Policies {
  readonly payload?: unknown;
  readonly queue?: string;
  readonly group?: string | null;
}

export interface PageRequest extends TaskFilter {
  /** The `next` of the previous page. */
  readonly after?: string;
  /** The most tasks on a page. Default 100. */
  readonly limit?: number;
}

export interface SyncResult {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly removed: readonly string[];
}

/** What the client needs of the scheduler that it belongs to. */
export interface ClientContext extends PrepareContext {
  readonly events: Emitter;
  /** A task of this store, in that queue or in any, is due then. */
  wakeAt(store: string, queue: string | null, time: number): void;
  /** Aborts a run in this process. Says whether there was one. */
  cancel(store: string, id: string): boolean;
}

/** How many records are sent in one call. */
const batchSize = 500;
/** How often an edit is tried again because somebody else was faster. */
const editLimit = 20;

/** The tasks of one store. */
export class TaskClient {
  readonly #context: ClientContext;
  readonly #access: StoreAccess;

  /** @internal */
  constructor(context: ClientContext, access: StoreAccess) {
    this.#context = context;
    this.#access = access;
  }

  /**
   * Schedules a task.
   *
   * Safe to repeat with the same id, at every start of a program for example: see {@link ScheduleOptions.onConflict}.
   *
   * @param payload checked against the task's schema, in the form in which it is stored
   * @throws SchedError when anything is not valid (nothing is stored then), `SCHED_TASK_EXISTS`, or
   *   `SCHED_STORE_UNAVAILABLE` and `SCHED_STORE_TIMEOUT`, after which it may have been stored or not
   */
  async schedule<Input>(
    task: TaskDefinition<Input, unknown>,
    ...[payload, options]: undefined extends Input
      ? [payload?: Input, options?: ScheduleOptions]
      : [payload: Input, options?: ScheduleOptions]
  ): Promise<ScheduledTask> {
    const [scheduled] = await this.scheduleMany([{ ...options, task, payload } as Declaration]);
    return scheduled as ScheduledTask;
  }

  /**
   * Schedules many tasks with few calls to the store. All are checked before the first is stored.
   *
   * @param declarations made by {@link declareTask}
   * @throws as {@link schedule}
   */
  async scheduleMany(declarations: readonly Declaration[]): Promise<readonly ScheduledTask[]> {
    const now = await this.#access.now();
    const prepared: Prepared[] = [];
    for (const declaration of declarations) {
      prepared.push(await prepare(declaration, this.#context, now));
    }
    const records: (NewTaskRecord | null)[] = [];
    for (const each of prepared) records.push(await this.#recordOf(each, now));
    const results: ScheduledTask[] = [];
    for (let start = 0; start < prepared.length; start += batchSize) {
      const batch = records.slice(start, start + batchSize);
      const isNew = await this.#insert(batch.filter((record) => record !== null));
      for (const [index, record] of batch.entries()) {
        const each = prepared[start + index] as Prepared;
        const outcome =
          record && isNew.has(record) ? 'created' : await this.#scheduleExisting(each, record);
        if (record && outcome !== 'unchanged') this.#wake(record);
        const { id, name } = each;
        this.#emit('scheduled', { id, name, store: this.#access.alias, outcome });
        results.push({ id, outcome });
      }
    }
    return results;
  }

  /** The task of that id, or undefined. */
  async get(id: string): Promise<TaskInfo | undefined> {
    const now = await this.#access.now();
    const record = await this.#get(id);
    return record && describeTask(record, this.#context.codec, now);
  }

  /** The tasks that match, read page by page while they are iterated. */
  async *list(filter: TaskFilter = {}): AsyncGenerator<TaskInfo, void, undefined> {
    let after: string | null | undefined;
    do {
      const page = await this.listPage({ ...filter, ...(after != null && { after }) });
      yield* page.tasks;
      after = page.next;
    } while (after !== null);
  }

  /** One page of the tasks that match. */
  async listPage(
    request: PageRequest = {},
  ): Promise<{ readonly tasks: readonly TaskInfo[]; readonly next: string | null }> {
    const { limit = 100 } = request;
    wholeNumber('limit', limit, 1);
    const now = await this.#access.now();
    const { tasks, next } = await this.#access.call('list', (store) =>
      store.list({ ...request, limit }),
    );
    return { tasks: tasks.map((task) => describeTask(task, this.#context.codec, now)), next };
  }

  /** How many tasks match. */
  async count(filter: TaskFilter = {}): Promise<number> {
    return this.#access.call('count', (store) => store.count(filter));
  }

  /**
   * Changes a task, whatever it is doing. A run in progress goes on as it began, and the change holds from the next.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`, or when anything is not valid
   */
  async update(id: string, changes: TaskChanges): Promise<void> {
    const { context, now } = { context: this.#context, now: await this.#access.now() };
    const trigger = triggerOf(changes, context.triggers, now);
    const policies = resolvePolicies(changes);
    const { queue, group } = changes;
    if (queue !== undefined) checkLabel('queue', queue);
    if (group !== undefined && group !== null) checkLabel('group', group);
    await this.#edit(id, async (record, body) => {
      let next: TaskBody = { ...body };
      let change: Change = {};
      if (trigger) {
        const { body: changed, ...rest } = reschedule(body, id, trigger, now);
        next = changed;
        change = rest;
      }
      if ('payload' in changes) {
        const { payload: _payload, encoded: _encoded, ...rest } = next;
        const { codec, maxPayloadBytes } = context;
        const definition = definitionOf(record.name, context);
        next = {
          ...rest,
          ...(await encodePayload(definition, changes.payload, codec, maxPayloadBytes)),
        };
      }
      if (Object.keys(policies).length > 0) {
        next = { ...next, policies: { ...next.policies, ...policies } };
      }
      return {
        ...change,
        ...(queue !== undefined && { queue }),
        ...(group !== undefined && { group }),
        body: writeBody(next),
      };
    });
  }

  /**
   * Gives a task another trigger, and with it another next run.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`, or when the trigger is not valid or never occurs
   */
  async reschedule(id: string, when: When): Promise<void> {
    await this.update(id, when);
  }

  /** Stops tasks from running until they are resumed. A run in progress goes on. Gives how many changed. */
  async pause(selection: Selection): Promise<number> {
    return this.#setPaused(selection, true);
  }

  /**
   * Lets paused tasks run again. What a recurring task missed while it was paused is skipped; a one-off that fell due
   * runs now. Gives how many changed.
   */
  async resume(selection: Selection): Promise<number> {
    return this.#setPaused(selection, false);
  }

  /**
   * Removes tasks, whatever they are doing. The signal of a run in progress is aborted when its worker notices. Gives
   * how many there were.
   */
  async remove(selection: Selection): Promise<number> {
    const selector = selectorOf(selection);
    const count = await this.#access.call('remove', (store) => store.remove(selector));
    if (count > 0) this.#emit('removed', { store: this.#access.alias, count });
    return count;
  }

  /**
   * Runs a task now, beside its schedule and also while it is paused: as a task of its own, filed under the history of
   * this one. Gives its id.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`
   */
  async runNow(id: string): Promise<string> {
    const now = await this.#access.now();
    const record = await this.#require(id);
    const body = readBody(record.body);
    const childId = `${body.parent ?? id}+${crypto.randomUUID()}`;
    const child = childOf(record, body, now, now, childId);
    await this.#access.call('insert', (store) => store.insert([child]));
    this.#wake(child);
    const { name } = record;
    this.#emit('spawned', { id, name, store: this.#access.alias, childId, nominal: new Date(now) });
    return childId;
  }

  /**
   * Aborts the run of a task, wherever it is running: in this process at once, elsewhere with its worker's next
   * heartbeat. The run counts as failed and is not tried again. Gives whether the task was running.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`
   */
  async cancel(id: string): Promise<boolean> {
    if (this.#context.cancel(this.#access.alias, id)) return true;
    const now = await this.#access.now();
    let wasRunning = false;
    await this.#edit(id, async (record, body) => {
      wasRunning = record.lease !== null && record.lease.expiresAt > now;
      if (!wasRunning || !record.lease) return null;
      return { body: writeBody({ ...body, cancelToken: record.lease.token }) };
    });
    return wasRunning;
  }

  /**
   * Gives a failed task another chance, with all its attempts.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`, or `SCHED_TASK_STATE` when it is not failed
   */
  async retry(id: string): Promise<void> {
    const now = await this.#access.now();
    const { queue } = await this.#edit(id, async ({ status }, body) => {
      if (status !== 'failed') {
        throw new SchedError(
          'SCHED_TASK_STATE',
          `Task ${id} is ${status}, not failed: there is nothing to retry. Use runNow to run it once more.`,
        );
      }
      const nominal = body.nominal ?? body.last?.nominal ?? now;
      const text = writeBody({
        ...{ ...body, nominal, attempt: 1, backlogUntil: nominal },
        // One that failed before its schedule was over goes on with it.
        ...(body.nominal === null && { isLast: true as const }),
      });
      return { status: 'scheduled', runAt: now, body: text };
    });
    this.#context.wakeAt(this.#access.alias, queue, now);
  }

  /** What became of a task's runs, newest first. Empty when the store keeps no history. */
  async history(id: string, limit = 100): Promise<readonly RunInfo[]> {
    wholeNumber('limit', limit, 1);
    const entries = await this.#access.call('history', (store) => store.history(id, limit));
    return entries.map(describeEntry);
  }

  /**
   * Makes the tasks of a group equal to what is declared: adds what is new, changes what is different, removes what is
   * no longer declared. Nothing else is touched, and a task that is already as declared keeps even an overdue run.
   *
   * @param declarations every one with an id of its own; their group becomes the one given here
   * @throws as {@link schedule}, before anything changes
   */
  async sync(
    declarations: readonly Declaration[],
    { group = 'declared' }: { readonly group?: string } = {},
  ): Promise<SyncResult> {
    checkLabel('group', group);
    const ids = distinctIds(declarations);
    const scheduled = await this.scheduleMany(declarations.map((each) => ({ ...each, group })));
    const removed: string[] = [];
    for await (const { id, parent, trigger } of this.list({ group })) {
      // What cannot be read may have been declared by a newer version.
      const isReadable = trigger !== null;
      if (!ids.has(id) && parent === null && isReadable) removed.push(id);
    }
    if (removed.length > 0) await this.remove(removed);
    const idsOf = (...outcomes: readonly ScheduledTask['outcome'][]) =>
      scheduled.filter(({ outcome }) => outcomes.includes(outcome)).map(({ id }) => id);
    return {
      created: idsOf('created'),
      updated: idsOf('updated', 'replaced'),
      unchanged: idsOf('unchanged'),
      removed,
    };
  }

  /**
   * The next `count` times at which a trigger would run, as if it were declared at `from`. Touches no store.
   *
   * @param options.from default now
   * @param options.id the id of the task it is meant for, on which jitter depends
   * @throws SchedError when the trigger, `count` or `from` is not valid
   */
  preview(
    when: Trigger | When,
    count: number,
    { from = Date.now(), id = '' }: { readonly from?: Time; readonly id?: string } = {},
  ): Date[] {
    return previewTimes(when, count, from, id, this.#context.triggers);
  }

  /**
   * The same tasks inside a transaction of your own, so that what is scheduled comes about if and only if your
   * transaction is committed.
   *
   * @param tx what the store's adapter calls a transaction: its README says which object that is
   * @throws SchedError `SCHED_STORE_UNSUPPORTED` when the store has no transactions
   */
  withTransaction(tx: unknown): TaskClient {
    return new TaskClient(this.#context, this.#access.withTransaction(tx));
  }

  /**
   * The record to insert; null for a schedule that has come to its end, and is declared again as it is stored.
   *
   * @throws SchedError `SCHED_TRIGGER_NEVER`
   */
  async #recordOf(prepared: Prepared, now: number): Promise<NewTaskRecord | null> {
    try {
      return newRecord(prepared, now);
    } catch (error) {
      const { id, onConflict, trigger } = prepared;
      if (!isSchedError(error, 'SCHED_TRIGGER_NEVER') || onConflict === 'replace') throw error;
      const current = await this.#get(id);
      const isSame = current && sameTrigger(readBody(current.body).trigger, trigger.toJSON());
      if (!isSame) throw error;
      return null;
    }
  }

  /** @returns those that were not there before */
  async #insert(records: readonly NewTaskRecord[]): Promise<ReadonlySet<NewTaskRecord>> {
    if (records.length === 0) return new Set();
    const answers = await this.#access.call('insert', (store) => store.insert(records));
    return new Set(records.filter((_, index) => answers[index] === 'inserted'));
  }

  async #scheduleExisting(
    prepared: Prepared,
    record: NewTaskRecord | null,
  ): Promise<ScheduledTask['outcome']> {
    const { id, onConflict } = prepared;
    if (onConflict === 'keep') return 'unchanged';
    if (onConflict === 'error') {
      throw new SchedError(
        'SCHED_TASK_EXISTS',
        `A task with the id "${id}" exists already. Use another id, or another onConflict than "error".`,
      );
    }
    const now = this.#access.estimateNow();
    let isChanged = false;
    const edited = await this.#tryEdit(id, async (current) => {
      const change = redeclare(prepared, current, now);
      isChanged = change !== null;
      return change;
    });
    if (edited) {
      if (!isChanged) return 'unchanged';
      return onConflict === 'replace' ? 'replaced' : 'updated';
    }
    // It was removed in the meantime.
    const fresh = record ?? newRecord(prepared, now);
    const isNew = await this.#insert([fresh]);
    return isNew.has(fresh) ? 'created' : this.#scheduleExisting(prepared, fresh);
  }

  async #edit(id: string, decide: Decide): Promise<TaskRecord> {
    checkId(id, childIdBytes);
    const record = await this.#tryEdit(id, decide);
    if (!record) throw notFound(id);
    return record;
  }

  /** Reads, decides and writes until nobody else has written in between. Undefined when there is no such task. */
  async #tryEdit(id: string, decide: Decide): Promise<TaskRecord | undefined> {
    for (let tries = 0; tries < editLimit; tries++) {
      const record = await this.#get(id);
      if (!record) return undefined;
      const change = await decide(record, readBody(record.body));
      if (!change) return record;
      const { revision } = record;
      const answer = await this.#access.call('update', (store) =>
        store.update(id, change, { revision }),
      );
      if (answer === 'missing') return undefined;
      if (answer === 'conflict') continue;
      this.#wake({ ...record, ...change });
      return record;
    }
    throw new SchedError(
      'SCHED_TASK_CONTENDED',
      `Task ${id} was changed by others ${editLimit} times while it was to be changed. Nothing was done; try again.`,
    );
  }

  async #setPaused(selection: Selection, paused: boolean): Promise<number> {
    const selector = selectorOf(selection);
    const { alias: store } = this.#access;
    const count = await this.#access.call('setPaused', (each) => each.setPaused(selector, paused));
    if (count === 0) return 0;
    this.#emit(paused ? 'paused' : 'resumed', { store, count });
    if (!paused) this.#context.wakeAt(store, null, await this.#access.now());
    return count;
  }

  async #require(id: string): Promise<TaskRecord> {
    checkId(id, childIdBytes);
    const record = await this.#get(id);
    if (!record) throw notFound(id);
    return record;
  }

  async #get(id: string): Promise<TaskRecord | undefined> {
    const [record] = await this.#access.call('get', (store) => store.get([id]));
    return record;
  }

  #wake({ queue, runAt }: Pick<NewTaskRecord, 'queue' | 'runAt'>): void {
    if (runAt !== null) this.#context.wakeAt(this.#access.alias, queue, runAt);
  }

  #emit<K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]): void {
    this.#context.events.emit(name, event);
  }
}

type Decide = (record: TaskRecord, body: TaskBody) => Promise<Change>;

function notFound(id: string): SchedError {
  return new SchedError(
    'SCHED_TASK_NOT_FOUND',
    `There is no task with the id "${id}". It may have finished: finished tasks are removed unless keepFinished is set.`,
  );
}
