/** The calls of users that are about the tasks of one store. */

import {
  announcementGroup,
  goneAfterMs,
  isAnnouncement,
  readAnnouncement,
  type WorkerInfo,
} from './announcements.js';
import {
  distinctIds,
  readDeclarations,
  readGroup,
  readSingle,
  type ScheduledTask,
  storeAll,
} from './bulk.js';
import { checkGroup, checkId, checkMembers, childIdBytes, invalid, wholeNumber } from './check.js';
import type { ListResult, TaskFilter, TaskRecord } from './data-store.js';
import { childOf } from './decisions/child.js';
import { settled } from './decisions/decision.js';
import type { Declaration, DeclarationContext, Draft, ScheduleOptions } from './declaration.js';
import type { Time } from './duration.js';
import { editorOf, type TaskChanges } from './edit.js';
import { SchedError } from './errors.js';
import type { Emitter, SchedulerEvents } from './events.js';
import { readHeaders } from './headers.js';
import { findLatestRuns, type LatestRuns, type LatestRunsRequest } from './latest-runs.js';
import { type ListFilter, type PageRequest, readFilter } from './listing.js';
import type { MiddlewareStack } from './middleware.js';
import { previewTimes } from './preview.js';
import { isPromise } from './promises.js';
import { readBody, writeBody } from './record.js';
import { type Selection, selectorOf } from './selection.js';
import type { StoreAccess } from './store-access.js';
import type { TaskDefinition } from './task.js';
import { describeEntry, describeTask, type RunInfo, type TaskInfo } from './task-info.js';
import { TaskRecords } from './task-records.js';
import type { Trigger, TriggerJson } from './trigger.js';
import type { When } from './when.js';

/** The declarations that `scheduleMany` and `sync` take. Each has the payload type of its own task. */
export type Declarations<Inputs extends readonly unknown[]> = {
  readonly [Index in keyof Inputs]: Declaration<Inputs[Index]>;
};

export interface SyncResult {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly removed: readonly string[];
}

/** What the client needs from its scheduler. */
export interface ClientContext extends DeclarationContext {
  readonly events: Emitter;
  readonly middleware: MiddlewareStack;
  /** Wakes the worker of a store at this time, because a task of that queue, or of any, is due then. */
  wakeAt(store: string, queue: string | null, time: number): void;
  /** Like `wakeAt`, but the task becomes visible only when the user's transaction commits, at an unknown time. */
  lookSoon(store: string, queue: string | null): void;
  /** Aborts a run in this process, or prevents its start. Returns whether there was one. */
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
   * Safe to repeat with the same id as long as the task exists, at every start of a program or after a lost answer: see
   * {@link ScheduleOptions}. Without an id, each call creates another task.
   *
   * @param options what to run and when: `{ payload, id, cron, timeZone, … }`. The task's schema checks the payload in
   *   the form in which it is stored
   * @throws SchedError when anything is not valid (nothing is stored then); `SCHED_TASK_EXISTS`;
   *   `SCHED_STORE_UNAVAILABLE` or `SCHED_STORE_TIMEOUT`, after which the task may have been stored or not
   */
  async schedule<Input>(
    task: TaskDefinition<Input, unknown>,
    ...[options]: undefined extends Input
      ? [options?: ScheduleOptions<Input>]
      : [options: ScheduleOptions<Input>]
  ): Promise<ScheduledTask> {
    const draft = await readSingle(task, options, this.#context);
    const now = await this.#access.now();
    const [scheduled] = await this.#store([draft], now);
    return scheduled as ScheduledTask;
  }

  /**
   * Schedules many tasks with few calls to the store, two of them under way at a time. Checks all before it stores the
   * first. When it fails, any of them may have been stored.
   *
   * @param declarations the options of {@link schedule}, each with its task: `[{ task, payload, id, cron, … }]`
   * @throws as {@link schedule}
   */
  async scheduleMany<const Inputs extends readonly unknown[]>(
    declarations: Declarations<Inputs>,
  ): Promise<readonly ScheduledTask[]> {
    const drafts = await readDeclarations(declarations, this.#context);
    const now = await this.#access.now();
    return this.#store(drafts, now);
  }

  /** The task with that id, or undefined. */
  async get(id: string): Promise<TaskInfo | undefined> {
    checkId(id, childIdBytes);
    const now = await this.#access.now();
    const record = await this.#records.get(id);
    return record && !isAnnouncement(record) ? this.#describe(record, now) : undefined;
  }

  /** The tasks that match. Reads them page by page during the iteration. */
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
    const shown = tasks.filter((task) => !isAnnouncement(task));
    const described = shown.map((task) => this.#describe(task, now));
    const isWaiting = described.some((task) => isPromise(task));
    return { tasks: isWaiting ? await Promise.all(described) : (described as TaskInfo[]), next };
  }

  /**
   * How many tasks match. What schedulers say about themselves is counted by a second call and left out, so that the
   * answer may be off by those that start or stop meanwhile; exact with a `group`.
   */
  async count(filter: ListFilter = {}): Promise<number> {
    const wanted = readFilter(filter);
    const count = await this.#count(wanted);
    if (wanted.group !== undefined) return count;
    return Math.max(0, count - (await this.#countAnnouncements(wanted)));
  }

  /**
   * Changes a task, whatever its state. A run in progress goes on unchanged; the change applies from the next run on.
   *
   * @throws SchedError `SCHED_TASK_NOT_FOUND`, or when anything is not valid
   */
  async update(id: string, changes: TaskChanges): Promise<void> {
    const edit = editorOf(id, changes, this.#context);
    const now = await this.#access.now();
    await this.#records.edit(id, (record, body) => edit(record, body, now));
  }

  /** Stops tasks from running until they are resumed. A run in progress goes on. Returns how many tasks changed. */
  async pause(selection: Selection): Promise<number> {
    return this.#setPaused(selection, true);
  }

  /**
   * Lets paused tasks run again. A recurring task skips what it missed during the pause; a one-off that became due runs
   * now. Returns how many tasks changed.
   */
  async resume(selection: Selection): Promise<number> {
    return this.#setPaused(selection, false);
  }

  /**
   * Removes tasks, whatever their state. A run in progress gets its signal aborted when its worker notices. Returns how
   * many tasks were removed.
   */
  async remove(selection: Selection): Promise<number> {
    const selector = selectorOf(selection);
    const hidden = 'all' in selector ? await this.#countAnnouncements({}) : 0;
    const removed = await this.#access.call('remove', (store) => store.remove(selector));
    const count = Math.max(0, removed - hidden);
    if (count > 0) this.#emit('removed', { store: this.#access.alias, count });
    return count;
  }

  /**
   * Runs a task now, independently of its schedule and also while it is paused. Creates a separate task for the run,
   * which records its outcome in the history of this one. Returns the id of that task.
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
   * Aborts the run of a task, wherever it runs: in this process at once, elsewhere at its worker's next heartbeat, a
   * third of a lease at most. If a worker has claimed the task but not started it, prevents the start. The run counts
   * as failed and is not retried. Returns whether a worker had the task.
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
        // Null: no occurrence was left when it failed. Otherwise the schedule goes on after the retry.
        ...(body.nominal === null && { isLast: true as const }),
      });
      return { status: 'scheduled', runAt: now, body: text };
    });
    this.#records.wake({ queue, runAt: now });
  }

  /**
   * The schedulers that have been started on this store and are not known to have ended, unless they do not `announce`
   * themselves. One that has died is shown for three minutes; `seenAt` says when each was last heard of.
   */
  async workers(): Promise<readonly WorkerInfo[]> {
    const now = await this.#access.now();
    const workers: WorkerInfo[] = [];
    let after: string | null = null;
    do {
      const request = { group: announcementGroup, limit: 1000, ...(after !== null && { after }) };
      const page: ListResult = await this.#access.call('list', (store) => store.list(request));
      for (const record of page.tasks) {
        const worker = readAnnouncement(record);
        if (worker && now - worker.seenAt.getTime() < goneAfterMs) workers.push(worker);
      }
      after = page.next;
    } while (after !== null);
    return workers;
  }

  /** The outcomes of a task's runs, newest first. Empty when the store keeps no history. */
  async history(id: string, limit = 100): Promise<readonly RunInfo[]> {
    checkId(id, childIdBytes);
    wholeNumber('limit', limit, 1);
    const entries = await this.#access.call('history', (store) => store.history(id, limit));
    return entries.map(describeEntry);
  }

  /**
   * The newest runs of all tasks, also of those that are gone, page by page: a page may be short, even empty, before
   * the last one. Runs that end meanwhile are at the start, and never twice on the pages. Leaves out what cannot be read.
   *
   * @throws SchedError `SCHED_STORE_UNSUPPORTED` when the store has no order of runs across tasks
   */
  async latestRuns(request: LatestRunsRequest = {}): Promise<LatestRuns> {
    return findLatestRuns(request, (limit, after) =>
      this.#access.call('latestHistory', (store) =>
        store.latestHistory({ limit, ...(after !== undefined && { after }) }),
      ),
    );
  }

  /**
   * Makes the tasks of a group equal to the declarations: adds new tasks, changes different ones, and removes those no
   * longer declared. Also takes over tasks with these ids that have no group; leaves all others alone. A task that is
   * already as declared keeps even an overdue run.
   *
   * @param declarations each with an id of its own. Their group becomes the one given here
   * @throws as {@link schedule}, and `SCHED_TASK_EXISTS`, before anything changes, when a task of another group has one
   *   of the ids
   */
  async sync<const Inputs extends readonly unknown[]>(
    declarations: Declarations<Inputs>,
    options: { readonly group?: string } = {},
  ): Promise<SyncResult> {
    const { group = 'declared' } = checkMembers('The options of sync', options, ['group']);
    checkGroup(group);
    const ids = distinctIds(declarations);
    const drafts = await readDeclarations(
      declarations.map((declaration) => ({ ...declaration, group })),
      this.#context,
    );
    const now = await this.#access.now();
    const known = await readGroup(this.#records, drafts);
    const scheduled = await this.#store(drafts, now, known);
    const removed: string[] = [];
    for await (const { id, parent, trigger } of this.list({ group })) {
      // A newer version may have declared a task that cannot be read here.
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
   * The next `count` times at which a trigger would run, at `from` or later. Does not use a store.
   *
   * @param options.from default now
   * @param options.id the id of the task, which determines the jitter
   * @param options.declaredAt since when the trigger has been that of the task, from which an interval without a start
   *   counts. Default `from`
   * @throws SchedError when the trigger, `count` or a moment is not valid
   */
  preview(
    when: Trigger | When,
    count: number,
    options: { readonly from?: Time; readonly id?: string; readonly declaredAt?: Time } = {},
  ): Date[] {
    checkMembers('The options of preview', options, ['from', 'id', 'declaredAt']);
    return previewTimes(when, count, options, this.#context.triggers);
  }

  /**
   * Reads a trigger back from its stored form, as `get` shows it. So the times of a task, beyond its next run, are
   * `preview(readTrigger(task.trigger), 10, { from: task.runAt, id: task.id, declaredAt: task.declaredAt })`.
   *
   * @throws SchedError `SCHED_TRIGGER_UNKNOWN` when its kind is not registered with this scheduler, or what that kind
   *   throws when it cannot be read
   */
  readTrigger(json: TriggerJson): Trigger {
    return this.#context.triggers.parse(json);
  }

  /**
   * A client for the same tasks inside your own transaction. Its changes take effect if and only if your transaction
   * commits.
   *
   * @param tx the transaction object of the store's adapter: its README says which object that is
   * @throws SchedError `SCHED_STORE_UNSUPPORTED` when the store has no transactions
   */
  withTransaction(tx: unknown): TaskClient {
    const { lookSoon } = this.#context;
    // Nothing is visible before the commit, and nothing tells when that happens.
    const context = { ...this.#context, wakeAt: lookSoon };
    return new TaskClient(context, this.#access.withTransaction(tx), true);
  }

  async #store(
    drafts: readonly Draft[],
    now: number,
    known?: ReadonlyMap<string, TaskRecord>,
  ): Promise<readonly ScheduledTask[]> {
    const { middleware } = this.#context;
    const store = () => storeAll(this.#records, drafts, now, this.#onStored, known);
    if (!middleware.surroundsCalls) return store();
    const tasks = drafts.map(({ id, definition: { name }, queue, headers }) => {
      return { id, name, queue, headers };
    });
    return middleware.schedule({ store: this.#access.alias, tasks }, () => {
      for (const { name, headers } of tasks) readHeaders(name, headers);
      return store();
    });
  }

  #count(filter: TaskFilter): Promise<number> {
    return this.#access.call('count', (store) => store.count(filter));
  }

  /** How many of the records that match are no tasks. */
  async #countAnnouncements(filter: TaskFilter): Promise<number> {
    const { status = 'finished', name, queue, leased } = filter;
    const canMatch =
      status === 'finished' && leased !== true && name === undefined && queue === undefined;
    return canMatch ? this.#count({ ...filter, group: announcementGroup }) : 0;
  }

  #describe(record: TaskRecord, now: number): TaskInfo | PromiseLike<TaskInfo> {
    const { codec, definitions } = this.#context;
    return describeTask(record, codec, definitions.get(record.name), now);
  }

  readonly #onStored = ({ id, definition }: Draft, outcome: ScheduledTask['outcome']): void => {
    if (!this.#context.events.isHeard('scheduled')) return;
    this.#emit('scheduled', { id, name: definition.name, store: this.#access.alias, outcome });
  };

  async #setPaused(selection: Selection, paused: boolean): Promise<number> {
    const selector = selectorOf(selection);
    const { alias: store } = this.#access;
    const hidden = 'all' in selector ? await this.#countAnnouncements({ paused: !paused }) : 0;
    const changed = await this.#access.call('setPaused', (each) =>
      each.setPaused(selector, paused),
    );
    const count = Math.max(0, changed - hidden);
    if (count === 0) return 0;
    this.#emit(paused ? 'paused' : 'resumed', { store, count });
    if (!paused) this.#records.wake({ queue: null, runAt: await this.#access.now() });
    return count;
  }

  #emit<K extends keyof SchedulerEvents>(name: K, event: SchedulerEvents[K]): void {
    this.#context.events.emit(name, event);
  }
}
