import type { HistoryEntry, LatestHistoryRequest, LatestHistoryResult } from '@sched/core';
import { readPosition, toLatestPage } from '@sched/core/adapter';

/** How many entries that are not kept any more the order of all may hold at any rate. */
const spareEntries = 1000;
/** How many entries that are not kept any more one page passes over at most. */
const horizon = 10_000;

interface KeptEntry extends HistoryEntry {
  /** Greater than that of every entry that was added before. */
  readonly number: number;
  isForgotten: boolean;
}

/** The newest runs of each task, up to a number and an age. */
export class RunHistory {
  readonly #limit: number;
  readonly #maxAgeMs: number;
  /** Entries by task, oldest first. The map is kept in the order of last use, so that the idlest tasks come first. */
  readonly #tasks = new Map<string, KeptEntry[]>();
  /** The entries of all tasks, oldest first. Holds forgotten ones too, though not for long. */
  #all: KeptEntry[] = [];
  #size = 0;
  #number = 0;

  constructor(limit: number, maxAgeMs: number) {
    this.#limit = limit;
    this.#maxAgeMs = maxAgeMs;
  }

  append(entry: HistoryEntry, now: number): void {
    if (this.#limit === 0) return;
    const entries = this.#tasks.get(entry.taskId) ?? [];
    if (entries.some((other) => other.id === entry.id)) return;
    const kept = { ...entry, number: ++this.#number, isForgotten: false };
    place(entries, kept);
    place(this.#all, kept);
    this.#size++;
    if (entries.length > this.#limit) this.#drop(entries.splice(0, 1));
    this.#tasks.delete(entry.taskId);
    this.#tasks.set(entry.taskId, entries);
    this.#forget(now);
    if (this.#all.length > 2 * this.#size + spareEntries) {
      this.#all = this.#all.filter(({ isForgotten }) => !isForgotten);
    }
  }

  newest(taskId: string, limit: number, now: number): HistoryEntry[] {
    const fresh = (this.#tasks.get(taskId) ?? []).filter((entry) => !this.#isStale(entry, now));
    return fresh.slice(-limit).reverse().map(copyOf);
  }

  /** Of all tasks. */
  latest({ after, limit }: LatestHistoryRequest, now: number): LatestHistoryResult {
    const [at, text] = readPosition(after);
    const number = Number(text);
    const found: KeptEntry[] = [];
    let index = countBefore(
      this.#all,
      (each) => each.at < at || (each.at === at && each.number < number),
    );
    const end = Math.max(0, index - limit - horizon);
    for (; index > end && found.length <= limit; index--) {
      const entry = this.#all[index - 1] as KeptEntry;
      if (this.#isStale(entry, now)) return toLatestPage(found, limit, copyOf, numberOf);
      if (!entry.isForgotten) found.push(entry);
    }
    const page = toLatestPage(found, limit, copyOf, numberOf);
    const last = this.#all[index];
    return page.next === null && index > 0 && last
      ? { ...page, next: `${last.at}.${last.number}` }
      : page;
  }

  /** Looks at the two idlest tasks, so that forgetting keeps pace with appending at a constant cost. */
  #forget(now: number): void {
    let looked = 0;
    for (const [taskId, entries] of this.#tasks) {
      const newest = entries.at(-1);
      if (newest && !this.#isStale(newest, now)) return;
      this.#tasks.delete(taskId);
      this.#drop(entries);
      if (++looked === 2) return;
    }
  }

  #drop(entries: readonly KeptEntry[]): void {
    for (const entry of entries) entry.isForgotten = true;
    this.#size -= entries.length;
  }

  #isStale(entry: HistoryEntry, now: number): boolean {
    return entry.at < now - this.#maxAgeMs;
  }
}

/** Puts an entry, which was added last, behind all that are not newer. Most are the newest themselves. */
function place(entries: KeptEntry[], entry: KeptEntry): void {
  const last = entries.at(-1);
  if (!last || last.at <= entry.at) entries.push(entry);
  else
    entries.splice(
      countBefore(entries, ({ at }) => at <= entry.at),
      0,
      entry,
    );
}

/** How many entries at the beginning are so. */
function countBefore(entries: readonly KeptEntry[], isSo: (entry: KeptEntry) => boolean): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(entries[middle] as KeptEntry)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const numberOf = ({ number }: KeptEntry) => number;

function copyOf({ taskId, id, at, body }: KeptEntry): HistoryEntry {
  return { taskId, id, at, body };
}
