import type { NewTaskRecord, TaskFilter, TaskSelector } from '../data-store.js';
import { start } from './harness.js';
import type { Random } from './random.js';

export const taskIds = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
/** A history that settlements of all tasks add to. No task has this id. */
export const logId = 'log';
const queues = ['p', 'q', 'r'];
const groups = ['g', 'h', null];
const names = ['mail', 'bill'];

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** An earlier claim, counted back from the last one. `shift` is added to its token to make a wrong one. */
export interface Claimed {
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
      /** Whether to add an entry to the common history. */
      readonly isLogged: boolean;
      readonly spawn: readonly NewTaskRecord[];
    }
  | { readonly call: 'list'; readonly filter: TaskFilter; readonly limit: number }
  | { readonly call: 'history'; readonly id: string; readonly limit: number };

export function randomOperation(random: Random): Operation {
  const leases = () => many(random, 3, () => claimed(random));
  const leaseMs = random.pick([1, 30, 100]);
  const call = random.below(100);
  if (call < 16) return { call: 'advance', ms: step(random) };
  if (call < 30) return { call: 'insert', records: many(random, 3, () => newRecord(random)) };
  if (call < 38) {
    return {
      call: 'update',
      id: random.pick(taskIds),
      change: change(random),
      off: rarely(random),
    };
  }
  if (call < 41) return { call: 'remove', selector: selector(random) };
  if (call < 50)
    return { call: 'setPaused', selector: selector(random), paused: random.chance(45) };
  if (call < 69) {
    return { call: 'claim', queues: claimedQueues(random), limit: 1 + random.below(4), leaseMs };
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
      isLogged: random.chance(40),
      spawn: random.chance(25) ? many(random, 2, () => newRecord(random)) : [],
    };
  }
  const limit = 1 + random.below(4);
  if (call < 99) return { call: 'list', filter: filter(random), limit };
  return { call: 'history', id: random.pick([...taskIds, logId]), limit };
}

/** Mostly onwards, now and then back, as clocks are set. */
function step(random: Random): number {
  if (random.chance(6)) return -random.pick([1, 30, 100]);
  return random.pick([0, 1, 10, 29, 30, 31, 70, 100]);
}

function claimedQueues(random: Random): string[] {
  const from = random.pick([
    ['q'],
    ['p'],
    ['p', 'q'],
    ['r', 'q'],
    ['q', 'p', 'r'],
    ['r', 'p', 'q'],
  ]);
  return random.chance(3) ? [] : from;
}

/** The same operation with one item less, in every way that leaves it a call. */
export function simplerThan(operation: Operation): Operation[] {
  const fewer = <T>(items: readonly T[], least: number): T[][] =>
    items.length <= least ? [] : items.map((_, without) => items.filter((_, at) => at !== without));
  switch (operation.call) {
    case 'insert':
      return fewer(operation.records, 1).map((records) => ({ ...operation, records }));
    case 'update':
      return fewer(Object.entries(operation.change), 0).map((members) => ({
        ...operation,
        change: Object.fromEntries(members),
      }));
    case 'remove':
    case 'setPaused': {
      const { selector } = operation;
      if (!('ids' in selector)) return [];
      return fewer(selector.ids, 1).map((ids) => ({ ...operation, selector: { ids } }));
    }
    case 'claim':
      return fewer(operation.queues, 1).map((queues) => ({ ...operation, queues }));
    case 'extend':
    case 'release':
      return fewer(operation.leases, 1).map((leases) => ({ ...operation, leases }));
    case 'settle':
      return [
        ...fewer(operation.leases, 1).map((leases) => ({ ...operation, leases })),
        ...fewer(operation.spawn, 0).map((spawn) => ({ ...operation, spawn })),
        ...(operation.isLogged ? [{ ...operation, isLogged: false }] : []),
      ];
    case 'list':
      return fewer(Object.entries(operation.filter), 0).map((members) => ({
        ...operation,
        filter: Object.fromEntries(members),
      }));
    default:
      return [];
  }
}

function newRecord(random: Random): NewTaskRecord {
  const status = random.chance(85) ? 'scheduled' : random.pick(['finished', 'failed'] as const);
  return {
    id: random.pick(taskIds),
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
  return { ids: many(random, 3, () => random.pick([...taskIds, 'missing'])) };
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
