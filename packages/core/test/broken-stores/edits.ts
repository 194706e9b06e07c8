import type {
  ClaimRequest,
  NewTaskRecord,
  Settlement,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore, turn } from './broken-store.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };

/** Stores that lose, invent or misplace what users change. */
export const editStores: readonly BrokenStore[] = [
  broken(
    'overwrites an edit that was made since the caller looked',
    'G6',
    'another revision is a conflict',
    class extends MemoryDataStore {
      override async update(id: string, change: Change, expected: Expected) {
        const [task] = await this.get([id]);
        return super.update(id, change, task ?? expected);
      }
    },
  ),
  broken(
    'overwrites an edit that was made while it compared revisions',
    'G6',
    'no edit is lost',
    class extends MemoryDataStore {
      override async update(id: string, change: Change, expected: Expected) {
        const [task] = await this.get([id]);
        if (task?.revision !== expected.revision) return super.update(id, change, expected);
        await turn();
        const [current] = await this.get([id]);
        return super.update(id, change, current ?? expected);
      }
    },
  ),
  broken(
    'reads what it has claimed only later, as it was edited since',
    'G6',
    'a claim and an edit that ends the task that are made at once',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest) {
        const result = await super.claim(request);
        await turn();
        const found = await this.get(result.tasks.map(({ id }) => id));
        const tasks = result.tasks.flatMap((task, index) => {
          const { name, queue, group, status, runAt, body, revision, lease } = found[index] ?? task;
          const edited = { name, queue, group, status, runAt, body, revision };
          return lease?.token === task.lease.token ? [{ ...task, ...edited }] : [];
        });
        return { ...result, tasks };
      }
    },
  ),
  broken(
    'claims a task that has been moved since it was found, wherever it is by then',
    'G6',
    'a claim and an edit that moves the task that are made at once',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest) {
        const { queues } = request;
        const all = await Promise.all(queues.map((queue) => this.list({ queue, limit: 1000 })));
        await turn();
        const found = await this.get(all.flatMap(({ tasks }) => tasks.map(({ id }) => id)));
        const moved = found.flatMap((task) => task?.queue ?? []);
        return super.claim({ ...request, queues: [...new Set([...queues, ...moved])] });
      }
    },
  ),
  broken(
    'ends the lease of a task that is edited',
    'G6',
    'an edit leaves the lease',
    class extends MemoryDataStore {
      override async update(id: string, change: Change, expected: Expected) {
        const answer = await super.update(id, change, expected);
        if (answer === 'updated') await endLeases(this, { ids: [id] });
        return answer;
      }
    },
  ),
  broken(
    'does not look at the revision of a settlement',
    'G6',
    'a settlement that is conflict changes nothing: the task was edited since the claim',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const tasks = await this.get(settlements.map(({ id }) => id));
        return super.settle(
          settlements.map((settlement, index) => ({
            ...settlement,
            revision: tasks[index]?.revision ?? settlement.revision,
          })),
        );
      }
    },
  ),
  broken(
    'takes the revision of any task of a call for that of each',
    'G2',
    'a revision of another task changes nothing',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const given = new Set(settlements.map(({ revision }) => revision));
        const tasks = await this.get(settlements.map(({ id }) => id));
        return super.settle(
          settlements.map((settlement, index) => {
            const current = tasks[index]?.revision ?? settlement.revision;
            return given.has(current) ? { ...settlement, revision: current } : settlement;
          }),
        );
      }
    },
  ),
  broken(
    'creates a task anew when it is settled after its removal',
    'G6',
    'none of these brings the task back',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const tasks = await this.get(settlements.map(({ id }) => id));
        for (const [index, { id, next }] of settlements.entries()) {
          if (!next || answers[index] !== 'lost' || tasks[index]) continue;
          const { status, runAt, body } = next;
          const rest = { name: 'job', queue: 'q', group: null, paused: false };
          await this.insert([{ id, status, runAt, body, ...rest }]);
        }
        return answers;
      }
    },
  ),
  broken(
    'claims paused tasks',
    'G6',
    'a paused task is not claimed',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest) {
        const { tasks } = await this.list({ paused: true, limit: 100_000 });
        const selector = { ids: tasks.map(({ id }) => id) };
        await super.setPaused(selector, false);
        const result = await super.claim(request);
        await super.setPaused(selector, true);
        return result;
      }
    },
  ),
  broken(
    'ends the lease of a task that is paused',
    'G6',
    'pausing a running task leaves its lease',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (paused) await endLeases(this, selector);
        return super.setPaused(selector, paused);
      }
    },
  ),
  broken(
    'takes a pause for an edit',
    'G6',
    'the revision, runAt and the lease stay',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const changed = await super.setPaused(selector, paused);
        for (const task of await selected(this, selector)) await this.update(task.id, {}, task);
        return changed;
      }
    },
  ),
  broken(
    'resumes tasks that are not paused',
    'G6',
    'a task that is already as asked is not touched',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (!paused) await super.setPaused(selector, true);
        return super.setPaused(selector, paused);
      }
    },
  ),
  broken(
    'leaves the running tasks of a group that is removed',
    'G6',
    'every task of the group',
    class extends MemoryDataStore {
      override async remove(selector: TaskSelector) {
        if (!('group' in selector)) return super.remove(selector);
        const idle = (await selected(this, selector)).filter(({ lease }) => !lease);
        return super.remove({ ids: idle.map(({ id }) => id) });
      }
    },
  ),
  broken(
    'puts a new task in the place of one that exists',
    'G6',
    'insert leaves an existing task alone',
    class extends MemoryDataStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const tasks = await this.get(records.map(({ id }) => id));
        await this.remove({ ids: records.map(({ id }) => id) });
        await super.insert(records);
        return tasks.map((task) => (task ? ('exists' as const) : ('inserted' as const)));
      }
    },
  ),
  broken(
    'starts revisions afresh when a task is created again',
    'G6',
    'insert gives a revision that the id never had',
    class extends DistortingStore {
      readonly #bases = new Map<string, number>();

      protected override show<T extends TaskRecord>(task: T): T {
        return { ...task, revision: task.revision - (this.#bases.get(task.id) ?? 0) };
      }

      override async insert(records: readonly NewTaskRecord[]) {
        const answers = await super.insert(records);
        for (const [index, { id }] of records.entries()) {
          if (answers[index] !== 'inserted') continue;
          this.#bases.delete(id);
          const [task] = await this.get([id]);
          this.#bases.set(id, (task?.revision ?? 1) - 1);
        }
        return answers;
      }

      override update(id: string, change: Change, { revision }: Expected) {
        return super.update(id, change, { revision: revision + (this.#bases.get(id) ?? 0) });
      }

      override settle(settlements: readonly Settlement[]) {
        const kept = settlements.map((settlement) => ({
          ...settlement,
          revision: settlement.revision + (this.#bases.get(settlement.id) ?? 0),
        }));
        return super.settle(kept);
      }
    },
  ),
  broken(
    'gives the same object to everyone who asks for a task',
    'G6',
    'is a snapshot',
    class extends MemoryDataStore {
      readonly #given = new Map<string, { task: TaskRecord; asGiven: string }>();

      override async get(ids: readonly string[]) {
        const tasks = await super.get(ids);
        return tasks.map((task) => {
          if (!task) return undefined;
          const given = this.#given.get(task.id);
          const asGiven = JSON.stringify(task);
          const isWrittenOn = given && JSON.stringify(given.task) !== given.asGiven;
          if (given && (isWrittenOn || given.asGiven === asGiven)) return given.task;
          this.#given.set(task.id, { task, asGiven });
          return task;
        });
      }
    },
  ),
];

async function selected(store: MemoryDataStore, selector: TaskSelector): Promise<TaskRecord[]> {
  const { tasks } = await store.list({ limit: 100_000 });
  return tasks.filter((task) => {
    if ('ids' in selector) return selector.ids.includes(task.id);
    if ('group' in selector) return task.group === selector.group;
    return true;
  });
}

async function endLeases(store: MemoryDataStore, selector: TaskSelector): Promise<void> {
  const tasks = await selected(store, selector);
  const refs = tasks.flatMap(({ id, lease }) => (lease ? [{ id, token: lease.token }] : []));
  await store.release(refs);
}
