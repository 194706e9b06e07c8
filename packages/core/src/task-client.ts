/** Everything that can be asked of the tasks in one store. */

import { distinctIds, readDeclarations, readGroup, type ScheduledTask, storeAll } from './bulk.js';
import { checkId, checkLabel, checkMembers, childIdBytes, invalid, wholeNumber } from './check.js';
import { childOf } from './decisions/child.js';
import { settled } from './decisions/decision.js';
import {
  type Declaration,
  type DeclarationContext,
  type Draft,
  optionNames,
  type ScheduleOptions,
} from './declaration.js';
import type { Time } from './duration.js';
import { editorOf, type TaskChanges } from './edit.js';
import { SchedError } from './errors.js';
import type { Emitter, SchedulerEvents } from './events.js';
import { type ListFilter, type PageRequest, readFilter } from './listing.js';
import { previewTimes } from './preview.js';
import { readBody, writeBody } from './record.js';
import { type Selection, selectorOf } from './selection.js';
import type { StoreAccess } from './store-access.js';
import type { TaskDefinition } from './task.js';
import { describeEntry, describeTask, type RunInfo, type TaskInfo } from './task-info.js';
import { TaskRecords } from './task-records.js';
import type { Trigger } from './trigger.js';
import type { When } from './when.js';

/** What `scheduleMany` and `sync` take: declarations, each with the payload that its own task wants. */
export type Declarations<Inputs extends readonly unknown[]> = {
  readonly [Index in keyof Inputs]: Declaration<Inputs[Index]>;
};

export interface SyncResult {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly removed: readonly string[];
}

/** What the client needs of the scheduler that it belongs to. */
export interface ClientContext extends DeclarationContext {
  readonly events: Emitter;
  /** A task of this store, in that queue or in any, is due then. */
  wakeAt(store: string, queue: string | null, time: number): void;
  /** A task of this store, in that queue or in any, will be due when a transaction of the user's is committed. */
  lookSoon(store: string, queue: string | null): void;
  /** Aborts a run in this process, or has it not begin. Says whether there was one. */
  cancel(store: string, id: string): boolean;
}

/** The tasks of one store. */
export class TaskClient {
  readonly #context: ClientContext;
  readonly #access: StoreAccess;
  readonly #records: TaskRecords;

  /** @internal */
  constructor(context: ClientContext, access: StoreAccess, isInTransaction = false) {
    this.#context = context;
    this.#access = access;
    this.#records = new TaskRecords(access, isInTransaction, (queue, time) =>
      context.wakeAt(access.alias, queue, time),
    );
  }

  /**
   * Schedules a task.
   *
   * Safe to repeat with the same id for as long as the task is there, at every start of a program or after a lost
   * answer: see {@link ScheduleOptions}. Without an id, each call makes another task.
   *
   * @param options what to run and when: `{ payload, id, cron, timeZone, … }`. The payload is checked against the task's
   *   schema, in the form in which it is stored
   * @throws SchedError when anything is not valid (nothing is stored then), `SCHED_TASK_EXISTS`, or
   *   `SCHED_STORE_UNAVAILABLE` and `SCHED_STORE_TIMEOUT`, after which it may have been stored or not
   */
  async schedule<Input>(
    task: TaskDefinition<Input, unknown>,
    ...[options]: undefined extends Input
      ? [options?: ScheduleOptions<Input>]
      : [options: ScheduleOptions<Input>]
  ): Promise<ScheduledTask> {
    if (options !== undefined) checkMembers('The options of schedule', options, optionNames());
    const [scheduled] = await this.#scheduleAll([{ ...options, task } as Declaration]);
    return scheduled as ScheduledTask;
  }

  /**
   * Schedules many tasks with few calls to the store. All are checked before the first is stored.
   *
   * @param declarations the options of {@link schedule}, each with its task: `[{ task, payload, id, cron, … }]`
   * @throws as {@link schedule}
   */
  async scheduleMany<const Inputs extends readonly unknown[]>(
    declarations: Declarations<Inputs>,
  ): Promise<readonly ScheduledTask[]> {
    return this.#scheduleAll(declarations);
  }

  /** The task of that id, or undefined. */
  async get(id: string): Promise<TaskInfo | undefined> {
    checkId(id, childIdBytes);
    const now = await this.#access.now();
    const record = await this.#records.get(id);
    return record && describeTask(record, this.#context.codec, now);
  }

  /** The tasks that match, read page by page while they are iterated. */
  async *list(filter: ListFilter = {}): AsyncGenerator<TaskInfo, void, undefined> {
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
    const filter = readFilter(request, ['after', 'limit']);
    const { after, limit = 100 } = request;
    wholeNumber('limit', limit, 1);
    if (after !== undefined && typeof after !== 'string') {
      throw invalid('after', after, 'the next of the previous page');
    }
    const now = await this.#access.now();
    const { tasks, next } = await this.#access.call('list', (store) =>
      store.list({ ...filter, limit, ...(after !== undefined && { after }) }),
    );
    return { tasks: tasks.map((task) => describeTask(task, this.#context.codec, now)), next };
  }

  /** How many tasks match. */
  async count(filter: ListFilter = {}): Promise<number> {
    const wanted = readFilter(filter);
    return this.#access.call('count', (store) => store.count(wanted));
  }

  /**
   * Changes a task, whatever it is doing. A run in progress goes on as it began, and the change holds from the next.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`, or when anything is not valid
   */
  async update(id: string, changes: TaskChanges): Promise<void> {
    const edit = editorOf(id, changes, this.#context);
    const now = await this.#access.now();
    await this.#records.edit(id, (record, body) => edit(record, body, now));
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
    const record = await this.#records.require(id);
    const body = readBody(record.body);
    const childId = `${body.parent ?? id}+${crypto.randomUUID()}`;
    const child = childOf(record, body, now, now, childId);
    await this.#records.insert([child]);
    this.#records.wake(child);
    const { name } = record;
    this.#emit('spawned', { id, name, store: this.#access.alias, childId, nominal: new Date(now) });
    return childId;
  }

  /**
   * Aborts the run of a task, wherever it is running: in this process at once, elsewhere with its worker's next
   * heartbeat, a third of a lease. A run that a worker has claimed and not begun does not begin. It counts as failed and
   * is not tried again. Gives whether a worker had the task.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`
   */
  async cancel(id: string): Promise<boolean> {
    checkId(id, childIdBytes);
    if (this.#context.cancel(this.#access.alias, id)) return true;
    const now = await this.#access.now();
    let wasRunning = false;
    await this.#records.edit(id, async (record, body) => {
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
    const { queue } = await this.#records.edit(id, async ({ status }, body) => {
      if (status !== 'failed') {
        throw new SchedError(
          'SCHED_TASK_STATE',
          `Task ${id} is ${status}, not failed: there is nothing to retry. Use runNow to run it once more.`,
        );
      }
      const nominal = body.nominal ?? body.last?.nominal ?? now;
      const text = writeBody({
        ...{ ...settled(body), nominal, attempt: 1, backlogUntil: nominal },
        // One that failed before its schedule was over goes on with it.
        ...(body.nominal === null && { isLast: true as const }),
      });
      return { status: 'scheduled', runAt: now, body: text };
    });
    this.#records.wake({ queue, runAt: now });
  }

  /** What became of a task's runs, newest first. Empty when the store keeps no history. */
  async history(id: string, limit = 100): Promise<readonly RunInfo[]> {
    checkId(id, childIdBytes);
    wholeNumber('limit', limit, 1);
    const entries = await this.#access.call('history', (store) => store.history(id, limit));
    return entries.map(describeEntry);
  }

  /**
   * Makes the tasks of a group equal to what is declared: adds what is new, changes what is different, removes what is
   * no longer declared. Nothing else is touched but tasks of these ids that have no group yet, and a task that is already as declared keeps
   * even an overdue run.
   *
   * @param declarations every one with an id of its own; their group becomes the one given here
   * @throws as {@link schedule}, and `SCHED_TASK_EXISTS` when an id is that of a task of another group, before anything
   *   changes
   */
  async sync<const Inputs extends readonly unknown[]>(
    declarations: Declarations<Inputs>,
    options: { readonly group?: string } = {},
  ): Promise<SyncResult> {
    const { group = 'declared' } = checkMembers('The options of sync', options, ['group']);
    checkLabel('group', group);
    const ids = distinctIds(declarations);
    const drafts = await readDeclarations(
      declarations.map((declaration) => ({ ...declaration, group })),
      this.#context,
    );
    const now = await this.#access.now();
    const known = await readGroup(this.#records, drafts);
    const scheduled = await storeAll(this.#records, drafts, now, this.#onStored, known);
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
    options: { readonly from?: Time; readonly id?: string } = {},
  ): Date[] {
    const { from = Date.now(), id = '' } = checkMembers('The options of preview', options, [
      'from',
      'id',
    ]);
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
    const { lookSoon } = this.#context;
    // Before the commit there is nothing to be seen, and nobody says when that is.
    const context = { ...this.#context, wakeAt: lookSoon };
    return new TaskClient(context, this.#access.withTransaction(tx), true);
  }

  async #scheduleAll(declarations: readonly Declaration[]): Promise<readonly ScheduledTask[]> {
    const drafts = await readDeclarations(declarations, this.#context);
    const now = await this.#access.now();
    return storeAll(this.#records, drafts, now, this.#onStored);
  }

  readonly #onStored = ({ id, definition }: Draft, outcome: ScheduledTask['outcome']): void => {
    this.#emit('scheduled', { id, name: definition.name, store: this.#access.alias, outcome });
  };

  async #setPaused(selection: Selection, paused: boolean): Promise<number> {
    const selector = selectorOf(selection);
    const { alias: store } = this.#access;
    const count = await this.#access.call('setPaused', (each) => each.setPaused(selector, paused));
    if (count === 0) return 0;
    this.#emit(paused ? 'paused' : 'resumed', { store, count });
    if (!paused) this.#records.wake({ queue: null, runAt: await this.#access.now() });
    return count;
  }

  #emit<K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]): void {
    this.#context.events.emit(name, event);
  }
}
