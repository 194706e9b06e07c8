import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/clock.js';
import {
  createScheduler,
  type DataStore,
  defineTask,
  type RunContext,
  type StandardSchema,
} from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('the main path', () => {
  test('a task runs once when it is due, and its handler knows everything about it', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const runs: RunContext<unknown>[] = [];
    const task = defineTask<unknown>('greet', {
      handler: (run) => runs.push(run),
      queue: 'polite',
      group: 'people',
    });
    const scheduler = make({ tasks: [task], queues: ['polite'], owner: 'me' });
    const events = logEvents(scheduler);
    const at = clock.now() + 60_000;
    await scheduler.schedule(task, { payload: { name: 'Ada' }, id: 'ada', at });
    await scheduler.start();
    await clock.advance(59_999);
    expect(runs).toHaveLength(0);
    await clock.advance(1);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      payload: { name: 'Ada' },
      nominal: new Date(at),
      attempt: 1,
      task: { id: 'ada', name: 'greet', queue: 'polite', group: 'people' },
    });
    expect(runs[0]?.token).toBeGreaterThan(0);
    expect(runs[0]?.signal.aborted).toBe(false);
    expect(events.types()).toEqual(['scheduled', 'ready', 'claimed', 'started', 'succeeded']);
    expect(await store.count({})).toBe(0);
    expect(await scheduler.history('ada')).toMatchObject([
      { outcome: 'succeeded', nominal: new Date(at), attempt: 1, owner: 'me' },
    ]);
    await scheduler.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a failing task is tried again after its delay, and then kept as failed', async () => {
    const { clock, scheduler: make } = createSetting();
    const attempts: string[] = [];
    const task = defineTask('fail', {
      handler: ({ attempt }) => {
        attempts.push(`${attempt}@${clock.elapsed()}`);
        throw new Error(`no. ${attempt}`);
      },
      retry: { limit: 2, min: 1000, jitter: 0 },
    });
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, { id: 'f' });
    await scheduler.start();
    await clock.advance('1h');
    expect(attempts).toEqual(['1@0', '2@1000', '3@3000']);
    expect(await scheduler.get('f')).toMatchObject({
      state: 'failed',
      lastRun: { outcome: 'failed', error: { message: 'no. 3' } },
    });
  });

  test('what a handler throws is recorded, whatever it is', async () => {
    const { clock, scheduler: make } = createSetting();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const hostile = {
      get message() {
        throw new Error('look elsewhere');
      },
    };
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const thrown = [
      new TypeError('typed'),
      'text',
      42,
      undefined,
      null,
      Symbol('s'),
      10n,
      () => {},
      {},
      circular,
      Object.create(null),
      hostile,
      proxy,
    ];
    const task = defineTask<{ which: number }>('throw', {
      handler: ({ payload: { which } }) => {
        throw thrown[which];
      },
      retry: 0,
    });
    const rejects = defineTask<{ which: number }>('reject', {
      handler: ({ payload: { which } }) => Promise.reject(thrown[which]),
      retry: 0,
    });
    const scheduler = make({ tasks: [task, rejects] });
    for (const definition of [task, rejects]) {
      for (const which of thrown.keys()) {
        await scheduler.schedule(definition, {
          payload: { which },
          id: `${definition.name} ${which}`,
        });
      }
    }
    await scheduler.start();
    await clock.advance('1m');
    expect(await scheduler.count({ state: 'failed' })).toBe(2 * thrown.length);
    expect((await scheduler.get('throw 0'))?.lastRun?.error).toEqual({
      name: 'TypeError',
      message: 'typed',
    });
    expect((await scheduler.get('reject 1'))?.lastRun?.error?.message).toBe('text');
    expect((await scheduler.health()).running).toBe(0);
  });
});

describe('a payload that its schema refuses when it is to run', () => {
  test('fails without another attempt, and is kept', async () => {
    const { clock, scheduler: make } = createSetting();
    let isStrict = false;
    let calls = 0;
    const schema: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          isStrict ? { issues: [{ message: 'too small' }] } : { value: value as number },
      },
    };
    const task = defineTask('work', { payload: schema, handler: () => calls++, retry: 5 });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: 1, id: 'w', in: 1000 });
    isStrict = true;
    await scheduler.start();
    await clock.advance('1h');
    expect(calls).toBe(0);
    expect(events.of('failed')).toMatchObject([
      { id: 'w', attempt: 1, error: { code: 'SCHED_PAYLOAD_INVALID' } },
    ]);
    expect(await scheduler.get('w')).toMatchObject({ state: 'failed', payload: 1 });
    isStrict = false;
    await scheduler.retry('w');
    await clock.advance(0);
    expect(calls).toBe(1);
  });
});

describe('a process that only schedules', () => {
  test('asks for the time of the store now and then, and not with every call', async () => {
    const { clock, scheduler: make } = createSetting();
    let setBy = 0;
    const store = new MemoryDataStore({ clock: () => clock.now() + setBy });
    const recorded = recordStore(store);
    const task = defineTask('work');
    const client = make({ store: recorded.store, tasks: [task] });
    for (let i = 0; i < 50; i++) await client.schedule(task, { in: '1h' });
    expect(recorded.count('now')).toBe(1);
    setBy = 7_200_000;
    await clock.advance('1m1s');
    await client.schedule(task, { id: 'later', in: '1h' });
    expect(recorded.count('now')).toBe(2);
    const [record] = await store.get(['later']);
    expect(record?.runAt).toBe(clock.now() + setBy + 3_600_000);
  });
});

describe('inside a transaction of the user', () => {
  test('the store is neither opened nor closed', async () => {
    const { store, handle, scheduler: make } = createSetting();
    await store.open();
    const inside = recordStore(store);
    const given: unknown[] = [];
    const withTransaction = (tx: unknown) => {
      given.push(tx);
      return inside.store;
    };
    const outside: DataStore = Object.create(handle(), {
      withTransaction: { value: withTransaction },
    });
    const task = defineTask('work');
    const scheduler = make({ store: outside, tasks: [task] });
    const tx = { isMine: true };
    await scheduler.withTransaction(tx).schedule(task, { id: 'w', in: '1h' });
    await scheduler.stop();
    expect(given).toEqual([tx]);
    expect(inside.calls.map(({ call }) => call)).toEqual(['now', 'insert']);
    expect(await store.count({})).toBe(1);
  });
});

describe('in real time', () => {
  test('tasks run, are tried again, and the scheduler ends', async () => {
    const store = new MemoryDataStore();
    const late: number[] = [];
    const task = defineTask('work', {
      handler: ({ attempt, nominal }) => {
        late.push(Date.now() - nominal.getTime());
        if (attempt === 1) throw new Error('once');
      },
      retry: { limit: 1, min: 1 },
    });
    const scheduler = createScheduler({ store, tasks: [task] });
    const succeeded = new Promise((resolve) => scheduler.on('succeeded', resolve));
    await scheduler.start();
    await scheduler.schedule(task, { id: 'w', in: 20 });
    expect(await succeeded).toMatchObject({ id: 'w', attempt: 2 });
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    await scheduler.stop();
  });

  test('a timer that is set for years does not fire at once', async () => {
    let hasFired = false;
    const handle = systemClock.setTimeout(() => {
      hasFired = true;
    }, 2 ** 40);
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, 5));
    expect(hasFired).toBe(false);
    systemClock.clearTimeout(handle);
    systemClock.clearTimeout(undefined);
  });
});

describe('children of a schedule that allows overlap', () => {
  test('are limited by how many of them are still there, and the rest is skipped', async () => {
    const { clock, scheduler: make } = createSetting();
    let running = 0;
    let most = 0;
    const task = defineTask('long', {
      handler: async () => {
        most = Math.max(most, ++running);
        await clock.sleep('150s');
        running--;
      },
      overlap: { mode: 'allow', maxRunning: 2 },
    });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'l', every: '1m' });
    await scheduler.start();
    await clock.advance('12m30s');
    expect(most).toBe(2);
    const spawned = events.of('spawned').length;
    const skipped = events.of('skipped');
    expect(spawned + skipped.length).toBe(12);
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['overlap']));
    expect(spawned).toBeGreaterThanOrEqual(8);
  });

  test('are asked after again later when the store does not say how many there are', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isFailing = true;
    let claims = 0;
    const failing = interceptStore(store, async (call, proceed) => {
      if (call === 'claim') claims++;
      if (call === 'get' && isFailing) throw new Error('not now');
      return proceed();
    });
    let ran = 0;
    const task = defineTask('long', {
      handler: () => ran++,
      overlap: { mode: 'allow', maxRunning: 1 },
    });
    const scheduler = make({ store: failing, tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'l', every: '1m' });
    await scheduler.start();
    await clock.advance('1m');
    expect(ran).toBe(1);
    await clock.advance('1m30s');
    expect(ran).toBe(1);
    // Not spun on, and not the task's fault.
    expect(claims).toBeLessThan(100);
    expect(events.of('storeError')).toMatchObject(
      events.of('storeError').map(() => ({ call: 'get' })),
    );
    expect(events.of('storeError').length).toBeGreaterThan(0);
    expect(events.of('deferred')).toEqual([]);
    isFailing = false;
    await clock.advance('2m');
    expect(ran).toBeGreaterThanOrEqual(3);
  });
});
