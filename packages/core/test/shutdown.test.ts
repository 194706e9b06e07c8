import { describe, expect, test } from 'vitest';
import { defineTask, SchedError, type Scheduler } from '../src/index.js';
import type { TestClock } from '../src/testing/index.js';
import { logEvents } from './support/events.js';
import { interceptStore } from './support/intercepted-store.js';
import { longTask } from './support/long-task.js';
import { createSetting } from './support/setting.js';

const next = defineTask<string>('next');

describe('a shutdown hook', () => {
  test('is called once: after the last run is recorded, before anything is closed', async () => {
    const { clock, store, scheduler } = createSetting();
    const task = longTask(clock, 20_000);
    const it = scheduler({ tasks: [task, next] });
    const order: string[] = [];
    it.on('succeeded', () => order.push('succeeded'));
    it.on('stopped', () => order.push('stopped'));
    it.use({ open: () => ({}), close: () => order.push('closed') });
    it.onShutdown(async () => {
      order.push(`hook, ${(await it.health()).state}`);
      await clock.sleep('1s');
      await it.schedule(next, { payload: 'left behind', id: 'next' });
      order.push('hook ended');
    });
    await it.schedule(task, { payload: null });
    await it.start();
    await clock.advance('1s');
    const stops = [it.stop(), it.stop()];
    await clock.advance('1m');
    await Promise.all([...stops, it.stop()]);
    expect(order).toEqual(['succeeded', 'hook, stopping', 'hook ended', 'closed', 'stopped']);
    expect(await store.get(['next'])).toMatchObject([{ id: 'next', lease: null }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is not called by a scheduler that was never started, and comes too late once it is', async () => {
    const { scheduler } = createSetting();
    const calls: string[] = [];
    const idle = scheduler().onShutdown(() => calls.push('idle'));
    await idle.stop();
    const started = scheduler();
    await started.start();
    expect(() => started.onShutdown(() => {})).toThrow(/before start/);
    await started.stop();
    expect(calls).toEqual([]);
  });

  test('that throws does not keep the others from theirs, nor the scheduler from stopping', async () => {
    const { scheduler } = createSetting();
    const calls: number[] = [];
    const it = scheduler()
      .onShutdown(() => calls.push(1))
      .onShutdown(() => Promise.reject(new Error('later')))
      .onShutdown(() => {
        throw new Error('at once');
      })
      .onShutdown(() => calls.push(4));
    const events = logEvents(it);
    await it.start();
    await it.stop();
    expect(calls).toEqual([4, 1]);
    expect(events.of('middlewareError')).toMatchObject([
      { error: { message: 'at once' } },
      { error: { message: 'later' } },
    ]);
    expect((await it.health()).state).toBe('stopped');
  });

  test('that does not end is aborted and left behind after shutdownTimeout', async () => {
    const { clock, scheduler } = createSetting();
    const ended: string[] = [];
    const it = scheduler({ shutdownTimeout: '3s' })
      .use({ open: () => ({}), close: () => clock.sleep(Number.POSITIVE_INFINITY) })
      .onShutdown(async () => {
        await clock.sleep('2s');
        ended.push('in time');
      })
      .onShutdown(async (signal) => {
        await clock.sleep('1h', { signal }).catch((error) => ended.push(error.code));
      });
    const events = logEvents(it);
    await it.start();
    const begunAt = clock.now();
    let stoppedAt = 0;
    const stopped = it.stop().then(() => {
      stoppedAt = clock.now();
    });
    await clock.runUntil(() => stoppedAt > 0);
    await stopped;
    expect(stoppedAt - begunAt).toBe(8000);
    expect(ended).toEqual(['SCHED_TIMEOUT', 'in time']);
    const late = { error: { code: 'SCHED_TIMEOUT', message: expect.stringContaining('3000 ms') } };
    expect(events.of('middlewareError')).toMatchObject([late, late]);
  });

  test('comes after runs that were aborted at the deadline', async () => {
    const { clock, scheduler } = createSetting();
    const task = longTask(clock, 60_000);
    const it = scheduler({ tasks: [task] });
    const events = logEvents(it);
    it.onShutdown(() => expect(events.types()).toContain('interrupted'));
    await it.schedule(task, { payload: null });
    await it.start();
    await clock.advance('1s');
    const stopped = it.stop({ deadline: '1s' });
    await clock.advance('10s');
    await stopped;
    expect(events.types().slice(-2)).toEqual(['interrupted', 'stopped']);
  });

  test('has to be a function or a task', () => {
    const { scheduler } = createSetting();
    expect(() => scheduler().onShutdown('x' as never)).toThrow(/done on shutdown/);
    expect(() => scheduler({ shutdownTimeout: -1 })).toThrow(/shutdownTimeout/);
  });
});

describe('a task on shutdown', () => {
  const flush = (clock: TestClock, done: string[], lengthMs = 2000, retry = 0) =>
    defineTask<string>('flush', {
      retry,
      handler: async ({ payload, signal, attempt }) => {
        await clock.sleep(lengthMs, { signal });
        done.push(payload);
        if (attempt <= retry) throw new Error('not yet');
      },
    });

  /** How long it takes to stop, in virtual milliseconds. */
  async function stopped(clock: TestClock, it: Scheduler): Promise<number> {
    const begunAt = clock.now();
    let endedAt = 0;
    const stopping = it.stop().then(() => {
      endedAt = clock.now();
    });
    await clock.runUntil(() => endedAt > 0);
    await stopping;
    return endedAt - begunAt;
  }

  test('runs once, within its middleware, after the last run and before any hook', async () => {
    const { clock, store, scheduler } = createSetting();
    const order: string[] = [];
    const long = longTask(clock, 20_000);
    const task = flush(clock, order);
    const it = scheduler({ tasks: [long, task] });
    it.use({
      open: () => ({ name: 'a logger' }),
      run: ({ task: { name }, context }, nextLayer) => {
        order.push(`${name} has ${(context as { name?: string }).name}`);
        return nextLayer();
      },
      close: () => order.push('closed'),
    });
    it.onShutdown(task, { payload: 'one' })
      .onShutdown(task, { payload: 'two' })
      .onShutdown(() => order.push('hook'));
    it.on('succeeded', ({ name }) => order.push(`${name} succeeded`));
    await it.schedule(long, { payload: null });
    await it.schedule(task, { payload: 'left', in: '30s' });
    await it.start();
    await clock.advance('1s');
    expect(await stopped(clock, it)).toBeLessThanOrEqual(21_100);
    expect(order).toEqual([
      ...['long has a logger', 'long succeeded'],
      ...['flush has a logger', 'flush has a logger'],
      ...['one', 'flush succeeded', 'two', 'flush succeeded'],
      ...['hook', 'closed'],
    ]);
    expect(await store.list({ limit: 10 })).toMatchObject({ tasks: [{ queue: 'default' }] });
  });

  test('that does not end is interrupted after shutdownTimeout, told, and run by who stops next', async () => {
    const { clock, store, scheduler } = createSetting();
    const done: string[] = [];
    const slow = scheduler({ tasks: [flush(clock, done, 60_000)], shutdownTimeout: '3s' });
    slow.onShutdown(flush(clock, done), { payload: 'slow', id: 'flush' });
    const events = logEvents(slow);
    await slow.start();
    expect(await stopped(clock, slow)).toBe(3000);
    expect(events.of('middlewareError')).toMatchObject([{ error: { code: 'SCHED_TIMEOUT' } }]);
    expect(events.types()).toContain('interrupted');
    expect(await store.get(['flush'])).toMatchObject([{ queue: 'shutdown', lease: null }]);

    const quick = scheduler({ tasks: [flush(clock, done, 10)] });
    quick.onShutdown(flush(clock, done), { payload: 'quick', id: 'another' });
    await quick.start();
    await stopped(clock, quick);
    expect(done.sort()).toEqual(['quick', 'slow']);
    expect(await store.list({ limit: 10 })).toMatchObject({ tasks: [] });
  });

  test('is retried as it is defined, as long as there is time', async () => {
    const { clock, scheduler } = createSetting();
    const done: string[] = [];
    const task = flush(clock, done, 100, 1);
    const it = scheduler({ tasks: [task] }).onShutdown(task, {
      ...{ payload: 'again', queue: 'last' },
      retry: { limit: 1, backoff: 'fixed', min: '1s' },
    });
    await it.start();
    await stopped(clock, it);
    expect(done).toEqual(['again', 'again']);
  });

  test('is waited for where another process runs it', async () => {
    const { clock, scheduler } = createSetting();
    const there: string[] = [];
    const other = scheduler({ tasks: [flush(clock, there, 4000)], queues: ['shutdown'] });
    await other.start();
    const task = defineTask<string>('flush');
    const it = scheduler({ tasks: [task] }).onShutdown(task, { payload: 'here' });
    await it.start();
    expect(await stopped(clock, it)).toBeGreaterThanOrEqual(4000);
    expect(there).toEqual(['here']);
    await stopped(clock, other);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is not scheduled by a scheduler that was never started, nor where the store is away', async () => {
    const { clock, store, scheduler } = createSetting();
    const done: string[] = [];
    const task = flush(clock, done);
    const idle = scheduler({ tasks: [task] }).onShutdown(task, { payload: 'idle' });
    await idle.stop();
    const away = interceptStore(store, async (call, proceed) => {
      if (call === 'insert') throw new SchedError('SCHED_STORE_UNAVAILABLE', 'Away.');
      return call === 'close' ? undefined : proceed();
    });
    const it = scheduler({ tasks: [task], store: away }).onShutdown(task, { payload: 'away' });
    const events = logEvents(it);
    await it.start();
    await stopped(clock, it);
    expect(done).toEqual([]);
    expect(events.of('middlewareError')).toMatchObject([
      { error: { code: 'SCHED_STORE_UNAVAILABLE' } },
    ]);
  });

  test('is in the queue of its own though the definition has another, or none is given in so many words', async () => {
    const { clock, scheduler } = createSetting();
    const queues: string[] = [];
    const task = defineTask('flush', {
      queue: 'default',
      handler: (run) => queues.push(run.task.queue),
    });
    const it = scheduler({ tasks: [task] });
    it.onShutdown(task).onShutdown(task, { queue: undefined } as never);
    await it.start();
    await stopped(clock, it);
    expect(queues).toEqual(['shutdown', 'shutdown']);
  });

  test('is refused when it could not be scheduled', async () => {
    const { scheduler } = createSetting();
    const task = defineTask<string>('flush', { handler: () => {} });
    const it = scheduler({ tasks: [task] });
    for (const time of [{ in: '1s' }, { cron: '* * * * *' }, { debounce: '1s' }]) {
      const options = { payload: 'x', id: 'x', ...time };
      expect(() => it.onShutdown(task, options)).toThrow(/The options of onShutdown/);
    }
    it.onShutdown(task, { payload: 'x', queue: '' });
    await expect(it.start()).rejects.toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
    const other = scheduler().onShutdown(task, { payload: 'x' });
    await expect(other.start()).rejects.toMatchObject({ code: 'SCHED_TASK_UNKNOWN' });
  });
});
