import type { ClaimRequest, ClaimResult, DataStoreOptions, HistoryEntry } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore, SkewedStore } from './broken-store.js';

/** Stores that are early, late, out of order, or miscount. */
export const timeStores: readonly BrokenStore[] = [
  broken(
    'claims a task one millisecond before its time',
    'G4',
    'a task is not due while now < wakeAt',
    class extends SkewedStore {
      override claim(request: ClaimRequest) {
        return this.skewed(1, () => super.claim(request));
      }
    },
  ),
  broken(
    'claims a task one millisecond after its time',
    'G4',
    'at exactly now too',
    class extends SkewedStore {
      override claim(request: ClaimRequest) {
        return this.skewed(-1, () => super.claim(request));
      }
    },
  ),
  broken(
    'goes by a clock of its own in place of the one it was given',
    'G4',
    'the injected clock is used in place of the store’s',
    class extends MemoryDataStore {
      constructor(options: DataStoreOptions) {
        super({ ...options, clock: Date.now });
      }
    },
  ),
  broken(
    'reads its clock again for each task that it claims',
    'G4',
    'every lease of one claim runs from the `now`',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        let result = await super.claim({ ...request, limit: 1 });
        const tasks = [...result.tasks];
        while (result.tasks.length > 0 && tasks.length < request.limit) {
          result = await super.claim({ ...request, limit: 1 });
          tasks.push(...result.tasks);
        }
        return { ...result, tasks };
      }
    },
  ),
  broken(
    'claims one task more than it was asked for',
    'G5',
    'the first `limit` due tasks are taken',
    class extends MemoryDataStore {
      override claim(request: ClaimRequest) {
        return super.claim({ ...request, limit: request.limit + 1 });
      }
    },
  ),
  broken(
    'claims the youngest of the due tasks',
    'G5',
    'ordered by wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim({ ...request, limit: 100_000 });
        const cut = Math.max(0, result.tasks.length - request.limit);
        const surplus = result.tasks.slice(0, cut);
        await this.release(surplus.map(({ id, lease }) => ({ id, token: lease.token })));
        const [next] = surplus;
        return {
          ...result,
          tasks: result.tasks.slice(cut),
          nextWakeAt: next ? (next.runAt ?? 0) : result.nextWakeAt,
        };
      }
    },
  ),
  broken(
    'does not keep to the order of the queues',
    'G5',
    'nothing is taken from a queue while an earlier one still has a due task',
    class extends MemoryDataStore {
      override claim(request: ClaimRequest) {
        return super.claim({ ...request, queues: [...request.queues].sort() });
      }
    },
  ),
  broken(
    'wakes its workers one millisecond too late',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        return { ...result, nextWakeAt: result.nextWakeAt && result.nextWakeAt + 1 };
      }
    },
  ),
  broken(
    'forgets the leases when it says when to wake',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        const { tasks } = await this.list({ limit: 100_000 });
        const moments = tasks.flatMap(({ queue, lease, wakeAt }) =>
          request.queues.includes(queue) && !lease && wakeAt !== null ? [wakeAt] : [],
        );
        return { ...result, nextWakeAt: moments.length > 0 ? Math.min(...moments) : null };
      }
    },
  ),
  broken(
    'keeps its workers spinning until the next task is due',
    'G5',
    'at the price of a wasted claim, not of 100 of them',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        return {
          ...result,
          nextWakeAt: result.nextWakeAt && Math.min(result.nextWakeAt, result.now),
        };
      }
    },
  ),
  broken(
    'sends claimers away while another claims',
    'G5',
    'one that finds tasks being taken by another takes the next ones',
    class extends MemoryDataStore {
      #isBusy = false;

      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        if (this.#isBusy) {
          const now = await this.now();
          return { tasks: [], now, nextWakeAt: now };
        }
        this.#isBusy = true;
        const result = await super.claim(request);
        this.#isBusy = false;
        return result;
      }
    },
  ),
  broken(
    'counts no more than one delivery',
    'G3',
    'a task that alice let lapse',
    class extends DistortingStore {
      protected override show<T extends { readonly deliveries: number }>(task: T): T {
        return { ...task, deliveries: Math.min(task.deliveries, 1) };
      }
    },
  ),
  broken(
    'does not say who let a lease run out',
    'G3',
    'a task that alice let lapse',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        return { ...result, tasks: result.tasks.map((task) => ({ ...task, lapsedOwner: null })) };
      }
    },
  ),
  broken(
    'adds a run to the history as often as it is told of it',
    'G5',
    'an entry is unique by its id within a task',
    class extends MemoryDataStore {
      #runs = 0;

      override settle(settlements: Parameters<MemoryDataStore['settle']>[0]) {
        const renamed = settlements.map((settlement) => ({
          ...settlement,
          history: settlement.history.map((run) => ({ ...run, id: `${run.id}#${this.#runs++}` })),
        }));
        return super.settle(renamed);
      }

      override async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
        const entries = await super.history(taskId, limit);
        return entries.map((run) => ({ ...run, id: run.id.replace(/#\d+$/, '') }));
      }
    },
  ),
  broken(
    'gives the history oldest first',
    'G5',
    'newest first by `at`',
    class extends MemoryDataStore {
      override async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
        return (await super.history(taskId, limit)).reverse();
      }
    },
  ),
];
