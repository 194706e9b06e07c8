import type {
  ClaimRequest,
  ClaimResult,
  DataStoreOptions,
  ListRequest,
  ListResult,
  TaskRecord,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { ConformanceTarget, Guarantee } from '../../src/conformance/index.js';

/** A store that keeps every promise but one, and how the kit has to find out. */
export interface BrokenStore {
  /** What is wrong with it. */
  readonly name: string;
  readonly breaks: Guarantee;
  /** Part of the sentence with which a case of that guarantee has to reject it. */
  readonly because: string;
  readonly target: ConformanceTarget;
}

type StoreClass = new (options: DataStoreOptions) => MemoryDataStore;

/** A target whose places each hold one instance of this store. */
export function targetOf(Store: StoreClass): ConformanceTarget {
  return {
    create: () => {
      let store: MemoryDataStore | undefined;
      return {
        connect(options) {
          store ??= new Store(options);
          return store;
        },
      };
    },
  };
}

export function broken(
  name: string,
  breaks: Guarantee,
  because: string,
  Store: StoreClass,
): BrokenStore {
  return { name, breaks, because, target: targetOf(Store) };
}

/** A store that shows tasks otherwise than they are kept. */
export class DistortingStore extends MemoryDataStore {
  protected show<T extends TaskRecord>(task: T): T {
    return task;
  }

  override async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    return (await super.get(ids)).map((task) => task && this.show(task));
  }

  override async list(request: ListRequest): Promise<ListResult> {
    const { tasks, next } = await super.list(request);
    return { tasks: tasks.map((task) => this.show(task)), next };
  }

  override async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await super.claim(request);
    return { ...result, tasks: result.tasks.map((task) => this.show(task)) };
  }
}

/** A store whose clock can be wrong during a call. */
export class SkewedStore extends MemoryDataStore {
  readonly #skew: { ms: number };

  constructor(options: DataStoreOptions) {
    const { clock = Date.now } = options;
    const skew = { ms: 0 };
    super({ ...options, clock: () => clock() + skew.ms });
    this.#skew = skew;
  }

  /** The memory store reads its clock before it first waits, so the skew ends when the call returns its promise. */
  protected skewed<T>(ms: number, call: () => Promise<T>): Promise<T> {
    this.#skew.ms = ms;
    const answer = call();
    this.#skew.ms = 0;
    return answer;
  }
}

/** Lets other calls in. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
