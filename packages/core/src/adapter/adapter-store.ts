import type {
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  HistoryEntry,
  LatestHistoryRequest,
  LatestHistoryResult,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  WakeUp,
} from '../data-store.js';
import { SchedError } from '../errors.js';
import { batches, chunks } from './batches.js';
import type { AtEnd, StoreCalls, TaskChange } from './calls.js';
import {
  checkIds,
  checkItem,
  checkTexts,
  type Sized,
  type StoreLimits,
  sizeOf,
  textsOfChange,
  textsOfFilter,
  textsOfRecord,
  textsOfSettlement,
} from './limits.js';

/**
 * The public half of a data store: its life cycle, and what the calls of all databases have in common. An adapter
 * extends it, and gives it the private half when it connects.
 *
 * It opens once, however often it is asked to at the same time, may be opened again after it was closed, and refuses
 * calls in between. What {@link StoreCalls} need not look after is done here.
 */
export abstract class AdapterStore implements DataStore {
  abstract readonly name: string;
  abstract readonly capabilities: DataStoreCapabilities;
  readonly #title: string;
  readonly #settings: { readonly historyLimit: number };
  #opening: Promise<Opened> | undefined;
  #calls: StoreCalls | undefined;

  /**
   * @param title the name of the database in messages: `PostgreSQL`
   * @param settings how many entries of the history of a task are kept
   * @param calls of a store that need not be opened
   */
  constructor(title: string, settings: { readonly historyLimit: number }, calls?: StoreCalls) {
    this.#title = title;
    this.#settings = settings;
    this.#calls = calls;
  }

  /**
   * Connects, and makes sure of the schema.
   *
   * @param atEnd is told what ends what has been begun
   * @throws SchedError as {@link DataStore.open} says
   */
  protected abstract connect(atEnd: AtEnd): Promise<StoreCalls>;

  /**
   * The same calls within a transaction of the user's.
   *
   * @throws SchedError `SCHED_STORE_UNSUPPORTED`, unless an adapter does better
   */
  protected join(_tx: unknown): StoreCalls {
    throw withoutTransactions(this.#title);
  }

  async open(): Promise<void> {
    if (this.#calls) return;
    this.#opening ??= open((atEnd) => this.connect(atEnd));
    const opening = this.#opening;
    try {
      const { calls } = await opening;
      if (this.#opening === opening) this.#calls = calls;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#calls = undefined;
    const opened = await opening?.catch(() => undefined);
    await opened?.end();
  }

  now(): Promise<number> {
    return this.#call((calls) => calls.now());
  }

  insert(records: readonly NewTaskRecord[]): Promise<readonly ('inserted' | 'exists')[]> {
    return this.#inBatches(records, newTasks, (calls, part) => calls.insert(part));
  }

  get(ids: readonly string[]): Promise<readonly (TaskRecord | undefined)[]> {
    return this.#call(async (calls, limits) => {
      checkIds(limits, ids);
      const distinct = [...new Set(ids)];
      const found = new Map<string, TaskRecord>();
      for (const part of chunks(distinct, limits.maxItems)) {
        for (const task of await calls.read(part)) found.set(task.id, task);
      }
      if (distinct.length === ids.length) return ids.map((id) => found.get(id));
      // A task of its own for an id that is asked for twice.
      return ids.map((id) => structuredClone(found.get(id)));
    });
  }

  update(
    id: string,
    change: TaskChange,
    { revision }: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    return this.#call((calls, limits) => {
      const sized = textsOfChange(id, change);
      checkItem(limits, sized);
      const size = sizeOf(limits, sized);
      if (size > (limits.maxSize ?? size) && limits.refuse) throw limits.refuse(size);
      return calls.update(id, change, revision);
    });
  }

  list(request: ListRequest): Promise<ListResult> {
    return this.#call((calls, limits) => {
      checkTexts(limits, [request.after, ...textsOfFilter(request)]);
      return calls.list(request);
    });
  }

  count(filter: TaskFilter): Promise<number> {
    return this.#call((calls, limits) => {
      checkTexts(limits, textsOfFilter(filter));
      return calls.count(filter);
    });
  }

  remove(selector: TaskSelector): Promise<number> {
    return this.#select(selector, false, (calls, part) => calls.remove(part));
  }

  setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    return this.#select(selector, true, (calls, part, at) => calls.setPaused(part, paused, at));
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#call((calls, limits) => {
      checkTexts(limits, [request.owner]);
      checkTexts(limits, request.queues);
      calls.watcher?.note(request.queues);
      return calls.claim(request);
    });
  }

  extend(leases: readonly LeaseRef[], leaseMs: number): Promise<readonly (number | 'lost')[]> {
    return this.#inBatches(leases, extensions, (calls, part, at) =>
      calls.extend(part, leaseMs, at),
    );
  }

  settle(
    settlements: readonly Settlement[],
  ): Promise<readonly ('settled' | 'conflict' | 'lost')[]> {
    return this.#inBatches(settlements, outcomes, (calls, part) =>
      calls.settle(
        this.#settings.historyLimit > 0 ? part : part.map((each) => ({ ...each, history: [] })),
      ),
    );
  }

  release(leases: readonly Release[]): Promise<readonly ('released' | 'lost')[]> {
    return this.#inBatches(leases, releases, (calls, part) => calls.release(part));
  }

  history(taskId: string, limit: number): Promise<readonly HistoryEntry[]> {
    return this.#call(async (calls, limits) => {
      checkTexts(limits, [taskId]);
      const most = Math.min(Math.trunc(limit), this.#settings.historyLimit);
      return most < 1 ? [] : calls.history(taskId, most);
    });
  }

  latestHistory(request: LatestHistoryRequest): Promise<LatestHistoryResult> {
    return this.#call(async (calls, limits) => {
      if (!calls.latestHistory) throw withoutLatestHistory(this.#title);
      checkTexts(limits, [request.after]);
      if (this.#settings.historyLimit < 1) return { entries: [], next: null };
      return calls.latestHistory(request);
    });
  }

  /** Never notifies where the database has no way to tell. */
  watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>> {
    return this.#call(async (calls) => calls.watcher?.watch(listener) ?? (async () => {}));
  }

  withTransaction(tx: unknown): DataStore {
    return new StoreInTransaction(this, this.#title, this.#settings, this.join(tx));
  }

  /** Gives the promise of the call itself, with no step in between. */
  #call<T>(work: (calls: StoreCalls, limits: StoreLimits) => Promise<T>): Promise<T> {
    try {
      if (!this.#calls) throw notOpen(this.#title);
      return work(this.#calls, this.#calls.limits ?? {});
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #inBatches<T, Answer>(
    items: readonly T[],
    kind: Kind<T>,
    work: (calls: StoreCalls, part: readonly T[], at?: number) => Promise<readonly Answer[]>,
  ): Promise<readonly Answer[]> {
    return this.#call((calls, limits) => {
      if (items.length === 0) return Promise.resolve([]);
      // All of them first: what is refused has changed nothing.
      for (const item of items) checkItem(limits, kind.textsOf(item));
      const most = kind.most(limits);
      if (most === undefined) return work(calls, items);
      const parts = batches(items, { ...limits, maxItems: most }, kind.idsOf, (item) =>
        sizeOf(limits, kind.textsOf(item)),
      );
      return parts.length === 1 ? work(calls, items) : inTurn(calls, parts, kind.isTimed, work);
    });
  }

  #select(
    selector: TaskSelector,
    isTimed: boolean,
    work: (calls: StoreCalls, part: TaskSelector, at?: number) => Promise<number>,
  ): Promise<number> {
    return this.#call(async (calls, limits) => {
      if ('group' in selector) checkTexts(limits, [selector.group]);
      if (!('ids' in selector)) return work(calls, selector);
      checkIds(limits, selector.ids);
      const parts = chunks([...new Set(selector.ids)], limits.maxItems);
      const counts = await inTurn(calls, parts, isTimed, async (_, ids, at) => [
        await work(calls, { ids }, at),
      ]);
      return counts.reduce((sum, count) => sum + count, 0);
    });
  }
}

interface Opened {
  readonly calls: StoreCalls;
  end(): Promise<void>;
}

/** Opens as a whole or not at all. */
async function open(connect: (atEnd: AtEnd) => Promise<StoreCalls>): Promise<Opened> {
  const ends: (() => unknown)[] = [];
  const endAll = async () => {
    for (const end of ends) await end();
  };
  try {
    const calls = await connect((end) => ends.unshift(end));
    ends.unshift(() => calls.watcher?.close());
    return { calls, end: endAll };
  } catch (error) {
    await endAll().catch(() => {});
    throw error;
  }
}

/** A store whose calls are within a transaction of the user's. */
class StoreInTransaction extends AdapterStore {
  readonly name: string;
  readonly capabilities: DataStoreCapabilities;
  readonly #calls: StoreCalls;

  constructor(
    { name, capabilities }: DataStore,
    title: string,
    settings: { readonly historyLimit: number },
    calls: StoreCalls,
  ) {
    super(title, settings, calls);
    this.name = name;
    this.capabilities = capabilities;
    this.#calls = calls;
  }

  protected async connect(): Promise<StoreCalls> {
    return this.#calls;
  }
}

/** @param isTimed whether each is told the time of all: within one call of the contract, now is one value */
async function inTurn<T, Answer>(
  calls: StoreCalls,
  parts: readonly T[],
  isTimed: boolean,
  work: (calls: StoreCalls, part: T, at?: number) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const at = isTimed && parts.length > 1 ? await calls.now() : undefined;
  const answers: Answer[] = [];
  for (const part of parts) answers.push(...(await work(calls, part, at)));
  return answers;
}

/** What there is to know of the items of a call. */
interface Kind<T> {
  idsOf(item: T): readonly string[];
  textsOf(item: T): Sized;
  /** The most that one call takes. */
  most(limits: StoreLimits): number | undefined;
  /** Whether the time makes a difference that is seen. */
  readonly isTimed: boolean;
}

const mostWrites = ({ maxItems, maxWrites = maxItems }: StoreLimits) => maxWrites;

const newTasks: Kind<NewTaskRecord> = {
  ...{ idsOf: ({ id }) => [id], textsOf: textsOfRecord, most: mostWrites, isTimed: false },
};

const outcomes: Kind<Settlement> = {
  ...{ idsOf: idsOfSettlement, textsOf: textsOfSettlement, most: mostWrites, isTimed: false },
};

const releases: Kind<LeaseRef> = {
  idsOf: ({ id }) => [id],
  textsOf: ({ id }) => ({ ids: [id], texts: [], bodies: [] }),
  most: ({ maxItems }) => maxItems,
  isTimed: false,
};

const extensions: Kind<LeaseRef> = { ...releases, isTimed: true };

/** The tasks that a settlement is about. */
function idsOfSettlement({ id, spawn }: Settlement): string[] {
  return [id, ...spawn.map((record) => record.id)];
}

function notOpen(title: string): SchedError {
  return new SchedError(
    'SCHED_STORE_CLOSED',
    `The ${title} store is not open. Call open() first, or start the scheduler that uses it.`,
  );
}

function withoutLatestHistory(title: string): SchedError {
  return new SchedError(
    'SCHED_STORE_UNSUPPORTED',
    `The ${title} store keeps the history of each task by itself, and has no order across tasks. Ask for the history of one task.`,
  );
}

function withoutTransactions(title: string): SchedError {
  return new SchedError(
    'SCHED_STORE_UNSUPPORTED',
    `The ${title} store has no transactions. Schedule after your own work has succeeded, or use a store on the database in which that work is done.`,
  );
}
