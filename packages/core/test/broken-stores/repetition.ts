import type {
  ClaimRequest,
  ClaimResult,
  DataStoreOptions,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** A store that can forget which token settled a task last, as if that were kept elsewhere than in the record. */
class ForgettingStore extends MemoryDataStore {
  readonly #forgotten = new Set<string>();

  protected forget({ id, token }: LeaseRef): void {
    this.#forgotten.add(`${token} ${id}`);
  }

  override async settle(settlements: readonly Settlement[]) {
    const answers = await super.settle(settlements);
    return answers.map((answer, index) => {
      const { id, token } = settlements[index] ?? { id: '', token: 0 };
      return this.#forgotten.has(`${token} ${id}`) ? 'lost' : answer;
    });
  }
}

/** Stores that take a repeated call for a new one, or no longer know it. */
export const repetitionStores: readonly BrokenStore[] = [
  broken(
    'knows what it settled for an hour',
    'G1',
    'a settlement that is made again is answered `settled`: it was applied',
    class extends ForgettingStore {
      readonly #settled: { readonly lease: LeaseRef; readonly at: number }[] = [];
      readonly #now: () => number;

      constructor(options: DataStoreOptions) {
        super(options);
        this.#now = options.clock ?? Date.now;
      }

      override async settle(settlements: readonly Settlement[]) {
        const now = this.#now();
        for (const { lease, at } of this.#settled) if (at < now - 3_600_000) this.forget(lease);
        const answers = await super.settle(settlements);
        for (const lease of settlements) this.#settled.push({ lease, at: now });
        return answers;
      }
    },
  ),
  broken(
    'forgets what it settled last when the settlement of another is a conflict',
    'G1',
    'the settlement of another was a conflict',
    class extends ForgettingStore {
      readonly #last = new Map<string, Settlement>();

      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        for (const [index, settlement] of settlements.entries()) {
          const last = this.#last.get(settlement.id);
          if (answers[index] === 'settled') this.#last.set(settlement.id, settlement);
          if (answers[index] === 'conflict' && last) this.forget(last);
        }
        return answers;
      }
    },
  ),
  broken(
    'forgets what it settled last when another extends its lease',
    'G1',
    'another has extended the lease',
    class extends ForgettingStore {
      readonly #last = new Map<string, Settlement>();

      override async settle(settlements: readonly Settlement[]) {
        for (const settlement of settlements) this.#last.set(settlement.id, settlement);
        return super.settle(settlements);
      }

      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const answers = await super.extend(leases, leaseMs);
        for (const [index, { id }] of leases.entries()) {
          const last = this.#last.get(id);
          if (answers[index] !== 'lost' && last) this.forget(last);
        }
        return answers;
      }
    },
  ),
  broken(
    'knows a settlement by its revision as well as by its token',
    'G1',
    'a settlement that is made again is answered `settled`: the last settlement had this very token',
    class extends MemoryDataStore {
      readonly #applied = new Map<string, number>();

      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        return answers.map((answer, index) => {
          const { id, token, revision } = settlements[index] ?? { id: '', token: 0, revision: 0 };
          const key = `${token} ${id}`;
          if (answer === 'settled' && !this.#applied.has(key)) this.#applied.set(key, revision);
          const isOther = answer === 'settled' && this.#applied.get(key) !== revision;
          return isOther ? 'conflict' : answer;
        });
      }
    },
  ),
  broken(
    'ends the lease of a paused task at a conflict',
    'G6',
    'a conflict changes nothing, and the lease stays',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const tasks = await this.get(settlements.map(({ id }) => id));
        const paused = settlements.filter(
          (_, at) => answers[at] === 'conflict' && tasks[at]?.paused === true,
        );
        await this.release(paused.map(({ id, token }) => ({ id, token })));
        return answers;
      }
    },
  ),
  broken(
    'ends the lease of a task that has ended at a conflict',
    'G6',
    'a conflict changes nothing, and the lease stays',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const tasks = await this.get(settlements.map(({ id }) => id));
        const ended = settlements.filter(
          (_, at) => answers[at] === 'conflict' && tasks[at]?.status === 'failed',
        );
        await this.release(ended.map(({ id, token }) => ({ id, token })));
        return answers;
      }
    },
  ),
  broken(
    'says of an edit that is there already that it was made',
    'G6',
    'an edit that is repeated, 0 ms later',
    class extends MemoryDataStore {
      override async update(id: string, change: Change, expected: { readonly revision: number }) {
        const answer = await super.update(id, change, expected);
        const [task] = await this.get([id]);
        const isThere =
          task !== undefined &&
          Object.keys(change).length > 0 &&
          Object.entries(change).every(([key, value]) => Reflect.get(task, key) === value);
        return answer === 'conflict' && isThere ? 'updated' : answer;
      }
    },
  ),
  broken(
    'counts the tasks that it was to pause, changed or not',
    'G6',
    'a pause that is repeated, 0 ms later',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const changed = await super.setPaused(selector, paused);
        return 'group' in selector ? this.count({ group: selector.group, paused }) : changed;
      }
    },
  ),
  broken(
    'puts a task off once more when its release is repeated',
    'G3',
    'a release that is repeated changes nothing: nothing has happened since',
    class extends MemoryDataStore {
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        const tasks = await this.get(leases.map(({ id }) => id));
        for (const [index, { id, deferUntil }] of leases.entries()) {
          const task = tasks[index];
          const isFree = task?.status === 'scheduled' && task.lease === null;
          if (answers[index] === 'lost' && isFree && deferUntil !== undefined) {
            await this.update(id, { runAt: deferUntil }, task);
          }
        }
        return answers;
      }
    },
  ),
  broken(
    'adds an extension to what is left of the lease',
    'G2',
    'a lease lasts until now + leaseMs',
    class extends MemoryDataStore {
      readonly #extended = new Map<string, number>();

      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        for (const { id } of result.tasks) this.#extended.delete(id);
        return result;
      }

      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const now = await this.now();
        const [first] = leases;
        const until = this.#extended.get(first?.id ?? '') ?? now;
        const end = Math.max(until, now) + leaseMs;
        for (const { id } of leases) this.#extended.set(id, end);
        return super.extend(leases, end - now);
      }
    },
  ),
];
