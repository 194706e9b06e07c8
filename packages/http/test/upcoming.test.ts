import { createScheduler, defineTask } from '@sched/core';
import { createApi } from '@sched/http';
import { MemoryDataStore } from '@sched/memory';
import { expect, onTestFinished, test } from 'vitest';
import { caller, setting, sqliteStore, until, work } from './support.js';

const minuteMs = 60_000;

test('what runs next is told in order, across tasks, as often as each runs', async () => {
  const { scheduler, call } = setting({ store: sqliteStore() });
  const start = Math.ceil((Date.now() + minuteMs) / minuteMs) * minuteMs;
  const at = (minutes: number) => new Date(start + minutes * minuteMs);
  await scheduler.schedule(work, { id: 'once', payload: null, at: at(5) });
  await scheduler.schedule(work, { id: 'often', payload: null, cron: '* * * * *' });
  await scheduler.schedule(work, { id: 'paused', payload: null, at: at(1) });
  await scheduler.pause('paused');
  const { body } = await call('GET', '/upcoming?limit=40');
  expect(body.isComplete).toBe(true);
  expect(body.runs).toHaveLength(40);
  const times = body.runs.map((run: { at: string }) => run.at);
  expect(times).toEqual(times.toSorted());
  const of = (id: string) => body.runs.filter((run: { id: string }) => run.id === id);
  expect(of('once')).toEqual([
    { id: 'once', name: 'work', queue: 'default', at: at(5).toISOString() },
  ]);
  expect(of('paused')).toEqual([]);
  const often = scheduler.preview({ cron: '* * * * *' }, 39, {
    from: new Date(of('often')[0].at).getTime() - 1,
  });
  expect(of('often').map((run: { at: string }) => run.at)).toEqual(
    often.map((date) => date.toISOString()),
  );
});

test('of a task that runs, what follows is next', async () => {
  const { scheduler, call } = setting();
  await scheduler.schedule(work, {
    ...{ id: 'a', payload: 'wait', every: '1h' },
  });
  await scheduler.start();
  await scheduler.runNow('a');
  await scheduler.schedule(work, { id: 'b', payload: 'wait', in: 1 });
  await until(
    () => scheduler.get('b'),
    (task) => task?.state === 'running',
  );
  const { body } = await call('GET', '/upcoming?limit=3');
  expect(body.runs.map(({ id }: { id: string }) => id)).toEqual(['a', 'a', 'a']);
});

test('more tasks than are looked at are not taken for all', async () => {
  const { scheduler, call } = setting();
  await scheduler.scheduleMany(
    Array.from({ length: 2001 }, (_, index) => ({
      ...{ task: work, id: `task ${index}`, payload: null, in: '1h' },
    })),
  );
  const { body } = await call('GET', '/upcoming?limit=1000');
  expect([body.runs.length, body.isComplete]).toEqual([1000, false]);
});

test('tasks are found by how their ids begin, page by page, and changed together', async () => {
  const { scheduler, call } = setting({ store: sqliteStore() });
  await scheduler.scheduleMany(
    ['mail:', 'sweep:', 'Mail:', 'mail%'].flatMap((start) =>
      Array.from({ length: 15 }, (_, index) => ({
        ...{ task: work, id: `${start}${index}`, payload: null, in: '1h' },
      })),
    ),
  );
  const found: string[] = [];
  let cursor = '';
  do {
    const { body } = await call('GET', `/tasks?idPrefix=mail:&limit=4${cursor}`);
    expect(body.tasks.length).toBeLessThanOrEqual(4);
    found.push(...body.tasks.map(({ id }: { id: string }) => id));
    cursor = body.next && `&cursor=${body.next}`;
  } while (cursor !== null);
  expect(found.toSorted()).toEqual(Array.from({ length: 15 }, (_, n) => `mail:${n}`).toSorted());

  const first = await call('GET', '/tasks?idPrefix=mail:&limit=4');
  const elsewhere = `cursor=${first.body.next}&limit=4`;
  expect(await call('GET', `/tasks?idPrefix=sweep:&${elsewhere}`)).toMatchObject({
    body: { code: 'SCHED_CURSOR_INVALID' },
  });
  expect(await call('GET', `/tasks?${elsewhere}`)).toMatchObject({
    body: { code: 'SCHED_CURSOR_INVALID' },
  });

  const order = { action: 'pause', filter: { idPrefix: 'mail:' } };
  expect((await call('POST', '/bulk', order)).body).toMatchObject({ matched: 15 });
  const done = await call('POST', '/bulk', { ...order, dryRun: false, atMost: 15 });
  expect(done.body).toMatchObject({ changed: 15, isComplete: true });
  const paused: string[] = [];
  for await (const { id } of scheduler.list({ paused: true })) paused.push(id);
  expect(paused.toSorted()).toEqual(found.toSorted());
});

test('a search that finds little among many reads on for a while, and then says where it is', async () => {
  const { scheduler, call } = setting();
  await scheduler.scheduleMany(
    Array.from({ length: 100 }, (_, index) => ({
      ...{ task: work, id: `a${index}`, payload: null, in: '1h' },
    })),
  );
  const { body } = await call('GET', '/tasks?idPrefix=b&limit=2');
  expect(body.tasks).toEqual([]);
  expect(typeof body.next).toBe('string');
  expect((await call('GET', '/tasks?idPrefix=b&limit=50')).body.next).toBeNull();
});

test('what a handler tells is seen while it runs and afterwards, and what it returned where payloads are not redacted', async () => {
  const store = new MemoryDataStore();
  let finish = (): void => {};
  const tell = defineTask<null>('tell', {
    handler: async ({ progress, log }) => {
      progress(0.25);
      log('connected to postgres://ada:hunter2@db/tasks');
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { sent: 3 };
    },
  });
  const scheduler = createScheduler({ store, tasks: [tell], maxResultBytes: 1000 });
  const common = { scheduler, basePath: '/sched', authorize: () => ada, audit: () => {} };
  const api = createApi(common);
  const redacting = createApi({ ...common, redact: () => null });
  onTestFinished(async () => {
    await scheduler.stop({ deadline: 0 });
  });
  const call = caller(api);
  await scheduler.schedule(tell, { id: 'a', payload: null, every: '1h', keepFinished: true });
  await scheduler.schedule(tell, { id: 'b', payload: null });
  await scheduler.start();
  const { body } = await until(
    () => call('GET', '/tasks/b'),
    (answer) => answer.body?.report?.log,
  );
  const told = {
    progress: 0.25,
    log: [{ at: expect.stringMatching(/^20.*Z$/), text: expect.stringMatching(/^connected to/) }],
  };
  expect(body.report).toEqual(told);
  expect(JSON.stringify(body)).not.toContain('hunter2');
  finish();
  const history = await until(
    () => call('GET', '/tasks/b/history'),
    (answer) => answer.body.runs.length > 0,
  );
  expect(history.body.runs).toMatchObject([{ outcome: 'succeeded', ...told, result: { sent: 3 } }]);
  expect(JSON.stringify(history.body)).not.toContain('hunter2');
  const withheld = await caller(redacting)('GET', '/tasks/b/history');
  expect(withheld.body.runs).toMatchObject([{ outcome: 'succeeded', resultWithheld: true }]);
  expect(withheld.body.runs[0]).not.toHaveProperty('result');
});

const ada = { who: 'ada', may: 'admin' } as const;
