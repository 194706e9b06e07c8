import type {
  ClaimedTask,
  DataStore,
  NewTaskRecord,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '../data-store.js';
import { plain, same } from './check.js';
import type { VirtualClock } from './harness.js';
import { start } from './harness.js';
import type { Model } from './model.js';
import { listAll } from './pages.js';
import type { Random } from './random.js';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const queues = ['p', 'q'];
const groups = ['g', 'h', null];
const names = ['mail', 'bill'];

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** An earlier claim, counted back from the last one. `shift` is added to its token to make a wrong one. */
interface Claimed {
  readonly back: number;
  readonly shift: number;
}

/**
 * One call. All that it depends on is given in numbers that mean something in any state, so a sequence stays valid when
 * calls are left out.
 */
export type Operation =
  | { readonly call: 'advance'; readonly ms: number }
  | { readonly call: 'insert'; readonly records: readonly NewTaskRecord[] }
  | { readonly call: 'update'; readonly id: string; readonly change: Change; readonly off: number }
  | { readonly call: 'remove'; readonly selector: TaskSelector }
  | { readonly call: 'setPaused'; readonly selector: TaskSelector; readonly paused: boolean }
  | {
      readonly call: 'claim';
      readonly queues: readonly string[];
      readonly limit: number;
      readonly leaseMs: number;
    }
  | { readonly call: 'extend'; readonly leases: readonly Claimed[]; readonly leaseMs: number }
  | { readonly call: 'release'; readonly leases: readonly Claimed[]; readonly deferMs?: number }
  | {
      readonly call: 'settle';
      readonly leases: readonly Claimed[];
      /** Whether to decide on the record as it is now, or as it was claimed. */
      readonly isFresh: boolean;
      readonly become: 'again' | 'paused' | 'finished' | 'failed' | 'removed';
      readonly runMs: number;
      readonly spawn: readonly NewTaskRecord[];
    }
  | { readonly call: 'list'; readonly filter: TaskFilter; readonly limit: number };

export function randomOperation(random: Random): Operation {
  const leases = () => many(random, 3, () => claimed(random));
  const leaseMs = random.pick([1, 30, 100]);
  const call = random.below(100);
  if (call < 16) return { call: 'advance', ms: random.pick([0, 1, 10, 29, 30, 31, 70, 100]) };
  if (call < 30) return { call: 'insert', records: many(random, 3, () => newRecord(random)) };
  if (call < 38) {
    return { call: 'update', id: random.pick(ids), change: change(random), off: rarely(random) };
  }
  if (call < 41) return { call: 'remove', selector: selector(random) };
  if (call < 50)
    return { call: 'setPaused', selector: selector(random), paused: random.chance(45) };
  if (call < 69) {
    const from = random.pick([['q'], ['p'], ['p', 'q'], ['q', 'p'], []]);
    return { call: 'claim', queues: from, limit: 1 + random.below(4), leaseMs };
  }
  if (call < 76) return { call: 'extend', leases: leases(), leaseMs };
  if (call < 82) {
    const deferMs = random.chance(50) ? { deferMs: random.pick([-50, 0, 1, 60]) } : {};
    return { call: 'release', leases: leases(), ...deferMs };
  }
  if (call < 97) {
    return {
      call: 'settle',
      leases: leases(),
      isFresh: random.chance(75),
      become: random.pick(['again', 'again', 'again', 'paused', 'finished', 'failed', 'removed']),
      runMs: random.pick([-20, 0, 1, 40]),
      spawn: random.chance(25) ? many(random, 2, () => newRecord(random)) : [],
    };
  }
  return { call: 'list', filter: filter(random), limit: 1 + random.below(4) };
}

/** Runs operations on a store and on the model, and compares their answers and contents. */
export class Comparison {
  readonly #store: DataStore;
  readonly #model: Model;
  readonly #clock: VirtualClock;
  readonly #claimed: ClaimedTask[] = [];
  /** The records as last seen. Edits are based on them. */
  #seen = new Map<string, TaskRecord>();
  #settlements = 0;

  constructor(store: DataStore, model: Model, clock: VirtualClock) {
    this.#store = store;
    this.#model = model;
    this.#clock = clock;
  }

  async run(operation: Operation): Promise<void> {
    const [answer, expected] = await this.#call(operation);
    same(answer, expected, `${operation.call} answers as the contract says`);
    const stored = await this.#store.get(ids);
    same(
      stored.map(plain),
      ids.map((id, index) => this.#model.expected(id, stored[index])),
      `after ${operation.call} every record is as the contract says`,
    );
    this.#seen = new Map(stored.flatMap((task) => (task ? [[task.id, task]] : [])));
  }

  async compareHistories(): Promise<void> {
    for (const id of ids) {
      const entries = await this.#store.history(id, 1000);
      const expected = this.#store.capabilities.history ? (this.#model.history.get(id) ?? []) : [];
      same(
        entries.map((entry) => entry.id),
        expected,
        'the history is what was appended',
      );
    }
  }

  /** Returns the store's answer, and the one that the model expects. */
  async #call(operation: Operation): Promise<[unknown, unknown]> {
    const store = this.#store;
    const model = this.#model;
    const { now } = this.#clock;
    switch (operation.call) {
      case 'advance':
        this.#clock.advance(operation.ms);
        return [await store.now(), this.#clock.now];
      case 'insert':
        return [await store.insert(operation.records), model.insert(operation.records)];
      case 'update': {
        const { id, change, off } = operation;
        const revision = (this.#seen.get(id)?.revision ?? 0) + off;
        const answer = await store.update(id, change, { revision });
        return [answer, model.update(id, change, revision)];
      }
      case 'remove':
        return [await store.remove(operation.selector), model.remove(operation.selector)];
      case 'setPaused': {
        const { selector, paused } = operation;
        return [await store.setPaused(selector, paused), model.setPaused(selector, paused, now)];
      }
      case 'claim': {
        const { queues, limit, leaseMs } = operation;
        const request = { queues, limit, leaseMs, owner: `owner-${this.#claimed.length}` };
        const answer = await store.claim(request);
        model.claim(request, answer, now);
        this.#claimed.push(...answer.tasks);
        return [undefined, undefined];
      }
      case 'extend': {
        const leases = this.#leases(operation.leases);
        const answer = await store.extend(leases, operation.leaseMs);
        return [answer, model.extend(leases, operation.leaseMs, now)];
      }
      case 'release': {
        const { deferMs } = operation;
        const deferUntil = deferMs === undefined ? {} : { deferUntil: now + deferMs };
        const leases = this.#leases(operation.leases, true).map((lease) => ({
          ...lease,
          ...deferUntil,
        }));
        return [await store.release(leases), model.release(leases)];
      }
      case 'settle': {
        const leases = this.#leases(operation.leases, true);
        const settled = new Set(leases.map(({ id }) => id));
        const settlements = leases.map((lease) => ({
          ...lease,
          revision: this.#revision(lease.id, lease.revision, operation.isFresh),
          next: nextState(operation.become, now + operation.runMs),
          history: [this.#historyEntry(lease.id)],
          spawn: onlyOne(operation.spawn).filter(({ id }) => !settled.has(id)),
        }));
        return [await store.settle(settlements), model.settle(settlements)];
      }
      case 'list': {
        const { filter, limit } = operation;
        const matching = model.list(filter, now);
        same(await store.count(filter), matching.length, 'count counts the tasks that match');
        const found = (await listAll(store, filter, limit)).map(({ id }) => id);
        return [found.sort(), matching];
      }
    }
  }

  /** `isUnique`: one for each task, because items of one call about one task may be served in any order. */
  #leases(leases: readonly Claimed[], isUnique = false) {
    const found = leases.flatMap(({ back, shift }) => {
      const task = this.#claimed.at(-1 - (back % Math.max(1, this.#claimed.length)));
      if (!task) return [];
      return [{ id: task.id, token: task.lease.token + shift, revision: task.revision }];
    });
    return isUnique ? onlyOne(found) : found;
  }

  #revision(id: string, asClaimed: number, isFresh: boolean): number {
    return isFresh ? (this.#seen.get(id)?.revision ?? asClaimed) : asClaimed;
  }

  #historyEntry(taskId: string) {
    // Some of these ids exist already.
    const id = `run-${this.#settlements++ % 40}`;
    return { taskId, id, at: start, body: '{}' };
  }
}

/** The first item for each id. */
function onlyOne<T extends { readonly id: string }>(items: readonly T[]): T[] {
  return items.filter((item, index) => items.findIndex(({ id }) => id === item.id) === index);
}

function newRecord(random: Random): NewTaskRecord {
  const status = random.chance(85) ? 'scheduled' : random.pick(['finished', 'failed'] as const);
  return {
    id: random.pick(ids),
    name: random.pick(names),
    queue: random.pick(queues),
    group: groups[random.below(groups.length)] ?? null,
    status,
    paused: random.chance(15),
    runAt: status === 'scheduled' ? moment(random) : null,
    body: `${random.below(1000)}`,
  };
}

function change(random: Random): Change {
  const { id: _id, paused: _paused, status, runAt, ...rest } = newRecord(random);
  const members = Object.entries(rest).filter(() => random.chance(40));
  return { ...Object.fromEntries(members), ...(random.chance(50) ? { status, runAt } : {}) };
}

function moment(random: Random): number {
  return start + 30 * random.below(60);
}

function selector(random: Random): TaskSelector {
  if (random.chance(15)) return { all: true };
  if (random.chance(30)) return { group: random.pick(['g', 'h', 'none']) };
  return { ids: many(random, 3, () => random.pick([...ids, 'missing'])) };
}

function filter(random: Random): TaskFilter {
  const members = {
    group: groups[random.below(groups.length)] ?? null,
    name: random.pick(names),
    queue: random.pick(queues),
    status: random.pick(['scheduled', 'finished', 'failed'] as const),
    paused: random.chance(30),
    leased: random.chance(50),
  };
  return Object.fromEntries(Object.entries(members).filter(() => random.chance(30)));
}

/** Picks mostly one of the last few claims, sometimes an earlier one. */
function claimed(random: Random): Claimed {
  return { back: random.below(random.chance(80) ? 4 : 30), shift: rarely(random) };
}

function rarely(random: Random): number {
  return random.chance(8) ? random.pick([-1, 1]) : 0;
}

function many<T>(random: Random, limit: number, make: () => T): T[] {
  return Array.from({ length: 1 + random.below(limit) }, make);
}

function nextState(become: (Operation & { call: 'settle' })['become'], runAt: number) {
  const body = `"${become}"`;
  switch (become) {
    case 'removed':
      return null;
    case 'paused':
      return { status: 'scheduled', runAt, body, paused: true } as const;
    case 'again':
      return { status: 'scheduled', runAt, body } as const;
    default:
      return { status: become, runAt: null, body } as const;
  }
}
