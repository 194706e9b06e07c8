import type { Announcement, LatencyHistogram } from '../announcements.js';
import type { RunEntry } from '../record.js';

const minuteMs = 60_000;
const keptMinutes = 10;
const bounds = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000];

type Counts = { -readonly [Key in keyof Announcement['minutes'][number]]: number };

/** Counts what becomes of runs. */
export class Statistics {
  readonly #lateness = bounds.concat(0).fill(0);
  readonly #duration = bounds.concat(0).fill(0);
  /** The latest first. */
  #minutes: Counts[] = [];

  started(latenessMs: number): void {
    count(this.#lateness, latenessMs);
  }

  /** The store has recorded what became of a run, or of occurrences that did not run. */
  recorded({ outcome, at, startedAt, retryAt, count: skipped = 1 }: RunEntry): void {
    const counts = this.#minuteOf(at);
    if (outcome === 'skipped') {
      counts.skipped += skipped;
      return;
    }
    counts[outcome === 'failed' && retryAt !== undefined ? 'retried' : outcome]++;
    count(this.#duration, at - (startedAt ?? at));
  }

  get current(): Pick<Announcement, 'minutes' | 'lateness' | 'duration'> {
    return {
      minutes: this.#minutes,
      lateness: histogram(this.#lateness),
      duration: histogram(this.#duration),
    };
  }

  #minuteOf(at: number): Counts {
    const minute = Math.floor(at / minuteMs) * minuteMs;
    const [latest] = this.#minutes;
    // What comes a little late, across the end of a minute, counts for the next.
    if (latest && latest.minute >= minute) return latest;
    const counts = { minute, succeeded: 0, failed: 0, retried: 0, interrupted: 0, skipped: 0 };
    this.#minutes = [counts, ...this.#minutes].slice(0, keptMinutes);
    return counts;
  }
}

function count(counts: number[], ms: number): void {
  let index = 0;
  while (index < bounds.length && ms > (bounds[index] as number)) index++;
  counts[index] = (counts[index] as number) + 1;
}

function histogram(counts: readonly number[]): LatencyHistogram {
  return { bounds, counts: [...counts] };
}
