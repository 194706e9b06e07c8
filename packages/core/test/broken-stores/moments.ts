import type {
  ClaimRequest,
  ClaimResult,
  DataStoreOptions,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore, SkewedStore } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };

const hourMs = 3_600_000;

/** Stores that stumble over zero and what is below it. */
export const momentStores: readonly BrokenStore[] = [
  broken(
    'takes a moment to defer to for none when it is zero',
    'G5',
    'an earlier runAt becomes deferUntil',
    class extends MemoryDataStore {
      override release(leases: readonly Release[]) {
        return super.release(
          leases.map(({ id, token, deferUntil }) =>
            deferUntil ? { id, token, deferUntil } : { id, token },
          ),
        );
      }
    },
  ),
  broken(
    'takes a task that was resumed at zero for one that never was',
    'G6',
    'resuming sets resumedAt to now',
    class extends DistortingStore {
      protected override show<T extends TaskRecord>(task: T): T {
        return { ...task, resumedAt: task.resumedAt || null };
      }
    },
  ),
  broken(
    'has nothing to wake for when that is at zero',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        return { ...result, nextWakeAt: result.nextWakeAt || null };
      }
    },
  ),
  broken(
    'has nothing to wake for before the epoch',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        const { nextWakeAt } = result;
        return { ...result, nextWakeAt: nextWakeAt && Math.max(0, nextWakeAt) };
      }
    },
  ),
  broken(
    'has no clock before the epoch',
    'G4',
    'the store gives its own time',
    class extends MemoryDataStore {
      constructor(options: DataStoreOptions) {
        const { clock = Date.now } = options;
        super({ ...options, clock: () => Math.max(0, clock()) });
      }
    },
  ),
  broken(
    'takes a lease that ends at zero for one that is over',
    'G2',
    'a lease is live until its end at 0',
    class extends MemoryDataStore {
      override async count(filter: TaskFilter) {
        if (filter.leased === undefined) return super.count(filter);
        const { tasks } = await super.list({ ...filter, limit: 100_000 });
        return tasks.filter(({ lease }) => Boolean(lease?.expiresAt) === filter.leased).length;
      }
    },
  ),
  broken(
    'leaves the runAt as it was when an edit sets it to zero',
    'G8',
    'the runAt that update sets is 0',
    class extends MemoryDataStore {
      override update(id: string, { runAt, ...change }: Change, expected: Expected) {
        return super.update(id, runAt || runAt === null ? { ...change, runAt } : change, expected);
      }
    },
  ),
  broken(
    'lets a task that is settled for before the epoch run at the epoch',
    'G8',
    'the runAt that settle sets is -1',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((settlement) => {
            const { next } = settlement;
            if (!next || next.runAt === null) return settlement;
            return { ...settlement, next: { ...next, runAt: Math.max(0, next.runAt) } };
          }),
        );
      }
    },
  ),
  broken(
    'cannot defer a task to before the epoch',
    'G5',
    'an earlier runAt becomes deferUntil: -200 until -50',
    class extends MemoryDataStore {
      override release(leases: readonly Release[]) {
        return super.release(
          leases.map((lease) =>
            lease.deferUntil === undefined
              ? lease
              : { ...lease, deferUntil: Math.max(0, lease.deferUntil) },
          ),
        );
      }
    },
  ),
  broken(
    'never lets its clock go back',
    'G2',
    'by the clock as it is',
    class extends MemoryDataStore {
      constructor(options: DataStoreOptions) {
        const { clock = Date.now } = options;
        let last = Number.NEGATIVE_INFINITY;
        super({
          ...options,
          clock: () => {
            last = Math.max(last, clock());
            return last;
          },
        });
      }
    },
  ),
  broken(
    'takes what was due once for due, though its clock has stepped back',
    'G4',
    'a task is not due while now < wakeAt, by the clock as it is',
    class extends SkewedStore {
      #latest = Number.NEGATIVE_INFINITY;

      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const now = await this.now();
        this.#latest = Math.max(this.#latest, now);
        return this.skewed(this.#latest - now, () => super.claim(request));
      }
    },
  ),
  broken(
    'does not extend a lease when its clock has stepped back',
    'G2',
    'a lease is extended under its token, whatever the clock says',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const now = await this.now();
        const tasks = await this.get(leases.map(({ id }) => id));
        const isSane = (end: number) => end < now + hourMs;
        return super.extend(
          leases.map((ref, index) =>
            isSane(tasks[index]?.lease?.expiresAt ?? now) ? ref : { ...ref, token: -1 },
          ),
          leaseMs,
        );
      }
    },
  ),
  broken(
    'reads its clock again for each thousand leases that it extends',
    'G4',
    'every lease of one extend runs from the same now',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const answers: (number | 'lost')[] = [];
        for (let from = 0; from < leases.length; from += 1000) {
          answers.push(...(await super.extend(leases.slice(from, from + 1000), leaseMs)));
        }
        return answers;
      }
    },
  ),
  broken(
    'reads its clock again for each thousand tasks that it claims',
    'G4',
    'every lease of one claim runs from the same now',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const first = await super.claim({ ...request, limit: Math.min(1000, request.limit) });
        const tasks = [...first.tasks];
        let { nextWakeAt } = first;
        while (tasks.length > 0 && tasks.length % 1000 === 0 && tasks.length < request.limit) {
          const limit = Math.min(1000, request.limit - tasks.length);
          const more = await super.claim({ ...request, limit });
          if (more.tasks.length === 0) break;
          tasks.push(...more.tasks);
          ({ nextWakeAt } = more);
        }
        return { ...first, tasks, nextWakeAt };
      }
    },
  ),
  broken(
    'reads its clock again for each five hundred tasks of a group that it resumes',
    'G4',
    'every task that one call resumes is resumed at the same now',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (!('group' in selector)) return super.setPaused(selector, paused);
        const { tasks } = await this.list({ group: selector.group, limit: 100_000 });
        let changed = 0;
        for (let from = 0; from < tasks.length; from += 500) {
          const ids = tasks.slice(from, from + 500).map(({ id }) => id);
          changed += await super.setPaused({ ids }, paused);
        }
        return changed;
      }
    },
  ),
  broken(
    'reads its clock again for each task that it counts',
    'G4',
    'in one call leases of the same end are all live or all over',
    class extends MemoryDataStore {
      override async count(filter: TaskFilter) {
        const { leased, ...rest } = filter;
        if (leased === undefined) return super.count(filter);
        let count = 0;
        for (const { lease } of (await this.list({ ...rest, limit: 100_000 })).tasks) {
          const isLive = lease !== null && (await this.now()) < lease.expiresAt;
          if (isLive === leased) count++;
        }
        return count;
      }
    },
  ),
];
