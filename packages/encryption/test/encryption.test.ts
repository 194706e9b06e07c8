import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import {
  createScheduler,
  type DataStore,
  defineTask,
  type PayloadCodec,
  type Scheduler,
  type SchedulerOptions,
} from '@sched/core';
import { type EncryptionOptions, encryption, type KeyMaterial } from '@sched/encryption';
import { MemoryDataStore } from '@sched/memory';
import { PostgresDataStore } from '@sched/postgres';
import { SqliteDataStore } from '@sched/sqlite';
import { describeOn } from '@sched-tooling/services';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

const key = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64');
const keys = { may: key(), june: key() };
const may = () => encryption({ keys, current: 'may' });
const secret = 'ada@example.org, 4111 1111 1111 1111';
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function scheduler(store: DataStore, options: Partial<SchedulerOptions>): Scheduler {
  const made = createScheduler({ store, announce: false, ...options });
  cleanups.push(() => made.stop());
  return made;
}

/** The encrypted text of a task, as it is stored. */
async function storedText(store: DataStore, id: string): Promise<string> {
  const [record] = await store.get([id]);
  return JSON.parse(record?.body ?? '').encoded.text;
}

function next(it: Scheduler, name: 'succeeded' | 'deferred'): Promise<unknown> {
  return new Promise((resolve) => {
    const off = it.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}

function onEveryStore(makeStore: () => DataStore): void {
  test('what is stored has nothing of the payload in it, and the handler gets all of it', async () => {
    const store = makeStore();
    const seen: unknown[] = [];
    const task = defineTask<unknown>('mail', { handler: ({ payload }) => seen.push(payload) });
    const it = scheduler(store, { tasks: [task], codec: may() });
    const payload = { to: secret, list: [1, null, { a: 'ü🙂' }] };
    await it.schedule(task, { payload, id: 'a' });
    const [record] = await store.get(['a']);
    expect(record?.body).not.toMatch(/ada@|4111|"to"/);
    expect(record?.body).toContain('"encoded":{"codec":"aes-256-gcm","text":"1.may.');
    expect((await it.get('a'))?.payload).toEqual(payload);
    const done = next(it, 'succeeded');
    await it.start();
    await done;
    expect(seen).toEqual([payload]);
  });

  test('what is declared again is left as it is, also under another current key', async () => {
    const store = makeStore();
    const task = defineTask<string>('mail');
    const declare = (codec: PayloadCodec, payload = secret) =>
      scheduler(store, { tasks: [task], codec }).sync([{ task, payload, id: 'a', every: '1h' }]);
    const june = encryption({ keys, current: 'june' });
    expect((await declare(may())).created).toEqual(['a']);
    const text = await storedText(store, 'a');
    expect((await declare(may())).unchanged).toEqual(['a']);
    expect((await declare(june)).unchanged).toEqual(['a']);
    expect(await storedText(store, 'a')).toBe(text);
    expect((await declare(june, 'another')).updated).toEqual(['a']);
    expect(await storedText(store, 'a')).toMatch(/^1\.june\./);
    expect((await declare(may(), 'another')).unchanged).toEqual(['a']);
  });

  test('keys are rotated: old tasks are read by their own, edits are by the current one, then the old one goes', async () => {
    const store = makeStore();
    const seen: unknown[] = [];
    const task = defineTask<string>('mail', { handler: ({ payload }) => seen.push(payload) });
    const before = scheduler(store, { tasks: [task], codec: may() });
    for (const id of ['a', 'b', 'c']) {
      await before.schedule(task, { payload: `${secret} ${id}`, id, in: '1h' });
    }
    const it = scheduler(store, { tasks: [task], codec: encryption({ keys, current: 'june' }) });
    await it.update('a', { queue: 'other' });
    expect(await storedText(store, 'a')).toMatch(/^1\.may\./);
    await it.update('b', { payload: 'edited' });
    expect(await storedText(store, 'b')).toMatch(/^1\.june\./);

    for await (const { id, payload } of it.list()) {
      if (payload !== undefined) await it.update(id, { payload });
    }
    const { june = '' } = keys;
    const after = scheduler(store, {
      tasks: [task],
      codec: encryption({ keys: { june }, current: 'june' }),
    });
    const { tasks } = await after.listPage();
    expect(tasks.map(({ payload, error }) => [payload, error])).toEqual([
      [`${secret} a`, null],
      ['edited', null],
      [`${secret} c`, null],
    ]);
    await after.update('a', { queue: 'default', in: 1 });
    const done = next(after, 'succeeded');
    await after.start();
    await done;
    expect(seen).toEqual([`${secret} a`]);
  });

  test.each<[string, (text: string) => Partial<EncryptionOptions> | string, RegExp]>([
    ['a key that is missing', () => ({ keys: { july: key() }, current: 'july' }), /the key "may"/],
    ['another key of that id', () => ({ keys: { may: key() } }), /"may" or the context/],
    ['another context', () => ({ context: 'staging' }), /"may" or the context/],
    ['a changed byte', (text) => flip(text, text.length - 8), /it was changed/],
    ['a changed nonce', (text) => flip(text, 8), /it was changed/],
    ['a changed key id', (text) => text.replace('.may.', '.june.'), /it was changed/],
    ['a text cut short', (text) => text.slice(0, 20), /it was changed/],
    ['no text at all', () => '', /not of the form/],
    ['a newer form', (text) => text.replace('1.', '2.'), /not of the form/],
    ['something that is no base64', () => '1.may.%%%', /not of the form/],
  ])('%s: the task is put off and told of, and not lost', async (_, change, message) => {
    const store = makeStore();
    const seen: unknown[] = [];
    const task = defineTask<string>('mail', { handler: ({ payload }) => seen.push(payload) });
    const writer = scheduler(store, { tasks: [task], codec: may() });
    await writer.schedule(task, { payload: secret, id: 'a' });
    const text = await storedText(store, 'a');
    const changed = change(text);
    const options = typeof changed === 'string' ? {} : changed;
    if (typeof changed === 'string') await replaceText(store, 'a', changed);
    const reader = scheduler(store, {
      tasks: [task],
      codec: encryption({ keys, current: 'may', ...options }),
    });
    const deferred = next(reader, 'deferred');
    await reader.start();
    const told = (await deferred) as { error: Error };
    expect(told).toMatchObject({
      id: 'a',
      reason: 'unreadable',
      error: { code: 'SCHED_RECORD_UNREADABLE', message: expect.stringMatching(message) },
    });
    expect(seen).toEqual([]);
    expect(await reader.get('a')).toMatchObject({
      payload: undefined,
      error: { code: 'SCHED_RECORD_UNREADABLE', message: expect.stringMatching(message) },
    });
    expect(everythingIn(told.error)).not.toMatch(/ada@|4111/);
    await reader.stop();
    expect((await writer.get('a'))?.state).toBe('scheduled');

    await replaceText(store, 'a', text);
    await writer.update('a', { in: 1 });
    const done = next(writer, 'succeeded');
    await writer.start();
    await done;
    expect(seen).toEqual([secret]);
  });
}

describe('on memory', () => {
  onEveryStore(() => {
    // Stays open while one of several schedulers stops.
    const store = new MemoryDataStore();
    cleanups.push(() => store.close());
    return store;
  });
});

describe('on SQLite', () => {
  onEveryStore(() => {
    const folder = mkdtempSync(join(tmpdir(), 'sched-encryption-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    return new SqliteDataStore({ path: join(folder, 'tasks.db') });
  });
});

await describeOn('postgres', 'on PostgreSQL', (postgres) => {
  onEveryStore(() => {
    const schema = `encryption_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
    return new PostgresDataStore({ url: postgres.url, schema });
  });
});

/** Another character at this place of a text, and not in the bits that base64 leaves unused. */
function flip(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'z' : 'A') + text.slice(at + 1);
}

async function replaceText(store: DataStore, id: string, text: string): Promise<void> {
  const [record] = await store.get([id]);
  const body = JSON.parse(record?.body ?? '');
  const changed = JSON.stringify({ ...body, encoded: { ...body.encoded, text } });
  const revision = record?.revision ?? 0;
  expect(await store.update(id, { body: changed }, { revision })).toBe('updated');
}

/** All that an error says, with its causes. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? '';
  return [error.message, error.stack, JSON.stringify(error), everythingIn(error.cause)].join('\n');
}

describe('the codec', () => {
  test('gives back whatever JSON it was given, and writes it differently each time', async () => {
    const codec = may();
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => {
        const [one, two] = [await codec.encode(json), await codec.encode(json)];
        expect(one).not.toBe(two);
        expect(await codec.decode(one)).toBe(json);
        expect(await codec.decode(two)).toBe(json);
      }),
      { numRuns: 50 },
    );
    const large = JSON.stringify('x'.repeat(300_000));
    expect(await codec.decode(await codec.encode(large))).toBe(large);
  });

  test('refuses a payload that JSON cannot hold, as without it', async () => {
    const task = defineTask<unknown>('t');
    const it = scheduler(new MemoryDataStore(), { tasks: [task], codec: may() });
    await expect(it.schedule(task, { payload: { on: new Date() } })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
      details: { path: 'on' },
    });
  });

  test('encrypts what another codec has encoded, and keeps to itself what that one says', async () => {
    const rich: PayloadCodec = {
      name: 'v8',
      encode: (payload) => {
        if (payload === secret) throw new Error(`cannot take ${payload}`);
        return serialize(payload).toString('base64');
      },
      decode: (text) => deserialize(Buffer.from(text, 'base64')),
    };
    const codec = encryption({ keys, current: 'may', codec: rich });
    expect(codec.name).toBe('aes-256-gcm+v8');
    const payload = { on: new Date(), tags: new Map([['a', 1n]]) };
    const text = await codec.encode(payload);
    expect(await codec.decode(text)).toEqual(payload);

    const task = defineTask<unknown>('t');
    const it = scheduler(new MemoryDataStore(), { tasks: [task], codec });
    const refused = await it.schedule(task, { payload: secret }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'SCHED_PAYLOAD_INVALID' });
    expect(everythingIn(refused)).not.toMatch(/ada@|4111/);

    const failing = encryption({
      keys,
      current: 'may',
      codec: {
        ...rich,
        decode: (given) => {
          throw new Error(`cannot read ${given}`);
        },
      },
    });
    const thrown = await Promise.resolve(failing.decode(text)).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'SCHED_RECORD_UNREADABLE' });
    expect(everythingIn(thrown)).not.toContain('cannot read');
    await expect(Promise.resolve(may().decode(text))).rejects.toThrow(/it was changed/);
  });

  test('takes keys as bytes, base64, base64url and CryptoKey, and none of them is read later', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const algorithm = { name: 'AES-GCM', length: 256 };
    const cryptoKey = await crypto.subtle.importKey('raw', bytes, algorithm, false, [
      'encrypt',
      'decrypt',
    ]);
    const forms: KeyMaterial[] = [
      bytes.slice(),
      Buffer.from(bytes),
      Buffer.from(bytes).toString('base64'),
      Buffer.from(bytes).toString('base64url'),
      cryptoKey,
    ];
    const codecs = forms.map((k) => encryption({ keys: { k }, current: 'k' }));
    (forms[0] as Uint8Array).fill(0);
    const texts = await Promise.all(codecs.map((codec) => codec.encode('"x"')));
    for (const codec of codecs) {
      for (const text of texts) expect(await codec.decode(text)).toBe('"x"');
    }
  });

  test.each<[string, Partial<EncryptionOptions>, RegExp]>([
    ['no keys', { keys: {} }, /There is no key/],
    ['keys that are not given', { keys: undefined as never }, /There is no key/],
    ['a key that is not set', { keys: { may: undefined } }, /"may" is missing/],
    ['an empty key', { keys: { may: '' } }, /"may" is missing/],
    ['a current key that is none of them', { current: 'july' }, /current key is not one/],
    ['a key that is too short', { keys: { may: 'hunter2hunter2' } }, /not of 32 bytes/],
    ['a key that is no base64', { keys: { may: 'hunter2 hunter2!' } }, /not of 32 bytes/],
    ['a key of another type', { keys: { may: 7 as never } }, /not of 32 bytes/],
    ['an option that it does not have', { contex: 'x' } as never, /Did you mean context/],
    ['an id with a dot', { keys: { 'a.b': key() }, current: 'a.b' }, /The id of a key/],
  ])('is not made with %s', (_, options, message) => {
    const make = () => encryption({ keys, current: 'may', ...options });
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: 'SCHED_ARGUMENT_INVALID' }));
    expect(make).not.toThrow(/hunter2/);
  });

  test('is not made with a CryptoKey that is for something else', async () => {
    const make = async (name: string, length: number, usages: ('encrypt' | 'decrypt')[]) => {
      const bytes = new Uint8Array(length / 8);
      const may = await crypto.subtle.importKey('raw', bytes, name, false, usages);
      return () => encryption({ keys: { may }, current: 'may' });
    };
    expect(await make('AES-GCM', 128, ['encrypt', 'decrypt'])).toThrow(/of 256 bits/);
    expect(await make('AES-CBC', 256, ['encrypt', 'decrypt'])).toThrow(/for AES-GCM/);
    expect(await make('AES-GCM', 256, ['encrypt'])).toThrow(/may decrypt/);
    expect(await make('AES-GCM', 256, ['decrypt'])).toThrow(/may not encrypt/);
  });
});
