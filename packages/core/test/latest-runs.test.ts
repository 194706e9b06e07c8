import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import {
  createScheduler,
  type DataStore,
  defineTask,
  type LatestRun,
  type LatestRunsRequest,
  SchedError,
  type Scheduler,
} from '../src/index.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const start = Date.parse('2030-01-01T00:00:00Z');
const minuteMs = 60_000;

/** A client of a store with these entries in its histories, and the limits of the calls that are made. */
async function filled(entries: readonly { taskId: string; at: number; body: unknown }[]) {
  const now = start + 1e6;
  const store = new MemoryDataStore({ clock: () => now, historyLimit: 1e6 });
  await store.open();
  for (const [index, { taskId, at, body }] of entries.entries()) {
    const envelope = { name: 'job', queue: 'q', group: null, paused: false, body: '{}' };
    await store.insert([{ id: 'settler', ...envelope, status: 'scheduled', runAt: 0 }]);
    const { tasks } = await store.claim({ queues: ['q'], limit: 1, owner: 'o', leaseMs: 1000 });
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const history = [{ taskId, id: `${index}`, at, body: text }];
    const [settler] = tasks;
    if (!settler) throw new Error('nothing was due');
    const { id, revision, lease } = settler;
    await store.settle([{ id, revision, token: lease.token, next: null, history, spawn: [] }]);
  }
  const limits: number[] = [];
  const watched = interceptStore(store, (call, proceed, [request]) => {
    if (call === 'latestHistory') limits.push((request as { limit: number }).limit);
    return proceed();
  });
  return { store, limits, client: createScheduler({ store: watched }) };
}

/** Entries of one minute each, the oldest first. */
function entriesOf(count: number, outcomeOf: (index: number) => string = () => 'succeeded') {
  return Array.from({ length: count }, (_, index) => {
    const at = start + index;
    const body = { name: index % 2 ? 'odd' : 'even', outcome: outcomeOf(index), nominal: at, at };
    return { taskId: `task-${index}`, at, body };
  });
}

/** The ids on all pages, and the sizes of these. */
async function pagesOf(client: Scheduler, request: LatestRunsRequest) {
  const ids: string[] = [];
  const sizes: number[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page: Awaited<ReturnType<Scheduler['latestRuns']>> = await client.latestRuns({
      ...request,
      ...(after !== '' && { after }),
    });
    ids.push(...page.runs.map(({ id }) => id));
    sizes.push(page.runs.length);
    after = page.next;
  }
  return { ids, sizes };
}

describe('the newest runs of all tasks', () => {
  test('are given newest first, with task and name, also of tasks that are gone', async () => {
    const { scheduler, clock } = createSetting();
    const ok = defineTask('ok', { handler: () => {} });
    const bad = defineTask('bad', {
      retry: { limit: 0 },
      handler: () => {
        throw new RangeError('as told');
      },
    });
    await using worker = scheduler({ tasks: [ok, bad], owner: 'w' });
    await worker.start();
    await worker.schedule(ok, { id: 'recurring', every: '1m' });
    await worker.schedule(bad, { id: 'failing', in: '90s' });
    await worker.schedule(ok, { id: 'once', in: '100s' });
    await clock.advance('2m');
    const { runs, next } = await worker.latestRuns();
    expect(next).toBeNull();
    expect(runs.map(({ id, name, outcome }) => [id, name, outcome])).toEqual([
      ['recurring', 'ok', 'succeeded'],
      ['once', 'ok', 'succeeded'],
      ['failing', 'bad', 'failed'],
      ['recurring', 'ok', 'succeeded'],
    ]);
    expect(await worker.get('once')).toBeUndefined();
    expect(runs[2]).toEqual({
      ...{ id: 'failing', name: 'bad', outcome: 'failed', attempt: 1, owner: 'w' },
      token: expect.any(Number),
      nominal: new Date(start + 1.5 * minuteMs),
      startedAt: new Date(start + 1.5 * minuteMs),
      endedAt: new Date(start + 1.5 * minuteMs),
      error: { name: 'RangeError', message: 'as told' },
    });
    const [own] = await worker.history('failing');
    const { id: _id, name: _name, ...told } = runs[2] as LatestRun;
    expect(own).toEqual(told);
  });

  test('of a task that is run now are filed under the task, with its name', async () => {
    const { scheduler, clock } = createSetting();
    const task = defineTask('t', { handler: () => {} });
    await using worker = scheduler({ tasks: [task] });
    await worker.start();
    await worker.schedule(task, { id: 'a', in: '1d' });
    const childId = await worker.runNow('a');
    await clock.runUntil(async () => (await worker.latestRuns()).runs.length > 0);
    expect((await worker.latestRuns()).runs).toMatchObject([{ id: 'a', name: 't', childId }]);
  });

  test('come in pages, each run once', async () => {
    const { client } = await filled(entriesOf(25));
    const newest = entriesOf(25)
      .map(({ taskId }) => taskId)
      .reverse();
    for (const limit of [1, 7, 24, 25, 26, 1000]) {
      expect((await pagesOf(client, { limit })).ids).toEqual(newest);
    }
    expect((await client.latestRuns({ limit: 3 })).runs).toHaveLength(3);
  });

  test('are read as many at a time as are asked for, where all match', async () => {
    const { client, limits } = await filled(entriesOf(10));
    await client.latestRuns({ limit: 4 });
    expect(limits).toEqual([4]);
    await client.latestRuns();
    expect(limits).toEqual([4, 100]);
  });

  test('are chosen by outcome and name, over the pages, each once', async () => {
    const outcomeOf = (index: number) => (index % 3 === 0 ? 'failed' : 'succeeded');
    const all = entriesOf(300, outcomeOf).reverse();
    const { client } = await filled(all.toReversed());
    for (const [filter, isWanted] of [
      [{ outcome: 'failed' }, (body) => body.outcome === 'failed'],
      [{ name: 'odd' }, (body) => body.name === 'odd'],
      [
        { outcome: 'succeeded', name: 'even' },
        (body) => body.outcome === 'succeeded' && body.name === 'even',
      ],
      [{ outcome: 'skipped' }, () => false],
      [{ name: 'Odd' }, () => false],
    ] as const satisfies [
      LatestRunsRequest,
      (body: { outcome: string; name: string }) => boolean,
    ][]) {
      const wanted = all.filter(({ body }) => isWanted(body)).map(({ taskId }) => taskId);
      for (const limit of [1, 7, 99, 1000]) {
        expect((await pagesOf(client, { ...filter, limit })).ids).toEqual(wanted);
      }
    }
  });

  test('that match are looked for among a thousand a page, and the next page goes on', async () => {
    const { client, limits } = await filled(
      entriesOf(2500, (index) => (index === 100 ? 'failed' : 'succeeded')),
    );
    const { ids, sizes } = await pagesOf(client, { outcome: 'failed', limit: 5 });
    expect([ids, sizes]).toEqual([['task-100'], [0, 0, 1]]);
    expect(limits).toEqual(Array(25).fill(100));
  });

  test('leave out what cannot be read, and tell no name where none was written', async () => {
    const at = start + 5;
    const plain = { outcome: 'succeeded', nominal: at, at };
    const { client } = await filled([
      ...['', '{', 'null', '3', '"text"', '{}', '[]'].map((body) => ({ taskId: 'x', at, body })),
      { taskId: 'a', at, body: plain },
    ]);
    expect(await client.latestRuns()).toEqual({
      runs: [
        { id: 'a', name: null, outcome: 'succeeded', nominal: new Date(at), endedAt: new Date(at) },
      ],
      next: null,
    });
    expect((await client.latestRuns({ name: 'job' })).runs).toEqual([]);
    expect((await client.latestRuns({ outcome: 'succeeded' })).runs).toHaveLength(1);
  });

  test('are those of one of several stores', async () => {
    const { store } = await filled(entriesOf(3));
    const other = new MemoryDataStore();
    const client = createScheduler({ store: { main: store, other } });
    expect((await client.latestRuns()).runs).toHaveLength(3);
    expect((await client.store('other').latestRuns()).runs).toEqual([]);
  });

  test('are refused where the store has no order of them', async () => {
    class Unordered extends MemoryDataStore {
      override latestHistory: DataStore['latestHistory'] = async () => {
        throw new SchedError('SCHED_STORE_UNSUPPORTED', 'There is no order.');
      };
    }
    const client = createScheduler({ store: new Unordered() });
    await expect(client.latestRuns()).rejects.toMatchObject({ code: 'SCHED_STORE_UNSUPPORTED' });
  });

  test.each<[string, object]>([
    ['a limit of 0', { limit: 0 }],
    ['half a limit', { limit: 1.5 }],
    ['an unknown outcome', { outcome: 'done' }],
    ['an empty name', { name: '' }],
    ['a page that is none', { after: 3 }],
    ['a page of another list', { after: 'task-7' }],
    ['a misspelt member', { outcomes: 'failed' }],
  ])('are refused with %s', async (_, request) => {
    const { client } = await filled([]);
    await expect(client.latestRuns(request)).rejects.toMatchObject({
      code: 'SCHED_ARGUMENT_INVALID',
    });
  });
});
