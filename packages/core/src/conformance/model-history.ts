import type { HistoryEntry } from '../data-store.js';

interface Kept {
  readonly id: string;
  readonly at: number;
  /** Of entries of equal `at` the one of a higher rank comes first. The order within a rank is open. */
  readonly rank: number;
}

/** The histories as the contract says they are, as long as no limit of the store is reached. */
export class ModelHistory {
  readonly #entries = new Map<string, Map<string, Kept>>();
  #rank = 0;

  /** Ranks what is appended from now on above all that is there. */
  begin(): void {
    this.#rank++;
  }

  /** Adds the entries of one settlement. `isOpen`: its call has others, which leaves the order among them open. */
  append(entries: readonly HistoryEntry[], isOpen: boolean): void {
    for (const { taskId, id, at } of entries) {
      const kept = this.#entries.get(taskId) ?? new Map<string, Kept>();
      this.#entries.set(taskId, kept);
      if (!isOpen) this.begin();
      if (!kept.has(id)) kept.set(id, { id, at, rank: this.#rank });
    }
  }

  /** The ids of the newest entries of a task, where their order is open in that of the answer. */
  newest(taskId: string, limit: number, answer: readonly string[] = []): string[] {
    const positions = new Map(answer.map((id, index) => [id, index]));
    const position = ({ id }: Kept) => positions.get(id) ?? answer.length;
    return [...(this.#entries.get(taskId)?.values() ?? [])]
      .sort((a, b) => b.at - a.at || b.rank - a.rank || position(a) - position(b))
      .slice(0, limit)
      .map(({ id }) => id);
  }
}
