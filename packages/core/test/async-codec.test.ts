import { setImmediate as turn } from 'node:timers/promises';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { createScheduler, defineTask, every, type PayloadCodec } from '../src/index.js';
import { logEvents } from './support/events.js';
import { createSetting } from './support/setting.js';

/** Takes some turns of the event loop, and writes the same payload differently each time. */
function slowCodec(): PayloadCodec & { broken: Set<string>; decoded: string[] } {
  let count = 0;
  const broken = new Set<string>();
  const decoded: string[] = [];
  return {
    name: 'slow',
    input: 'json',
    broken,
    decoded,
    async encode(json) {
      await turn();
      return `${++count}:${json}`;
    },
    async decode(text) {
      await turn();
      const json = text.slice(text.indexOf(':') + 1);
      decoded.push(json);
      if (broken.has(json)) throw new Error('no such key');
      return json;
    },
  };
}

const plain = defineTask<unknown>('t');

describe('an asynchronous codec', () => {
  test('encodes what the caller gave, whatever is done to it afterwards', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [plain], codec: slowCodec() });
    const payload = { to: ['ada'] };
    const calls = [
      it.schedule(plain, { payload, id: 'a' }),
      it.scheduleMany([{ task: plain, payload, id: 'b' }]),
      it.sync([{ task: plain, payload, id: 'c' }]),
    ];
    payload.to.push('eve');
    await Promise.all(calls);
    const edit = it.update('a', { payload });
    payload.to.push('mallory');
    await edit;
    expect((await it.get('a'))?.payload).toEqual({ to: ['ada', 'eve'] });
    const { tasks } = await it.listPage();
    expect(tasks.map(({ payload }) => payload)).toEqual([
      { to: ['ada', 'eve'] },
      { to: ['ada'] },
      { to: ['ada'] },
    ]);
  });

  test('stores nothing of its input but what it made of it', async () => {
    const { store, scheduler } = createSetting();
    await using it = scheduler({ tasks: [plain], codec: slowCodec() });
    await it.schedule(plain, { payload: 'ada', id: 'a' });
    const [record] = await store.get(['a']);
    expect(JSON.parse(record?.body ?? '')).toMatchObject({
      encoded: { codec: 'slow', text: '1:"ada"' },
    });
    expect(JSON.parse(record?.body ?? '')).not.toHaveProperty('payload');
  });

  test('leaves what is declared again as it is, and changes what differs', async () => {
    const { store, scheduler } = createSetting();
    await using it = scheduler({ tasks: [plain], codec: slowCodec() });
    const declare = (payload: string) => it.sync([{ task: plain, payload, id: 'a', every: '1h' }]);
    expect((await declare('x')).created).toEqual(['a']);
    const before = await store.get(['a']);
    expect((await declare('x')).unchanged).toEqual(['a']);
    expect(await store.get(['a'])).toEqual(before);
    expect((await declare('y')).updated).toEqual(['a']);
    expect(await it.get('a')).toMatchObject({ payload: 'y' });
  });

  test('encodes anew what was stored without it, once', async () => {
    const { scheduler } = createSetting();
    await using before = scheduler({ tasks: [plain] });
    await using it = scheduler({ tasks: [plain], codec: slowCodec() });
    const declaration = { payload: 'x', id: 'a', trigger: every('1h') };
    await before.schedule(plain, declaration);
    expect(await it.get('a')).toMatchObject({ payload: 'x', error: null });
    expect((await it.schedule(plain, declaration)).outcome).toBe('updated');
    expect((await it.schedule(plain, declaration)).outcome).toBe('unchanged');
    expect(await before.get('a')).toMatchObject({ error: { code: 'SCHED_RECORD_UNREADABLE' } });
  });

  test('refuses what it cannot encode, with nothing stored and nothing unhandled', async () => {
    const { scheduler } = createSetting();
    const codec: PayloadCodec = {
      name: 'failing',
      encode: async (payload) => {
        await turn();
        if (payload === 'no') throw new Error('out of keys');
        return payload === 'number' ? (7 as unknown as string) : String(payload);
      },
      decode: (text) => text,
    };
    await using it = scheduler({ tasks: [plain], codec, maxPayloadBytes: 10 });
    const refused = (code: string, text: string) => ({
      code,
      message: expect.stringContaining(text),
    });
    await expect(it.schedule(plain, { payload: 'no' })).rejects.toMatchObject(
      refused('SCHED_PAYLOAD_INVALID', 'out of keys'),
    );
    await expect(it.schedule(plain, { payload: 'number' })).rejects.toMatchObject(
      refused('SCHED_PAYLOAD_INVALID', '7 instead of text'),
    );
    await expect(it.schedule(plain, { payload: 'eleven char' })).rejects.toMatchObject(
      refused('SCHED_PAYLOAD_TOO_LARGE', '11 bytes'),
    );
    await expect(
      it.scheduleMany([
        { task: plain, payload: 'no' },
        { task: plain, payload: 'no' },
        { task: plain, payload: 'yes', id: '' },
      ]),
    ).rejects.toMatchObject({ code: 'SCHED_ID_INVALID' });
    await turn();
    expect(await it.count()).toBe(0);
    await it.schedule(plain, { payload: 'yes', id: 'a' });
    await expect(it.update('a', { payload: 'no' })).rejects.toMatchObject(
      refused('SCHED_PAYLOAD_INVALID', 'out of keys'),
    );
    await expect(it.update('b', { payload: 'no' })).rejects.toMatchObject({
      code: 'SCHED_TASK_NOT_FOUND',
    });
    await turn();
  });

  test('that is given JSON is given what JSON can hold', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [plain], codec: slowCodec() });
    await expect(it.schedule(plain, { payload: { on: new Date() } })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
      details: { path: 'on' },
    });
  });

  test('decodes for each run once, and the handler has a payload of its own', async () => {
    const { clock, scheduler } = createSetting();
    const codec = slowCodec();
    const seen: unknown[] = [];
    const task = defineTask<{ list: number[] }>('t', {
      retry: 1,
      handler: ({ payload, attempt }) => {
        seen.push(structuredClone(payload));
        payload.list.push(attempt);
        if (attempt === 1) throw new Error('again');
      },
    });
    await using it = scheduler({ tasks: [task], codec });
    await it.schedule(task, { payload: { list: [] }, id: 'a', every: '1h' });
    codec.decoded.length = 0;
    await it.start();
    await clock.runUntil(() => seen.length === 4);
    expect(seen).toEqual(Array(4).fill({ list: [] }));
    expect(codec.decoded).toHaveLength(4);
  });

  test('decides nothing about what it cannot decode, and does the rest meanwhile', async () => {
    const { clock, scheduler } = createSetting();
    const codec = slowCodec();
    const ran: unknown[] = [];
    const task = defineTask<string>('t', {
      catchUp: 'none',
      handler: ({ payload }) => ran.push(payload),
    });
    await using it = scheduler({ tasks: [task], codec, concurrency: 1, prefetch: 0 });
    const events = logEvents(it);
    for (const payload of ['x', 'y', 'z']) await it.schedule(task, { payload, id: payload });
    codec.broken.add('"x"');
    await it.start();
    await clock.advance('1h');
    expect(ran).toEqual(['y', 'z']);
    expect(events.of('deferred')).toMatchObject([
      { id: 'x', reason: 'unreadable', error: { code: 'SCHED_RECORD_UNREADABLE' } },
    ]);
    expect(events.of('skipped')).toEqual([]);
    expect(await it.get('x')).toMatchObject({
      state: 'scheduled',
      payload: undefined,
      error: { code: 'SCHED_RECORD_UNREADABLE', message: expect.stringContaining('no such key') },
    });
    expect(await it.history('x')).toEqual([]);
    codec.broken.clear();
    // An hour late by now: catch-up decides as soon as it can be read.
    await clock.runUntil(() => events.of('skipped').length === 1);
    expect(await it.count()).toBe(0);
  });

  test('does not have the worker claim more than it has room for while it decodes', async () => {
    const { clock, store, scheduler } = createSetting();
    const codec = slowCodec();
    const ran: unknown[] = [];
    const task = defineTask<number>('t', { handler: ({ payload }) => ran.push(payload) });
    await using it = scheduler({ tasks: [task], codec, concurrency: 2, prefetch: 0 });
    const payloads = Array.from({ length: 20 }, (_, index) => index);
    await it.scheduleMany(
      payloads.map((payload) => ({ task, payload, at: clock.now() - 100 + payload })),
    );
    let atOnce = 0;
    let most = 0;
    const decode = codec.decode.bind(codec);
    codec.decode = async (text) => {
      most = Math.max(most, ++atOnce);
      const json = await decode(text);
      atOnce--;
      return json;
    };
    await it.start();
    await clock.runUntil(() => ran.length === 20);
    expect(ran).toEqual(payloads);
    expect(most).toBe(2);
    await clock.advance('1m');
    expect(await store.count({})).toBe(0);
  });

  test('that never answers holds up neither the others nor the task itself elsewhere', async () => {
    const store = new MemoryDataStore();
    const codec = slowCodec();
    const ran: unknown[] = [];
    const [others, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const task = defineTask<string>('t', {
      handler: ({ payload }) => {
        ran.push(payload);
        if (ran.length === 2) others.resolve();
        if (ran.length === 3) all.resolve();
      },
    });
    const options = { store, tasks: [task], codec, concurrency: 2, prefetch: 0, announce: false };
    await using it = createScheduler({
      ...options,
      lease: '300ms',
      abortGrace: '100ms',
      codec: {
        ...codec,
        decode: (text) => (text.includes('"x"') ? new Promise(() => {}) : codec.decode(text)),
      },
    });
    await using other = createScheduler(options);
    for (const payload of ['x', 'y', 'z']) await other.schedule(task, { payload });
    const events = logEvents(it);
    await it.start();
    await others.promise;
    await other.start();
    await all.promise;
    expect(ran).toContain('x');
    expect(events.of('deferred')).toMatchObject([
      {
        reason: 'unreadable',
        error: { code: 'SCHED_TIMEOUT', message: 'The codec took longer than 50 ms.' },
      },
    ]);
    await it.stop({ deadline: '1ms' });
  });

  test('gives back what is being decoded when the scheduler stops', async () => {
    const { clock, store, scheduler } = createSetting();
    const codec = slowCodec();
    let calls = 0;
    const task = defineTask<string>('t', { handler: () => calls++ });
    const opened = Promise.withResolvers<void>();
    const held: PayloadCodec = {
      ...codec,
      decode: async (text) => {
        await opened.promise;
        return codec.decode(text);
      },
    };
    await using client = scheduler({ tasks: [task], codec });
    await client.schedule(task, { payload: 'x', id: 'x' });
    const it = scheduler({ tasks: [task], codec: held });
    const claimed = Promise.withResolvers<void>();
    it.on('claimed', () => claimed.resolve());
    await it.start();
    await claimed.promise;
    const stopped = it.stop();
    opened.resolve();
    await stopped;
    expect(calls).toBe(0);
    expect(await store.get(['x'])).toMatchObject([{ lease: null, deliveries: 0 }]);
    expect(clock.pendingTimers).toBe(0);
  });
});
