import { hostname } from 'node:os';
import { anyOf, at, every } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { setting, sqliteStore, until, work } from './support.js';

const hourMs = 3_600_000;

describe.for([
  ['memory', () => new MemoryDataStore()],
  ['SQLite', sqliteStore],
] as const)('on %s', ([, store]) => {
  test('a task is created, shown, changed and removed', async () => {
    const { scheduler, call } = setting({ store: store() });
    const created = await call('POST', '/tasks', {
      task: 'work',
      id: 'a',
      payload: { to: 'ada' },
      cron: '0 9 * * MON-FRI',
      timeZone: 'Europe/Berlin',
      group: 'mails',
      retry: { limit: 2, min: '5s' },
    });
    expect(created).toMatchObject({
      status: 200,
      body: {
        outcome: 'created',
        task: {
          trigger: {
            words: 'on Monday to Friday at 09:00, Europe/Berlin',
            timeZone: 'Europe/Berlin',
          },
          policies: { retry: { limit: 2, minMs: 5000 }, overlap: { mode: 'skip' } },
        },
      },
    });
    const shown = await call('GET', '/tasks/a?occurrences=3');
    expect(shown.body.occurrences).toHaveLength(3);
    expect(shown.body.occurrences[0]).toBe(shown.body.runAt);
    const expected = scheduler.preview({ cron: '0 9 * * MON-FRI', timeZone: 'Europe/Berlin' }, 3);
    expect(shown.body.occurrences).toEqual(expected.map((date) => date.toISOString()));

    const changes = { every: '2h', payload: { to: 'bob' }, group: null, queue: 'slow' };
    expect((await call('PATCH', '/tasks/a', changes)).body).toMatchObject({
      ...{ payload: { to: 'bob' }, group: null, queue: 'slow' },
      trigger: { words: 'every 2 hours', json: { kind: 'every', every: 2 * hourMs } },
    });
    expect(await call('DELETE', '/tasks/a')).toMatchObject({ status: 200, body: { removed: 1 } });
    expect(await call('GET', '/tasks/a')).toMatchObject({
      status: 404,
      body: { code: 'SCHED_TASK_NOT_FOUND' },
    });
  });

  test('tasks are listed page by page, and counted', async () => {
    const { scheduler, call } = setting({ store: store() });
    const ids = Array.from({ length: 7 }, (_, index) => `task ${index}`);
    await scheduler.scheduleMany(
      ids.map((id, index) => ({
        ...{ task: work, id, payload: null, in: '1h' },
        ...(index % 2 === 0 && { group: 'even' }),
      })),
    );
    for (const [query, wanted] of [
      ['', ids],
      ['&group=even', ids.filter((_, index) => index % 2 === 0)],
      ['&ungrouped=true', ids.filter((_, index) => index % 2 === 1)],
      ['&state=paused', []],
      ['&name=work&queue=default&paused=false', ids],
    ] as const) {
      const seen: string[] = [];
      let cursor = '';
      do {
        const { body } = await call('GET', `/tasks?limit=2${query}${cursor}`);
        expect(body.tasks.length).toBeLessThanOrEqual(2);
        seen.push(...body.tasks.map(({ id }: { id: string }) => id));
        cursor = body.next && `&cursor=${body.next}`;
      } while (cursor);
      expect(seen.sort()).toEqual(wanted);
      expect((await call('GET', `/count?${query.slice(1)}`)).body).toEqual({
        count: wanted.length,
      });
    }
  });

  test('a cursor of another store or filter, or of nowhere, is refused', async () => {
    const { scheduler, call } = setting({ store: { a: store(), b: new MemoryDataStore() } });
    for (const id of ['1', '2', '3']) {
      await scheduler.schedule(work, { id, payload: null, in: '1h' });
    }
    const { next } = (await call('GET', '/tasks?store=a&queue=default&limit=1')).body;
    expect(
      (await call('GET', `/tasks?store=a&queue=default&cursor=${next}`)).body.tasks,
    ).toHaveLength(2);
    for (const query of [
      `cursor=${next}`,
      `store=b&queue=default&cursor=${next}`,
      `store=a&cursor=${next}`,
      `store=a&queue=other&cursor=${next}`,
      'cursor=x',
      'cursor=%F0%9F%92%A9',
      `cursor=${btoa('null')}`,
      `cursor=${btoa('["",5]')}`,
    ]) {
      expect(await call('GET', `/tasks?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'SCHED_CURSOR_INVALID' },
      });
    }
    // Of this list, but with a position that nobody gave: harmless, whatever the store makes of it.
    const forged = btoa(encodeURIComponent(JSON.stringify([JSON.stringify(['']), "'; DROP --"])));
    expect([200, 400]).toContain((await call('GET', `/tasks?cursor=${forged}`)).status);
    expect((await call('GET', '/count')).body).toEqual({ count: 3 });
  });

  test('each action does what it says, and says whether it did', async () => {
    const { scheduler, call } = setting({ store: store() });
    await scheduler.schedule(work, { id: 'a', payload: null, in: '1h' });
    await scheduler.schedule(work, { id: 'bad', payload: { fail: 'no' } });
    await scheduler.schedule(work, { id: 'long', payload: 'wait' });
    const act = async (id: string, action: string) =>
      (await call('POST', `/tasks/${id}/${action}`)).body;

    expect(await act('a', 'pause')).toEqual({ changed: true });
    expect(await act('a', 'pause')).toEqual({ changed: false });
    expect(await act('a', 'resume')).toEqual({ changed: true });
    expect(await act('a', 'cancel')).toEqual({ changed: false });
    expect(await act('a', 'retry')).toMatchObject({ status: 409, code: 'SCHED_TASK_STATE' });

    await scheduler.start();
    const stateOf = async (id: string) => (await scheduler.get(id))?.state;
    await until(
      () => stateOf('long'),
      (state) => state === 'running',
    );
    expect((await call('GET', '/health')).body).toMatchObject({
      ...{ state: 'running', running: 1, runs: [{ id: 'long', name: 'work' }] },
      definitions: ['work'],
      stores: [{ alias: 'default', isUp: true, error: null }],
    });
    const workers = await until(
      () => call('GET', '/workers'),
      ({ body }) => body.length > 0,
    );
    expect(workers.body).toMatchObject([
      { host: hostname(), pid: process.pid, queues: ['default'], startedAt: expect.any(String) },
    ]);
    expect(await act('long', 'cancel')).toEqual({ changed: true });
    await until(
      () => stateOf('bad'),
      (state) => state === 'failed',
    );
    expect(await act('bad', 'retry')).toEqual({ changed: true });

    const { changed, childId } = await act('a', 'run');
    expect([changed, childId]).toEqual([true, expect.stringMatching(/^a\+/)]);
    const { body } = await until(
      () => call('GET', '/tasks/a/history'),
      (answer) => answer.body.runs.length > 0,
    );
    expect(body.runs).toMatchObject([{ outcome: 'succeeded', childId }]);
  });

  test('what is not there is said not to be, by every call, and nothing is written down', async () => {
    const { call, entries } = setting({ store: store() });
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', {}],
      ['DELETE', ''],
      ...['pause', 'resume', 'run', 'cancel', 'retry'].map((each) => ['POST', `/${each}`] as const),
      ['POST', '/preview', { every: '1h' }],
    ] as const) {
      expect(await call(method, `/tasks/nobody${path}`, body)).toMatchObject({
        status: 404,
        body: { code: 'SCHED_TASK_NOT_FOUND' },
      });
    }
    expect((await call('GET', '/tasks/nobody/history')).body).toEqual({ runs: [] });
    expect(entries).toEqual([]);
  });
});

test('skipped occurrences are told with their reason', async () => {
  const now = Date.parse('2030-01-01T00:00:00Z');
  const store = new MemoryDataStore({ clock: () => now });
  const { scheduler, call } = setting({ store });
  await scheduler.schedule(work, { id: 'a', payload: null, every: '1h' });
  await store.update('a', { runAt: 0 }, { revision: (await store.get(['a']))[0]?.revision ?? 0 });
  const [claimed] = (await store.claim({ queues: ['default'], limit: 1, owner: 'w', leaseMs: 5 }))
    .tasks;
  if (!claimed) throw new Error('nothing was due');
  const entry = {
    outcome: 'skipped',
    nominal: 0,
    lastNominal: hourMs,
    at: 2 * hourMs,
    count: 2,
    reason: 'missed',
  };
  await store.settle([
    {
      ...{ id: 'a', token: claimed.lease.token, revision: claimed.revision, spawn: [] },
      next: { status: 'scheduled', runAt: claimed.runAt, body: claimed.body },
      history: [{ taskId: 'a', id: '1', at: now, body: JSON.stringify(entry) }],
    },
  ]);
  expect((await call('GET', '/tasks/a/history')).body.runs).toMatchObject([
    {
      ...{ outcome: 'skipped', reason: 'missed', count: 2 },
      nominal: '1970-01-01T00:00:00.000Z',
      lastNominal: '1970-01-01T01:00:00.000Z',
    },
  ]);
});

describe('creating', () => {
  test('refuses an id that is there, unless told what to do about it', async () => {
    const { call } = setting();
    const task = { task: 'work', id: 'a', in: '1h' };
    expect((await call('POST', '/tasks', task)).body.outcome).toBe('created');
    expect(await call('POST', '/tasks', task)).toMatchObject({
      status: 409,
      body: { code: 'SCHED_TASK_EXISTS' },
    });
    for (const [onConflict, outcome] of [
      ['update', 'unchanged'],
      ['keep', 'unchanged'],
      ['replace', 'replaced'],
    ]) {
      expect((await call('POST', '/tasks', { ...task, onConflict })).body.outcome).toBe(outcome);
    }
    const debounced = { task: 'work', id: 'd', debounce: '1h' };
    expect((await call('POST', '/tasks', debounced)).body.outcome).toBe('created');
    expect((await call('POST', '/tasks', debounced)).body.outcome).toBe('updated');
  });

  test('gives an id to a task that has none', async () => {
    const { call, entries } = setting();
    const { id } = (await call('POST', '/tasks', { task: 'work', in: '1h' })).body.task;
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(entries).toMatchObject([{ id, before: null, after: { id } }]);
  });

  test('takes a trigger in its stored form, of every kind that the scheduler knows', async () => {
    const { scheduler, call } = setting();
    const trigger = every('5m', { limit: 7, jitter: '1m' }).toJSON();
    const { body } = await call('POST', '/tasks', { task: 'work', id: 'a', trigger });
    expect(body.task).toMatchObject({
      trigger: { json: trigger, words: 'every 5 minutes, 7 times, up to 1 minute later' },
    });
    expect(body.task.occurrences).toHaveLength(7);
    const unknown = anyOf(at(0)).toJSON();
    expect(await call('POST', '/tasks', { task: 'work', trigger: unknown })).toMatchObject({
      status: 400,
      body: { code: 'SCHED_TRIGGER_UNKNOWN', details: { kind: 'anyOf' } },
    });
    await scheduler.schedule(work, { id: 'b', payload: null, trigger: anyOf(at(0)) });
    const again = { task: 'work', id: 'c', trigger: unknown };
    expect((await call('POST', '/tasks', again)).body.task).toMatchObject({
      trigger: { words: 'either once, at 1970-01-01T00:00Z' },
      occurrences: ['1970-01-01T00:00:00.000Z'],
    });
  });

  test('of what the server has no definition of is refused', async () => {
    const { call } = setting();
    expect(await call('POST', '/tasks', { task: 'other' })).toMatchObject({
      status: 400,
      body: { code: 'SCHED_TASK_UNKNOWN' },
    });
  });
});

describe('a preview', () => {
  test('says when a trigger would run, and what it means', async () => {
    const { call } = setting();
    const ask = async (body: object) => (await call('POST', '/preview', body)).body;
    expect(await ask({ cron: '0 9 * * *', from: '2030-01-01T10:00:00Z', count: 2 })).toEqual({
      trigger: {
        words: 'every day at 09:00, UTC',
        timeZone: 'UTC',
        json: { kind: 'cron', expression: '0 9 * * *' },
      },
      occurrences: ['2030-01-02T09:00:00.000Z', '2030-01-03T09:00:00.000Z'],
    });
    expect(await ask({ in: '1h', from: 0 })).toMatchObject({
      trigger: { words: 'once, at 1970-01-01T01:00Z' },
      occurrences: ['1970-01-01T01:00:00.000Z'],
    });
    expect(
      await ask({ every: { months: 1 }, timeZone: 'Asia/Tokyo', from: 0, count: 1 }),
    ).toMatchObject({ trigger: { words: 'every month, Asia/Tokyo', timeZone: 'Asia/Tokyo' } });
    expect(await ask({ cron: '61 * * * *' })).toMatchObject({
      code: 'SCHED_CRON_RANGE',
      details: { field: 'minute', column: 1 },
    });
    expect(await ask({ trigger: { kind: 'every', every: 5, end: 1 }, from: 9 })).toMatchObject({
      occurrences: [],
    });
  });

  test('of a task shows what is beside what would be, and changes nothing', async () => {
    const { scheduler, call, entries } = setting();
    await scheduler.schedule(work, { id: 'a', payload: null, every: '1h' });
    const { body } = await call('POST', '/tasks/a/preview', { every: '2h', count: 2 });
    expect(body).toMatchObject({
      current: { trigger: { words: 'every hour' } },
      proposed: { trigger: { words: 'every 2 hours' } },
    });
    expect([body.current.occurrences.length, body.proposed.occurrences.length]).toEqual([2, 2]);
    expect(await scheduler.get('a')).toMatchObject({ trigger: { every: hourMs } });
    expect(entries).toEqual([]);
  });
});

test('a summary tells what there is, and "unknown" rather than read on', async () => {
  const { scheduler, call } = setting();
  await scheduler.schedule(work, { id: 'a', payload: null, in: '1h', group: 'g', queue: 'q' });
  await scheduler.schedule(work, { id: 'b', payload: null, in: '1h' });
  await scheduler.pause('b');
  expect((await call('GET', '/summary')).body).toEqual({
    ...{ isComplete: true, total: 2 },
    states: expect.arrayContaining([
      { value: 'scheduled', count: 1 },
      { value: 'paused', count: 1 },
    ]),
    queues: expect.arrayContaining([
      { value: 'q', count: 1 },
      { value: 'default', count: 1 },
    ]),
    groups: expect.arrayContaining([
      { value: 'g', count: 1 },
      { value: null, count: 1 },
    ]),
    names: [{ value: 'work', count: 2 }],
  });
  const many = Array.from({ length: 1000 }, () => ({ task: work, payload: null, in: '1h' }));
  await scheduler.scheduleMany(many);
  expect((await call('GET', '/summary')).body).toMatchObject({
    ...{ isComplete: false, total: null },
    names: [{ value: 'work', count: null }],
  });
});

test('a store alone is enough to see and change its tasks, and close lets go of it', async () => {
  const store = sqliteStore();
  const first = setting({ store });
  await first.scheduler.schedule(work, { id: 'a', payload: 1, trigger: anyOf(every('1h')) });
  const { createApi } = await import('@sched/http');
  const { caller } = await import('./support.js');
  const api = createApi({
    store,
    basePath: '/sched',
    authorize: () => ({ who: 'ada', may: 'admin' }),
    audit: () => {},
  });
  const call = caller(api);
  expect((await call('GET', '/tasks/a')).body).toMatchObject({
    ...{ id: 'a', payload: 1, policies: {} },
    trigger: { words: 'either every hour' },
  });
  expect((await call('POST', '/tasks/a/pause')).body).toEqual({ changed: true });
  expect(await first.scheduler.get('a')).toMatchObject({ isPaused: true });
  expect((await call('GET', '/health')).body.definitions).toEqual([]);
  expect(await call('POST', '/tasks', { task: 'work' })).toMatchObject({
    body: { code: 'SCHED_TASK_UNKNOWN' },
  });
  await api.close();
  expect(await call('GET', '/tasks')).toMatchObject({
    status: 503,
    body: { code: 'SCHED_CLOSED' },
  });
});
