import type { MongoDocument } from './client.js';
import type { Collection } from './collection.js';
import { minWakeAt } from './schema.js';

/** A task as the index of due tasks shows it. */
export interface Candidate {
  readonly _id: string;
  readonly serial: number;
  readonly wakeAt: number;
}

/** What there is in a queue. */
export interface View {
  /** The first of those that may be due: more than are to be taken, or all that there are. */
  readonly page: readonly Candidate[];
  /** The first moment after these; at the latest, if there was no need to look for it. */
  readonly next: number | undefined;
}

const shape = { serial: 1, wakeAt: 1 };

/** How many that are due are looked at for the claims that follow. */
const ahead = 2000;

/** How many tasks there are up to a horizon when it is found: more than are leased and gone again in a moment. */
const stretch = 1000;

/** After how many looks it is seen to it that there are not many more by now. */
const looksAtAHorizon = 64;

/**
 * Looks at the tasks that are due, and remembers landmarks of each queue, because not every server reads an index in its
 * order. To find the first of a million tasks such a one looks at a million, and so it is asked only what comes before a
 * task with few before it.
 */
export class DueTasks {
  readonly #tasks: Collection;
  /** The moments until which some more are due each time than a claim takes. */
  readonly #crowds = new Map<string, number[]>();
  /** A task of each queue that is not due, with few before it that are not. */
  readonly #horizons = new Map<string, { readonly task: Candidate; looks: number }>();

  constructor(tasks: Collection) {
    this.#tasks = tasks;
  }

  /**
   * @param bound a moment that is not before now
   * @param limit the most that are to be taken
   */
  async look(queue: string, bound: number, limit: number): Promise<View> {
    const dueUntil = (moment: number, count: number) =>
      this.#find({ queue, wakeAt: { $gte: minWakeAt, $lte: moment } }, count);
    const known = this.#crowds.get(queue) ?? [];
    for (let [crowd] = known; crowd !== undefined && crowd <= bound; [crowd] = known) {
      const page = await dueUntil(crowd, limit + 1);
      if (page.length > limit) return { page, next: bound };
      known.shift();
    }
    const [page, later] = await Promise.all([
      dueUntil(bound, Math.max(ahead, limit + 1)),
      this.#firstAfter(queue, bound),
    ]);
    if (page.length > limit) {
      const size = Math.max(ahead / 8, 2 * limit);
      const ends = page.filter((_, at) => (at + 1) % size === 0 || at === page.length - 1);
      this.#crowds.set(queue, [...new Set(ends.map(({ wakeAt }) => wakeAt))]);
    }
    return { page, next: later?.wakeAt };
  }

  /** The first task of a queue that is not due. */
  async #firstAfter(queue: string, bound: number): Promise<Candidate | undefined> {
    const horizon = this.#horizons.get(queue);
    if (horizon && horizon.task.wakeAt > bound) {
      const { _id, wakeAt } = horizon.task;
      const isReview = ++horizon.looks % looksAtAHorizon === 0;
      const [before, [same]] = await Promise.all([
        this.#find({ queue, wakeAt: { $gt: bound, $lt: wakeAt } }, isReview ? stretch : 1),
        this.#tasks.find({ _id }, { projection: { ...shape, queue: 1 } }),
      ]);
      if (before.length === stretch) this.#setHorizon(queue, before);
      if (before[0]) return before[0];
      if (same?.queue === queue && same.wakeAt === wakeAt) return horizon.task;
    }
    const found = await this.#find({ queue, wakeAt: { $gt: bound } }, stretch);
    this.#setHorizon(queue, found);
    return found[0];
  }

  #setHorizon(queue: string, found: readonly Candidate[]): void {
    const task = found.at(-1);
    if (task) this.#horizons.set(queue, { task, looks: 0 });
    else this.#horizons.delete(queue);
  }

  async #find(filter: MongoDocument, limit: number): Promise<Candidate[]> {
    const order = { sort: { wakeAt: 1 }, limit, projection: shape };
    return (await this.#tasks.find(filter, order)) as Candidate[];
  }
}
