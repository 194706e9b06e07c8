import type { ClaimedTask, DataStore, TaskRecord } from '../data-store.js';
import { present } from './check.js';
import type { StoreCall } from './intercept.js';
import { listAll } from './pages.js';
import { claim, claimRequest, finish, historyEntry, leaseMs, leaseOf, record } from './records.js';
import type { Guarantee } from './types.js';

/** Tasks in several states, whose ids begin alike, so that one place can have many scenes one after another. */
export interface Scene {
  /** Claimed by `alice`. */
  readonly held: readonly [ClaimedTask, ClaimedTask];
  /** The full id of a task. */
  id(name: string): string;
}

/** A call that changes or reads the tasks of a scene, and what it answers. */
export interface FaultCall {
  readonly call: StoreCall;
  readonly guarantee: Guarantee;
  make(store: DataStore, scene: Scene): Promise<unknown>;
  /** What it answers the first time. */
  readonly first: unknown;
  /** What it answers when it is made again after it was applied. */
  readonly again: unknown;
}

let scenes = 0;

/** Removes all tasks, and makes those of a scene: two that are held, one that is due and one that is paused. */
export async function createScene(store: DataStore): Promise<Scene> {
  const prefix = `scene-${++scenes}-`;
  const id = (name: string) => `${prefix}${name}`;
  await store.remove({ all: true });
  await store.insert([record(id('held-0')), record(id('held-1'))]);
  const tasks = await claim(store, { leaseMs: 60_000 });
  const held = [0, 1].map((index) =>
    present(
      tasks.find((task) => task.id === id(`held-${index}`)),
      'claim takes tasks that are due',
    ),
  ) as [ClaimedTask, ClaimedTask];
  await store.insert([
    record(id('free'), { group: 'g' }),
    record(id('paused'), { group: 'g', paused: true }),
  ]);
  return { held, id };
}

/** All that calls can change in a scene, without tokens and revisions, which differ from scene to scene. */
export async function snapshot(store: DataStore, scene: Scene): Promise<unknown> {
  const short = (id: string) => id.replace(scene.id(''), '');
  const tasks = (await listAll(store)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const held = new Map<string, TaskRecord>(scene.held.map((task) => [task.id, task]));
  const entries = await store.history(scene.id('held-0'), 100);
  return {
    tasks: tasks.map(({ id, lease, revision, ...task }) => ({
      ...{ id: short(id), name: task.name, queue: task.queue, group: task.group },
      ...{ status: task.status, paused: task.paused, runAt: task.runAt, body: task.body },
      ...{ resumedAt: task.resumedAt, deliveries: task.deliveries, wakeAt: task.wakeAt },
      lease: lease && { owner: lease.owner, expiresAt: lease.expiresAt },
      isEdited: held.has(id) ? held.get(id)?.revision !== revision : null,
    })),
    history: entries.map((entry) => entry.id),
  };
}

const names = (scene: Scene, tasks: readonly (TaskRecord | undefined)[]) =>
  tasks.map((task) => task?.id.replace(scene.id(''), '')).sort();

/**
 * Every call of the contract that goes to the database, but for `open`, `close` and `watch`. Each is about one item,
 * because of several that one call takes each is applied, or not, by itself.
 */
export const faultCalls: readonly FaultCall[] = [
  {
    call: 'insert',
    guarantee: 'G1',
    make: (store, { id }) => store.insert([record(id('new'))]),
    first: ['inserted'],
    again: ['exists'],
  },
  {
    call: 'update',
    guarantee: 'G6',
    make: (store, { held: [task] }) => store.update(task.id, { body: '"edited"' }, task),
    first: 'updated',
    again: 'conflict',
  },
  {
    call: 'remove',
    guarantee: 'G6',
    make: (store, { id }) => store.remove({ ids: [id('free')] }),
    first: 1,
    again: 0,
  },
  {
    call: 'setPaused',
    guarantee: 'G6',
    make: (store) => store.setPaused({ group: 'g' }, false),
    first: 1,
    again: 0,
  },
  {
    call: 'claim',
    guarantee: 'G2',
    make: async (store, scene) => names(scene, (await claimRequest(store)).tasks),
    first: ['free'],
    again: [],
  },
  {
    call: 'extend',
    guarantee: 'G2',
    make: async (store, { held: [task] }) => {
      const answers = await store.extend([leaseOf(task)], leaseMs);
      return answers.map((answer) => answer === task.revision);
    },
    first: [true],
    again: [true],
  },
  {
    call: 'settle',
    guarantee: 'G2',
    make: (store, { held: [task], id }) =>
      store.settle([
        finish(task, {
          history: [historyEntry(task.id, 'run')],
          spawn: [record(id('spawned'), { runAt: 5 })],
        }),
      ]),
    first: ['settled'],
    again: ['settled'],
  },
  {
    call: 'release',
    guarantee: 'G3',
    make: (store, { held: [task] }) => store.release([leaseOf(task)]),
    first: ['released'],
    again: ['lost'],
  },
  {
    call: 'get',
    guarantee: 'G1',
    make: async (store, scene) =>
      names(scene, await store.get(['free', 'nobody', 'held-0'].map(scene.id))),
    first: ['free', 'held-0', undefined],
    again: ['free', 'held-0', undefined],
  },
  {
    call: 'list',
    guarantee: 'G1',
    make: async (store, scene) => names(scene, await listAll(store, { group: 'g' })),
    first: ['free', 'paused'],
    again: ['free', 'paused'],
  },
  {
    call: 'count',
    guarantee: 'G1',
    make: (store) => store.count({ paused: true }),
    first: 1,
    again: 1,
  },
  {
    call: 'history',
    guarantee: 'G5',
    make: (store, { id }) => store.history(id('held-0'), 10),
    first: [],
    again: [],
  },
];
