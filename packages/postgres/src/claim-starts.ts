/** A place in the index of what is due: a moment, and the number of a task within it. */
type Place = readonly [at: number, serial: string];

/** Where a claim begins to look in each of its queues, and what it knew when it began. */
export interface ClaimStart {
  readonly starts: readonly (readonly [queue: string, ...Place])[];
  /** Whether it is to say which transactions are writing. */
  readonly probe: boolean;
  readonly proven: number;
  readonly pending: Writers | undefined;
  /** The last time that is known: at an earlier one the starts mean nothing. */
  readonly after: number;
  readonly epoch: number;
}

/** Who was writing at a moment. */
interface Writers {
  readonly at: number;
  readonly ids: ReadonlySet<string>;
}

/** Before every moment. */
const beginning: Place = [-9e15, '0'];

/** How much earlier than it is written a moment may be without counting as late; the index of the late says so too. */
const slackMs = 250;

/** How many tasks are claimed before it is asked again who is writing. */
const probeEvery = 256;

/** How often everything is looked through, for what was changed by hand. */
const forgetEveryMs = 60_000;

/**
 * Remembers how far each queue is known to be empty, so that claims need not walk past what is over.
 *
 * A task that is claimed or settled leaves its old entry in the index of what is due, until a vacuum removes it. While
 * any transaction in the database is older than that, however long it stays open and whatever it does, no vacuum can;
 * and a claim that began at the beginning would walk past every task that was run meanwhile.
 *
 * A queue is empty below a place for good once a claim has found nothing there, if nobody can still add something.
 * Whoever sets a moment that is already past by {@link slackMs} has it indexed as late, and claims look there as well.
 * Nobody else sets one before the time at which they began to write. So it is enough to know a time at or before which
 * all that are still writing began: every writer locks the table, and one that was not among those who were writing
 * at some time, and all of these have ended, began later.
 */
export class ClaimStarts {
  readonly #known = new Map<string, Place>();
  /** Whoever is still writing began at or after this moment. */
  #proven = Number.NEGATIVE_INFINITY;
  /** Some of these may still be writing. */
  #pending: Writers | undefined;
  #lastNow = beginning[0];
  #claimed = 0;
  #epoch = 0;
  #forgottenAt = performance.now();

  begin(queues: readonly string[]): ClaimStart {
    if (performance.now() - this.#forgottenAt > forgetEveryMs) this.#forget();
    const probe = this.#claimed >= probeEvery;
    if (probe) this.#claimed = 0;
    return {
      starts: queues.map((queue) => [queue, ...(this.#known.get(queue) ?? beginning)]),
      probe,
      proven: this.#proven,
      pending: this.#pending,
      after: this.#lastNow,
      epoch: this.#epoch,
    };
  }

  /**
   * @param firsts the first task left in each queue
   * @param writers who is writing, if it was asked
   */
  end(
    { starts, proven, pending, after, epoch }: ClaimStart,
    now: number,
    claimed: number,
    firsts: readonly (Place | null)[],
    writers: readonly string[] | null,
  ): void {
    // A clock that was set back makes everything uncertain that was concluded from it.
    if (now < after) this.#forget();
    if (epoch !== this.#epoch) return;
    this.#claimed += claimed;
    this.#lastNow = Math.max(this.#lastNow, now);
    const limit: Place = [proven - slackMs, '0'];
    for (const [index, [queue, ...start]] of starts.entries()) {
      const first = firsts[index] ?? limit;
      const place = isBefore(first, limit) ? first : limit;
      if (isBefore(this.#known.get(queue) ?? start, place)) this.#known.set(queue, place);
    }
    if (!writers) return;
    if (this.#pending && this.#pending === pending && !writers.some((id) => pending.ids.has(id))) {
      this.#proven = pending.at;
      this.#pending = undefined;
    }
    this.#pending ??= { at: after, ids: new Set(writers) };
  }

  #forget(): void {
    this.#known.clear();
    this.#proven = Number.NEGATIVE_INFINITY;
    this.#pending = undefined;
    this.#lastNow = beginning[0];
    this.#epoch++;
    this.#forgottenAt = performance.now();
  }
}

function isBefore(a: Place, b: Place): boolean {
  return a[0] < b[0] || (a[0] === b[0] && BigInt(a[1]) < BigInt(b[1]));
}
