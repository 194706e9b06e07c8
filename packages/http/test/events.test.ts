import type { Api } from '@sched/http';
import { MemoryDataStore } from '@sched/memory';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { base, byToken, setting, until, work } from './support.js';

interface Message {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: each event has a form of its own
  readonly data: any;
}

/** Opens a stream. Gives its events one by one. */
async function open(api: Api, path = '/events', headers: Record<string, string> = {}) {
  const response = await api(new Request(`${base}${path}`, { headers }));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (): Promise<Message> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end < 0) {
        const { done, value } = (await reader?.read()) ?? { done: true };
        if (done) throw new Error('the stream has ended');
        text += value;
        continue;
      }
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      if (lines[0]?.startsWith(':')) continue;
      const member = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      return { event: member('event'), id: member('id'), data: JSON.parse(member('data')) };
    }
  };
  return { response, next, close: () => reader?.cancel() };
}

afterEach(() => {
  vi.useRealTimers();
});

test('a stream tells what happens, from when it was opened', async () => {
  const { api, scheduler } = setting();
  await scheduler.schedule(work, { id: 'before', payload: null, in: '1h' });
  const { response, next, close } = await open(api);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  expect(await next()).toMatchObject({ event: 'hello', data: {} });
  await scheduler.schedule(work, { id: 'a', payload: null, in: '1h' });
  expect(await next()).toMatchObject({
    event: 'scheduled',
    data: { id: 'a', name: 'work', store: 'default', outcome: 'created' },
  });
  await scheduler.pause('a');
  expect(await next()).toMatchObject({ event: 'paused', data: { count: 1 } });
  await close();
});

test('a stream tells of changes that are made through the API, of which a scheduler tells nothing', async () => {
  const { api, call } = setting();
  await call('POST', '/tasks', { task: 'work', id: 'a', in: '1h' });
  const { next } = await open(api);
  await next();
  await call('PATCH', '/tasks/a', { queue: 'slow' });
  expect(await next()).toMatchObject({
    event: 'changed',
    data: { action: 'updateTask', id: 'a', store: null },
  });
  await call('POST', '/bulk', { action: 'retry', ids: ['a'], dryRun: false });
  expect(await next()).toMatchObject({ event: 'changed', data: { action: 'changeTasks:retry' } });
});

test('a stream of one store is about that store', async () => {
  const { api, scheduler } = setting({
    store: { a: new MemoryDataStore(), b: new MemoryDataStore() },
  });
  const { next } = await open(api, '/events?store=b');
  await next();
  await scheduler.store('a').schedule(work, { id: '1', payload: null, in: '1h' });
  await scheduler.store('b').schedule(work, { id: '2', payload: null, in: '1h' });
  expect(await next()).toMatchObject({ data: { store: 'b', id: '2' } });
  const { response } = await open(api, '/events?store=c');
  expect(response.status).toBe(400);
});

test('errors in events show no secret', async () => {
  const { api, scheduler } = setting();
  const { next } = await open(api);
  await next();
  await scheduler.schedule(work, { id: 'a', payload: { fail: 'at redis://:hunter2@db' } });
  await scheduler.start();
  const failed = await until(next, ({ event }) => event === 'failed');
  expect(failed.data.error).toEqual({ name: 'TypeError', message: 'at redis://:***@db' });
});

describe('a reader that comes back', () => {
  const schedule = (scheduler: ReturnType<typeof setting>['scheduler'], id: string) =>
    scheduler.schedule(work, { id, payload: null, in: '1h' });

  test('gets what it has missed', async () => {
    const { api, scheduler } = setting();
    const first = await open(api);
    const { id } = await first.next();
    await schedule(scheduler, 'a');
    const seen = await first.next();
    await first.close();
    await schedule(scheduler, 'b');
    await schedule(scheduler, 'c');
    const again = await open(api, '/events', { 'last-event-id': seen.id });
    expect(await again.next()).toMatchObject({ event: 'hello', id: seen.id });
    expect([(await again.next()).data.id, (await again.next()).data.id]).toEqual(['b', 'c']);
    const fromStart = await open(api, '/events', { 'last-event-id': id });
    await fromStart.next();
    expect((await fromStart.next()).data.id).toBe('a');
  });

  test('is told to read all anew where too much has happened, or elsewhere', async () => {
    const { api, scheduler } = setting();
    const first = await open(api);
    const { id } = await first.next();
    const [run] = id.split('-');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    for (let second = 0; second < 3; second++) {
      for (let n = 0; n < 200; n++) await schedule(scheduler, `${second}.${n}`);
      vi.advanceTimersByTime(1000);
    }
    vi.useRealTimers();
    for (const last of [
      id,
      'elsewhere-600',
      `${run}-9999`,
      `${run}-`,
      `${run}--1`,
      `${run}-1e1`,
      '',
      'x',
    ]) {
      const again = await open(api, '/events', { 'last-event-id': last });
      const { event, id: current } = await again.next();
      expect([last, event]).toEqual([last, 'reset']);
      expect(current).toBe(`${run}-600`);
      await again.close();
    }
  });

  test('long after the last one has gone is told so, because nobody has listened', async () => {
    const { api, scheduler } = setting();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const first = await open(api);
    const { id } = await first.next();
    await first.close();
    vi.advanceTimersByTime(31_000);
    await schedule(scheduler, 'a');
    const again = await open(api, '/events', { 'last-event-id': id });
    expect((await again.next()).event).toBe('reset');
  });
});

test('of too many events only the numbers are told', async () => {
  const { api, scheduler } = setting();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { next } = await open(api);
  await next();
  for (let n = 0; n < 250; n++)
    await scheduler.schedule(work, { id: `${n}`, payload: null, in: '1h' });
  vi.advanceTimersByTime(1000);
  for (let n = 0; n < 200; n++) expect((await next()).data.id).toBe(`${n}`);
  expect(await next()).toMatchObject({ event: 'more', data: { counts: { scheduled: 50 } } });
});

describe('what streams take up is bounded', () => {
  test('one that is never read is dropped, and the others go on', async () => {
    const { api, scheduler } = setting({ options: { limits: { streamBytes: 2000 } } });
    const silent = await api(new Request(`${base}/events`));
    const { next } = await open(api);
    await next();
    for (let n = 0; n < 50; n++) {
      await scheduler.schedule(work, { id: `${n}`, payload: null, in: '1h' });
      expect((await next()).data.id).toBe(`${n}`);
    }
    await expect(silent.text()).rejects.toThrow('does not keep up');
  });

  test('a thousand tabs are refused beyond the limit, each caller by itself', async () => {
    const { api } = setting({
      options: { authorize: byToken, limits: { streams: 5, streamsPerCaller: 3 } },
    });
    const ask = async (may: string) => {
      const headers = { authorization: `Bearer ${may}` };
      return open(api, '/events', headers);
    };
    const opened = [];
    const statuses: number[] = [];
    for (let n = 0; n < 1000; n++) {
      const stream = await ask('read');
      statuses.push(stream.response.status);
      if (stream.response.status === 200) opened.push(stream);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.filter((status) => status === 429)).toHaveLength(997);
    for (const status of [200, 200, 503]) expect((await ask('admin')).response.status).toBe(status);
    await opened[0]?.close();
    const { response } = await ask('operate');
    expect(response.status).toBe(200);
  });

  test('a stream shows that it is alive, and ends after a while', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const { api } = setting({ options: { limits: { streamMs: 60_000 } } });
    const response = await api(new Request(`${base}/events`));
    vi.advanceTimersByTime(46_000);
    vi.advanceTimersByTime(60_000);
    const text = await response.text();
    expect(text.split('\n\n').filter((part) => part === ':')).toHaveLength(3);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  });

  test('streams end with their scheduler, so that a server can close', async () => {
    const { api, scheduler } = setting();
    const response = await api(new Request(`${base}/events`));
    await scheduler.stop();
    expect(await response.text()).toMatch(/event: stopped\n/);
    const other = await api(new Request(`${base}/events`));
    await api.close();
    expect(await other.text()).toMatch(/^event: hello\n[^:]*:[^:]*: \{\}\n\n$/);
  });
});
