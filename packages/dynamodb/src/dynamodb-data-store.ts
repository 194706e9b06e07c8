import type {
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  HistoryEntry,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { claim } from './claims.js';
import type { Change } from './edits.js';
import { extend, insert, release, remove, setPaused, update } from './edits.js';
import { textOf } from './expressions.js';
import { eachInOrder } from './in-order.js';
import { IndexLag } from './index-lag.js';
import { count, history, keysOf, list, read } from './listing.js';
import type { DynamoDBDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import type { Key } from './records.js';
import { checkBody, checkNew, checkTexts } from './records.js';
import type { Session } from './session.js';
import { openSession } from './session.js';
import { checkSettlement, putHistory, settle } from './settlements.js';

/**
 * Tasks in a table of Amazon DynamoDB. Any number of processes may share them. DynamoDB has no clock that could be
 * asked: the time is that of each process, and leases allow for clocks that differ.
 */
export class DynamoDBDataStore implements DataStore {
  readonly name = 'dynamodb';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    watch: false,
    transactions: false,
    processes: true,
  };

  readonly #settings: Settings;
  readonly #lag: IndexLag;
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: DynamoDBDataStoreOptions = {}) {
    this.#settings = readOptions(options);
    this.#lag = new IndexLag(this.#settings.maxIndexLagMs);
  }

  async open(): Promise<void> {
    if (!this.#opening) {
      const opening = openSession(this.#settings);
      this.#opening = opening;
      opening.then(
        (session) => {
          if (this.#opening === opening) this.#session = session;
        },
        () => {
          if (this.#opening === opening) this.#opening = undefined;
        },
      );
    }
    await this.#opening;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#session = undefined;
    const session = await opening?.catch(() => undefined);
    await session?.close();
  }

  async now(): Promise<number> {
    this.#open();
    return this.#now();
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    const session = this.#open();
    records.forEach(checkNew);
    if (records.length === 0) return [];
    const now = this.#now();
    const first = await session.numbers(records.length);
    const answers = await eachInOrder(records, idsOf, (record, index) =>
      insert(session, record, first + index),
    );
    for (const record of records) this.#lag.note(record.id, dueAt(record), now);
    return answers;
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    const session = this.#open();
    const tasks = await read(session, ids);
    // A task of its own for an id that is asked for twice.
    return ids.map((id) => {
      const task = tasks.get(id);
      return task && { ...task, lease: task.lease && { ...task.lease } };
    });
  }

  async update(
    id: string,
    change: Change,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    const session = this.#open();
    checkTextsOf(change);
    checkBody(change.body ?? '');
    const answer = await update(session, id, change, expected.revision);
    const now = this.#now();
    const { runAt = 'queue' in change || 'status' in change ? now : null } = change;
    if (answer === 'updated') this.#lag.note(id, runAt, now);
    return answer;
  }

  async list(request: ListRequest): Promise<ListResult> {
    checkTextsOf(request);
    return list(this.#open(), request, this.#now());
  }

  async count(filter: TaskFilter): Promise<number> {
    checkTextsOf(filter);
    return count(this.#open(), filter, this.#now());
  }

  async remove(selector: TaskSelector): Promise<number> {
    const session = this.#open();
    return this.#each(session, selector, (key, group) => remove(session, key, group));
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    const session = this.#open();
    const now = this.#now();
    return this.#each(session, selector, async (key, group) => {
      const changed = await setPaused(session, key, paused, now, group);
      if (changed > 0) this.#lag.note(textOf(key, 'sk') ?? '', paused ? null : now, now);
      return changed;
    });
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const session = this.#open();
    checkTexts([request.owner, ...request.queues]);
    const result = await claim(session, request, this.#now());
    const { tasks, now, nextWakeAt } = result;
    for (const { id } of tasks) this.#lag.found(id);
    if (tasks.length === request.limit) return result;
    return { ...result, nextWakeAt: this.#lag.soonest(nextWakeAt, now) };
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    const session = this.#open();
    const now = this.#now();
    return eachInOrder(leases, idsOf, (lease) => extend(session, lease, leaseMs, now));
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const session = this.#open();
    const now = this.#now();
    settlements.forEach(checkSettlement);
    // Before any is settled, so that entries come in the order of this call.
    const history = settlements.map((each) => putHistory(session, each, now));
    const answers = await eachInOrder(settlements, idsOf, (each, index) =>
      settle(session, each, history[index] ?? []),
    );
    for (const { id, next, spawn } of settlements) {
      this.#lag.note(id, next?.runAt ?? null, now);
      for (const task of spawn) this.#lag.note(task.id, dueAt(task), now);
    }
    return answers;
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    const session = this.#open();
    const answers = await eachInOrder(leases, idsOf, (lease) => release(session, lease));
    const now = this.#now();
    for (const { id, deferUntil = now } of leases) this.#lag.note(id, deferUntil, now);
    return answers;
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const session = this.#open();
    checkTexts([taskId]);
    return history(session, taskId, limit, this.#now());
  }

  async watch(): Promise<() => Promise<void>> {
    this.#open();
    return async () => {};
  }

  withTransaction(): DataStore {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      'The DynamoDB store has no transactions. Schedule after your own work has succeeded, or use a store on the database in which that work is done.',
    );
  }

  #open(): Session {
    if (!this.#session) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The DynamoDB store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#session;
  }

  #now(): number {
    const { clock = Date.now } = this.#settings;
    return clock();
  }

  /** Does something with each task that is selected. @returns the sum of what that answers */
  async #each(
    session: Session,
    selector: TaskSelector,
    work: (key: Key, group?: string) => Promise<number>,
  ): Promise<number> {
    const { records } = session;
    let sum = 0;
    const all = async (keys: readonly Key[], group?: string) => {
      const results = await Promise.allSettled(keys.map((key) => work(key, group)));
      for (const result of results) {
        if (result.status === 'rejected') throw result.reason;
        sum += result.value;
      }
    };
    if ('ids' in selector) {
      await all([...new Set(selector.ids)].map((id) => records.keyOf(id)));
      return sum;
    }
    const group = 'group' in selector ? selector.group : undefined;
    checkTexts([group ?? '']);
    for await (const keys of keysOf(session, group)) {
      await all(keys, group === undefined ? undefined : records.groupOf(group));
    }
    return sum;
  }
}

/** @throws SchedError for what would reach the database as another text */
function checkTextsOf({ name = '', queue = '', group }: TaskFilter | Change): void {
  checkTexts([name, queue, group ?? '']);
}

const dueAt = ({ paused, runAt }: NewTaskRecord) => (paused ? null : runAt);

const idsOf = ({
  id,
  spawn = [],
}: {
  readonly id: string;
  readonly spawn?: readonly { readonly id: string }[];
}) => [id, ...spawn.map((task) => task.id)];
