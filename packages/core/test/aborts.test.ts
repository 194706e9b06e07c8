import { describe, expect, test } from 'vitest';
import { defineTask, type SchedError } from '../src/index.js';
import { createCutSetting } from './support/cut-setting.js';
import { logEvents } from './support/events.js';
import { createSetting } from './support/setting.js';

describe('cancel', () => {
  test('aborts a run in this process at once: it has failed, and is not tried again', async () => {
    const { clock, aborts, scheduler: make } = createCutSetting();
    const task = defineTask('long', {
      handler: async ({ signal }) => {
        signal.addEventListener('abort', () =>
          aborts.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`),
        );
        await clock.sleep('1h', { signal });
      },
      retry: 5,
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 't' });
    await worker.start();
    await clock.advance(1234);
    expect(await worker.cancel('t')).toBe(true);
    await clock.advance('10m');
    expect(aborts).toEqual(['SCHED_CANCELLED@1234']);
    expect(events.of('failed')).toMatchObject([{ id: 't', error: { code: 'SCHED_CANCELLED' } }]);
    expect(await worker.get('t')).toMatchObject({ state: 'failed' });
    expect(await worker.cancel('t')).toBe(false);
  });

  test('aborts a run elsewhere with the heartbeat of its worker', async () => {
    const { clock, long, aborts, scheduler: make } = createCutSetting();
    const task = long(3_600_000);
    const worker = make({ tasks: [task] });
    const client = make({ tasks: [task] });
    await client.schedule(task, { id: 't', every: '1d' });
    await worker.start();
    await clock.advance('1d');
    await clock.advance(6000);
    expect(await client.cancel('t')).toBe(true);
    await clock.advance('10m');
    expect(aborts).toEqual([`SCHED_CANCELLED@${86_400_000 + 10_000}`]);
    expect(await client.history('t')).toMatchObject([
      { outcome: 'failed', error: { code: 'SCHED_CANCELLED' } },
    ]);
    // The schedule goes on, and the next run is not cancelled.
    await clock.advance('1d');
    await clock.advance('1h');
    expect(await client.history('t')).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'failed' },
    ]);
  });

  test('says when there is nothing to cancel', async () => {
    const { clock, line, cut, long, scheduler: make } = createCutSetting();
    const task = long(3_600_000);
    const worker = make({ store: cut, tasks: [task] });
    await worker.schedule(task, { id: 'later', in: '1d' });
    await worker.schedule(task, { id: 'lapsed' });
    await worker.start();
    await clock.advance(1000);
    line.isCut = true;
    await clock.advance('1m');
    // A client that has never asked the store for its time.
    const client = make({ tasks: [task] });
    expect(await client.cancel('later')).toBe(false);
    expect(await client.cancel('lapsed')).toBe(false);
    expect(await make({ tasks: [task] }).get('lapsed')).toMatchObject({ state: 'scheduled' });
    await expect(client.cancel('nobody')).rejects.toMatchObject({ code: 'SCHED_TASK_NOT_FOUND' });
  });

  test('reaches a run that is waiting for its slot elsewhere, once it has begun', async () => {
    const { clock, scheduler: make } = createSetting();
    const started: string[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload, task: { id }, signal }) => {
        started.push(id);
        if (payload > 0) await clock.sleep(payload, { signal });
      },
      retry: 0,
    });
    const worker = make({ tasks: [task], concurrency: 1, lease: '1m' });
    for (let i = 0; i < 10; i++)
      await worker.schedule(task, { payload: 0, at: clock.now() - 100 + i });
    await worker.schedule(task, { payload: 10_000, id: 'first', at: clock.now() - 50 });
    await worker.schedule(task, { payload: 3_600_000, id: 'second', at: clock.now() - 40 });
    await worker.start();
    await clock.runUntil(() => started.includes('first'));
    expect((await worker.health()).waiting).toBe(1);
    expect(await worker.cancel('second')).toBe(true);
    await clock.advance('5m');
    expect(await worker.get('second')).toMatchObject({
      state: 'failed',
      lastRun: { error: { code: 'SCHED_CANCELLED' } },
    });
  });
});

describe('runs that are aborted', () => {
  test('replace: by the next occurrence, which then runs', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const minutes = () => clock.elapsed() / 60_000;
    const task = defineTask('replaced', {
      handler: async ({ nominal, signal }) => {
        const at = (nominal.getTime() - Date.parse('2030-01-01T00:00:00Z')) / 60_000;
        log.push(`${at} began at ${minutes()}`);
        try {
          await clock.sleep(at === 120 ? '10m' : '90m', { signal });
        } catch (error) {
          log.push(`${at} ${(error as SchedError).code} at ${minutes()}`);
          throw error;
        }
      },
      overlap: 'replace',
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 'r', every: '1h' });
    await worker.start();
    await clock.advance('2h30m');
    expect(log).toEqual(['60 began at 60', '60 SCHED_REPLACED at 120', '120 began at 120']);
    expect(events.of('interrupted')).toMatchObject([
      { id: 'r', error: { code: 'SCHED_REPLACED' } },
    ]);
    expect(events.of('failed')).toEqual([]);
    expect(await worker.history('r')).toMatchObject([
      { outcome: 'succeeded' },
      { outcome: 'interrupted', reason: 'superseded' },
    ]);
  });

  test('timeout: at its moment, and tried again', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const task = defineTask('slow', {
      handler: async ({ attempt, signal }) => {
        signal.addEventListener('abort', () =>
          log.push(`${(signal.reason as SchedError).code}@${clock.elapsed()}`),
        );
        await clock.sleep(attempt === 1 ? '10m' : '1m', { signal });
        log.push(`done@${clock.elapsed()}`);
      },
      timeout: '2m',
      retry: { limit: 1, min: '1m', jitter: 0 },
    });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 's' });
    await worker.start();
    await clock.advance('10m');
    expect(log).toEqual(['SCHED_TIMEOUT@120000', 'done@240000']);
    expect(events.of('retried')).toMatchObject([{ id: 's', error: { code: 'SCHED_TIMEOUT' } }]);
    expect(events.of('succeeded')).toMatchObject([{ id: 's', attempt: 2 }]);
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('the first reason counts', async () => {
    const { clock, scheduler: make } = createSetting();
    const reasons: unknown[] = [];
    const task = defineTask('slow', {
      handler: async ({ signal }) => {
        await clock.sleep('1h', { signal }).catch(() => {});
        reasons.push(signal.reason);
        await clock.sleep(3000);
        throw new Error('something else');
      },
      timeout: '1m',
      retry: 0,
    });
    const worker = make({ tasks: [task] });
    await worker.schedule(task, { id: 's' });
    await worker.start();
    await clock.advance('1m1s');
    await worker.cancel('s');
    await clock.advance('1m');
    expect(reasons).toMatchObject([{ code: 'SCHED_TIMEOUT' }]);
    expect(await worker.get('s')).toMatchObject({ lastRun: { error: { code: 'SCHED_TIMEOUT' } } });
  });

  test('a handler that never ends gives up its slot after the grace, and is heard no more', async () => {
    const { clock, scheduler: make } = createSetting();
    const log: string[] = [];
    const late: (() => void)[] = [];
    const task = defineTask<string>('stuck', {
      handler: async ({ payload }) => {
        log.push(`${payload}@${clock.elapsed()}`);
        if (payload === 'stuck') await clock.sleep('1h');
        late.push(() => log.push('late'));
        if (payload === 'stuck') throw new Error('much too late');
      },
      timeout: '1m',
      retry: 0,
    });
    const worker = make({ tasks: [task], concurrency: 1, abortGrace: '10s' });
    const events = logEvents(worker);
    await worker.schedule(task, { payload: 'stuck', id: 'a', at: clock.now() - 1 });
    await worker.schedule(task, { payload: 'next', id: 'b' });
    await worker.start();
    await clock.advance('2h');
    expect(log).toEqual(['stuck@0', 'next@70000']);
    expect(events.of('abandoned')).toMatchObject([
      { id: 'a', error: { code: 'SCHED_TIMEOUT', message: expect.stringContaining('10000 ms') } },
    ]);
    expect(events.of('failed')).toMatchObject([{ id: 'a', durationMs: 70_000 }]);
    expect(await worker.get('a')).toMatchObject({ state: 'failed' });
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a handler that ends well in spite of its timeout has succeeded', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('slow', { handler: () => clock.sleep('62s'), timeout: '1m' });
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 's' });
    await worker.start();
    await clock.advance('5m');
    expect(events.of('succeeded')).toMatchObject([{ id: 's' }]);
    expect(events.of('abandoned')).toEqual([]);
  });
});
