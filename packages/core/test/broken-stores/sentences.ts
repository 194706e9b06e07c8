import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };

/** Forgets when some tasks were resumed, until they are resumed again. */
class ResumptionLosingStore extends DistortingStore {
  readonly #lost = new Map<string, number | null>();

  protected async lose(ids: readonly string[]): Promise<void> {
    for (const task of await MemoryDataStore.prototype.get.call(this, ids)) {
      if (task) this.#lost.set(task.id, task.resumedAt);
    }
  }

  protected override show<T extends TaskRecord>(task: T): T {
    return this.#lost.get(task.id) === task.resumedAt ? { ...task, resumedAt: null } : task;
  }
}

/** Counts the deliveries of some tasks from now on, until they are settled. */
class MiscountingStore extends DistortingStore {
  readonly #uncounted = new Map<string, { readonly revision: number; readonly count: number }>();

  protected async recount(ids: readonly string[]): Promise<void> {
    for (const task of await MemoryDataStore.prototype.get.call(this, ids)) {
      if (task) this.#uncounted.set(task.id, { revision: task.revision, count: task.deliveries });
    }
  }

  protected override show<T extends TaskRecord>(task: T): T {
    const uncounted = this.#uncounted.get(task.id);
    if (uncounted?.revision !== task.revision) return task;
    return { ...task, deliveries: Math.max(0, task.deliveries - uncounted.count) };
  }
}

function idsIn(selector: TaskSelector): readonly string[] {
  return 'ids' in selector ? selector.ids : [];
}

/** Stores that break a sentence about one member of a record, in one call. */
export const memberStores: readonly BrokenStore[] = [
  broken(
    'never brings the end of a lease forward',
    'G2',
    'even if that is sooner',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const now = await this.now();
        const tasks = await this.get(leases.map(({ id }) => id));
        const answers: (number | 'lost')[] = [];
        for (const [index, lease] of leases.entries()) {
          const left = (tasks[index]?.lease?.expiresAt ?? now) - now;
          answers.push(...(await super.extend([lease], Math.max(left, leaseMs))));
        }
        return answers;
      }
    },
  ),
  broken(
    'forgets when a task was resumed once it is claimed',
    'G2',
    'claim sets the lease and raises deliveries by one, and nothing else changes',
    class extends ResumptionLosingStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        await this.lose(result.tasks.map(({ id }) => id));
        return { ...result, tasks: result.tasks.map((task) => this.show(task)) };
      }
    },
  ),
  broken(
    'forgets when a task was resumed once it is released',
    'G3',
    'release ends the lease and lowers deliveries by one, and nothing else changes',
    class extends ResumptionLosingStore {
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        await this.lose(leases.flatMap(({ id }, at) => (answers[at] === 'released' ? [id] : [])));
        return answers;
      }
    },
  ),
  broken(
    'forgets when a task was resumed once it is settled',
    'G1',
    'settle replaces status, runAt and body',
    class extends ResumptionLosingStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        await this.lose(settlements.map(({ id }) => id));
        return answers;
      }
    },
  ),
  broken(
    'forgets when a task was resumed once it is edited',
    'G6',
    'an edit replaces every member that it has, and leaves the rest',
    class extends ResumptionLosingStore {
      override async update(id: string, change: Change, expected: Expected) {
        const answer = await super.update(id, change, expected);
        if (answer === 'updated') await this.lose([id]);
        return answer;
      }
    },
  ),
  broken(
    'forgets when a task was resumed once it is paused',
    'G6',
    'pausing sets a flag beside the schedule, and nothing else changes',
    class extends ResumptionLosingStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const changed = await super.setPaused(selector, paused);
        if (paused) await this.lose(idsIn(selector));
        return changed;
      }
    },
  ),
  broken(
    'counts deliveries afresh when a lease is extended',
    'G2',
    'extend makes a lease last until now + leaseMs',
    class extends MiscountingStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const answers = await super.extend(leases, leaseMs);
        await this.recount(leases.flatMap(({ id }, at) => (answers[at] === 'lost' ? [] : [id])));
        return answers;
      }
    },
  ),
  broken(
    'counts deliveries afresh when a task is paused',
    'G6',
    'pausing sets a flag beside the schedule, and nothing else changes',
    class extends MiscountingStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const changed = await super.setPaused(selector, paused);
        if (paused) await this.recount(idsIn(selector));
        return changed;
      }
    },
  ),
  broken(
    'counts deliveries afresh when a task is edited',
    'G6',
    'an edit replaces every member that it has, and leaves the rest',
    class extends MiscountingStore {
      override async update(id: string, change: Change, expected: Expected) {
        const answer = await super.update(id, change, expected);
        if (answer === 'updated') await this.recount([id]);
        return answer;
      }
    },
  ),
  broken(
    'takes back all deliveries when a task is released',
    'G3',
    'release ends the lease and lowers deliveries by one',
    class extends MiscountingStore {
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        await this.recount(leases.map(({ id }) => id));
        return answers;
      }
    },
  ),
  broken(
    'keeps the count of deliveries of a task that has failed',
    'G1',
    'settle replaces status, runAt and body, pauses if told to, and ends the lease and the deliveries',
    class extends DistortingStore {
      readonly #counts = new Map<string, number>();

      override async settle(settlements: readonly Settlement[]) {
        const tasks = await super.get(settlements.map(({ id }) => id));
        for (const [index, { id, next }] of settlements.entries()) {
          const count = tasks[index]?.deliveries ?? 0;
          if (next?.status === 'failed') this.#counts.set(id, count);
        }
        return super.settle(settlements);
      }

      protected override show<T extends TaskRecord>(task: T): T {
        if (task.status !== 'failed' || task.lease) return task;
        return { ...task, deliveries: this.#counts.get(task.id) ?? task.deliveries };
      }
    },
  ),
  broken(
    'pauses no task that is settled without a next run',
    'G6',
    '`paused: true` pauses the task, whatever its status becomes',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((settlement) => {
            const { next } = settlement;
            if (!next || next.status === 'scheduled') return settlement;
            const { paused: _paused, ...rest } = next;
            return { ...settlement, next: rest };
          }),
        );
      }
    },
  ),
  broken(
    'resumes a task that is settled without a word about its pause',
    'G1',
    'settle replaces status, runAt and body, pauses if told to',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const ids = settlements.flatMap(({ id, next }, at) =>
          answers[at] === 'settled' && !next?.paused ? [id] : [],
        );
        await this.setPaused({ ids }, false);
        return answers;
      }
    },
  ),
  broken(
    'schedules a task that an edit has finished when it is released for later',
    'G5',
    'release makes an earlier runAt deferUntil, and nothing of a later one or of none',
    class extends DistortingStore {
      readonly #deferred = new Map<string, number>();

      override async release(leases: readonly Release[]) {
        for (const { id, deferUntil } of leases) {
          if (deferUntil !== undefined) this.#deferred.set(id, deferUntil);
        }
        return super.release(leases);
      }

      protected override show<T extends TaskRecord>(task: T): T {
        if (task.runAt !== null || task.lease) return task;
        return { ...task, runAt: this.#deferred.get(task.id) ?? null };
      }
    },
  ),
  broken(
    'shows no lease that has run out',
    'G2',
    'extend makes a lease last until now + leaseMs',
    class extends MemoryDataStore {
      override async get(ids: readonly string[]) {
        const now = await this.now();
        const tasks = await super.get(ids);
        return tasks.map(
          (task) =>
            task && { ...task, lease: (task.lease?.expiresAt ?? now) > now ? task.lease : null },
        );
      }
    },
  ),
  broken(
    'lists leased tasks with the moment at which they would run next as their wakeAt',
    'G2',
    'list gives a task as it is stored',
    class extends MemoryDataStore {
      override async list(request: ListRequest): Promise<ListResult> {
        const { tasks, next } = await super.list(request);
        const isLeased = ({ lease, wakeAt }: TaskRecord) => lease !== null && wakeAt !== null;
        return {
          tasks: tasks.map((task) => (isLeased(task) ? { ...task, wakeAt: task.runAt } : task)),
          next,
        };
      }
    },
  ),
  broken(
    'replaces a finished task by one that is spawned with its id',
    'G1',
    'a spawned id that exists already is left untouched',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const ids = settlements.flatMap(({ spawn }) => spawn.map(({ id }) => id));
        const ended = (await this.get(ids)).filter((task) => task?.status === 'finished');
        await this.remove({ ids: ended.flatMap((task) => task?.id ?? []) });
        return super.settle(settlements);
      }
    },
  ),
];
