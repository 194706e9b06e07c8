import type {
  ClaimRequest,
  LeaseRef,
  ListRequest,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  WakeUp,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore } from './broken-store.js';
import { RunKeepingStore } from './kept-runs.js';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;
type Expected = { readonly revision: number };
type Fold = (text: string) => string;
type Member = 'id' | 'name' | 'queue' | 'group';

const inLowerCase: Fold = (text) => text.toLowerCase();
const trimmed: Fold = (text) => text.trimEnd();
const composed: Fold = (text) => text.normalize('NFC');
const compatible: Fold = (text) => text.normalize('NFKC');
const inUpperCase: Fold = (text) => text.toUpperCase();
const visible: Fold = (text) => text.replaceAll(/[\u200b-\u200d\u00ad\ufeff]/g, '');

/** A store that can take a text for another one, as careless comparisons do. */
class TwinFindingStore extends MemoryDataStore {
  /** The text itself if a task has it; else one that is the same to `fold`. */
  protected async twin(text: string, member: Member, fold: Fold): Promise<string> {
    const [twin = text] = await this.#twins([text], member, fold);
    return twin;
  }

  protected async twinsOf<T extends { readonly id: string }>(
    items: readonly T[],
    fold: Fold,
  ): Promise<T[]> {
    const ids = items.map(({ id }) => id);
    const twins = await this.#twins(ids, 'id', fold);
    return items.map((item, index) => ({ ...item, id: twins[index] ?? item.id }));
  }

  async #twins(texts: readonly string[], member: Member, fold: Fold): Promise<string[]> {
    const { tasks } = await super.list({ limit: 100_000 });
    const kept = new Set(tasks.flatMap((task) => task[member] ?? []));
    const byFold = new Map([...kept].toReversed().map((text) => [fold(text), text]));
    return texts.map((text) => (kept.has(text) ? text : (byFold.get(fold(text)) ?? text)));
  }
}

/** Stores that take a text for another in a single call. */
export const textStores: readonly BrokenStore[] = [
  broken(
    'gets a task by an id without what cannot be seen',
    'G8',
    'get takes',
    class extends TwinFindingStore {
      override async get(ids: readonly string[]) {
        const twins = await this.twinsOf(
          ids.map((id) => ({ id })),
          visible,
        );
        return super.get(twins.map(({ id }) => id));
      }
    },
  ),
  broken(
    'edits a task by an id in another width',
    'G8',
    'update takes',
    class extends TwinFindingStore {
      override async update(id: string, change: Change, expected: Expected) {
        return super.update(await this.twin(id, 'id', compatible), change, expected);
      }
    },
  ),
  broken(
    'extends a lease by an id with a trailing space',
    'G8',
    'extend takes',
    class extends TwinFindingStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        return super.extend(await this.twinsOf(leases, trimmed), leaseMs);
      }
    },
  ),
  broken(
    'releases a lease by an id in another case',
    'G8',
    'release takes',
    class extends TwinFindingStore {
      override async release(leases: readonly Release[]) {
        return super.release(await this.twinsOf(leases, inLowerCase));
      }
    },
  ),
  broken(
    'settles a task by an id that is composed of other code points',
    'G8',
    'settle takes',
    class extends TwinFindingStore {
      override async settle(settlements: readonly Settlement[]) {
        return super.settle(await this.twinsOf(settlements, composed));
      }
    },
  ),
  broken(
    'removes a task by an id with a trailing space',
    'G8',
    'remove takes',
    class extends TwinFindingStore {
      override async remove(selector: TaskSelector) {
        if (!('ids' in selector)) return super.remove(selector);
        const twins = await this.twinsOf(
          selector.ids.map((id) => ({ id })),
          trimmed,
        );
        return super.remove({ ids: twins.map(({ id }) => id) });
      }
    },
  ),
  broken(
    'pauses a task by an id in which ß is ss',
    'G8',
    'setPaused takes',
    class extends TwinFindingStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (!('ids' in selector)) return super.setPaused(selector, paused);
        const twins = await this.twinsOf(
          selector.ids.map((id) => ({ id })),
          inUpperCase,
        );
        return super.setPaused({ ids: twins.map(({ id }) => id) }, paused);
      }
    },
  ),
  broken(
    'removes a group by a name in another case',
    'G8',
    'remove of a group takes',
    class extends TwinFindingStore {
      override async remove(selector: TaskSelector) {
        if (!('group' in selector)) return super.remove(selector);
        return super.remove({ group: await this.twin(selector.group, 'group', inLowerCase) });
      }
    },
  ),
  broken(
    'pauses a group by a name that is composed of other code points',
    'G8',
    'setPaused of a group takes',
    class extends TwinFindingStore {
      override async setPaused(selector: TaskSelector, paused: boolean) {
        if (!('group' in selector)) return super.setPaused(selector, paused);
        const group = await this.twin(selector.group, 'group', composed);
        return super.setPaused({ group }, paused);
      }
    },
  ),
  broken(
    'counts the tasks of a queue in another case',
    'G8',
    'count by queue takes',
    class extends TwinFindingStore {
      override async count(filter: TaskFilter) {
        if (filter.queue === undefined) return super.count(filter);
        return super.count({
          ...filter,
          queue: await this.twin(filter.queue, 'queue', inLowerCase),
        });
      }
    },
  ),
  broken(
    'lists the tasks of a name with a trailing space',
    'G8',
    'list by name takes',
    class extends TwinFindingStore {
      override async list(request: ListRequest) {
        if (request.name === undefined) return super.list(request);
        return super.list({ ...request, name: await this.twin(request.name, 'name', trimmed) });
      }
    },
  ),
  broken(
    'claims from a queue in which ß is ss',
    'G8',
    'claim from a queue takes',
    class extends TwinFindingStore {
      override async claim(request: ClaimRequest) {
        const queues: string[] = [];
        for (const queue of request.queues) {
          queues.push(await this.twin(queue, 'queue', inUpperCase));
        }
        return super.claim({ ...request, queues });
      }
    },
  ),
  broken(
    'files the runs of ids that differ in case together',
    'G8',
    'the history of a task is found by its id, byte by byte',
    class extends RunKeepingStore {
      protected override taskOf({ taskId }: { readonly taskId: string }): string {
        return taskId.toLowerCase();
      }

      override async history(taskId: string, limit: number) {
        const entries = await super.history(taskId.toLowerCase(), limit);
        return entries.map((entry) => ({ ...entry, taskId }));
      }
    },
  ),
  broken(
    'trims the queue to which an edit moves a task',
    'G8',
    'that came by update',
    class extends MemoryDataStore {
      override update(id: string, change: Change, expected: Expected) {
        const { queue } = change;
        const kept = queue === undefined ? change : { ...change, queue: queue.trim() };
        return super.update(id, kept, expected);
      }
    },
  ),
  broken(
    'keeps 254 bytes of the name that an edit brings',
    'G8',
    'that came by update',
    class extends MemoryDataStore {
      override update(id: string, change: Change, expected: Expected) {
        const { name } = change;
        const kept = name === undefined ? change : { ...change, name: name.slice(0, 254) };
        return super.update(id, kept, expected);
      }
    },
  ),
  broken(
    'composes the groups of spawned tasks',
    'G8',
    'that came by spawn',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((settlement) => ({
            ...settlement,
            spawn: settlement.spawn.map((record) => ({
              ...record,
              group: record.group?.normalize('NFC') ?? null,
            })),
          })),
        );
      }
    },
  ),
  broken(
    'keeps 255 characters of the id of a spawned task',
    'G8',
    'list gives every id as it was given',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((settlement) => ({
            ...settlement,
            spawn: settlement.spawn.map((record) => ({ ...record, id: record.id.slice(0, 255) })),
          })),
        );
      }
    },
  ),
  broken(
    'takes the empty group for none',
    'G8',
    'the empty text is a text like any other',
    class extends MemoryDataStore {
      override insert(records: readonly NewTaskRecord[]) {
        return super.insert(records.map((record) => ({ ...record, group: record.group || null })));
      }
    },
  ),
  broken(
    'takes the empty group that an edit brings for none',
    'G8',
    'the empty text is a text like any other',
    class extends MemoryDataStore {
      override update(id: string, change: Change, expected: Expected) {
        const { group } = change;
        return super.update(id, group === '' ? { ...change, group: null } : change, expected);
      }
    },
  ),
  broken(
    'counts the tasks of every queue when it is asked for the empty one',
    'G8',
    'count by queue takes',
    class extends MemoryDataStore {
      override count({ queue, ...filter }: TaskFilter) {
        return super.count(queue ? { ...filter, queue } : filter);
      }
    },
  ),
  broken(
    'says of an owner without a name that there was none',
    'G8',
    'lapsedOwner is the owner whose lease ran out',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest) {
        const result = await super.claim(request);
        const tasks = result.tasks.map((task) => ({
          ...task,
          lapsedOwner: task.lapsedOwner || null,
        }));
        return { ...result, tasks };
      }
    },
  ),
  broken(
    'shows owners in another form than they were given',
    'G8',
    'gives an owner back byte for byte',
    class extends DistortingStore {
      protected override show<T extends TaskRecord>(task: T): T {
        const { lease } = task;
        return lease ? { ...task, lease: { ...lease, owner: lease.owner.normalize('NFC') } } : task;
      }
    },
  ),
  broken(
    'notifies of queues in lower case',
    'G8',
    'a notification names the queue of a task, byte for byte',
    class extends MemoryDataStore {
      override watch(listener: (wakeUp: WakeUp) => void) {
        return super.watch(({ queue, wakeAt }) => listener({ queue: queue.toLowerCase(), wakeAt }));
      }
    },
  ),
];
