import { describe, expect, test } from 'vitest';
import { defineTask } from '../src/index.js';
import { logEvents } from './support/events.js';
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

  test('has to be a function', () => {
    const { scheduler } = createSetting();
    expect(() => scheduler().onShutdown('x' as never)).toThrow(/The shutdown hook/);
    expect(() => scheduler({ shutdownTimeout: -1 })).toThrow(/shutdownTimeout/);
  });
});
