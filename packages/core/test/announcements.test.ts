import { hostname } from 'node:os';
import { MemoryDataStore } from '@sched/memory';
import { expect, test } from 'vitest';
import { copyTasks, defineTask } from '../src/index.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const minute = 60_000;

test('a scheduler that has been started is there, with what it does, until it stops', async () => {
  const { clock, scheduler } = createSetting();
  const quick = defineTask('quick', { handler: () => clock.sleep('20ms') });
  const long = defineTask('long', { handler: ({ signal }) => clock.sleep('1h', { signal }) });
  const bad = defineTask('bad', {
    retry: { limit: 1, min: '1s', jitter: 0 },
    handler: () => Promise.reject(new Error('no')),
  });
  const client = scheduler({ tasks: [quick, long, bad] });
  expect(await client.workers()).toEqual([]);
  const startedAt = new Date(clock.now());
  const it = scheduler({
    ...{ tasks: [quick, long, bad, defineTask('elsewhere')], announce: true },
    ...{ owner: 'one', queues: ['default', 'later'], concurrency: 5 },
  });
  await it.start();
  await clock.advance('1ms');
  const empty = Array(13).fill(0);
  const [first, ...others] = await client.workers();
  expect(others).toEqual([]);
  expect(first).toMatchObject({
    ...{ owner: 'one', host: hostname(), pid: process.pid, startedAt, seenAt: startedAt },
    ...{ tasks: ['quick', 'long', 'bad'], queues: ['default', 'later'], concurrency: 5 },
    ...{ running: 0, waiting: 0, settling: 0, minutes: [] },
    lateness: { counts: empty },
    duration: { counts: empty },
  });
  await client.scheduleMany([
    { task: quick, id: 'a' },
    { task: long, id: 'b' },
    { task: bad, id: 'c' },
    { task: quick, id: 'd', every: '1m', catchUp: 'none' },
  ]);
  await clock.advance('10s');
  const [worker] = await client.workers();
  expect(worker?.running).toBe(1);
  expect(worker?.minutes).toMatchObject([{ succeeded: 1, failed: 1, retried: 1, skipped: 0 }]);
  expect(worker?.lateness.counts[0]).toBe(4);
  const { bounds = [], counts = [] } = worker?.duration ?? {};
  expect(counts).toHaveLength(bounds.length + 1);
  expect(counts[bounds.indexOf(30)]).toBe(1);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
  await Promise.all([it.stop({ deadline: 0 }), clock.advance('1s')]);
  expect(await client.workers()).toEqual([]);
  await client.stop();
});

test('counts are of the last ten minutes in which anything ended', async () => {
  const { clock, scheduler } = createSetting();
  const task = defineTask('task', { handler: () => {} });
  const it = scheduler({ tasks: [task], announce: true });
  await it.start();
  await it.schedule(task, { id: 'a', every: '90s' });
  await clock.advance('30m');
  const [worker] = await it.workers();
  const minutes = worker?.minutes ?? [];
  expect(minutes).toHaveLength(10);
  const starts = minutes.map((each) => each.minute.getTime());
  expect(starts).toEqual([...starts].sort((a, b) => b - a));
  for (const start of starts) expect(start % minute).toBe(0);
  expect(minutes.every(({ succeeded }) => succeeded === 1)).toBe(true);
  await it.stop();
});

test('one that has died is shown for three minutes, and its record is removed by one that starts later', async () => {
  const { clock, store, scheduler } = createSetting();
  const dead = scheduler({ announce: true, owner: 'dead' });
  await dead.start();
  await clock.advance('1s');
  const [record] = (await store.list({ limit: 9 })).tasks;
  await dead.stop();
  // As a process leaves it that is killed.
  if (record) await store.insert([record]);
  const client = scheduler();
  await clock.advance('2m');
  expect(await client.workers()).toMatchObject([{ owner: 'dead' }]);
  await clock.advance('70s');
  expect(await client.workers()).toEqual([]);
  expect(await store.count({})).toBe(1);
  await clock.advance('2h');
  const alive = scheduler({ announce: true, owner: 'alive' });
  await alive.start();
  await clock.advance('1s');
  expect((await store.list({ limit: 9 })).tasks).toHaveLength(1);
  expect(await client.workers()).toMatchObject([{ owner: 'alive' }]);
  await alive.stop();
});

test('one that is idle writes once a minute, and one that is busy every ten seconds at most', async () => {
  const { clock, store, scheduler } = createSetting();
  let writes = 0;
  const handle = interceptStore(store, async (call, proceed) => {
    if (call === 'update' || call === 'insert') writes++;
    return proceed();
  });
  const task = defineTask('task', { handler: () => {} });
  const it = scheduler({ store: handle, tasks: [task], announce: true });
  await it.start();
  await clock.advance('1s');
  writes = 0;
  await clock.advance('10m');
  expect(writes).toBe(10);
  const client = scheduler({ tasks: [task] });
  await client.schedule(task, { id: 'a', every: '1s' });
  writes = 0;
  await clock.advance('10m');
  expect(writes).toBe(60);
  await it.stop();
});

test('what schedulers say is no task: not listed, counted, found or changed', async () => {
  const { clock, store, scheduler } = createSetting();
  const task = defineTask('task');
  const it = scheduler({ tasks: [task], announce: true, owner: 'one' });
  await it.start();
  await clock.advance('1s');
  await it.schedule(task, { id: 'a', in: '1h' });
  expect(await store.count({})).toBe(2);
  expect(await it.count()).toBe(1);
  expect(await it.count({ state: 'finished' })).toBe(0);
  expect(await it.count({ state: 'scheduled' })).toBe(1);
  expect(await it.count({ name: 'task' })).toBe(1);
  expect(await it.count({ paused: false })).toBe(1);
  expect((await it.listPage()).tasks.map(({ id }) => id)).toEqual(['a']);
  expect(await it.get('sched:scheduler:one')).toBeUndefined();
  expect(await it.pause({ all: true })).toBe(1);
  expect(await it.pause({ all: true })).toBe(0);
  expect(await it.count({ paused: true })).toBe(1);
  expect(await it.resume({ all: true })).toBe(1);
  expect(await it.remove({ all: true })).toBe(1);
  expect(await it.count()).toBe(0);
  // It says so again.
  await clock.advance('2m');
  expect(await it.workers()).toMatchObject([{ owner: 'one' }]);
  const group = 'sched:schedulers';
  await expect(it.schedule(task, { group })).rejects.toMatchObject({
    code: 'SCHED_ARGUMENT_INVALID',
  });
  await expect(it.remove({ group })).rejects.toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
  await it.stop();
});

test('a store that fails costs what it says, and nothing else', async () => {
  const { clock, store, scheduler } = createSetting();
  let fails = true;
  const handle = interceptStore(store, async (call, proceed) => {
    const isOfAnnouncing = ['get', 'update', 'insert', 'list', 'remove'].includes(call);
    if (fails && isOfAnnouncing) throw new Error('down');
    return proceed();
  });
  const errors: unknown[] = [];
  const it = scheduler({ store: handle, announce: true, owner: 'one' });
  it.on('storeError', (event) => errors.push(event));
  await it.start();
  await clock.advance('1m');
  expect(await store.count({})).toBe(0);
  fails = false;
  await clock.advance('10s');
  expect(await it.workers()).toMatchObject([{ owner: 'one' }]);
  fails = true;
  await it.stop();
  expect(errors).toEqual([]);
});

test('what a newer version says is left out', async () => {
  const { clock, store, scheduler } = createSetting();
  const it = scheduler({ announce: true, owner: 'one' });
  await it.start();
  await clock.advance('1s');
  const [record] = (await store.list({ limit: 9 })).tasks;
  const newer = { ...record, id: 'sched:scheduler:newer', body: '{"v":2}' };
  const damaged = { ...record, id: 'sched:scheduler:damaged', body: '{' };
  await store.insert([newer, damaged] as Parameters<typeof store.insert>[0]);
  expect(await it.workers()).toMatchObject([{ owner: 'one' }]);
  await it.stop();
});

test('what schedulers say is not copied to another store', async () => {
  const { clock, store, scheduler } = createSetting();
  const task = defineTask('task');
  const it = scheduler({ tasks: [task], announce: true, owner: 'dead' });
  await it.start();
  await it.schedule(task, { id: 'a', in: '1h' });
  await clock.advance('1s');
  const announcement = (await store.list({ limit: 9 })).tasks.find(({ group }) => group !== null);
  await it.stop();
  if (announcement) await store.insert([announcement]);
  const target = new MemoryDataStore({ clock: clock.now });
  await Promise.all([store.open(), target.open()]);
  expect(await store.count({})).toBe(2);
  const result = await copyTasks(store, target);
  expect(result).toMatchObject({ isComplete: true, inserted: 1, sourceCount: 1, targetCount: 1 });
  expect((await target.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual(['a']);
});
