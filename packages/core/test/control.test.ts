import { describe, expect, test } from 'vitest';
import { defineTask, every } from '../src/index.js';
import { readBody, writeBody } from '../src/record.js';
import { logEvents } from './support/events.js';
import {
  createScene,
  hourly,
  hourMs,
  inSituation,
  once,
  situationOf,
  situations,
  start,
  untilRunning,
} from './support/scene.js';
import { createSetting } from './support/setting.js';

describe('pause and resume', () => {
  test.each([
    ['an id', 'a', ['a']],
    ['ids', ['a', 'c', 'nobody'], ['a', 'c']],
    ['a group', { group: 'g' }, ['b', 'c']],
    ['all', { all: true }, ['a', 'b', 'c']],
    ['no ids', [], []],
  ] as const)('%s', async (_, selection, ids) => {
    const { it, task } = createScene();
    const events = logEvents(it);
    await it.schedule(task, { payload: '', id: 'a', in: '1h' });
    for (const id of ['b', 'c']) await it.schedule(task, { payload: '', id, in: '1h', group: 'g' });
    const pausedIds = async () => {
      const paused = [];
      for await (const { id } of it.list({ paused: true })) paused.push(id);
      return paused;
    };
    expect(await it.pause(selection)).toBe(ids.length);
    expect(await it.pause(selection)).toBe(0);
    expect(await pausedIds()).toEqual(ids);
    expect(await it.resume(selection)).toBe(ids.length);
    expect(await it.resume(selection)).toBe(0);
    expect(await pausedIds()).toEqual([]);
    expect(events.of('paused')).toHaveLength(ids.length > 0 ? 1 : 0);
    expect(events.of('resumed')).toHaveLength(ids.length > 0 ? 1 : 0);
    await it.stop();
  });

  test('a paused task does not run; what it missed is skipped when it is resumed', async () => {
    const { it, task, clock, runs } = createScene();
    await it.schedule(task, { payload: '', ...hourly });
    await it.start();
    await it.pause('a');
    await clock.advance('150m');
    expect(runs).toEqual([]);
    await it.resume('a');
    await clock.advance('40m');
    expect(runs).toHaveLength(1);
    expect(await it.history('a')).toMatchObject([
      { outcome: 'succeeded', nominal: new Date(start + 3 * hourMs) },
      { outcome: 'skipped', reason: 'paused', count: 2 },
    ]);
    await it.stop();
  });

  test('a one-off that fell due meanwhile runs at once, also where the store does not notify', async () => {
    const { scheduler, clock, store, runs, task } = createScene();
    const silent = { ...store.capabilities, watch: false };
    const handle = new Proxy(store, {
      get(target, key) {
        if (key === 'capabilities') return silent;
        const member: unknown = Reflect.get(target, key, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    await using it = scheduler({ store: handle, tasks: [task], pollInterval: '1d' });
    await it.schedule(task, { payload: '', ...once });
    await it.pause('a');
    await it.start();
    await clock.advance('2h');
    await it.resume('a');
    await clock.advance(1);
    expect(runs).toHaveLength(1);
  });

  test('a run in progress goes on when its task is paused, and nothing follows it', async () => {
    const scene = createScene();
    const { it, task, clock, runs, reasons } = scene;
    await it.schedule(task, { payload: '', ...hourly });
    await untilRunning(scene);
    await it.pause('a');
    expect(await it.get('a')).toMatchObject({ state: 'running', isPaused: true });
    await clock.advance('3h');
    expect(reasons).toEqual([]);
    await it.cancel('a');
    await clock.advance('3h');
    expect(await it.get('a')).toMatchObject({ state: 'paused', isPaused: true });
    expect(runs).toHaveLength(1);
    await it.stop();
  });
});

describe('remove', () => {
  test.each([
    ['an id', 'a', ['b', 'c']],
    ['ids', ['a', 'c', 'nobody', 'a'], ['b']],
    ['a group', { group: 'g' }, ['a']],
    ['all', { all: true }, []],
  ] as const)('%s', async (_, selection, left) => {
    const { it, task } = createScene();
    const events = logEvents(it);
    await it.schedule(task, { payload: '', id: 'a', in: '1h' });
    for (const id of ['b', 'c']) await it.schedule(task, { payload: '', id, in: '1h', group: 'g' });
    expect(await it.remove(selection)).toBe(3 - left.length);
    expect(await it.remove(selection)).toBe(0);
    expect((await it.listPage()).tasks.map(({ id }) => id)).toEqual(left);
    expect(events.of('removed')).toMatchObject([{ store: 'default', count: 3 - left.length }]);
    await it.stop();
  });

  test('of a running task aborts its run, which leaves no trace on a task of the same id', async () => {
    const scene = createScene();
    const { it, task, clock, runs, reasons } = scene;
    await it.schedule(task, { payload: 'old', ...hourly });
    await untilRunning(scene);
    expect(await it.remove('a')).toBe(1);
    scene.order = 'succeed';
    await it.schedule(task, { payload: 'new', ...once });
    await clock.advance('1m');
    expect(reasons).toMatchObject([{ code: 'SCHED_LEASE_LOST' }]);
    expect(runs).toEqual(['a: old', 'a: new']);
    await it.stop();
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['an empty object', {}],
    ['an empty id', ''],
    ['an empty id among others', ['a', '']],
    ['an empty group', { group: '' }],
    ['no group', { group: undefined }],
    ['all and a group', { all: true, group: 'g' }],
    ['not all', { all: false }],
  ])('refuses a selection that is %s, as pause and resume do', async (_, selection) => {
    const { it, task } = createScene();
    await it.schedule(task, { payload: '', id: 'a', in: '1h' });
    for (const call of ['remove', 'pause', 'resume'] as const) {
      await expect(it[call](selection as never)).rejects.toMatchObject({
        code: expect.stringMatching(/^SCHED_(ARGUMENT|ID)_INVALID$/),
      });
    }
    expect(await it.count({ paused: false })).toBe(1);
    await it.stop();
  });
});

describe('runNow', () => {
  test.each(situations)(
    'of a task that is $what: it runs beside its schedule, which stays',
    async (situation) => {
      await using scene = await inSituation(situation);
      const { client, clock, record, runs, scheduler, task } = scene;
      const before = await record();
      const events = logEvents(client);
      scene.order = 'succeed';
      if (situation.state !== 'running') await client.pause('a');
      const childId = await client.runNow('a');
      expect(childId).toMatch(/^a\+/);
      expect(await client.get(childId)).toMatchObject({
        name: 'task',
        payload: 'old',
        parent: 'a',
        isPaused: false,
        runAt: new Date(clock.now()),
      });
      expect(events.of('spawned')).toMatchObject([{ id: 'a', childId }]);
      await using worker = scheduler({ tasks: [task] });
      await worker.start();
      await clock.advance('1m');
      expect(runs.filter((run) => run.startsWith(childId))).toEqual([`${childId}: old`]);
      expect(await client.get(childId)).toBeUndefined();
      expect(await client.history('a')).toContainEqual(
        expect.objectContaining({ outcome: 'succeeded', childId }),
      );
      expect(await record()).toMatchObject({ body: (before as { body: string }).body });
    },
  );

  test('of a task that is not there is refused', async () => {
    const { it } = createScene();
    await expect(it.runNow('a')).rejects.toMatchObject({ code: 'SCHED_TASK_NOT_FOUND' });
    await it.stop();
  });

  test('of what runNow has made is another run of the same task, however long its id', async () => {
    const { it, task } = createScene();
    const id = '€'.repeat(85);
    await it.schedule(task, { payload: '', id, in: '1h' });
    const first = await it.runNow(id);
    const second = await it.runNow(first);
    expect(second.startsWith(`${id}+`)).toBe(true);
    expect((await it.get(second))?.parent).toBe(id);
    expect(await it.pause([first, second])).toBe(2);
    expect(await it.cancel(second)).toBe(false);
    expect(await it.remove(second)).toBe(1);
    await it.stop();
  });
});

describe('retry', () => {
  test('gives a failed task another chance, with all its attempts, at once', async () => {
    await using scene = await inSituation(situationOf('failed'));
    const { client, clock, runs } = scene;
    await client.retry('a');
    expect(await client.get('a')).toMatchObject({
      state: 'scheduled',
      runAt: new Date(clock.now()),
      nominal: new Date(start + hourMs),
      attempt: 1,
      lastRun: { outcome: 'failed' },
    });
    scene.order = 'succeed';
    await client.start();
    await clock.advance(1);
    expect(runs).toHaveLength(2);
    expect(await client.get('a')).toBeUndefined();
  });

  test('whatever catch-up says, and runs nothing else that the schedule has skipped', async () => {
    const { clock, scheduler } = createScene();
    let isBroken = true;
    const task = defineTask('slow', {
      retry: 0,
      catchUp: 'none',
      handler: async () => {
        if (!isBroken) return;
        await clock.sleep('150m');
        throw new Error('in the end');
      },
    });
    await using it = scheduler({ tasks: [task] });
    await it.start();
    await it.schedule(task, { id: 'a', trigger: every('1h', { limit: 3 }) });
    await clock.advance('10h');
    expect(await it.get('a')).toMatchObject({ state: 'failed' });
    isBroken = false;
    await it.retry('a');
    await clock.advance('1h');
    expect(await it.get('a')).toBeUndefined();
    expect((await it.history('a')).map(({ outcome, count = 1 }) => [outcome, count])).toEqual([
      ['succeeded', 1],
      ['skipped', 2],
      ['failed', 1],
    ]);
  });

  test('and then another schedule has all of its occurrences', async () => {
    const scene = createScene();
    const { it, task, clock, runs } = scene;
    scene.order = 'fail';
    await it.schedule(task, { payload: '', ...once });
    await it.start();
    await clock.advance('2h');
    await it.pause('a');
    await it.retry('a');
    await it.update('a', { trigger: every('1h', { limit: 3 }) });
    await it.resume('a');
    scene.order = 'succeed';
    await clock.advance('4h');
    expect(runs).toHaveLength(4);
    await it.stop();
  });

  test.each(situations.filter(({ state }) => state !== 'failed'))(
    'of a task that is $what is refused',
    async (situation) => {
      await using scene = await inSituation(situation);
      const before = await scene.record();
      await expect(scene.client.retry('a')).rejects.toMatchObject({ code: 'SCHED_TASK_STATE' });
      expect(await scene.record()).toEqual(before);
    },
  );
});

describe('cancel', () => {
  test.each(situations.filter(({ state }) => state !== 'running'))(
    'of a task that is $what does nothing, and says so',
    async (situation) => {
      await using scene = await inSituation(situation);
      const before = await scene.record();
      expect(await scene.client.cancel('a')).toBe(false);
      expect(await scene.record()).toEqual(before);
    },
  );

  test('aborts a run in this process at once', async () => {
    const scene = createScene();
    const { it, task, clock, reasons } = scene;
    await it.schedule(task, { payload: '', ...once, retry: 5 });
    await untilRunning(scene);
    const now = clock.now();
    expect(await it.cancel('a')).toBe(true);
    await clock.runUntil(async () => (await it.get('a'))?.state === 'failed');
    expect(clock.now()).toBe(now);
    expect(reasons).toMatchObject([{ code: 'SCHED_CANCELLED' }]);
    expect(await it.history('a')).toMatchObject([{ error: { code: 'SCHED_CANCELLED' } }]);
    await it.stop();
  });

  test('reaches a run in another process with its next heartbeat', async () => {
    const scene = createScene();
    const { it, task, clock, scheduler, reasons } = scene;
    await it.schedule(task, { payload: '', ...once, retry: 5 });
    await untilRunning(scene);
    await using other = scheduler({ tasks: [task] });
    expect(await other.cancel('a')).toBe(true);
    await clock.advance('15s');
    expect(reasons).toMatchObject([{ code: 'SCHED_CANCELLED' }]);
    expect(await other.get('a')).toMatchObject({ state: 'failed', lastRun: { attempt: 1 } });
    await it.stop();
  });

  test('of a run whose lease is over is no longer possible, also for one who has asked nothing before', async () => {
    const { clock, store, it, task, scheduler } = createScene();
    await it.schedule(task, { payload: '', ...once });
    await clock.advance('1h');
    await store.claim({ queues: ['default'], limit: 1, owner: 'gone', leaseMs: 1000 });
    await using first = scheduler();
    expect(await first.get('a')).toMatchObject({ state: 'running', lease: { owner: 'gone' } });
    await clock.advance('1s');
    await using second = scheduler();
    expect(await second.get('a')).toMatchObject({ state: 'scheduled', lease: { owner: 'gone' } });
    await using third = scheduler();
    expect(await third.cancel('a')).toBe(false);
    await it.stop();
  });
});

describe('cancel of a task that was claimed ahead', () => {
  /** A worker with one slot, in which one task runs while others wait that it has claimed already. */
  async function waiting() {
    const { clock, store, scheduler: make } = createSetting();
    const started: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id } }) => {
        started.push(id);
        if (payload > 0) await clock.sleep(payload);
      },
    });
    const worker = make({ tasks: [task], concurrency: 1 });
    const events = logEvents(worker);
    for (let i = 0; i < 10; i++)
      await worker.schedule(task, { payload: 0, at: clock.now() - 100 + i });
    await worker.schedule(task, { payload: 60_000, id: 'long', at: clock.now() - 50 });
    await worker.schedule(task, { payload: 0, id: 'behind', at: clock.now() - 40 });
    await worker.start();
    await clock.runUntil(() => started.includes('long'));
    expect((await worker.health()).waiting).toBe(1);
    return { clock, store, worker, other: make({ tasks: [task] }), task, started, events };
  }

  test('in this process: it never starts, and is settled at once', async () => {
    const { clock, worker, started, events } = await waiting();
    expect(await worker.cancel('behind')).toBe(true);
    expect((await worker.health()).waiting).toBe(0);
    await clock.advance(1);
    expect(await worker.get('behind')).toMatchObject({
      state: 'failed',
      lastRun: { outcome: 'failed', error: { code: 'SCHED_CANCELLED' } },
    });
    expect(events.of('failed')).toMatchObject([{ id: 'behind' }]);
    await clock.advance('2h');
    expect(started).not.toContain('behind');
  });

  test('from another process: it does not start either, before or after it is given back', async () => {
    const { clock, worker, other, started } = await waiting();
    expect(await other.cancel('behind')).toBe(true);
    await clock.advance('2h');
    expect(started).not.toContain('behind');
    expect(await worker.get('behind')).toMatchObject({
      state: 'failed',
      lastRun: { error: { code: 'SCHED_CANCELLED' } },
    });
  });
});

test.each(['update', 'cancel', 'retry', 'runNow'] as const)(
  '%s of a task that is not there, or whose record cannot be read, is refused',
  async (call) => {
    const { it, store, task } = createScene();
    const act = () => (it[call] as (id: string, changes: object) => Promise<unknown>)('a', {});
    await expect(act()).rejects.toMatchObject({ code: 'SCHED_TASK_NOT_FOUND' });
    await it.schedule(task, { payload: '', ...once });
    const [record] = await store.get(['a']);
    const newer = writeBody({ ...readBody(record?.body ?? ''), v: 99 });
    await store.update('a', { body: newer }, { revision: record?.revision ?? 0 });
    await expect(act()).rejects.toMatchObject({
      code: 'SCHED_RECORD_UNREADABLE',
      message: expect.stringContaining('newer version (99'),
    });
    await expect(it.schedule(task, { payload: '', ...once })).rejects.toMatchObject({
      code: 'SCHED_RECORD_UNREADABLE',
    });
    expect((await store.get(['a']))[0]?.body).toBe(newer);
    await it.stop();
  },
);
