import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import type { AdapterSettings, AtEnd, StoreCalls, StoreLimits } from '../src/adapter/index.js';
import { AdapterStore, readAdapterOptions } from '../src/adapter/index.js';
import { dataStoreConformance } from '../src/conformance/index.js';
import type { DataStore, DataStoreOptions, NewTaskRecord } from '../src/data-store.js';
import { SchedError } from '../src/errors.js';

/** A private half on the memory store, which notes what it is asked. */
class Backend {
  readonly memory: MemoryDataStore;
  readonly asked: [call: string, ...args: unknown[]][] = [];
  readonly limits: StoreLimits;
  connects = 0;
  readonly ended: string[] = [];
  failure: unknown;

  #at: number | undefined;

  constructor({ clock = Date.now, ...options }: DataStoreOptions, limits: StoreLimits) {
    this.memory = new MemoryDataStore({ ...options, clock: () => this.#at ?? clock() });
    this.limits = limits;
  }

  /** Makes a call at a given time; the memory store reads its clock before it first waits. */
  atTime<T>(at: number | undefined, call: () => Promise<T>): Promise<T> {
    this.#at = at;
    try {
      return call();
    } finally {
      this.#at = undefined;
    }
  }

  async connect(atEnd: AtEnd): Promise<StoreCalls> {
    this.connects++;
    atEnd(() => this.ended.push('memory'));
    await this.memory.open();
    atEnd(async () => {
      this.ended.push('calls');
      await this.memory.close();
    });
    if (this.failure) throw this.failure;
    return this.calls();
  }

  calls(): StoreCalls {
    const { memory, asked } = this;
    const note =
      <Args extends unknown[], R>(name: string, call: (...args: Args) => R) =>
      (...args: Args) => {
        asked.push([name, ...args]);
        return call(...args);
      };
    return {
      limits: this.limits,
      now: () => memory.now(),
      insert: note('insert', (records) => memory.insert(records)),
      read: note('read', async (ids) =>
        (await memory.get(ids)).flatMap((task) => task ?? []).reverse(),
      ),
      update: note('update', (id, change, revision) => memory.update(id, change, { revision })),
      list: note('list', (request) => memory.list(request)),
      count: note('count', (filter) => memory.count(filter)),
      remove: note('remove', (selector) => memory.remove(selector)),
      setPaused: note('setPaused', (selector, paused, at) =>
        this.atTime(at, () => memory.setPaused(selector, paused)),
      ),
      claim: note('claim', (request) => memory.claim(request)),
      extend: note('extend', (leases, leaseMs, at) =>
        this.atTime(at, () => memory.extend(leases, leaseMs)),
      ),
      settle: note('settle', (settlements) => memory.settle(settlements)),
      release: note('release', (leases) => memory.release(leases)),
      history: note('history', (taskId, limit) => memory.history(taskId, limit)),
      latestHistory: note('latestHistory', (request) => memory.latestHistory(request)),
      watcher: {
        note: note('note', () => {}),
        watch: (listener) => memory.watch(listener),
        close: async () => {
          this.ended.push('watcher');
        },
      },
    };
  }
}

class TestStore extends AdapterStore {
  readonly name = 'test';
  readonly capabilities;
  readonly #backend: Backend;

  constructor(backend: Backend, settings: AdapterSettings) {
    super('Test', settings);
    this.#backend = backend;
    this.capabilities = backend.memory.capabilities;
  }

  protected connect(atEnd: AtEnd) {
    return this.#backend.connect(atEnd);
  }

  protected override join(tx: unknown) {
    return tx === 'mine' ? this.#backend.calls() : super.join(tx);
  }
}

function make(limits: StoreLimits = {}, options: DataStoreOptions = {}) {
  const backend = new Backend(options, limits);
  const settings = readAdapterOptions('TestStore', options, {});
  return { backend, store: new TestStore(backend, settings) };
}

async function open(limits?: StoreLimits, options?: DataStoreOptions) {
  const made = make(limits, options);
  await made.store.open();
  return made;
}

const record = (id: string, body = '{}'): NewTaskRecord => ({
  ...{ id, name: 'job', queue: 'q', group: null, status: 'scheduled', paused: false, runAt: 0 },
  body,
});

const records = (...ids: string[]) => ids.map((id) => record(id));

const settlement = (id: string, token: number) => ({
  ...{ id, token, revision: 0, next: null, history: [], spawn: [] },
});

const code = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error) => error.code,
  );

describe('a store made of it keeps the contract', () => {
  const limits: [string, StoreLimits][] = [
    ['without limits', {}],
    ['in small batches', { maxItems: 3, maxWrites: 2, maxSize: 100, unstorable: 'loneSurrogates' }],
  ];
  describe.each(limits)('%s', (_, given) => {
    const cases = dataStoreConformance({
      create() {
        let store: DataStore | undefined;
        return {
          connect(options) {
            store ??= make(given, options).store;
            return store;
          },
        };
      },
    });
    for (const { name, run } of cases) test(name, run);
  });
});

describe('life cycle', () => {
  test('it connects once, however often it is opened at the same time', async () => {
    const { store, backend } = make();
    await Promise.all([store.open(), store.open(), store.open()]);
    await store.open();
    expect(backend.connects).toBe(1);
  });

  test('it can be opened once what kept it from opening is gone', async () => {
    const { store, backend } = make();
    backend.failure = new SchedError('SCHED_STORE_UNAVAILABLE', 'gone');
    expect(await Promise.all([code(store.open()), code(store.open())])).toEqual([
      ...['SCHED_STORE_UNAVAILABLE', 'SCHED_STORE_UNAVAILABLE'],
    ]);
    expect(await code(store.now())).toBe('SCHED_STORE_CLOSED');
    expect(backend.ended).toEqual(['calls', 'memory']);
    backend.failure = undefined;
    await store.open();
    expect(backend.connects).toBe(2);
  });

  test('what is being opened when it is closed is closed, and does not come open afterwards', async () => {
    const { store, backend } = make();
    const opening = store.open();
    await store.close();
    await opening;
    expect(backend.ended).toEqual(['watcher', 'calls', 'memory']);
    expect(await code(store.now())).toBe('SCHED_STORE_CLOSED');
    await store.close();
    expect(backend.ended).toHaveLength(3);
  });

  test('every call is refused before it is opened and after it was closed', async () => {
    const { store } = make();
    const calls = [
      () => store.now(),
      () => store.insert([]),
      () => store.get([]),
      () => store.update('a', {}, { revision: 1 }),
      () => store.list({ limit: 1 }),
      () => store.count({}),
      () => store.remove({ ids: [] }),
      () => store.setPaused({ ids: [] }, true),
      () => store.claim({ queues: ['q'], limit: 1, owner: 'o', leaseMs: 1 }),
      () => store.extend([], 1),
      () => store.settle([]),
      () => store.release([]),
      () => store.history('a', 1),
      () => store.watch(() => {}),
    ];
    for (const call of calls) expect(await code(call())).toBe('SCHED_STORE_CLOSED');
    await store.open();
    for (const call of calls) expect(await code(call())).toBe('no error');
    await store.close();
    for (const call of calls) expect(await code(call())).toBe('SCHED_STORE_CLOSED');
  });

  test('what watches is told from which queues is claimed', async () => {
    const { store, backend } = await open();
    const request = { queues: ['q', 'r'], limit: 1, owner: 'o', leaseMs: 1 };
    await store.claim(request);
    expect(backend.asked).toEqual([
      ['note', request.queues],
      ['claim', request],
    ]);
  });

  test('a store in a transaction needs no opening, and does not close what it was made of', async () => {
    const { store, backend } = await open();
    const inside = store.withTransaction('mine');
    expect([inside.name, inside.capabilities]).toEqual([store.name, store.capabilities]);
    expect(await inside.insert(records('a'))).toEqual(['inserted']);
    await inside.close();
    expect(await code(inside.now())).toBe('SCHED_STORE_CLOSED');
    expect(backend.ended).toEqual([]);
    expect(() => store.withTransaction('another')).toThrow('The Test store has no transactions');
  });
});

describe('batches', () => {
  test('nothing is asked about nothing', async () => {
    const { store, backend } = await open({ maxItems: 2 });
    expect(await store.insert([])).toEqual([]);
    expect(await store.get([])).toEqual([]);
    expect(await store.extend([], 1)).toEqual([]);
    expect(await store.settle([])).toEqual([]);
    expect(await store.release([])).toEqual([]);
    expect(await store.remove({ ids: [] })).toBe(0);
    expect(await store.setPaused({ ids: [] }, true)).toBe(0);
    expect(backend.asked).toEqual([]);
  });

  test('a call that fits is passed on as it is', async () => {
    const { store, backend } = await open({ maxItems: 3, maxSize: 100 });
    const given = records('a', 'b', 'c');
    await store.insert(given);
    expect(backend.asked).toEqual([['insert', given]]);
    expect(backend.asked[0]?.[1]).toBe(given);
  });

  test('no batch has more than it may, or two items about one task', async () => {
    const { store, backend } = await open({ maxItems: 2, maxWrites: 3 });
    expect(await store.insert(records('a', 'b', 'b', 'c', 'd', 'e'))).toEqual([
      ...['inserted', 'inserted', 'exists', 'inserted', 'inserted', 'inserted'],
    ]);
    const spawning = { ...settlement('x', 1), spawn: records('y') };
    await store.settle([spawning, settlement('y', 1), settlement('z', 1)]);
    await store.release(['a', 'b', 'c'].map((id) => ({ id, token: 0 })));
    const ids = backend.asked.map(([name, items]) => [
      name,
      ...(items as { readonly id: string }[]).map(({ id }) => id),
    ]);
    expect(ids).toEqual([
      ['insert', 'a', 'b'],
      ['insert', 'b', 'c', 'd'],
      ['insert', 'e'],
      ['settle', 'x'],
      ['settle', 'y', 'z'],
      ['release', 'a', 'b'],
      ['release', 'c'],
    ]);
  });

  test('a batch ends before it becomes too large, unless one item is', async () => {
    const { store, backend } = await open({ maxWrites: 99, maxSize: 10 });
    const given = [4, 4, 4, 20, 4].map((length, index) => record(`${index}`, 'x'.repeat(length)));
    await store.insert(given);
    const sizes = backend.asked.map(([, part]) => (part as unknown[]).length);
    expect(sizes).toEqual([2, 1, 1, 1]);
  });

  test('an item that is refused for its size keeps the others from being stored', async () => {
    const refuse = (size: number) => new SchedError('SCHED_PAYLOAD_TOO_LARGE', `${size}`);
    const { store, backend } = await open({ maxWrites: 1, maxSize: 10, refuse });
    const given = [record('a'), record('b', 'x'.repeat(11))];
    expect(await code(store.insert(given))).toBe('SCHED_PAYLOAD_TOO_LARGE');
    const change = { body: 'x'.repeat(11) };
    expect(await code(store.update('a', change, { revision: 1 }))).toBe('SCHED_PAYLOAD_TOO_LARGE');
    expect(backend.asked).toEqual([]);
  });

  test('ids are asked for once each, and a task that is asked for twice is given twice', async () => {
    const { store, backend } = await open({ maxItems: 2 });
    await store.insert(records('a', 'b', 'c'));
    backend.asked.length = 0;
    const found = await store.get(['a', 'c', 'x', 'a', 'b']);
    expect(found.map((task) => task?.id)).toEqual(['a', 'c', undefined, 'a', 'b']);
    expect(found[3]).toEqual(found[0]);
    expect(found[3]).not.toBe(found[0]);
    expect(backend.asked).toEqual([
      ['read', ['a', 'c']],
      ['read', ['x', 'b']],
    ]);
    expect(await store.remove({ ids: ['a', 'b', 'a', 'c'] })).toBe(3);
    expect(backend.asked.slice(2)).toEqual([
      ['remove', { ids: ['a', 'b'] }],
      ['remove', { ids: ['c'] }],
    ]);
  });

  test('what takes several calls has one time', async () => {
    let time = 1000;
    const { store, backend } = await open({ maxItems: 1 }, { clock: () => time++ });
    const leases = ['a', 'b'].map((id) => ({ id, token: 0 }));
    await store.extend(leases, 5);
    await store.setPaused({ ids: ['a', 'b'] }, false);
    const times = backend.asked.map(([name, , , at]) => [name, at]);
    expect(times[0]?.[1]).toEqual(expect.any(Number));
    expect(times[1]).toEqual(times[0]);
    expect(times[3]).toEqual(times[2]);
    backend.asked.length = 0;
    await store.extend(leases.slice(1), 5);
    expect(backend.asked).toEqual([['extend', leases.slice(1), 5, undefined]]);
  });
});

describe('texts', () => {
  const half = 'a\ud800';
  const limits = { unstorable: 'loneSurrogates', maxBodyBytes: 6, maxTextBytes: 10 } as const;
  const entry = { taskId: 'a', id: '1', at: 0, body: '{}' };
  const next = { status: 'finished', runAt: null, body: '{}' } as const;

  const bad: [string, string, (store: DataStore) => Promise<unknown>][] = [
    ...['id', 'name', 'queue', 'group', 'body'].map((member): (typeof bad)[0] => [
      `insert: ${member}`,
      'SCHED_ARGUMENT_INVALID',
      (store) => store.insert([record('z'), { ...record('a'), [member]: half }]),
    ]),
    ...['name', 'queue', 'group', 'body'].map((member): (typeof bad)[0] => [
      `update: ${member}`,
      'SCHED_ARGUMENT_INVALID',
      (store) => store.update('a', { [member]: half }, { revision: 1 }),
    ]),
    ...['after', 'group', 'name', 'queue', 'status'].map((member): (typeof bad)[0] => [
      `list: ${member}`,
      'SCHED_ARGUMENT_INVALID',
      (store) => store.list({ limit: 1, [member]: half }),
    ]),
    ['get', 'SCHED_ARGUMENT_INVALID', (store) => store.get(['z', half])],
    ['update: id', 'SCHED_ARGUMENT_INVALID', (store) => store.update(half, {}, { revision: 1 })],
    ['count', 'SCHED_ARGUMENT_INVALID', (store) => store.count({ name: half })],
    ['remove', 'SCHED_ARGUMENT_INVALID', (store) => store.remove({ ids: ['z', half] })],
    ['setPaused', 'SCHED_ARGUMENT_INVALID', (store) => store.setPaused({ group: half }, true)],
    ...[
      { queues: ['q', half], owner: 'o' },
      { queues: ['q'], owner: half },
    ].map((request): (typeof bad)[0] => [
      'claim',
      'SCHED_ARGUMENT_INVALID',
      (store) => store.claim({ limit: 1, leaseMs: 1, ...request }),
    ]),
    ['extend', 'SCHED_ARGUMENT_INVALID', (store) => store.extend([{ id: half, token: 1 }], 1)],
    ['release', 'SCHED_ARGUMENT_INVALID', (store) => store.release([{ id: half, token: 1 }])],
    ['history', 'SCHED_ARGUMENT_INVALID', (store) => store.history(half, 1)],
    ...[
      { id: half },
      { next: { ...next, body: half } },
      { history: [{ ...entry, taskId: half }] },
      { history: [{ ...entry, id: half }] },
      { history: [{ ...entry, body: half }] },
      { spawn: [record(half)] },
      { spawn: [record('b', half)] },
    ].map((part): (typeof bad)[0] => [
      'settle',
      'SCHED_ARGUMENT_INVALID',
      (store) => store.settle([settlement('z', 1), { ...settlement('a', 1), ...part }]),
    ]),
    ['a text of 11 bytes', 'SCHED_ARGUMENT_INVALID', (store) => store.get(['áááááa'])],
    [
      'a body of 7 bytes',
      'SCHED_PAYLOAD_TOO_LARGE',
      (store) => store.insert([record('a', 'áááa')]),
    ],
    [
      'a body of 7 bytes in an edit',
      'SCHED_PAYLOAD_TOO_LARGE',
      (store) => store.update('a', { body: 'áááa' }, { revision: 1 }),
    ],
    ['no text at all', 'SCHED_ARGUMENT_INVALID', (store) => store.get([1 as unknown as string])],
  ];

  test.each(bad)('%s is refused before anything is asked (case %#)', async (_, expected, call) => {
    const { store, backend } = await open(limits);
    expect(await code(call(store))).toBe(expected);
    expect(backend.asked).toEqual([]);
  });

  test('what is just within the limits is stored', async () => {
    const { store } = await open(limits);
    expect(await store.insert([{ ...record('ááááá'), body: 'ááá' }])).toEqual(['inserted']);
  });

  test('a character 0 is refused only where it cannot be kept', async () => {
    const [kept, refused] = await Promise.all([
      open(limits),
      open({ unstorable: 'loneSurrogatesAndNul' }),
    ]);
    expect(await code(kept.store.get(['a\0']))).toBe('no error');
    expect(await code(refused.store.get(['a\0']))).toBe('SCHED_ARGUMENT_INVALID');
  });

  test('a task of such an id is just not there where the store says so', async () => {
    const { store } = await open({ ...limits, findsNone: true });
    const ids = [half, 'áááááá'];
    expect(await store.get(ids)).toEqual([undefined, undefined]);
    const leases = ids.map((id) => ({ id, token: 1 }));
    expect(await store.extend(leases, 1)).toEqual(['lost', 'lost']);
    expect(await store.release(leases)).toEqual(['lost', 'lost']);
    expect(await store.settle(ids.map((id) => settlement(id, 1)))).toEqual(['lost', 'lost']);
    expect(await store.update(half, {}, { revision: 1 })).toBe('missing');
    expect(await store.remove({ ids })).toBe(0);
    expect(await code(store.insert(records(half)))).toBe('SCHED_ARGUMENT_INVALID');
    expect(await code(store.history(half, 1))).toBe('SCHED_ARGUMENT_INVALID');
  });

  test('all bodies of one settlement have a limit of their own', async () => {
    const { store } = await open({ maxSettlementBytes: 5 });
    const history = (...bodies: string[]) =>
      store.settle([
        { ...settlement('a', 1), history: bodies.map((body) => ({ ...entry, body })) },
      ]);
    expect(await history('123', '45')).toEqual(['lost']);
    expect(await code(history('123', '456'))).toBe('SCHED_PAYLOAD_TOO_LARGE');
  });
});

describe('history', () => {
  test('none is appended or asked for where none is kept', async () => {
    const { store, backend } = await open({}, { historyLimit: 0 });
    const entry = { taskId: 'a', id: '1', at: 0, body: '{}' };
    await store.settle([{ ...settlement('a', 1), history: [entry] }]);
    expect(backend.asked).toEqual([['settle', [settlement('a', 1)]]]);
    expect(await store.history('a', 5)).toEqual([]);
    expect(await store.latestHistory({ limit: 5 })).toEqual({ entries: [], next: null });
    expect(backend.asked).toHaveLength(1);
  });

  test('the newest of all tasks is refused where the database has no order of them', async () => {
    const store = new (class extends TestStore {
      protected override async connect() {
        const { latestHistory: _, ...calls } = new Backend({}, {}).calls();
        return calls;
      }
    })(new Backend({}, {}), readAdapterOptions('TestStore', {}, {}));
    await store.open();
    await expect(store.latestHistory({ limit: 5 })).rejects.toThrow(
      expect.objectContaining({
        code: 'SCHED_STORE_UNSUPPORTED',
        message: expect.stringContaining('The Test store keeps the history of each task by itself'),
      }),
    );
    await store.close();
    expect(await code(store.latestHistory({ limit: 5 }))).toBe('SCHED_STORE_CLOSED');
  });

  test('no more is asked for than is kept', async () => {
    const { store, backend } = await open({}, { historyLimit: 7 });
    await store.history('a', 5.5);
    await store.history('a', Number.POSITIVE_INFINITY);
    expect(backend.asked).toEqual([
      ['history', 'a', 5],
      ['history', 'a', 7],
    ]);
  });
});
