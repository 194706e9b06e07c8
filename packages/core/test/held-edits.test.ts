import { describe, expect, test } from 'vitest';
import { defineTask, every, type Settlement } from '../src/index.js';
import { logEvents } from './support/events.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('edits while a task is held', () => {
  test('an edited payload holds from the next run, and the run in progress counts', async () => {
    const { clock, scheduler: make } = createSetting();
    const seen: unknown[] = [];
    const task = defineTask<number>('work', {
      handler: async ({ payload }) => {
        seen.push(payload);
        await clock.sleep('1m');
      },
    });
    const scheduler = make({ tasks: [task] });
    const other = make({ tasks: [task] });
    await scheduler.schedule(task, { payload: 1, id: 'e', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    await other.update('e', { payload: 2 });
    await clock.advance('1h');
    expect(seen).toEqual([1, 2]);
    expect(await scheduler.history('e')).toMatchObject([{ outcome: 'succeeded' }]);
  });

  test('a new schedule replaces what would have followed the run', async () => {
    const { clock, scheduler: make } = createSetting();
    const ran: number[] = [];
    const task = defineTask('work', {
      handler: async () => {
        ran.push(clock.elapsed() / 60_000);
        await clock.sleep('1m');
      },
    });
    const scheduler = make({ tasks: [task] });
    await scheduler.schedule(task, { id: 'e', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    await scheduler.update('e', { in: '5h' });
    await clock.advance('1d');
    expect(ran).toEqual([60, 360]);
    expect(await scheduler.history('e')).toHaveLength(2);
  });

  test('the end of a run is reported as that of the occurrence that ran', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('work', { handler: () => clock.sleep('1m') });
    const scheduler = make({ tasks: [task] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'e', every: '1h' });
    await scheduler.start();
    await clock.advance('1h');
    await scheduler.update('e', { in: '5h' });
    await clock.advance('1h');
    const [{ nominal, attempt, token } = {}] = events.of('started');
    expect(events.of('succeeded')).toMatchObject([{ nominal, attempt, token }]);
  });

  test('a new schedule is not taken for the old one, however often it is edited on the way', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const client = make({ tasks: [defineTask('work')], triggers: [every] });
    const edits = [
      () => client.update('e', { in: '5h' }),
      () => client.update('e', { payload: 'new' }),
      () => client.update('e', { payload: 'newer' }),
    ];
    const edited = interceptStore(store, async (call, proceed) => {
      if (call === 'settle') await edits.shift()?.();
      return proceed();
    });
    const ran: number[] = [];
    const task = defineTask<string>('work', {
      handler: ({ nominal }) =>
        ran.push((nominal.getTime() - Date.parse('2030-01-01')) / 3_600_000),
    });
    const worker = make({ store: edited, tasks: [task] });
    await worker.schedule(task, { payload: 'old', id: 'e', every: '1h' });
    await worker.start();
    await clock.advance('1h');
    expect(edits).toEqual([]);
    expect(await worker.get('e')).toMatchObject({
      payload: 'newer',
      nominal: new Date('2030-01-01T06:00:00Z'),
      runAt: new Date('2030-01-01T06:00:00Z'),
      lastRun: { outcome: 'succeeded', nominal: new Date('2030-01-01T01:00:00Z') },
    });
    await clock.advance('1d');
    expect(ran).toEqual([1, 6]);
    expect(await worker.history('e')).toMatchObject([
      { outcome: 'succeeded', nominal: new Date('2030-01-01T06:00:00Z') },
      { outcome: 'succeeded', nominal: new Date('2030-01-01T01:00:00Z') },
    ]);
  });

  test('a settlement that the store refuses for good does not hold up the others', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const { SchedError } = await import('../src/errors.js');
    const picky = interceptStore(store, async (call, proceed, args) => {
      if (call === 'settle' && (args[0] as Settlement[]).some(({ id }) => id === 'big')) {
        throw new SchedError('SCHED_PAYLOAD_TOO_LARGE', 'The body is too large.');
      }
      return proceed();
    });
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ store: picky, tasks: [task] });
    const events = logEvents(scheduler);
    for (const id of ['a', 'big', 'b']) await scheduler.schedule(task, { id });
    await scheduler.start();
    await clock.advance(1000);
    expect(
      events
        .of('succeeded')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['a', 'b']);
    expect(await store.count({})).toBe(1);
    // And it is not run over and over.
    await clock.advance('1h');
    expect(events.of('started').length).toBeLessThanOrEqual(2 + 5);
  });

  test('claims say nothing to the worker that it does not know', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const recorded = recordStore(store);
    const task = defineTask('work', { handler: () => {} });
    const scheduler = make({ store: recorded.store, tasks: [task], owner: 'me', lease: '20s' });
    await scheduler.schedule(task);
    await scheduler.start();
    await clock.advance(0);
    const [claim] = recorded.calls.filter(({ call }) => call === 'claim');
    expect(claim).toMatchObject({
      args: [{ queues: ['default'], limit: 10, owner: 'me', leaseMs: 20_000 }],
      answer: { tasks: [{ lease: { expiresAt: clock.now() + 20_000 } }] },
    });
  });
});
