import { describe, expect, test } from 'vitest';
import {
  type CopyOptions,
  type CopyProgress,
  copyTasks,
  createScheduler,
  type DataStore,
  defineTask,
  every,
  type NewTaskRecord,
  SchedError,
} from '../src/index.js';
import { contents, createStores, record, records, told } from './support/copying.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';

const none = { inserted: 0, unchanged: 0, replaced: 0, kept: 0, left: 0 };
const noneWrong = { refused: 0, changed: 0, differing: 0 };

describe('What is copied', () => {
  const variety: NewTaskRecord[] = [
    record('plain'),
    record('of a group', { group: 'g', name: 'other', queue: 'quick' }),
    record('paused', { paused: true }),
    record('finished', { status: 'finished', runAt: null }),
    record('failed', { status: 'failed', runAt: null, group: 'g' }),
    record('far', { runAt: 8_640_000_000_000_000 }),
    record('of a newer version', { body: '{"v":99,"what":[1,2]}' }),
    record('no JSON', { body: '\u0001 \ud83d\ude00 {"cancelToken" "__proto__"' }),
    record(' a b ', { body: '' }),
    record('á'.repeat(150), { body: 'x'.repeat(300_000) }),
  ];

  test('is everything a task is made of, from and to open stores, and the source stays as it was', async () => {
    const { from, to } = await createStores(variety);
    const before = await contents(from);
    const { calls, store } = recordStore(from);
    const result = await copyTasks(store, to);
    expect(told(await contents(to))).toEqual(told(before));
    expect(await contents(from)).toEqual(before);
    expect([...new Set(calls.map(({ call }) => call))].sort()).toEqual(['count', 'get', 'list']);
    expect(result).toEqual({
      ...{ isComplete: true, read: 10, ...none, ...noneWrong, inserted: 10 },
      ...{ total: 10, cursor: null, sourceCount: 10, targetCount: 10 },
      tasks: { kept: [], left: [], refused: [], changed: [], differing: [] },
    });
  });

  test('is the group that is asked for, or what has none', async () => {
    const { from, to } = await createStores(variety);
    const ofGroup = await copyTasks(from, to, { group: 'g' });
    expect(ofGroup).toMatchObject({ isComplete: true, total: 2, sourceCount: 2, targetCount: 2 });
    expect((await contents(to)).map(({ id }) => id)).toEqual(['failed', 'of a group']);
    expect(await copyTasks(from, to, { group: null })).toMatchObject({ read: 8, inserted: 8 });
    expect(await copyTasks(from, to, { group: 'empty' })).toMatchObject({
      ...{ isComplete: true, read: 0, total: 0 },
    });
    expect(told(await contents(to))).toEqual(told(await contents(from)));
  });

  test('is passed over when it is there already, without writing anything', async () => {
    const { from, to } = await createStores(variety);
    await to.insert([record('of the target alone')]);
    await copyTasks(from, to);
    const copied = await contents(to);
    const target = recordStore(to);
    for (const onConflict of ['error', 'keep', 'replace'] as const) {
      const result = await copyTasks(from, target.store, { onConflict });
      expect(result).toMatchObject({ isComplete: true, ...none, unchanged: 10, targetCount: 11 });
    }
    expect(['update', 'remove', 'setPaused'].map((call) => target.count(call as never))).toEqual([
      ...[0, 0, 0],
    ]);
    expect(await contents(to)).toEqual(copied);
  });

  test('goes on running in the new store', async () => {
    const { clock, from, to } = await createStores();
    const ran: unknown[] = [];
    const job = defineTask<number>('job', {
      handler: ({ payload, nominal, attempt }) => {
        ran.push([payload, nominal.toISOString().slice(11, 16), attempt]);
        if (payload === 2 && attempt === 1) throw new Error('once');
      },
    });
    const options = { clock, tasks: [job], triggers: [every], concurrency: 1 };
    const old = createScheduler({ store: from, ...options });
    await old.start();
    await old.schedule(job, { payload: 1, id: 'hourly', every: '1h' });
    await old.schedule(job, { payload: 2, id: 'retried', retry: { min: '100m', jitter: 0 } });
    await clock.advance('90m');
    await old.stop();
    await from.open();
    expect(await copyTasks(from, to)).toMatchObject({ isComplete: true, inserted: 2 });

    const young = createScheduler({ store: to, ...options });
    expect((await young.get('hourly'))?.lastRun).toMatchObject({ outcome: 'succeeded' });
    expect(await young.history('hourly')).toEqual([]);
    await young.start();
    await clock.advance('1h');
    await young.stop();
    expect(ran).toEqual([
      ...[
        [2, '00:00', 1],
        [1, '01:00', 1],
        [2, '00:00', 2],
        [1, '02:00', 1],
      ],
    ]);
  });
});

describe('A task that is in the target already and is another there', () => {
  const theirs = record('b', { name: 'other', body: '"theirs"' });

  async function conflicting() {
    const stores = await createStores([record('a'), record('b'), record('c')]);
    await stores.to.insert([theirs]);
    return stores;
  }

  test('is an error, unless told otherwise: it says which and what, and what was done', async () => {
    const { from, to } = await conflicting();
    await expect(copyTasks(from, to)).rejects.toMatchObject({
      code: 'SCHED_TASK_EXISTS',
      message: expect.stringMatching(/"b" is in the store "to" \(memory\).*name and body differ/),
      details: {
        ...{ id: 'b', members: ['name', 'body'] },
        progress: { inserted: 2, read: 2, total: 3, cursor: null },
        tasks: { kept: [] },
      },
      cause: { code: 'SCHED_TASK_EXISTS' },
    });
    expect(told(await to.get(['b']))).toEqual([theirs]);
  });

  test('stays, and is named, where conflicts are kept', async () => {
    const { from, to } = await conflicting();
    const result = await copyTasks(from, to, { onConflict: 'keep' });
    expect(result).toMatchObject({
      isComplete: true,
      inserted: 2,
      kept: 1,
      tasks: { kept: ['b'] },
    });
    expect(told(await to.get(['b']))).toEqual([theirs]);
  });

  test('becomes what it is in the source where conflicts are replaced', async () => {
    const { from, to } = await conflicting();
    const result = await copyTasks(from, to, { onConflict: 'replace' });
    expect(result).toMatchObject({ isComplete: true, inserted: 2, replaced: 1 });
    expect(told(await contents(to))).toEqual(told(await contents(from)));
  });
});

describe('What cannot be asked for', () => {
  test.each<[string, (from: DataStore, to: DataStore) => readonly unknown[], RegExp]>([
    ['no source', (_, to) => [undefined, to], /^from must be a data store/],
    ['no target', (from) => [from, {}], /^to must be a data store/],
    ['one store twice', (from) => [from, from], /^to must be another store than from/],
    [
      'options that are none',
      (from, to) => [from, to, 5],
      /^The options of copyTasks must be an object/,
    ],
    ['no options', (from, to) => [from, to, null], /^The options of copyTasks must be an object/],
    ['an unknown conflict', (...both) => [...both, { onConflict: 'update' }], /^onConflict must/],
    ['a group that is none', (...both) => [...both, { group: '' }], /^group must not be empty/],
    ['a group of numbers', (...both) => [...both, { group: 7 }], /^group must be text/],
    ['no cursor', (...both) => [...both, { after: 7 }], /^after must be a cursor/],
    ['empty pages', (...both) => [...both, { pageSize: 0 }], /^pageSize must be a whole number/],
    ['huge pages', (...both) => [...both, { pageSize: 10_001 }], /^pageSize must be a whole/],
    ['no signal', (...both) => [...both, { signal: {} }], /^signal must be an AbortSignal/],
    [
      'no signal at all',
      (...both) => [...both, { signal: null }],
      /^signal must be an AbortSignal/,
    ],
    ['no listener', (...both) => [...both, { onProgress: {} }], /^onProgress must be a function/],
  ])('%s', async (_, args, message) => {
    const { from, to } = await createStores([record('a')]);
    const [source, target] = [recordStore(from), recordStore(to)];
    const given = args(source.store, target.store) as Parameters<typeof copyTasks>;
    const error = await copyTasks(...given).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
    expect((error as SchedError).message).toMatch(message);
    expect([...source.calls, ...target.calls]).toEqual([]);
  });

  test.each(['storeTimeout', 'retryFor'])('%s of no length', async (name) => {
    const { from, to } = await createStores();
    const copying = copyTasks(from, to, { [name]: 0 });
    await expect(copying).rejects.toMatchObject({ code: 'SCHED_DURATION_INVALID' });
  });

  test.each(['from', 'to'] as const)('a store that is not open: %s', async (closed) => {
    const stores = await createStores([record('a')]);
    await stores[closed].close();
    await expect(copyTasks(stores.from, stores.to)).rejects.toMatchObject({
      ...{ code: 'SCHED_STORE_CLOSED', details: { progress: { read: 0 } } },
    });
    await stores.to.open();
    expect(await contents(stores.to)).toEqual([]);
  });
});

describe('A task that the target does not accept', () => {
  function picky(store: DataStore, maxLength: number) {
    const check = (texts: readonly (string | undefined)[]) => {
      const size = Math.max(...texts.map((text) => text?.length ?? 0));
      if (size <= maxLength) return;
      throw new SchedError('SCHED_PAYLOAD_TOO_LARGE', `A body of ${size} is too large.`);
    };
    return interceptStore(store, async (call, proceed, args) => {
      if (call === 'insert') check((args[0] as NewTaskRecord[]).map(({ body }) => body));
      if (call === 'update') check([(args[1] as NewTaskRecord).body]);
      return proceed();
    });
  }

  test('is named with the reason, and keeps back no other', async () => {
    const large = { body: 'x'.repeat(1001) };
    const all = records(300);
    const { from, to } = await createStores([...all, record('large', large), record('z', large)]);
    const target = recordStore(picky(to, 1000));
    const result = await copyTasks(from, target.store);
    const why = { code: 'SCHED_PAYLOAD_TOO_LARGE', message: 'A body of 1001 is too large.' };
    expect(result).toMatchObject({
      ...{ isComplete: false, inserted: 300, refused: 2, sourceCount: 302, targetCount: 300 },
      tasks: {
        refused: [
          { id: 'large', ...why },
          { id: 'z', ...why },
        ],
      },
    });
    // A page is halved until what is refused is on its own.
    expect(target.count('insert')).toBeLessThan(30);
  });

  test('is named also where it was to replace another', async () => {
    const { from, to } = await createStores([record('a', { body: 'x'.repeat(11) })]);
    await to.insert([record('a', { body: 'y' })]);
    const result = await copyTasks(from, picky(to, 10), { onConflict: 'replace' });
    expect(result).toMatchObject({ isComplete: false, refused: 1, replaced: 0 });
    expect(result.tasks.refused[0]).toMatchObject({ id: 'a', code: 'SCHED_PAYLOAD_TOO_LARGE' });
    expect((await to.get(['a']))[0]?.body).toBe('y');
  });
});

describe('In little memory', () => {
  async function pagesOf(all: readonly NewTaskRecord[], options: CopyOptions = {}) {
    const { from, to } = await createStores(all);
    const [source, target] = [recordStore(from), recordStore(to)];
    const result = await copyTasks(source.store, target.store, options);
    expect(result).toMatchObject({ isComplete: true, inserted: all.length });
    const pages = source.calls.flatMap(({ call, answer }) =>
      call === 'list' ? [(answer as { tasks: NewTaskRecord[] }).tasks] : [],
    );
    return { pages, source, target };
  }

  test('pages grow to their size, and each takes four calls', async () => {
    const { pages, source, target } = await pagesOf(records(2500));
    expect(pages.map(({ length }) => length)).toEqual([
      16, 32, 64, 128, 256, 500, 500, 500, 500, 4,
    ]);
    // Before and after, tasks are counted, and what schedulers say that is not one.
    expect(source.calls).toHaveLength(2 * pages.length + 4);
    expect(target.calls).toHaveLength(2 * pages.length + 3);
  });

  test('pages have the size that is asked for', async () => {
    const { pages } = await pagesOf(records(20), { pageSize: 7 });
    expect(pages.map(({ length }) => length)).toEqual([7, 7, 6]);
  });

  test('pages of large tasks are small, and grow again', async () => {
    const large = records(40, { body: 'x'.repeat(2 ** 20) });
    const small = records(200).map((each) => ({ ...each, id: `z ${each.id}` }));
    const { pages } = await pagesOf([...large, ...small]);
    const sizes = pages
      .slice(1)
      .map((page) => page.reduce((sum, { body }) => sum + body.length, 0));
    expect(Math.max(...sizes)).toBeLessThan(5 * 2 ** 20);
    expect(pages.at(-2)?.length).toBeGreaterThan(50);
  });

  test('a task larger than a page has one of its own', async () => {
    const { pages } = await pagesOf(records(18, { body: 'x'.repeat(5 * 2 ** 20) }));
    expect(pages.map(({ length }) => length)).toEqual([16, 1, 1]);
  });

  test('all tasks are counted, and a thousand of a kind named', async () => {
    const { from, to } = await createStores(records(1100));
    await to.insert(records(1100, { name: 'other' }));
    const result = await copyTasks(from, to, { onConflict: 'keep' });
    expect(result.kept).toBe(1100);
    expect(result.tasks.kept).toHaveLength(1000);
  });
});

describe('A copy that is ended in the middle', () => {
  test('tells how far it has come, and goes on from there or from the beginning', async () => {
    const { from, to } = await createStores(records(100));
    const abort = new AbortController();
    const told: CopyProgress[] = [];
    const onProgress = (progress: CopyProgress) => {
      told.push(progress);
      if (told.length === 2) abort.abort(new Error('enough'));
    };
    const copying = copyTasks(from, to, { pageSize: 10, onProgress, signal: abort.signal });
    await expect(copying).rejects.toThrow('enough');
    expect(told.map(({ read, inserted, total }) => [read, inserted, total])).toEqual([
      ...[
        [10, 10, 100],
        [20, 20, 100],
      ],
    ]);
    expect(await to.count({})).toBe(20);

    const after = told.at(-1)?.cursor ?? null;
    expect(after).not.toBeNull();
    const { isComplete, read, inserted, targetCount } = await copyTasks(from, to, { after });
    expect({ isComplete, read, inserted, targetCount }).toEqual({
      ...{ isComplete: true, read: 80, inserted: 80, targetCount: 100 },
    });
    await to.remove({ ids: ['task 3'] });
    expect(await copyTasks(from, to, { after: null })).toMatchObject({
      ...{ isComplete: true, unchanged: 99, inserted: 1 },
    });
  });

  test('by a signal that was aborted before does nothing', async () => {
    const { from, to } = await createStores(records(10));
    const [source, target] = [recordStore(from), recordStore(to)];
    const reason = new SchedError('SCHED_CANCELLED', 'by the user');
    const signal = AbortSignal.abort(reason);
    await expect(copyTasks(source.store, target.store, { signal })).rejects.toBe(reason);
    expect([...source.calls, ...target.calls]).toEqual([]);
  });

  test('by what a listener throws is over', async () => {
    const { from, to } = await createStores(records(100));
    const onProgress = () => {
      throw new RangeError('of the listener');
    };
    await expect(copyTasks(from, to, { onProgress })).rejects.toThrow('of the listener');
    expect(await to.count({})).toBe(16);
  });

  test('by a cursor of another source is refused before anything is stored', async () => {
    const { from, to } = await createStores(records(10));
    const source = interceptStore(from, async (call, proceed) => {
      if (call !== 'list') return proceed();
      throw new SchedError('SCHED_ARGUMENT_INVALID', 'after is not the next of a page: x.');
    });
    await expect(copyTasks(source, to, { after: 'x' })).rejects.toMatchObject({
      ...{ code: 'SCHED_ARGUMENT_INVALID', details: { progress: { cursor: 'x' } } },
    });
    expect(await to.count({})).toBe(0);
  });
});
