import { deserialize, serialize } from 'node:v8';
import { type } from 'arktype';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  defineTask,
  type PayloadCodec,
  type Scheduler,
  type TaskDefinition,
} from '../src/index.js';
import {
  checkPayload,
  copyJson,
  encodePayload,
  parsePayload,
  readPayload,
  type StoredPayload,
} from '../src/payload.js';
import { bodyVersion, readBody, writeBody } from '../src/record.js';
import { logEvents } from './support/events.js';
import { createSetting } from './support/setting.js';

const mebibyte = 2 ** 20;

async function encode(
  task: TaskDefinition,
  payload: unknown,
  { codec, maxBytes = mebibyte }: { codec?: PayloadCodec; maxBytes?: number } = {},
) {
  const stored = await encodePayload(
    task.name,
    task.schema !== undefined,
    payload,
    codec,
    maxBytes,
  );
  await checkPayload(task, stored, codec);
  return stored;
}

/** What a handler is given of what is stored. */
async function decodePayload(
  task: TaskDefinition,
  stored: StoredPayload,
  codec: PayloadCodec | undefined,
) {
  const value = stored.encoded ? await readPayload(stored, codec) : copyJson(stored.payload);
  return parsePayload(task, value);
}

/** What a handler in another process is given. */
async function passOn(task: TaskDefinition, payload: unknown, codec?: PayloadCodec) {
  const stored = await encode(task, payload, codec && { codec });
  const text = writeBody({
    v: bodyVersion,
    trigger: { kind: 'at', at: 0 },
    declaredAt: 0,
    edition: 1,
    nominal: 0,
    attempt: 1,
    ...stored,
  });
  return decodePayload(task, readBody(text), codec);
}

const plain = defineTask<unknown>('plain');
const moment = '2030-03-31T02:30:00.000Z';

describe('types flow from the schema to schedule() and to the handler', () => {
  test('zod', () => {
    const task = defineTask('zod', {
      payload: z.object({ to: z.string(), on: z.string().transform((text) => new Date(text)) }),
      handler: ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ to: string; on: Date }>();
      },
    });
    expectTypeOf(task).toEqualTypeOf<
      TaskDefinition<{ to: string; on: string }, { to: string; on: Date }>
    >();
  });

  test('valibot', () => {
    const task = defineTask('valibot', {
      payload: v.object({ count: v.optional(v.number(), 1), on: v.pipe(v.string(), v.toDate()) }),
      handler: ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ count: number; on: Date }>();
      },
    });
    expectTypeOf(task).toEqualTypeOf<
      TaskDefinition<{ count?: number | undefined; on: string }, { count: number; on: Date }>
    >();
  });

  test('arktype', () => {
    const task = defineTask('arktype', {
      payload: type({ on: 'string.date.iso.parse' }),
      handler: ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ on: Date }>();
      },
    });
    expectTypeOf(task).toEqualTypeOf<TaskDefinition<{ on: string }, { on: Date }>>();
  });

  test('a type argument, without a schema', () => {
    defineTask<{ to: string }>('typed', {
      handler: ({ payload }) => {
        expectTypeOf(payload).toEqualTypeOf<{ to: string }>();
      },
    });
    defineTask('untyped', {
      handler: ({ payload }) => {
        expectTypeOf(payload).toBeVoid();
      },
    });
  });

  test('schedule() wants what the schema wants, and no payload where it may be absent', () => {
    const required = defineTask('required', { payload: z.object({ to: z.string() }) });
    const optional = defineTask('optional', { payload: z.string().default('all') });
    const check = (scheduler: Scheduler) => {
      void scheduler.schedule(required, { payload: { to: 'ada' } });
      void scheduler.schedule(optional);
      void scheduler.schedule(optional, { in: '1m' });
      // @ts-expect-error The schema wants a payload.
      void scheduler.schedule(required);
      // @ts-expect-error The schema wants text.
      void scheduler.schedule(required, { payload: { to: 7 } });
    };
    expectTypeOf(check).toBeFunction();
  });
});

describe('with a schema', () => {
  test.each([
    ['zod', defineTask('t', { payload: z.object({ on: z.coerce.date() }) }), new Date(moment)],
    ['zod, given text', defineTask('t', { payload: z.object({ on: z.coerce.date() }) }), moment],
    [
      'valibot',
      defineTask('t', { payload: v.object({ on: v.pipe(v.string(), v.toDate()) }) }),
      moment,
    ],
    ['arktype', defineTask('t', { payload: type({ on: 'string.date.iso.parse' }) }), moment],
  ])('the handler gets a Date where the schema makes one: %s', async (_, task, on) => {
    expect(await passOn(task, { on })).toEqual({ on: new Date(moment) });
  });

  test.each([
    ['zod', defineTask('t', { payload: z.object({ to: z.string() }) })],
    ['valibot', defineTask('t', { payload: v.object({ to: v.string() }) })],
    ['arktype', defineTask('t', { payload: type({ to: 'string' }) })],
  ])('a payload that it refuses is refused, naming the path: %s', async (_, task) => {
    await expect(encode(task, { to: 7 })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_INVALID',
      message: expect.stringContaining('to'),
      details: { issues: [expect.objectContaining({ path: 'to' })] },
    });
    await expect(encode(task, undefined)).rejects.toMatchObject({ code: 'SCHED_PAYLOAD_INVALID' });
  });

  test('an asynchronous one is awaited, on the way in and on the way out', async () => {
    const task = defineTask('t', {
      payload: z
        .string()
        .refine(async (text) => text !== 'bad')
        .transform(async (text) => text.length),
    });
    expect(await passOn(task, 'four')).toBe(4);
    await expect(encode(task, 'bad')).rejects.toMatchObject({ code: 'SCHED_PAYLOAD_INVALID' });
  });

  test('one that answers with a promise of its own making is awaited too', async () => {
    const task = defineTask('t', {
      payload: {
        '~standard': {
          version: 1,
          vendor: 'own',
          validate: (value) =>
            ({
              // biome-ignore lint/suspicious/noThenProperty: a promise that is no Promise is the case
              then: (resolve: (result: { value: unknown }) => void) => resolve({ value: [value] }),
            }) as unknown as Promise<{ value: unknown }>,
        },
      },
    });
    expect(await passOn(task, 'a')).toEqual(['a']);
  });

  test('what is stored is what was given, and the transformation is applied at each run', async () => {
    const task = defineTask('t', { payload: z.string().transform((text) => text.length) });
    const stored = await encode(task, 'four');
    expect(stored).toEqual({ payload: 'four' });
    expect(await decodePayload(task, stored, undefined)).toBe(4);
    expect(await decodePayload(task, stored, undefined)).toBe(4);
  });

  test('a default fills in for a payload that is absent', async () => {
    const task = defineTask('t', { payload: z.string().default('all') });
    expect(await encode(task, undefined)).toEqual({});
    expect(await passOn(task, undefined)).toBe('all');
  });

  test('the payload is checked as it will come back, so a date that stays text is refused at once', async () => {
    const task = defineTask('t', { payload: z.object({ on: z.date() }) });
    await expect(encode(task, { on: new Date(moment) })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_INVALID',
      message: expect.stringContaining('as it is stored'),
    });
  });

  test('objects may be of any class, when the schema takes what becomes of them', async () => {
    class Money {
      amount = 3;
      toJSON() {
        return `${this.amount} EUR`;
      }
    }
    class Point {
      x = 1;
      y = 2;
    }
    const task = defineTask('t', {
      payload: z.object({ price: z.string(), at: z.looseObject({}) }),
    });
    expect(await passOn(task, { price: new Money(), at: new Point() })).toEqual({
      price: '3 EUR',
      at: { x: 1, y: 2 },
    });
  });

  test('an object whose toJSON gives itself is written as it is', async () => {
    const task = defineTask('t', { payload: z.looseObject({}) });
    const self = { a: 1 };
    Object.defineProperty(self, 'toJSON', { value: () => self });
    expect(await passOn(task, self)).toEqual({ a: 1 });
  });

  test('one that throws is an error of its own kind, too', async () => {
    const task = defineTask('t', {
      payload: z.string().transform(() => {
        throw new RangeError('out of range');
      }),
    });
    await expect(encode(task, 'a')).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_INVALID',
      message: expect.stringContaining('out of range'),
      cause: expect.any(RangeError),
    });
  });
});

describe('without a schema', () => {
  class Money {
    amount = 3;
  }
  const cycle: { self?: unknown; list: unknown[] } = { list: [] };
  cycle.list.push({ back: cycle });
  const list = Object.assign([1, 2], { total: 3 });
  // biome-ignore lint/suspicious/noSparseArray: the hole is the case
  const sparse = [1, , 3];
  let deep: unknown = 'leaf';
  for (let i = 0; i < 100_000; i++) deep = { in: deep };

  test.each<[what: string, payload: unknown, path: string, problem: string]>([
    ['undefined in an array', { list: [1, undefined] }, 'list.1', 'is undefined'],
    ['a hole in an array', { list: sparse }, 'list.1', 'is undefined'],
    ['members of an array', { list }, 'list', 'has members beside its elements'],
    ['a function', { a: { call: () => 1 } }, 'a.call', 'is a function'],
    ['a method that writes the object', { a: { toJSON: () => 1 } }, 'a', 'has a toJSON method'],
    ['a symbol', { a: [Symbol('s')] }, 'a.0', 'is a symbol'],
    ['a symbol for a key', { a: { [Symbol('s')]: 1 } }, 'a', 'has a symbol for a key'],
    ['a cycle', cycle, 'list.0.back', 'contains itself'],
    ['a BigInt', { a: 1n }, 'a', 'is a bigint'],
    ['NaN', { a: Number.NaN }, 'a', 'is NaN'],
    ['Infinity', [Number.POSITIVE_INFINITY], '0', 'is Infinity'],
    ['a Date', { on: new Date(moment) }, 'on', 'is not a plain object but a Date'],
    ['an invalid Date', { on: new Date(Number.NaN) }, 'on', 'is not a plain object but a Date'],
    ['a Map', { a: new Map() }, 'a', 'is not a plain object but a Map'],
    ['a Set', { a: new Set() }, 'a', 'is not a plain object but a Set'],
    [
      'an instance of a class',
      { price: new Money() },
      'price',
      'is not a plain object but a Money',
    ],
    ['a regular expression', /a/, '', 'is not a plain object but a RegExp'],
    ['an error', { error: new Error('a') }, 'error', 'is not a plain object but a Error'],
    ['bytes', { a: new Uint8Array(1) }, 'a', 'is not a plain object but a Uint8Array'],
    ['a boxed number', { a: Object(1) }, 'a', 'is not a plain object but a Number'],
    ['a promise', { a: Promise.resolve(1) }, 'a', 'is not a plain object but a Promise'],
    ['deep nesting', deep, Array(500).fill('in').join('.'), 'is nested more than 500 deep'],
  ])('%s is refused, naming the path', async (_, payload, path, problem) => {
    await expect(encode(plain, payload)).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
      message: expect.stringContaining(`${path.length > 100 ? '' : path || 'it'} ${problem}`),
      details: { path },
    });
  });

  test.each<[what: string, payload: unknown]>([
    [
      'a getter that throws',
      {
        get a() {
          throw new Error('no entry');
        },
      },
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('no entry');
          },
        },
      ),
    ],
  ])('%s is refused with what was thrown', async (_, payload) => {
    await expect(encode(plain, payload)).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
      message: expect.stringContaining('no entry'),
    });
  });

  test('a boxed BigInt, which only a schema lets through, is refused with what JSON says of it', async () => {
    const task = defineTask('t', { payload: z.unknown() });
    await expect(encode(task, { a: Object(1n) })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
      cause: expect.any(TypeError),
    });
  });

  test('the same object in two places is no cycle', async () => {
    const shared = { a: 1 };
    expect(await passOn(plain, [shared, { shared }])).toEqual([{ a: 1 }, { shared: { a: 1 } }]);
  });

  test('an undefined member is an absent one', async () => {
    expect(await passOn(plain, { a: undefined, b: null })).toStrictEqual({ b: null });
  });

  test('an object without a prototype is plain, and 500 levels are not too deep', async () => {
    const bare = Object.assign(Object.create(null), { a: 1 });
    expect(await passOn(plain, bare)).toEqual({ a: 1 });
    let nested: unknown = 'leaf';
    for (let i = 0; i < 500; i++) nested = [nested];
    expect(JSON.stringify(await passOn(plain, nested))).toBe(JSON.stringify(nested));
  });

  test('any JSON value comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (payload) => {
        expect(JSON.stringify(await passOn(plain, payload))).toBe(JSON.stringify(payload));
      }),
    );
  });

  test('text comes back whole, whatever characters it is made of', async () => {
    const strange = [
      '😀',
      '\u{10ffff}',
      '\ud800',
      'a\udc00b',
      '\0',
      '\u2028',
      '\u007f',
      '\ufeff',
      'é',
    ];
    for (const text of [...strange, strange.join('')]) {
      expect(await passOn(plain, { [text]: text })).toEqual({ [text]: text });
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect(await passOn(plain, text)).toBe(text);
      }),
    );
  });

  test('keys that mean something to JavaScript survive byte for byte, and pollute nothing', async () => {
    const text =
      '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}},"toString":"a","hasOwnProperty":1,"list":[{"__proto__":null}]}';
    const received = await passOn(plain, JSON.parse(text));
    expect(JSON.stringify(received)).toBe(text);
    expect(Object.getPrototypeOf(received)).toBe(Object.prototype);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });
});

describe('the size limit', () => {
  test.each([
    ['ASCII', 'a', 1],
    ['two bytes each', 'é', 2],
    ['three bytes each', '€', 3],
    ['four bytes each', '😀', 4],
    ['an escape of six', '\0', 6],
  ])('counts bytes of UTF-8: %s', async (_, character, size) => {
    const maxBytes = 100 * size + 2;
    const task = plain;
    await expect(encode(task, character.repeat(100), { maxBytes })).resolves.toBeDefined();
    await expect(encode(task, character.repeat(101), { maxBytes })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_TOO_LARGE',
      details: { bytes: 101 * size + 2, maxBytes },
    });
  });

  test('is 1 MiB by default, and what createScheduler says otherwise', async () => {
    const { scheduler } = createSetting();
    await using byDefault = scheduler({ tasks: [plain] });
    await using small = scheduler({ tasks: [plain], maxPayloadBytes: 10 });
    await byDefault.schedule(plain, { payload: 'a'.repeat(mebibyte - 2), id: 'a' });
    await expect(
      byDefault.schedule(plain, { payload: 'a'.repeat(mebibyte - 1) }),
    ).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_TOO_LARGE',
    });
    await expect(small.schedule(plain, { payload: 'a'.repeat(9) })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_TOO_LARGE',
    });
    expect(await small.count()).toBe(1);
  });
});

describe('a codec', () => {
  const rich: PayloadCodec = {
    name: 'v8',
    encode: (payload) => serialize(payload).toString('base64'),
    decode: (text) => deserialize(Buffer.from(text, 'base64')),
  };

  test('keeps rich types', async () => {
    const payload = {
      on: new Date(moment),
      tags: new Map([['a', 1n]]),
      bytes: new Uint8Array([1]),
    };
    expect(await passOn(plain, payload, rich)).toEqual(payload);
  });

  test('hands what it decoded to the schema', async () => {
    const task = defineTask('t', { payload: z.object({ on: z.date() }) });
    expect(await passOn(task, { on: new Date(moment) }, rich)).toEqual({ on: new Date(moment) });
    await expect(encode(task, { on: moment }, { codec: rich })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_INVALID',
    });
  });

  test('that encodes to too much is told so', async () => {
    await expect(encode(plain, 'a', { codec: rich, maxBytes: 4 })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_TOO_LARGE',
    });
  });

  test.each<[what: string, codec: Partial<PayloadCodec>, message: string]>([
    [
      'throws',
      {
        encode: () => {
          throw new Error('no key');
        },
      },
      'no key',
    ],
    ['gives no text', { encode: () => 7 as unknown as string }, '7 instead of text'],
  ])('that %s refuses the payload', async (_, codec, message) => {
    await expect(encode(plain, 'a', { codec: { ...rich, ...codec } })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_INVALID',
      message: expect.stringContaining(message),
    });
  });

  test('other than the one that encoded makes the record unreadable', async () => {
    const stored = await encode(plain, 'a', { codec: rich });
    for (const codec of [undefined, { ...rich, name: 'other' }]) {
      await expect(decodePayload(plain, stored, codec)).rejects.toMatchObject({
        code: 'SCHED_RECORD_UNREADABLE',
        message: expect.stringContaining('"v8"'),
      });
    }
  });

  test('that is missing, or cannot decode, leaves the task alone and says so', async () => {
    const { clock, scheduler } = createSetting();
    const ran: string[] = [];
    const task = defineTask<string>('t', { handler: ({ task: { id } }) => ran.push(id) });
    await using client = scheduler({ tasks: [task], codec: rich });
    await using without = scheduler({ tasks: [task] });
    await client.schedule(task, { payload: 'a', id: 'encoded' });
    const events = logEvents(without);
    await without.start();
    await without.schedule(task, { payload: 'b', id: 'plain' });
    await clock.advance('1h');
    expect(ran).toEqual(['plain']);
    expect(events.of('deferred')).toMatchObject([
      { id: 'encoded', reason: 'unreadable', error: { code: 'SCHED_RECORD_UNREADABLE' } },
    ]);

    const wrongKey = { ...rich, decode: () => deserialize(Buffer.of(0)) };
    await using other = scheduler({ tasks: [task], codec: wrongKey });
    await without.stop();
    await other.start();
    await clock.advance('1h');
    expect(await client.get('encoded')).toMatchObject({ state: 'scheduled', payload: 'a' });

    await using worker = scheduler({ tasks: [task], codec: rich });
    await other.stop();
    await worker.start();
    await clock.runUntil(() => ran.includes('encoded'));
  });

  test('other than the one of a run that is in progress does not keep it from being recorded', async () => {
    const { clock, scheduler } = createSetting();
    const task = defineTask<string>('t', { handler: () => clock.sleep('10s') });
    await using worker = scheduler({ tasks: [task], codec: rich });
    await using other = scheduler({ tasks: [task], codec: { ...rich, name: 'other' } });
    const events = logEvents(worker);
    await worker.schedule(task, { payload: 'a', id: 'a', every: '1h' });
    await worker.start();
    await clock.runUntil(() => events.of('started').length === 1);
    await other.update('a', { payload: 'b' });
    await clock.runUntil(() => events.of('succeeded').length === 1);
    await clock.advance('1h');
    expect(events.types()).not.toContain('lost');
    expect(events.of('deferred')).toMatchObject([{ id: 'a', reason: 'unreadable' }]);
    expect(await worker.history('a')).toMatchObject([{ outcome: 'succeeded', attempt: 1 }]);
    expect(await other.get('a')).toMatchObject({ state: 'scheduled', payload: 'b' });
  });

  test('that cannot decode what it finds makes the record unreadable', async () => {
    const encoded = { codec: 'v8', text: 'damaged' };
    await expect(decodePayload(plain, { encoded }, rich)).rejects.toMatchObject({
      code: 'SCHED_RECORD_UNREADABLE',
      cause: expect.any(Error),
    });
  });
});

describe('at run time', () => {
  test('the handler gets what the schema makes of the stored payload', async () => {
    const { clock, scheduler } = createSetting();
    const seen: unknown[] = [];
    const task = defineTask('t', {
      payload: z.object({ on: z.coerce.date() }),
      handler: ({ payload }) => seen.push(payload.on),
    });
    await using worker = scheduler({ tasks: [task] });
    await worker.start();
    await worker.schedule(task, { payload: { on: new Date(moment) } });
    await clock.runUntil(() => seen.length === 1);
    expect(seen).toEqual([new Date(moment)]);
  });

  test('a payload that its schema has come to refuse fails without retries, and is kept', async () => {
    const { clock, scheduler } = createSetting();
    let calls = 0;
    const older = defineTask('t', { payload: z.object({ to: z.string() }) });
    const newer = defineTask('t', {
      payload: z.object({ to: z.email() }),
      handler: () => calls++,
      retry: 5,
    });
    await using client = scheduler({ tasks: [older] });
    await using worker = scheduler({ tasks: [newer] });
    await client.schedule(older, { payload: { to: 'ada' }, id: 'a' });
    await worker.start();
    await clock.runUntil(async () => (await client.get('a'))?.state === 'failed');
    expect(await client.get('a')).toMatchObject({
      payload: { to: 'ada' },
      lastRun: { outcome: 'failed', attempt: 1, error: { code: 'SCHED_PAYLOAD_INVALID' } },
    });
    expect(calls).toBe(0);
  });

  test('what a handler does to its payload does not reach the next attempt or the next run', async () => {
    const { clock, scheduler } = createSetting();
    const seen: unknown[] = [];
    const task = defineTask<{ list: number[] }>('t', {
      handler: ({ payload, attempt }) => {
        seen.push(structuredClone(payload));
        payload.list.push(attempt);
        if (attempt === 1) throw new Error('again');
      },
    });
    await using worker = scheduler({ tasks: [task] });
    await worker.start();
    await worker.schedule(task, { payload: { list: [] }, id: 'a', every: '1h' });
    await clock.runUntil(() => seen.length === 4);
    expect(seen).toEqual(Array(4).fill({ list: [] }));
    expect((await worker.get('a'))?.payload).toEqual({ list: [] });
  });
});
