import type { ListRequest, ListResult, TaskFilter, TaskRecord, TaskSelector } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Stores that break a sentence about finding tasks. */
export const findingStores: readonly BrokenStore[] = [
  broken(
    'takes no notice of the pause when it counts a group',
    'G1',
    'count counts the tasks that match',
    class extends MemoryDataStore {
      override count({ paused, ...filter }: TaskFilter) {
        if (paused === undefined || typeof filter.group === 'string') return super.count(filter);
        return super.count({ ...filter, paused });
      }
    },
  ),
  broken(
    'lists what has any group or none when asked for those without, of a queue',
    'G1',
    'list gives the tasks that match every member',
    class extends MemoryDataStore {
      override list({ group, ...request }: ListRequest) {
        const isIgnored = group === undefined || (group === null && request.queue !== undefined);
        return super.list(isIgnored ? request : { ...request, group });
      }
    },
  ),
  broken(
    'counts what has failed as finished when asked for a name',
    'G1',
    'count counts the tasks that match every member',
    class extends MemoryDataStore {
      override async count(filter: TaskFilter) {
        const count = await super.count(filter);
        if (filter.status !== 'finished' || filter.name === undefined) return count;
        return count + (await super.count({ ...filter, status: 'failed' }));
      }
    },
  ),
  broken(
    'counts the tasks that are in a queue when they are asked for as paused and leased',
    'G1',
    'count counts the tasks that match every member of the filter {"paused":true,"leased":true}',
    class extends MemoryDataStore {
      override count({ leased, ...filter }: TaskFilter) {
        if (leased === undefined || filter.paused) return super.count(filter);
        return super.count({ ...filter, leased });
      }
    },
  ),
  broken(
    'counts the pauses that it knew of a moment ago',
    'G1',
    'list and count match what setPaused has made of a task',
    class extends MemoryDataStore {
      readonly #counts = new Map<string, number>();

      override async count(filter: TaskFilter) {
        if (filter.paused === undefined) return super.count(filter);
        const key = JSON.stringify(filter);
        const count = this.#counts.get(key) ?? (await super.count(filter));
        this.#counts.set(key, await super.count(filter));
        return count;
      }

      override async setPaused(selector: TaskSelector, paused: boolean) {
        for (const filter of [{ paused: true, group: 'g' }, { paused: false }]) {
          this.#counts.set(JSON.stringify(filter), await super.count(filter));
        }
        return super.setPaused(selector, paused);
      }
    },
  ),
  ...[
    sortedBy('runAt', ({ runAt }) => runAt ?? 0, 'though all else about it changes meanwhile'),
    sortedBy('revision', ({ revision }) => revision, 'though all else about it changes meanwhile'),
    sortedBy(
      'pause',
      ({ paused }) => (paused ? 1 : 0),
      'though all are paused and resumed meanwhile',
    ),
    sortedBy(
      'wakeAt',
      ({ wakeAt }) => wakeAt ?? 0,
      'a listing of running tasks gives each once, though their leases are extended meanwhile',
    ),
  ],
  broken(
    'remembers in the handle where a listing goes on, and only once',
    'G1',
    '`next` says where to continue',
    class extends MemoryDataStore {
      readonly #cursors = new Map<string, string>();
      #count = 0;

      override async list({ after, ...request }: ListRequest): Promise<ListResult> {
        const from = after === undefined ? undefined : this.#cursors.get(after);
        if (after !== undefined && from === undefined) return { tasks: [], next: null };
        if (after !== undefined) this.#cursors.delete(after);
        const { tasks, next } = await super.list(
          from === undefined ? request : { ...request, after: from },
        );
        if (next === null) return { tasks, next };
        const cursor = `${this.#count++}`;
        this.#cursors.set(cursor, next);
        return { tasks, next: cursor };
      }
    },
  ),
];

/** A store that lists in the order of a member that changes. */
function sortedBy(member: string, key: (task: TaskRecord) => number, because: string): BrokenStore {
  const order = (task: TaskRecord) => `${key(task) + 5e15}`.padStart(17, '0') + task.id;
  return broken(
    `lists tasks in the order of their ${member}, and goes on behind the last one`,
    'G1',
    because,
    class extends MemoryDataStore {
      override async list({ after, limit, ...filter }: ListRequest): Promise<ListResult> {
        const { tasks } = await super.list({ ...filter, limit: 100_000 });
        const rest = tasks
          .filter((task) => after === undefined || order(task) > after)
          .sort((a, b) => (order(a) < order(b) ? -1 : 1));
        const page = rest.slice(0, limit);
        const last = page.at(-1);
        return { tasks: page, next: rest.length > limit && last ? order(last) : null };
      }
    },
  );
}
