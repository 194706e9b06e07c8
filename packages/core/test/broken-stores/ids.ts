import type { DataStoreOptions } from '@sched/core';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';
import type { Removal } from './renumbering-store.js';
import { RenumberingStore } from './renumbering-store.js';

type Counts = Map<string, number>;

const dayMs = 24 * 3_600_000;

/** Forgets the counts of ids that are gone, in one way or another. */
abstract class ForgetfulStore extends RenumberingStore {
  protected abstract readonly forgotten: 'tokens' | 'revisions';

  protected get counts(): Counts {
    return this.forgotten === 'tokens' ? this.lastTokens : this.lastRevisions;
  }
}

/** For each kind of number, a store that forgets it: whose numbers begin again under an id that was removed. */
export const idStores: readonly BrokenStore[] = [
  ...both(
    'remembers the last thousand ids that were removed',
    'however many were removed',
    (kind) => {
      return class extends ForgetfulStore {
        protected override readonly forgotten = kind;
        readonly #gone = new Set<string>();

        protected override gone(id: string): void {
          this.#gone.delete(id);
          this.#gone.add(id);
          const [oldest] = this.#gone;
          if (this.#gone.size <= 1000 || oldest === undefined) return;
          this.#gone.delete(oldest);
          this.counts.delete(oldest);
        }
      };
    },
  ),
  ...both('remembers removed ids for a week', 'across removal and days', (kind) => {
    return class extends ForgetfulStore {
      protected override readonly forgotten = kind;
      readonly #gone = new Map<string, number>();
      readonly #clock: () => number;

      constructor(options: DataStoreOptions) {
        super(options);
        this.#clock = options.clock ?? Date.now;
      }

      protected override gone(id: string): void {
        this.#gone.set(id, this.#clock());
      }

      protected override nextToken(id: string): number {
        this.#sweep();
        return super.nextToken(id);
      }

      protected override nextRevision(id: string): number {
        this.#sweep();
        return super.nextRevision(id);
      }

      #sweep(): void {
        for (const [id, at] of this.#gone) {
          if (at > this.#clock() - 7 * dayMs) continue;
          this.#gone.delete(id);
          this.counts.delete(id);
        }
      }
    };
  }),
  ...both('forgets all ids when it is closed', 'across `close` and `open`', (kind) => {
    return class extends ForgetfulStore {
      protected override readonly forgotten = kind;

      override async close() {
        this.counts.clear();
        return super.close();
      }
    };
  }),
  ...(['group', 'all', 'settlement'] as const).flatMap((way) =>
    both(`remembers no id that was removed by ${way}`, 'across removal and days', (kind) => {
      return class extends ForgetfulStore {
        protected override readonly forgotten = kind;

        protected override gone(id: string, how: Removal): void {
          if (how === way) this.counts.delete(id);
        }
      };
    }),
  ),
  broken(
    'takes its tokens from the clock, and from the last one while the task is there',
    'G2',
    'a token is greater than any that the id ever had',
    class extends ForgetfulStore {
      protected override readonly forgotten = 'tokens';
      readonly #clock: () => number;

      constructor(options: DataStoreOptions) {
        super(options);
        this.#clock = options.clock ?? Date.now;
      }

      protected override nextToken(id: string): number {
        return Math.max(this.#clock(), super.nextToken(id));
      }

      protected override gone(id: string): void {
        this.counts.delete(id);
      }
    },
  ),
  broken(
    'takes its revisions from the clock',
    'G6',
    'a revision is one that the id never had before',
    class extends ForgetfulStore {
      protected override readonly forgotten = 'revisions';
      readonly #clock: () => number;

      constructor(options: DataStoreOptions) {
        super(options);
        this.#clock = options.clock ?? Date.now;
      }

      protected override nextRevision(id: string): number {
        return Math.max(this.#clock(), super.nextRevision(id));
      }

      protected override gone(id: string): void {
        this.counts.delete(id);
      }
    },
  ),
];

function both(
  name: string,
  because: string,
  storeThatForgets: (
    kind: 'tokens' | 'revisions',
  ) => new (
    options: DataStoreOptions,
  ) => ForgetfulStore,
): BrokenStore[] {
  return [
    broken(`${name}, and begins their tokens afresh`, 'G2', because, storeThatForgets('tokens')),
    broken(`${name}, and their revisions`, 'G6', because, storeThatForgets('revisions')),
  ];
}
