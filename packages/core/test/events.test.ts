import { describe, expect, test } from 'vitest';
import { defineTask, type SchedulerEvents } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const start = Date.parse('2030-01-01T00:00:00Z');

/** A moment so many milliseconds after the start. */
const after = (ms: number) => new Date(start + ms);

describe('events of tasks', () => {
  test('scheduled, paused, resumed, removed: what was done through this scheduler', async () => {
    const { scheduler: make } = createSetting();
    const task = defineTask<number>('work');
    const scheduler = make({ tasks: [task] });
    const other = logEvents(make({ tasks: [task] }));
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: 1, id: 'a', every: '1h' });
    await scheduler.schedule(task, { payload: 1, id: 'a', every: '1h' });
    await scheduler.schedule(task, { payload: 2, id: 'a', every: '1h' });
    await scheduler.schedule(task, { payload: 2, id: 'a', every: '1h', onConflict: 'replace' });
    const about = { id: 'a', name: 'work', store: 'default' };
    expect(events.of('scheduled')).toEqual(
      (['created', 'unchanged', 'updated', 'replaced'] as const).map((outcome) => ({
        ...{ type: 'scheduled', ...about, outcome },
      })),
    );
    events.clear();
    await scheduler.schedule(task, { payload: 1, id: 'b', in: '1h', group: 'g' });
    await scheduler.pause({ group: 'g' });
    await scheduler.pause(['b']);
    await scheduler.pause(['a', 'b']);
    await scheduler.resume({ all: true });
    await scheduler.remove('nobody');
    await scheduler.remove({ all: true });
    expect(events.all.slice(1)).toEqual([
      { type: 'paused', store: 'default', count: 1 },
      { type: 'paused', store: 'default', count: 1 },
      { type: 'resumed', store: 'default', count: 2 },
      { type: 'removed', store: 'default', count: 2 },
    ]);
    expect(other.all).toEqual([]);
  });

  test('skipped: which occurrences, how many, and why', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask<number>('work', { handler: ({ payload }) => clock.sleep(payload) });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { payload: 1, id: 'missed', every: '1h' });
    await scheduler.schedule(task, { payload: 9_000_000, id: 'overlap', every: '1h' });
    await scheduler.schedule(task, { payload: 1, id: 'paused', every: '1h' });
    await scheduler.schedule(task, {
      payload: 9_000_000,
      ...{ id: 'superseded', every: '1h', overlap: 'queueOne' },
    });
    await scheduler.pause('paused');
    await clock.advance('3h30m');
    await scheduler.start();
    await clock.advance(0);
    await scheduler.resume('paused');
    await clock.advance('3h');
    const hour = 3_600_000;
    const about = { type: 'skipped', name: 'work', store: 'default' };
    expect(events.of('skipped')).toEqual(
      expect.arrayContaining([
        {
          ...{ ...about, id: 'missed', reason: 'missed' },
          ...{ from: after(hour), to: after(2 * hour), count: 2 },
        },
        {
          ...{ ...about, id: 'paused', reason: 'paused' },
          ...{ from: after(hour), to: after(3 * hour), count: 3 },
        },
        {
          ...{ ...about, id: 'overlap', reason: 'overlap' },
          ...{ from: after(4 * hour), to: after(6 * hour), count: 3 },
        },
        {
          ...{ ...about, id: 'superseded', reason: 'superseded' },
          ...{ from: after(4 * hour), to: after(5 * hour), count: 2 },
        },
      ]),
    );
  });

  test('spawned: which occurrence runs as which task', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', { handler: () => {}, overlap: 'allow' });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'w', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    const childId = `w@${start + 3_600_000}`;
    expect(events.of('spawned')).toEqual([
      {
        ...{ type: 'spawned', id: 'w', name: 'work', store: 'default' },
        ...{ childId, nominal: after(3_600_000) },
      },
    ]);
    expect(events.of('succeeded')).toMatchObject([{ id: childId, nominal: after(3_600_000) }]);
  });

  test('deferred: why, and until when', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work');
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'w' });
    await scheduler.start();
    await clock.advance('1h');
    expect(events.of('deferred')).toEqual([
      {
        ...{ type: 'deferred', id: 'w', name: 'work', store: 'default', reason: 'noHandler' },
        ...{ until: after(1500), error: expect.objectContaining({ code: 'SCHED_TASK_UNKNOWN' }) },
      },
    ]);
    // It is news again once the task has been changed.
    await scheduler.update('w', { payload: 'x' });
    await clock.advance('10m');
    expect(events.of('deferred')).toHaveLength(2);
  });
});

describe('events of runs', () => {
  /** What every event of a run says. */
  const run = (id: string, attempt = 1) => ({
    ...{ id, name: 'work', store: 'default', queue: 'q', nominal: after(1000), attempt },
    token: expect.any(Number),
  });

  test('claimed, started, succeeded', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const slow = interceptStore(store, async (call, proceed) => {
      if (call === 'claim' && clock.elapsed() >= 1000) await clock.sleep(7);
      return proceed();
    });
    const task = defineTask('work', { handler: () => clock.sleep(250), queue: 'q' });
    const scheduler = make({ store: slow, tasks: [task], queues: ['q'] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'once', at: start + 1000 });
    await scheduler.start();
    await clock.advance('1m');
    expect(events.all.slice(2)).toEqual([
      { type: 'claimed', ...run('once'), lapsedOwner: null },
      { type: 'started', ...run('once'), latenessMs: 7 },
      { type: 'succeeded', ...run('once'), durationMs: 250, nextRunAt: null },
    ]);
    const tokens = events.all.slice(2).map((event) => 'token' in event && event.token);
    expect(new Set(tokens).size).toBe(1);
  });

  test('retried and failed, with what comes next', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', {
      handler: async ({ attempt }) => {
        await clock.sleep(100);
        throw Object.assign(new TypeError(`no. ${attempt}`), { code: 'E_WORK' });
      },
      queue: 'q',
      retry: { limit: 1, min: 500, jitter: 0 },
    });
    const scheduler = make({ tasks: [task], queues: ['q'] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'w', every: 1000 });
    await scheduler.start();
    await clock.advance(1700);
    const error = (n: number) => ({ name: 'TypeError', message: `no. ${n}`, code: 'E_WORK' });
    const retryAt = after(1600);
    expect(events.of('retried')).toEqual([
      {
        ...{ type: 'retried', ...run('w'), durationMs: 100, error: error(1) },
        ...{ retryAt, nextRunAt: retryAt },
      },
    ]);
    expect(events.of('failed')).toEqual([
      {
        ...{ type: 'failed', ...run('w', 2), durationMs: 100, error: error(2) },
        nextRunAt: after(2000),
      },
    ]);
    expect(events.of('succeeded')).toEqual([]);
  });

  test('interrupted: by the end of the scheduler', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', {
      handler: ({ signal }) => clock.sleep('1h', { signal }),
      queue: 'q',
    });
    const scheduler = make({ tasks: [task], queues: ['q'], owner: 'the owner' });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'w', at: start + 1000 });
    await scheduler.start();
    await clock.advance(5000);
    const stopped = scheduler.stop({ deadline: 1000 });
    await clock.advance(1000);
    await stopped;
    expect(events.of('interrupted')).toEqual([
      {
        ...{ type: 'interrupted', ...run('w'), durationMs: 5000, nextRunAt: after(6000) },
        error: expect.objectContaining({ name: 'SchedError', code: 'SCHED_STOPPED' }),
      },
    ]);
    expect(events.all.filter(({ type }) => type === 'ready' || type === 'stopped')).toEqual([
      { type: 'ready', owner: 'the owner' },
      { type: 'stopped', owner: 'the owner' },
    ]);
  });

  test('lost and abandoned', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', { handler: () => clock.sleep('1h'), queue: 'q' });
    const scheduler = make({ tasks: [task], queues: ['q'], abortGrace: 2000 });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'w', at: start + 1000 });
    await scheduler.start();
    await clock.advance(2000);
    await scheduler.remove('w');
    await clock.advance('1m');
    const { queue: _queue, nominal: _nominal, attempt: _attempt, ...brief } = run('w');
    expect(events.of('lost')).toEqual([{ type: 'lost', ...brief }]);
    expect(events.of('abandoned')).toEqual([
      {
        ...{ type: 'abandoned', ...run('w') },
        error: expect.objectContaining({ code: 'SCHED_TIMEOUT' }),
      },
    ]);
  });

  test('in the order of what happens, run by run', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    for (let i = 0; i < 100; i++) await scheduler.schedule(task, { id: `t${i}` });
    await scheduler.start();
    await clock.advance(0);
    const byTask = new Map<string, string[]>();
    for (const event of events.all) {
      if (!('id' in event)) continue;
      byTask.set(event.id, [...(byTask.get(event.id) ?? []), event.type]);
    }
    expect(byTask.size).toBe(100);
    for (const types of byTask.values()) {
      expect(types).toEqual(['scheduled', 'claimed', 'started', 'succeeded']);
    }
  });
});

describe('handlers that hold every slot', () => {
  test('are named after a minute in which none has ended, and after twice as long each time', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask<number>('hangs', {
      handler: ({ payload }) => clock.sleep(payload),
    });
    const scheduler = make({ tasks: [task], concurrency: 2 });
    const events = logEvents(scheduler);
    await scheduler.start();
    for (const id of ['a', 'b', 'c']) {
      await scheduler.schedule(task, { payload: id === 'a' ? 50_000 : 3_600_000, id });
      await clock.advance('1s');
    }
    await clock.advance('59s');
    expect(events.of('saturated')).toEqual([]);
    await clock.advance('1m');
    expect(events.of('saturated')).toMatchObject([
      { forMs: 60_000, runs: [{ id: 'b', name: 'hangs' }, { id: 'c' }] },
    ]);
    expect((await scheduler.health()).runs).toEqual(events.of('saturated')[0]?.runs);
    expect(events.of('saturated')[0]?.runs[1]?.startedAt).toEqual(
      new Date(Date.parse('2030-01-01T00:00:50Z')),
    );
    await clock.advance('8m');
    expect(events.of('saturated').map(({ forMs }) => forMs / 60_000)).toEqual([1, 2, 4, 8]);
    await clock.advance('2h');
    const reported = events.of('saturated').length;
    await clock.advance('2h');
    expect(events.of('saturated')).toHaveLength(reported);
    expect((await scheduler.health()).runs).toEqual([]);
    await scheduler.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('are not reported as long as some of them end', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('slow', { handler: () => clock.sleep('50s'), overlap: 'queueAll' });
    const scheduler = make({ tasks: [task], concurrency: 1 });
    const events = logEvents(scheduler);
    for (let i = 0; i < 20; i++) await scheduler.schedule(task, { id: `${i}` });
    await scheduler.start();
    await clock.advance('15m');
    expect(events.of('saturated')).toEqual([]);
  });
});

describe('a store that cannot be opened', () => {
  async function warnings(listen: boolean): Promise<string[]> {
    const { clock, store, scheduler: make } = createSetting();
    const heard: string[] = [];
    const onWarning = ({ name, message }: Error) => {
      if (name === 'SchedWarning') heard.push(message);
    };
    process.on('warning', onWarning);
    let isDown = true;
    const down = interceptStore(store, async (call, proceed) => {
      if (isDown) throw new Error('no such host');
      return call === 'close' ? undefined : proceed();
    });
    const scheduler = make({ store: down });
    if (listen) scheduler.on('storeError', () => {});
    await scheduler.start();
    await clock.advance('1m');
    isDown = false;
    await clock.advance('1m');
    await scheduler.stop();
    // Warnings come with the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    return heard;
  }

  test('is warned of once, when nobody listens', async () => {
    expect(await warnings(false)).toEqual([
      expect.stringMatching(/^The store "default" cannot be reached\..*storeError.*no such host/),
    ]);
  });

  test('is not warned of when somebody does', async () => {
    expect(await warnings(true)).toEqual([]);
  });
});

describe('events of stores', () => {
  test('storeError and storeRecovered: which, what, how often and for how long', async () => {
    const { clock, store, handle, scheduler: make } = createSetting();
    let isDown = false;
    const down = interceptStore(store, async (_, proceed) => {
      if (isDown) throw new Error('no route to host');
      return proceed();
    });
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ store: { good: handle(), bad: down }, tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.store('bad').schedule(task, { in: 1000 });
    await scheduler.start();
    await clock.advance(500);
    isDown = true;
    await clock.advance(1000);
    isDown = false;
    await clock.advance('1m');
    const errors = events.of('storeError');
    // At 1000, and after 100, 200 and 400 ms, each less a quarter.
    expect(errors.map(({ failures }) => failures)).toEqual([1, 2, 3]);
    for (const { store: alias, call, error } of errors) {
      expect({ alias, call }).toEqual({ alias: 'bad', call: 'claim' });
      expect(error).toMatchObject({
        code: 'SCHED_STORE_UNAVAILABLE',
        message: expect.stringMatching(/"bad" \(memory\) failed at claim: no route to host/),
        cause: { message: 'no route to host' },
      });
    }
    expect(events.of('storeRecovered')).toEqual([
      { type: 'storeRecovered', store: 'bad', downMs: 525 },
    ]);
    expect(events.of('succeeded')).toHaveLength(1);
  });
});

describe('listeners', () => {
  test('that throw or reject break nothing, and are reported', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const task = defineTask('work', {
      handler: ({ attempt }) => {
        if (attempt === 1) throw new Error('once');
      },
      retry: 1,
    });
    const scheduler = make({ tasks: [task] });
    const heard: string[] = [];
    const reported: SchedulerEvents['listenerError'][] = [];
    scheduler.on('listenerError', (event) => reported.push(event));
    scheduler.on('listenerError', () => {
      throw new Error('even here');
    });
    scheduler.onAny((name) => {
      heard.push(name);
      throw new Error(`thrown at ${name}`);
    });
    scheduler.onAny(async (name) => {
      throw new Error(`rejected at ${name}`);
    });
    scheduler.onAny((name) => {
      // Not a promise of this realm, but one that rejects all the same.
      // biome-ignore lint/suspicious/noThenProperty: that is what is tested
      return { then: (_: unknown, reject: (error: Error) => void) => reject(new Error(name)) };
    });
    await scheduler.schedule(task, { id: 'w' });
    await scheduler.start();
    await clock.advance('1m');
    expect(await store.count({})).toBe(0);
    await scheduler.stop();
    const names = heard.filter((name) => name !== 'listenerError');
    expect(names).toEqual([
      ...['scheduled', 'ready', 'claimed', 'started', 'retried'],
      ...['claimed', 'started', 'succeeded', 'stopped'],
    ]);
    await clock.advance(0);
    for (const name of new Set(names)) {
      const about = reported.filter(({ event }) => event === name);
      const times = names.filter((other) => other === name).length;
      expect(about.map(({ error }) => (error as Error).message).sort(), name).toEqual(
        [name, `rejected at ${name}`, `thrown at ${name}`]
          .flatMap((message) => Array<string>(times).fill(message))
          .sort(),
      );
    }
    expect(reported.some(({ event }) => event === 'listenerError')).toBe(false);
  });

  test('are called in order, until they are taken away', async () => {
    const { scheduler: make } = createSetting();
    const task = defineTask('work');
    const scheduler = make({ tasks: [task] });
    const heard: string[] = [];
    const off = scheduler.on('scheduled', () => heard.push('first'));
    scheduler.on('scheduled', () => {
      heard.push('second');
      off();
    });
    const offAny = scheduler.onAny((name, event) => heard.push(`${name} ${'id' in event}`));
    await scheduler.schedule(task, { id: 'a' });
    offAny();
    await scheduler.schedule(task, { id: 'b' });
    off();
    expect(heard).toEqual(['first', 'second', 'scheduled true', 'second']);
  });

  test('may use the scheduler', async () => {
    const { clock, scheduler: make } = createSetting();
    const ran: string[] = [];
    const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id) });
    const scheduler = make({ tasks: [task] });
    scheduler.on('succeeded', async ({ id }) => {
      if (id === 'a') await scheduler.schedule(task, { id: 'b' });
    });
    await scheduler.schedule(task, { id: 'a' });
    await scheduler.start();
    await clock.advance(0);
    expect(ran).toEqual(['a', 'b']);
  });
});
