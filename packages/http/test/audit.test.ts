import { type AuditEntry, createApi } from '@sched/http';
import { MemoryDataStore } from '@sched/memory';
import { expect, test, vi } from 'vitest';
import { AuditLog } from '../src/audit.js';
import { caller, setting, work } from './support.js';

test('each change is written down: who, what, when, before and after', async () => {
  const { call, entries } = setting();
  await call('POST', '/tasks', { task: 'work', id: 'a', payload: 1, in: '1h' });
  await call('PATCH', '/tasks/a', { queue: 'slow' });
  await call('POST', '/tasks/a/pause');
  await call('DELETE', '/tasks/a');
  expect(entries).toMatchObject([
    { action: 'createTask', id: 'a', before: null, after: { queue: 'default' } },
    { action: 'updateTask', before: { queue: 'default' }, after: { queue: 'slow' } },
    { action: 'pauseTask', before: { state: 'scheduled' }, after: { state: 'paused' } },
    { action: 'removeTask', before: { state: 'paused' }, after: null },
  ]);
  for (const entry of entries) {
    expect(entry).toMatchObject({ who: 'ada', may: 'admin', outcome: 'ok', store: null });
    expect(Math.abs(Date.parse(entry.at) - Date.now())).toBeLessThan(60_000);
  }
  const { body } = await call('GET', '/audit?limit=2');
  expect(body.entries).toEqual(JSON.parse(JSON.stringify(entries.slice(-2).reverse())));
});

test('a change that failed is written down with its code', async () => {
  const { call, entries } = setting();
  await call('POST', '/tasks', { task: 'work', id: 'a', in: '1h' });
  await call('POST', '/tasks/a/retry');
  await call('POST', '/tasks', { task: 'work', id: 'a', in: '2h' });
  expect(entries.slice(1)).toMatchObject([
    { action: 'retryTask', outcome: 'SCHED_TASK_STATE', after: { id: 'a' } },
    { action: 'createTask', outcome: 'SCHED_TASK_EXISTS', before: { id: 'a' } },
  ]);
});

test('an entry that the sink loses goes to the console, and so do all without a sink', async () => {
  const info = vi.spyOn(console, 'info').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const { call } = setting({ options: { audit: () => Promise.reject(new Error('disk full')) } });
  const created = await call('POST', '/tasks', { task: 'work', id: 'a', in: '1h' });
  expect(created.status).toBe(200);
  expect(error).toHaveBeenCalledTimes(1);
  const { scheduler } = setting({ store: new MemoryDataStore() });
  const api = createApi({
    scheduler,
    basePath: '/sched',
    authorize: () => ({ who: 'bob', may: 'admin' }),
  });
  await caller(api)('POST', '/tasks', { task: 'work', id: 'b', in: '1h' });
  const written = info.mock.calls.map(([line]) => JSON.parse(line).audit);
  expect(written).toMatchObject([
    { id: 'a', who: 'ada' },
    { id: 'b', who: 'bob' },
  ]);
  info.mockRestore();
  error.mockRestore();
});

test('the entries that a process keeps are bounded', async () => {
  const written: AuditEntry[] = [];
  const log = new AuditLog((entry) => written.push(entry));
  const entry = { action: 'pauseTask', store: null, before: null, after: null, outcome: 'ok' };
  for (let n = 0; n < 210; n++)
    await log.write({ who: 'ada', may: 'admin' }, { ...entry, id: `${n}` });
  expect(written).toHaveLength(210);
  expect(log.latest(1000)).toEqual(written.slice(10).reverse());
});

test('payloads pass redact before anybody sees them, wherever they are shown', async () => {
  const seen: unknown[] = [];
  const { call, scheduler, entries } = setting({
    options: {
      redact(payload, task) {
        seen.push(task);
        if (payload === 'broken') throw new Error('cannot tell');
        return { ...(payload as object), card: '***' };
      },
    },
  });
  await scheduler.schedule(work, { id: 'a', payload: { card: '4111', sum: 7 }, in: '1h' });
  await scheduler.schedule(work, { id: 'b', payload: 'broken', in: '1h' });
  const shown = { card: '***', sum: 7 };
  expect((await call('GET', '/tasks/a')).body.payload).toEqual(shown);
  expect((await call('POST', '/tasks/a/pause')).status).toBe(200);
  const list = (await call('GET', '/tasks?payloads=true')).body.tasks;
  expect(list.find(({ id }: { id: string }) => id === 'a').payload).toEqual(shown);
  const broken = list.find(({ id }: { id: string }) => id === 'b');
  expect([broken.payload, broken.payloadWithheld]).toEqual([undefined, true]);
  expect(entries).toMatchObject([{ before: { payload: shown }, after: { payload: shown } }]);
  const brief = (await call('GET', '/tasks')).body.tasks;
  expect(brief.map(({ payload }: { payload?: unknown }) => payload)).toEqual([
    undefined,
    undefined,
  ]);
  expect(JSON.stringify([list, entries])).not.toContain('4111');
  expect(seen[0]).toEqual({ id: 'a', name: 'work', queue: 'default', group: null });
});
