import type { ListRequest, TaskRecord } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { type Answer, setting, sqliteStore, until, work } from './support.js';

/** Tasks that fail, of two kinds, and two that do not. */
async function filled(store = new MemoryDataStore() as never) {
  const it = setting({ store });
  const { scheduler } = it;
  for (const id of ['a', 'b', 'c']) {
    await scheduler.schedule(work, { id, payload: { fail: `no order ${id.charCodeAt(0)}` } });
  }
  await scheduler.schedule(work, { id: 'd', payload: { fail: 'not at all' } });
  for (const id of ['e', 'f']) {
    await scheduler.schedule(work, { id, payload: null, in: '1h', group: 'g' });
  }
  await scheduler.start();
  await until(
    () => scheduler.count({ state: 'failed' }),
    (count) => count === 4,
  );
  return it;
}

describe('an action on many', () => {
  test('only counts, unless it is told to act', async () => {
    const { call, scheduler, entries } = await filled(sqliteStore() as never);
    expect((await call('POST', '/bulk', { action: 'pause', filter: { group: 'g' } })).body).toEqual(
      {
        ...{ dryRun: true, matched: 2, isComplete: true, changed: 0, failures: [], next: null },
      },
    );
    expect(
      (await call('POST', '/bulk', { action: 'remove', ids: ['a', 'a', 'zz'] })).body,
    ).toMatchObject({ dryRun: true, matched: 1 });
    expect(await scheduler.count()).toBe(6);
    expect(entries).toEqual([]);
  });

  test('by a filter needs the number that was counted, and does nothing where more match', async () => {
    const { call, scheduler } = await filled();
    const order = { action: 'pause', filter: { group: 'g' }, dryRun: false };
    expect(await call('POST', '/bulk', order)).toMatchObject({
      status: 400,
      body: { code: 'SCHED_ARGUMENT_INVALID', detail: expect.stringContaining('atMost') },
    });
    expect(await call('POST', '/bulk', { ...order, atMost: 1 })).toMatchObject({
      status: 409,
      body: { details: { matched: 2, atMost: 1 } },
    });
    expect(await scheduler.count({ paused: true })).toBe(0);
    expect((await call('POST', '/bulk', { ...order, atMost: 2 })).body).toMatchObject({
      ...{ dryRun: false, matched: 2, changed: 2, isComplete: true },
    });
    expect(await scheduler.count({ paused: true })).toBe(2);
    const resume = { ...order, action: 'resume', atMost: 2 };
    expect((await call('POST', '/bulk', resume)).body).toMatchObject({ changed: 2 });
  });

  test('by ids tells of those that it could not do, and does the others', async () => {
    const { call, entries } = await filled();
    const order = { action: 'retry', ids: ['a', 'e', 'nobody'], dryRun: false };
    expect((await call('POST', '/bulk', order)).body).toMatchObject({
      ...{ matched: 3, changed: 1 },
      failures: [
        { id: 'e', code: 'SCHED_TASK_STATE' },
        { id: 'nobody', code: 'SCHED_TASK_NOT_FOUND' },
      ],
    });
    expect(entries).toMatchObject([
      { action: 'changeTasks:retry', changed: 1, selection: { ids: ['a'] }, outcome: 'ok' },
    ]);
  });

  test('goes on where it stopped, when there are more than one request looks at', async () => {
    const { scheduler, call } = setting({ options: { limits: { tasksPerRequest: 2 } } });
    const declared = Array.from({ length: 5 }, () => ({ task: work, payload: null, in: '1h' }));
    await scheduler.scheduleMany(declared);
    const order = { action: 'pause', filter: { name: 'work' }, dryRun: false };
    const changed: number[] = [];
    let more: object = { atMost: 5 };
    for (;;) {
      const { body } = await call('POST', '/bulk', { ...order, ...more });
      changed.push(body.changed);
      if (body.isComplete) break;
      more = { cursor: body.next };
    }
    expect(changed).toEqual([2, 2, 1]);
    expect(await scheduler.count({ paused: true })).toBe(5);
  });

  test('to run does not run the runs that it has made', async () => {
    const { scheduler, call } = setting({ store: sqliteStore() });
    for (const id of ['a', 'b']) await scheduler.schedule(work, { id, payload: null, in: '1h' });
    const order = { action: 'run', filter: { name: 'work' }, dryRun: false, atMost: 2 };
    expect((await call('POST', '/bulk', order)).body.changed).toBe(2);
    expect((await call('POST', '/bulk', { ...order, atMost: 9 })).body.changed).toBe(2);
    expect(await scheduler.count()).toBe(6);
  });
});

describe('failures', () => {
  test('are grouped by their error, and retried or removed by the group', async () => {
    const { call, scheduler } = await filled();
    const { body } = await call('GET', '/failures');
    expect(body).toMatchObject({
      isComplete: true,
      failures: [
        { name: 'work', error: { name: 'TypeError', message: 'no order …' }, count: 3 },
        { name: 'work', error: { message: 'not at all' }, count: 1, ids: ['d'] },
      ],
    });
    const [{ key, newest, ids }] = body.failures;
    expect([Date.parse(newest) > 0, ids.sort()]).toEqual([true, ['a', 'b', 'c']]);

    const order = { action: 'remove', filter: { failure: key } };
    expect((await call('POST', '/bulk', order)).body).toMatchObject({ matched: 3 });
    const done = await call('POST', '/bulk', { ...order, dryRun: false, atMost: 3 });
    expect(done.body).toMatchObject({ changed: 3, matched: 3 });
    expect(await scheduler.count({ state: 'failed' })).toBe(1);
    expect(await scheduler.count()).toBe(3);
  });

  test('are counted as far as one request may look', async () => {
    const { api: _api, scheduler, call } = await filled();
    expect((await call('GET', '/failures?group=g')).body).toEqual({
      failures: [],
      isComplete: true,
      next: null,
    });
    const { createApi } = await import('@sched/http');
    const { caller } = await import('./support.js');
    const small = createApi({
      scheduler,
      basePath: '/sched',
      authorize: () => ({ who: 'ada', may: 'read' }),
      limits: { tasksPerRequest: 2 },
    });
    const { body } = await caller(small)('GET', '/failures');
    const counts = body.failures.map(({ count }: { count: number }) => count);
    expect(counts.reduce((sum: number, count: number) => sum + count, 0)).toBe(2);
    expect(body.isComplete).toBe(false);
  });

  test('are looked for in a bounded part of the tasks, and from there on by the cursor', async () => {
    /** Looks at one task for a page, as others do at thousands. */
    class Plodding extends MemoryDataStore {
      reads = 0;

      override async list({ after, limit, ...filter }: ListRequest) {
        this.reads++;
        const [matching, page] = await Promise.all([
          super.list({ ...filter, limit: 1000 }),
          super.list({ limit: Math.min(1, limit), ...(after !== undefined && { after }) }),
        ]);
        const isMatching = ({ id }: TaskRecord) => matching.tasks.some((task) => task.id === id);
        return { ...page, tasks: page.tasks.filter(isMatching) };
      }
    }
    const store = new Plodding();
    const { scheduler, call } = setting({ store });
    const at = new Date(Date.now() + 3_600_000);
    await scheduler.scheduleMany(
      Array.from({ length: 45 }, (_, index) => {
        return { task: work, id: `${100 + index}`, payload: { fail: 'no' }, at };
      }),
    );
    for (const id of ['100', '120', '144']) await scheduler.update(id, { in: 0 });
    await scheduler.start();
    await until(
      () => scheduler.count({ state: 'failed' }),
      (count) => count === 3,
    );

    const found: string[][] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      store.reads = 0;
      const more = cursor === '' ? '' : `?cursor=${cursor}`;
      const { body }: Answer = await call('GET', `/failures${more}`);
      expect(store.reads).toBeLessThanOrEqual(20);
      expect(body.isComplete).toBe(body.next === null);
      found.push(body.failures.flatMap(({ ids }: { ids: string[] }) => ids));
      cursor = body.next;
    }
    expect(found.flat().sort()).toEqual(['100', '120', '144']);
    expect(found.length).toBeGreaterThan(2);

    const cursorOf = async (path: string) => (await call('GET', path)).body.next;
    for (const path of [
      `/failures?name=work&cursor=${await cursorOf('/failures')}`,
      `/failures?cursor=${await cursorOf('/tasks?limit=1&state=failed')}`,
    ]) {
      expect(await call('GET', path)).toMatchObject({
        status: 400,
        body: { code: 'SCHED_CURSOR_INVALID' },
      });
    }
    store.reads = 0;
    expect((await call('GET', '/upcoming')).body).toMatchObject({ isComplete: false });
    expect(store.reads).toBeLessThanOrEqual(21);
  });
});
