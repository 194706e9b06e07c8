import type { HistoryEntry } from '@sched/core';

/** The newest runs of each task, up to a number and an age. */
export class RunHistory {
  readonly #limit: number;
  readonly #maxAgeMs: number;
  /** Entries by task, oldest first. The map is kept in the order of last use, so that the idlest tasks come first. */
  readonly #tasks = new Map<string, HistoryEntry[]>();

  constructor(limit: number, maxAgeMs: number) {
    this.#limit = limit;
    this.#maxAgeMs = maxAgeMs;
  }

  append(entry: HistoryEntry, now: number): void {
    if (this.#limit === 0) return;
    const entries = this.#tasks.get(entry.taskId) ?? [];
    if (entries.some((other) => other.id === entry.id)) return;
    let index = entries.length;
    while (index > 0 && (entries[index - 1] as HistoryEntry).at > entry.at) index--;
    entries.splice(index, 0, { ...entry });
    if (entries.length > this.#limit) entries.shift();
    this.#tasks.delete(entry.taskId);
    this.#tasks.set(entry.taskId, entries);
    this.#forget(now);
  }

  newest(taskId: string, limit: number, now: number): HistoryEntry[] {
    const fresh = (this.#tasks.get(taskId) ?? []).filter((entry) => !this.#isStale(entry, now));
    return fresh
      .slice(-limit)
      .reverse()
      .map((entry) => ({ ...entry }));
  }

  /** Looks at the two idlest tasks, so that forgetting keeps pace with appending at a constant cost. */
  #forget(now: number): void {
    let looked = 0;
    for (const [taskId, entries] of this.#tasks) {
      const newest = entries.at(-1);
      if (newest && !this.#isStale(newest, now)) return;
      this.#tasks.delete(taskId);
      if (++looked === 2) return;
    }
  }

  #isStale(entry: HistoryEntry, now: number): boolean {
    return entry.at < now - this.#maxAgeMs;
  }
}
