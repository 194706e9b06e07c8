import { expect } from 'vitest';
import {
  defineTask,
  PermanentError,
  type Scheduler,
  type TaskSettings,
  type TaskState,
} from '../../src/index.js';
import { createSetting, type Setting } from './setting.js';

export const start = Date.parse('2030-01-01T00:00:00Z');
export const hourMs = 3_600_000;

/** What the handler is to do with a task. */
type Order = 'succeed' | 'fail' | 'wait';

export interface Scene extends Setting {
  readonly it: Scheduler;
  readonly task: ReturnType<typeof taskOf>;
  /** What the handler is to do from now on. */
  order: Order;
  /** The runs that have begun, as `id: payload`. */
  readonly runs: string[];
  readonly reasons: unknown[];
  record(id?: string): Promise<unknown>;
}

function taskOf(scene: {
  order: Order;
  clock: Setting['clock'];
  runs: string[];
  reasons: unknown[];
}) {
  return defineTask<string>('task', {
    retry: 0,
    handler: async ({ task, payload, signal }) => {
      scene.runs.push(`${task.id}: ${payload}`);
      if (scene.order === 'fail') throw new PermanentError('as told');
      if (scene.order === 'wait') {
        await scene.clock.sleep(Number.POSITIVE_INFINITY, { signal }).catch((reason) => {
          scene.reasons.push(reason);
          throw reason;
        });
      }
    },
  });
}

export function createScene(): Scene {
  const setting = createSetting();
  const state = { ...setting, order: 'succeed' as Order, runs: [], reasons: [] };
  const task = taskOf(state);
  return Object.assign(state, {
    task,
    it: setting.scheduler({ tasks: [task] }),
    record: async (id = 'a') => (await setting.store.get([id]))[0],
  });
}

export const hourly: TaskSettings = { id: 'a', every: '1h' };
export const once: TaskSettings = { id: 'a', at: start + hourMs };

/** A state that a task can be in, and how it gets there. */
export interface Situation {
  readonly what: string;
  readonly options: TaskSettings;
  readonly state: TaskState;
  reach(scene: Scene): Promise<void>;
}

export const untilRunning = async (scene: Scene) => {
  scene.order = 'wait';
  await scene.it.start();
  await scene.clock.runUntil(() => scene.runs.length === 1);
};
const untilSettled = async (scene: Scene) => {
  await scene.it.start();
  await scene.clock.advance('61m');
  await scene.it.stop();
};

export const situations: readonly Situation[] = [
  { what: 'scheduled', options: hourly, state: 'scheduled', reach: async () => {} },
  {
    what: 'overdue',
    options: hourly,
    state: 'scheduled',
    reach: async ({ clock }) => clock.advance('90m'),
  },
  { what: 'running', options: hourly, state: 'running', reach: untilRunning },
  {
    what: 'paused',
    options: hourly,
    state: 'paused',
    reach: async ({ it }) => void (await it.pause('a')),
  },
  {
    what: 'waiting for a retry',
    options: { ...hourly, retry: { limit: 1, min: '10m', jitter: 0 } },
    state: 'scheduled',
    async reach(scene) {
      const { it, clock } = scene;
      const failing = defineTask('task', {
        handler: () => {
          throw new Error('not yet');
        },
      });
      await using worker = scene.scheduler({ tasks: [failing] });
      await worker.start();
      await clock.runUntil(async () => (await it.get('a'))?.attempt === 2);
    },
  },
  { what: 'running once', options: once, state: 'running', reach: untilRunning },
  {
    what: 'failed',
    options: once,
    state: 'failed',
    async reach(scene) {
      scene.order = 'fail';
      await untilSettled(scene);
    },
  },
  {
    what: 'finished',
    options: { ...once, keepFinished: true },
    state: 'finished',
    reach: untilSettled,
  },
];

export function situationOf(what: string): Situation {
  const situation = situations.find((each) => each.what === what);
  if (!situation) throw new Error(`No situation is called "${what}".`);
  return situation;
}

/** A task in that situation, and a scheduler that has not been started to ask about it. */
export async function inSituation({ options, state, reach }: Situation) {
  const scene = createScene();
  await scene.it.schedule(scene.task, { payload: 'old', ...options });
  await reach(scene);
  const client = scene.scheduler({ tasks: [scene.task] });
  expect((await client.get('a'))?.state).toBe(state);
  return Object.assign(scene, {
    client,
    async [Symbol.asyncDispose]() {
      const stopped = Promise.all([scene.it.stop({ deadline: 1 }), client.stop()]);
      await scene.clock.advance(1);
      await stopped;
    },
  });
}
