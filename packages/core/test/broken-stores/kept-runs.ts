import type {
  DataStoreCapabilities,
  DataStoreOptions,
  HistoryEntry,
  LatestHistoryResult,
  Settlement,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';

/**
 * A store that keeps the history of runs itself, as the contract says. Its members are what a broken store replaces.
 */
export class RunKeepingStore extends MemoryDataStore {
  override readonly capabilities: DataStoreCapabilities = {
    ...new MemoryDataStore().capabilities,
    latestHistory: false,
  };
  protected readonly clock: () => number;
  protected readonly limit: number;
  protected readonly maxAgeMs: number;
  /** By task, newest first. */
  readonly #runs = new Map<string, HistoryEntry[]>();

  constructor(options: DataStoreOptions) {
    super({ ...options, historyLimit: 0 });
    this.clock = options.clock ?? Date.now;
    this.limit = options.historyLimit ?? 100;
    this.maxAgeMs = options.historyMaxAgeMs ?? 7 * 24 * 3_600_000;
  }

  /** The task in whose history an entry goes. */
  protected taskOf(entry: HistoryEntry, _settled: Settlement): string {
    return entry.taskId;
  }

  /** Whether two entries of one task are the same one. */
  protected isSame(a: HistoryEntry, b: HistoryEntry): boolean {
    return a.id === b.id;
  }

  /** Among which of the runs, newest first, an entry is looked for. */
  protected known(runs: readonly HistoryEntry[]): readonly HistoryEntry[] {
    return runs;
  }

  /** Whether an entry goes before one that is there already. */
  protected isBefore(entry: HistoryEntry, other: HistoryEntry): boolean {
    return entry.at >= other.at;
  }

  /** What the limit leaves of the runs, newest first. */
  protected newest(runs: readonly HistoryEntry[]): HistoryEntry[] {
    return runs.slice(0, this.limit);
  }

  protected isStale(entry: HistoryEntry): boolean {
    return entry.at < this.clock() - this.maxAgeMs;
  }

  override async settle(settlements: readonly Settlement[]) {
    // The memory store does what it is told before it first waits, so nothing comes between these two calls.
    const [before, answers] = await Promise.all([
      super.get(settlements.map(({ id }) => id)),
      super.settle(settlements),
    ]);
    const held = new Set(before.map((task) => `${task?.lease?.token} ${task?.id}`));
    for (const [index, settlement] of settlements.entries()) {
      if (answers[index] !== 'settled') continue;
      const isApplied = held.delete(`${settlement.token} ${settlement.id}`);
      if (!isApplied) continue;
      for (const entry of settlement.history) this.#append(entry, this.taskOf(entry, settlement));
    }
    return answers;
  }

  override async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    await super.history(taskId, limit);
    const runs = (this.#runs.get(taskId) ?? []).filter((entry) => !this.isStale(entry));
    return runs.slice(0, limit).map((entry) => ({ ...entry }));
  }

  override async latestHistory(): Promise<LatestHistoryResult> {
    throw new SchedError('SCHED_STORE_UNSUPPORTED', 'Each history is kept by itself.');
  }

  #append(entry: HistoryEntry, taskId: string): void {
    const runs = this.#runs.get(taskId) ?? [];
    if (this.known(runs).some((other) => this.isSame(entry, other))) return;
    const index = runs.findIndex((other) => this.isBefore(entry, other));
    runs.splice(index < 0 ? runs.length : index, 0, { ...entry });
    this.#runs.set(taskId, this.newest(runs));
  }
}
