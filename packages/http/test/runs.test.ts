import { SchedError } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { setting, work } from './support.js';

/** Runs these tasks, one after another: those named `bad` fail. */
async function ran(ids: readonly string[], store = new MemoryDataStore()) {
  const it = setting({ store });
  await it.scheduler.start();
  for (const id of ids) {
    const ended = new Promise<void>((resolve) => {
      it.scheduler.on('succeeded', () => resolve());
      it.scheduler.on('failed', () => resolve());
    });
    const payload = id.startsWith('bad') ? { fail: 'https://u:hunter2@host' } : null;
    await it.scheduler.schedule(work, { id, payload });
    await ended;
  }
  return it;
}

describe('the newest runs of all tasks', () => {
  test('are listed newest first, with task and name, and without passwords', async () => {
    const { call } = await ran(['a', 'bad', 'b']);
    const { status, body } = await call('GET', '/runs');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      runs: [
        { id: 'b', name: 'work', outcome: 'succeeded', attempt: 1 },
        { id: 'bad', name: 'work', outcome: 'failed', error: { name: 'TypeError' } },
        { id: 'a', name: 'work', outcome: 'succeeded' },
      ],
      next: null,
    });
    expect(JSON.stringify(body)).not.toContain('hunter2');
    const [own] = (await call('GET', '/tasks/bad/history')).body.runs;
    expect(body.runs[1]).toEqual({ id: 'bad', name: 'work', ...own });
  });

  test('come in pages, by outcome and name', async () => {
    const { call } = await ran(['a', 'bad-1', 'b', 'bad-2', 'c']);
    for (const [filter, ids] of [
      ['', ['c', 'bad-2', 'b', 'bad-1', 'a']],
      ['&outcome=failed', ['bad-2', 'bad-1']],
      ['&outcome=succeeded&name=work', ['c', 'b', 'a']],
      ['&outcome=skipped', []],
      ['&name=nobody', []],
    ] as const) {
      const found: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const more = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body }: Awaited<ReturnType<typeof call>> = await call(
          'GET',
          `/runs?limit=1${filter}${more}`,
        );
        expect(body.runs.length).toBeLessThanOrEqual(1);
        found.push(...body.runs.map(({ id }: { id: string }) => id));
        cursor = body.next;
      }
      expect(found).toEqual(ids);
    }
  });

  test('are not continued with the cursor of another list', async () => {
    const { call, scheduler } = await ran(['a', 'b']);
    for (const id of ['x', 'y', 'z']) await scheduler.schedule(work, { id, in: '1h', payload: 1 });
    const cursorOf = async (path: string) => (await call('GET', path)).body.next;
    const own = await cursorOf('/runs?limit=1');
    expect(own).toEqual(expect.any(String));
    for (const path of [
      `/runs?limit=1&outcome=failed&cursor=${own}`,
      `/runs?limit=1&name=work&cursor=${own}`,
      `/runs?limit=1&cursor=${await cursorOf('/tasks?limit=1')}`,
      `/runs?limit=1&name=work&cursor=${await cursorOf('/tasks?limit=1&name=work')}`,
      `/tasks?limit=1&cursor=${own}`,
      '/runs?cursor=x',
    ]) {
      expect(await call('GET', path)).toMatchObject({
        status: 400,
        body: { code: 'SCHED_CURSOR_INVALID' },
      });
    }
  });

  test.each([
    'outcome=done',
    'limit=0',
    'limit=501',
    'name=',
    'queue=q',
    'outcome=failed&outcome=failed',
  ])('are refused with %s', async (query) => {
    const { call } = setting();
    expect((await call('GET', `/runs?${query}`)).status).toBe(400);
  });

  test('are not there where the store has no order of them, as the API says before it is asked', async () => {
    class Unordered extends MemoryDataStore {
      override readonly capabilities = {
        ...new MemoryDataStore().capabilities,
        latestHistory: false,
      };

      override async latestHistory(): Promise<never> {
        throw new SchedError('SCHED_STORE_UNSUPPORTED', 'There is no order.');
      }
    }
    const { call } = setting({ store: { ordered: new MemoryDataStore(), not: new Unordered() } });
    expect((await call('GET', '/runs?store=ordered')).status).toBe(200);
    expect(await call('GET', '/runs?store=not')).toMatchObject({
      status: 501,
      body: { code: 'SCHED_STORE_UNSUPPORTED' },
    });
    expect((await call('GET', '/health')).body.stores).toMatchObject([
      { alias: 'ordered', capabilities: { history: true, latestRuns: true } },
      { alias: 'not', capabilities: { history: true, latestRuns: false } },
    ]);
  });
});
