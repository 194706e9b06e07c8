import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Stores that keep a promise for the first items of a call, and break it for those behind. */
export const batchStores: readonly BrokenStore[] = [
  broken(
    'says of what exists already that it was inserted, from the 501st record of a call on',
    'G1',
    'insert answers for each record, in their order: number 501 of 1201',
    class extends MemoryDataStore {
      override async insert(records: readonly NewTaskRecord[]) {
        const answers = await super.insert(records);
        return answers.map((answer, index) => (index < 500 ? answer : 'inserted'));
      }
    },
  ),
  broken(
    'inserts the later thousand of a call first',
    'G1',
    'insert answers for each record',
    class extends MemoryDataStore {
      override insert(records: readonly NewTaskRecord[]) {
        return lastFirst(records, 1000, (chunk) => super.insert(chunk));
      }
    },
  ),
  broken(
    'finds a task once in each hundred ids that it is asked for',
    'G1',
    'the answers are in the order of the ids, `undefined` where there is no such task: number 52',
    class extends MemoryDataStore {
      override async get(ids: readonly string[]) {
        const tasks = await super.get(ids);
        return tasks.map((task, index) => {
          const isFirst = !ids.slice(index - (index % 100), index).includes(task?.id ?? '');
          return ids.length < 200 || isFirst ? task : undefined;
        });
      }
    },
  ),
  broken(
    'leaves out what is not there when it looks up more than a thousand',
    'G1',
    'the answers are in the order of the ids, `undefined` where there is no such task: as many',
    class extends MemoryDataStore {
      override async get(ids: readonly string[]) {
        const tasks = await super.get(ids);
        return ids.length <= 1000 ? tasks : tasks.filter((task) => task !== undefined);
      }
    },
  ),
  broken(
    'spawns nothing from the 26th settlement of a call on',
    'G1',
    'after settle each record is as the contract says',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each, index) => (index < 25 ? each : { ...each, spawn: [] })),
        );
      }
    },
  ),
  broken(
    'spawns no more than 25 tasks for one settlement',
    'G1',
    'after settle each record is as the contract says: number 28',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each) => ({ ...each, spawn: each.spawn.slice(0, 25) })),
        );
      }
    },
  ),
  broken(
    'settles the later thousand of a call first',
    'G1',
    'after settle each record is as the contract says',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return lastFirst(settlements, 1000, (chunk) => super.settle(chunk));
      }
    },
  ),
  broken(
    'adds nothing to the history from the 501st settlement of a call on',
    'G5',
    'each settlement adds its entries, once',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each, index) => (index < 500 ? each : { ...each, history: [] })),
        );
      }
    },
  ),
  broken(
    'adds no more than 25 entries to the history for one settlement',
    'G5',
    'each settlement adds its entries, once',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each) => ({ ...each, history: each.history.slice(0, 25) })),
        );
      }
    },
  ),
  broken(
    'gives no more than a thousand entries of a history',
    'G5',
    'as many as there are',
    class extends MemoryDataStore {
      override history(taskId: string, limit: number) {
        return super.history(taskId, Math.min(limit, 1000));
      }
    },
  ),
  broken(
    'adds what a refused settlement would, from the 26th of a call on',
    'G6',
    'after settle each record is as the contract says',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        for (const [index, { spawn }] of settlements.entries()) {
          if (index >= 25 && answers[index] === 'conflict') await this.insert(spawn);
        }
        return answers;
      }
    },
  ),
  broken(
    'takes the lease of a task at a conflict, from the 501st settlement of a call on',
    'G6',
    'after settle each record is as the contract says',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const refused = settlements.filter((_, at) => at >= 500 && answers[at] === 'conflict');
        await this.release(refused.map(({ id, token }) => ({ id, token })));
        return answers;
      }
    },
  ),
  broken(
    'does not look at tokens from the 501st settlement of a call on',
    'G2',
    'settle answers for each settlement, in their order',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const tasks = await this.get(settlements.map(({ id }) => id));
        return super.settle(
          settlements.map((each, at) => ({
            ...each,
            token: at < 500 ? each.token : (tasks[at]?.lease?.token ?? each.token),
          })),
        );
      }
    },
  ),
  broken(
    'spawns for a lost settlement, from the 101st of a call on',
    'G2',
    'after settle each record is as the contract says',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const lost = settlements.filter((_, at) => at >= 100 && answers[at] === 'lost');
        await this.insert(lost.flatMap(({ spawn }): readonly NewTaskRecord[] => spawn));
        return answers;
      }
    },
  ),
  broken(
    'answers for what it has settled first, and then for what it refused',
    'G2',
    'settle answers for each settlement, in their order',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        return answers.length < 100 ? answers : answers.toSorted().reverse();
      }
    },
  ),
  broken(
    'extends no lease behind the thousandth of a call',
    'G2',
    'after extend each record is as the contract says',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const tasks = await this.get(leases.map(({ id }) => id));
        const answers = await super.extend(leases.slice(0, 1000), leaseMs);
        return leases.map(({ token }, at) => {
          const task = tasks[at];
          return answers[at] ?? (task?.lease?.token === token ? task.revision : 'lost');
        });
      }
    },
  ),
  broken(
    'says of a lost lease that it is extended, from the 101st of a call on',
    'G2',
    'extend answers for each lease, in their order',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const tasks = await this.get(leases.map(({ id }) => id));
        const answers = await super.extend(leases, leaseMs);
        return answers.map((answer, at) => (at < 100 ? answer : (tasks[at]?.revision ?? answer)));
      }
    },
  ),
  broken(
    'puts off none of the tasks that it gives back behind the 500th of a call',
    'G3',
    'after release each record is as the contract says',
    class extends MemoryDataStore {
      override release(leases: readonly Release[]) {
        return super.release(
          leases.map(({ id, token, ...rest }, at) => ({ id, token, ...(at < 500 ? rest : {}) })),
        );
      }
    },
  ),
  broken(
    'gives a lease back twice that is named in two hundreds of a call',
    'G3',
    'release answers for each, in their order',
    class extends MemoryDataStore {
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        return leases.map(({ id }, at) => {
          const chunk = at - (at % 100);
          const before = leases.slice(0, chunk).findIndex((each) => each.id === id);
          return (before < 0 ? answers[at] : answers[before]) ?? 'lost';
        });
      }
    },
  ),
  broken(
    'forgets who let a lease run out, from the 101st task of a claim on',
    'G3',
    'lapsedOwner is whoever let a lease run out',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        const tasks = result.tasks.map((task, at) =>
          at < 100 ? task : { ...task, lapsedOwner: null },
        );
        return { ...result, tasks };
      }
    },
  ),
  broken(
    'claims each five hundred in their order, and the last of these first',
    'G5',
    'the first `limit` due tasks are taken, by queue and then by wakeAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        const { tasks } = result;
        return { ...result, tasks: [...tasks.slice(500), ...tasks.slice(0, 500)] };
      }
    },
  ),
  broken(
    'pauses no more than the first thousand of a group',
    'G6',
    'setPaused counts the tasks that it changed',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        return super.setPaused(await firstThousand(this, selector), paused);
      }
    },
  ),
  broken(
    'pauses the first thousand of all tasks, and says that it paused them all',
    'G6',
    'after setPaused each record is as the contract says',
    class extends MemoryDataStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (!('all' in selector)) return super.setPaused(selector, paused);
        const changed = await this.count({ paused: !paused });
        await super.setPaused(await firstThousand(this, selector), paused);
        return changed;
      }
    },
  ),
  broken(
    'counts a task that is named in two hundreds of a removal twice',
    'G6',
    'remove counts the tasks that it deleted',
    class extends MemoryDataStore {
      override async remove(selector: TaskSelector) {
        if (!('ids' in selector)) return super.remove(selector);
        const counts: number[] = [];
        const tasks = await this.get(selector.ids);
        for (let from = 0; from < tasks.length; from += 100) {
          const chunk = tasks.slice(from, from + 100).flatMap((task) => task?.id ?? []);
          counts.push(new Set(chunk).size);
        }
        await super.remove(selector);
        return counts.reduce((sum, count) => sum + count, 0);
      }
    },
  ),
  broken(
    'removes no more than the first thousand of all tasks',
    'G6',
    'remove counts the tasks that it deleted',
    class extends MemoryDataStore {
      override async remove(selector: TaskSelector) {
        return super.remove(await firstThousand(this, selector));
      }
    },
  ),
  broken(
    'counts no further than a thousand',
    'G1',
    'count counts those that match {}',
    class extends MemoryDataStore {
      override async count(filter: TaskFilter) {
        return Math.min(await super.count(filter), 1000);
      }
    },
  ),
  broken(
    'takes a page of a thousand for the last one',
    'G1',
    'pages of 5000 give each task that matches {} once',
    class extends MemoryDataStore {
      override async list(request: ListRequest): Promise<ListResult> {
        const { tasks, next } = await super.list({
          ...request,
          limit: Math.min(request.limit, 1000),
        });
        return { tasks, next: tasks.length === 1000 ? null : next };
      }
    },
  ),
  broken(
    'lists nothing any more once a thousand tasks have been removed by one call',
    'G1',
    'the few that are left of thousands are listed',
    class extends MemoryDataStore {
      #isBare = false;

      override async remove(selector: TaskSelector) {
        const count = await super.remove(selector);
        this.#isBare ||= count > 1000;
        return count;
      }

      override async list(request: ListRequest): Promise<ListResult> {
        return this.#isBare ? { tasks: [], next: null } : super.list(request);
      }
    },
  ),
];

/** Handles the second part of a list before the first, as if the parts were sent at once. */
async function lastFirst<T, R>(
  items: readonly T[],
  size: number,
  run: (items: readonly T[]) => Promise<R[]>,
): Promise<R[]> {
  const last = await run(items.slice(size));
  return [...(await run(items.slice(0, size))), ...last];
}

/** The tasks of a group, or all tasks, as far as one page goes. */
async function firstThousand(
  store: MemoryDataStore,
  selector: TaskSelector,
): Promise<TaskSelector> {
  if ('ids' in selector) return selector;
  const filter = 'group' in selector ? { group: selector.group } : {};
  const { tasks } = await store.list({ ...filter, limit: 1000 });
  return { ids: tasks.map(({ id }) => id) };
}
