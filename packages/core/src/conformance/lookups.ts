import type { ClaimedTask, DataStore } from '../data-store.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { claim, historyEntry, idsOf, record } from './records.js';

/** A call with a text, and its answer if no task has that text. */
export interface Lookup {
  readonly call: string;
  readonly answer: () => Promise<unknown>;
  readonly nothing: unknown;
}

/** What guards a task whose id, or another text, is like the one that is looked for. */
export interface Fence {
  readonly token: number;
  readonly revision: number;
}

export function fenceOf({ lease, revision }: ClaimedTask): Fence {
  return { token: lease.token, revision };
}

/** Every call that takes an id, but `insert`. */
export function idLookups(store: DataStore, id: string, fences: readonly Fence[]): Lookup[] {
  const body = '{}';
  const next = { status: 'scheduled', runAt: start, body } as const;
  const settlements = fences.map((fence) => ({
    ...{ id, ...fence, next },
    history: [historyEntry('parent', 'never-added')],
    spawn: [record('never-spawned')],
  }));
  const removals = settlements.map((settlement) => ({ ...settlement, next: null }));
  const leases = fences.map(({ token }) => ({ id, token }));
  const lost = fences.map(() => 'lost');
  const selector = { ids: [id] };
  return [
    { call: 'get', answer: () => store.get([id]), nothing: [undefined] },
    ...fences.map(({ revision }) => ({
      call: 'update',
      answer: () => store.update(id, { body }, { revision }),
      nothing: 'missing',
    })),
    { call: 'setPaused', answer: () => store.setPaused(selector, true), nothing: 0 },
    { call: 'remove', answer: () => store.remove(selector), nothing: 0 },
    { call: 'extend', answer: () => store.extend(leases, 1), nothing: lost },
    { call: 'settle', answer: () => store.settle(settlements), nothing: lost },
    { call: 'settle, to remove it,', answer: () => store.settle(removals), nothing: lost },
    { call: 'release', answer: () => store.release(leases), nothing: lost },
    { call: 'history', answer: () => store.history(id, 9), nothing: [] },
  ];
}

/** Every call that takes a name, a queue or a group to find tasks by. */
export function memberLookups(store: DataStore, text: string): Lookup[] {
  const list = async (filter: object) => idsOf(await listAll(store, filter));
  const filters = (['name', 'queue', 'group'] as const).flatMap((member): Lookup[] => {
    const filter = { [member]: text };
    return [
      { call: `list by ${member}`, answer: () => list(filter), nothing: [] },
      { call: `count by ${member}`, answer: () => store.count(filter), nothing: 0 },
    ];
  });
  const group = text;
  return [
    ...filters,
    { call: 'setPaused of a group', answer: () => store.setPaused({ group }, true), nothing: 0 },
    { call: 'remove of a group', answer: () => store.remove({ group }), nothing: 0 },
    {
      call: 'claim from a queue',
      answer: async () => idsOf(await claim(store, { queues: [text] })),
      nothing: [],
    },
  ];
}
