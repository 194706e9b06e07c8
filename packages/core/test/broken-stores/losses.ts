import type {
  ClaimRequest,
  ClaimResult,
  DataStoreOptions,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Settlement,
  TaskFilter,
} from '@sched/core';
import { SchedError } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, SkewedStore } from './broken-store.js';

/** Stores that lose tasks or outcomes, or do not find them. */
export const lossStores: readonly BrokenStore[] = [
  broken(
    'takes no notice of whether a listing asks for leased tasks',
    'G1',
    'list gives the tasks that match {"leased":true}',
    class extends MemoryDataStore {
      override list({ leased: _leased, ...request }: ListRequest) {
        return super.list(request);
      }

      override count({ leased: _leased, ...filter }: TaskFilter) {
        return super.count(filter);
      }
    },
  ),
  broken(
    'takes a lease that has run out for a live one when it lists',
    'G1',
    'list gives the tasks that match {"leased":true}, 50 ms after the claim',
    class extends SkewedStore {
      override list(request: ListRequest) {
        return this.skewed(Number.NEGATIVE_INFINITY, () => super.list(request));
      }
    },
  ),
  broken(
    'takes a lease that has run out for a live one when it counts',
    'G1',
    'count counts the tasks that match {"leased":true}, 50 ms after the claim',
    class extends SkewedStore {
      override count(filter: TaskFilter) {
        return this.skewed(Number.NEGATIVE_INFINITY, () => super.count(filter));
      }
    },
  ),
  broken(
    'takes no task for leased that is paused',
    'G1',
    'list gives the tasks that match {"leased":true}',
    class extends MemoryDataStore {
      override list(request: ListRequest) {
        return super.list(request.leased ? { ...request, paused: false } : request);
      }
    },
  ),
  broken(
    'does not insert what a settlement spawns',
    'G1',
    'spawned',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(settlements.map((settlement) => ({ ...settlement, spawn: [] })));
      }
    },
  ),
  broken(
    'never claims a task again whose owner vanished',
    'G1',
    'a task whose lease has run out is claimed',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        return { ...result, tasks: result.tasks.filter((task) => task.lapsedOwner === null) };
      }
    },
  ),
  broken(
    'refuses a settlement under a lease that has run out',
    'G1',
    'a lease that has run out but whose token is still the current one can be settled',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const now = await this.now();
        const tasks = await this.get(settlements.map(({ id }) => id));
        const isLate = (index: number) => (tasks[index]?.lease?.expiresAt ?? now + 1) <= now;
        const inTime = settlements.map((settlement, index) =>
          isLate(index) ? { ...settlement, token: -1 } : settlement,
        );
        return super.settle(inTime);
      }
    },
  ),
  broken(
    'does not recognise a settlement that is made again',
    'G1',
    'a settlement that was applied is answered `settled` when it is made again',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const tasks = await this.get(settlements.map(({ id }) => id));
        const answers = await super.settle(settlements);
        return answers.map((answer, index) => {
          const isHeld = tasks[index]?.lease?.token === settlements[index]?.token;
          return answer === 'settled' && !isHeld ? 'lost' : answer;
        });
      }
    },
  ),
  broken(
    'applies none of the settlements of a call when one of them is refused',
    'G1',
    'one answer a settlement, in their order',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const tasks = await this.get(settlements.map(({ id }) => id));
        const isStale = settlements.some(({ token }, index) => {
          const lease = tasks[index]?.lease;
          return lease && lease.token !== token;
        });
        const isGone = settlements.length > 1 && tasks.some((task) => !task);
        if (!isStale && !isGone) return super.settle(settlements);
        return settlements.map(() => 'lost' as const);
      }
    },
  ),
  broken(
    'starts each page but the first one task too late',
    'G1',
    'give every task exactly once',
    class extends MemoryDataStore {
      override async list(request: ListRequest): Promise<ListResult> {
        const result = await super.list(request);
        return request.after === undefined ? result : { ...result, tasks: result.tasks.slice(1) };
      }
    },
  ),
  broken(
    'counts the tasks it has listed in place of remembering the last one',
    'G1',
    'a task that exists and matches throughout is given exactly once',
    class extends MemoryDataStore {
      override async list({ after, limit, ...filter }: ListRequest): Promise<ListResult> {
        const { tasks } = await super.list({ ...filter, limit: 100_000 });
        const from = Number(after ?? 0);
        const next = from + limit < tasks.length ? `${from + limit}` : null;
        return { tasks: tasks.slice(from, from + limit), next };
      }
    },
  ),
];

/** Stores that take input for something else than it is, or break on it. */
export const inputStores: readonly BrokenStore[] = [
  broken(
    'takes ids that differ in case for one',
    'G8',
    'ids are compared byte by byte',
    class extends MemoryDataStore {
      readonly #spellings = new Map<string, string>();

      override async insert(records: readonly NewTaskRecord[]) {
        const answers: ('inserted' | 'exists')[] = [];
        for (const record of records) {
          const key = record.id.toLowerCase();
          const [twin] = await this.get([this.#spellings.get(key) ?? record.id]);
          if (!twin) await super.insert([record]);
          if (!twin) this.#spellings.set(key, record.id);
          answers.push(twin ? 'exists' : 'inserted');
        }
        return answers;
      }
    },
  ),
  broken(
    'takes groups that differ in trailing space for one',
    'G8',
    'list by group takes',
    class extends MemoryDataStore {
      override insert(records: readonly NewTaskRecord[]) {
        return super.insert(
          records.map((record) => ({ ...record, group: record.group?.trimEnd() ?? null })),
        );
      }
    },
  ),
  broken(
    'writes bodies in its own way',
    'G8',
    'a body that came by insert is kept',
    class extends MemoryDataStore {
      override insert(records: readonly NewTaskRecord[]) {
        return super.insert(
          records.map((record) => ({ ...record, body: JSON.stringify(JSON.parse(record.body)) })),
        );
      }
    },
  ),
  broken(
    'keeps no more than 255 characters of an id',
    'G8',
    'ids are compared byte by byte',
    class extends MemoryDataStore {
      override insert(records: readonly NewTaskRecord[]) {
        return super.insert(records.map((record) => ({ ...record, id: record.id.slice(0, 255) })));
      }
    },
  ),
  broken(
    'fails on an empty list',
    'G8',
    'syntax error',
    class extends MemoryDataStore {
      override async get(ids: readonly string[]) {
        if (ids.length === 0) throw new SchedError('SCHED_STORE_UNAVAILABLE', 'syntax error at )');
        return super.get(ids);
      }
    },
  ),
  broken(
    'fails on more than a thousand ids',
    'G8',
    'too many parameters',
    class extends MemoryDataStore {
      override async get(ids: readonly string[]) {
        if (ids.length <= 1000) return super.get(ids);
        throw new SchedError('SCHED_STORE_UNAVAILABLE', 'too many parameters');
      }
    },
  ),
  broken(
    'answers when it is not open',
    'G8',
    'rejects before `open`',
    class extends MemoryDataStore {
      constructor(options: DataStoreOptions) {
        super(options);
        void super.open();
      }
    },
  ),
  broken(
    'answers when it is closed',
    'G8',
    'rejects after `close`',
    class extends MemoryDataStore {
      override async close() {
        // Stays open.
      }
    },
  ),
];
