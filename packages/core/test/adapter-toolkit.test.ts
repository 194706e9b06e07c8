import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AdapterOptions, Ear } from '../src/adapter/index.js';
import {
  checkCursor,
  checkName,
  checkServerVersion,
  checkSqlName,
  checkUrl,
  checkWhole,
  chunks,
  drawForgetting,
  earliest,
  firstError,
  firstOfEach,
  isFiltered,
  isSchemaCurrent,
  matchesFilter,
  notInTransaction,
  readAdapterOptions,
  shardOf,
  theOneGiven,
  toClaimed,
  toConditions,
  toPage,
  toRecord,
  toStoreError,
  UnderWay,
  Watcher,
} from '../src/adapter/index.js';
import type { TaskFilter, WakeUp } from '../src/data-store.js';
import { SchedError } from '../src/errors.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** What a call throws. */
function thrownBy(call: () => unknown): { code?: string; message?: string } {
  try {
    call();
    return {};
  } catch (error) {
    return error as SchedError;
  }
}

describe('options', () => {
  const read = (options: AdapterOptions) =>
    readAdapterOptions('TestStore', options, { migrate: true });

  test('have defaults', () => {
    const defaults = { clock: undefined, historyLimit: 100, migrate: true };
    expect(read({})).toEqual({ ...defaults, historyMaxAgeMs: 7 * 24 * 3_600_000 });
    expect(read({ migrate: undefined } as object).migrate).toBe(true);
    const given = { clock: () => 1, historyLimit: 0, historyMaxAgeMs: 1, migrate: false };
    expect(read(given)).toEqual(given);
  });

  test.each([
    ['historyLimit', -1],
    ['historyLimit', 1.5],
    ['historyLimit', Number.NaN],
    ['historyMaxAgeMs', 0],
    ['historyLimmit', 1],
  ])('%s: %d is refused', (option, value) => {
    const { code, message } = thrownBy(() => read({ [option]: value }));
    expect(code).toBe('SCHED_STORE_CONFIG');
    expect(message).toContain(option);
  });

  test('of which only one can be given are refused otherwise', () => {
    expect(theOneGiven({ url: 'x', pool: undefined, client: undefined })).toBe('url');
    for (const given of [{}, { url: 1, pool: 2 }]) {
      const all = { url: undefined, pool: undefined, client: undefined, ...given };
      expect(thrownBy(() => theOneGiven(all))).toMatchObject({
        code: 'SCHED_STORE_CONFIG',
        message: 'Exactly one of url, pool and client must be given.',
      });
    }
    expect(thrownBy(() => theOneGiven({ path: undefined, database: undefined })).message).toBe(
      'Give either path or database.',
    );
  });

  test('that are names and numbers are of a form', () => {
    checkSqlName('schema', 'a_1');
    checkWhole('shards', 256, 1, 256);
    checkWhole('limit', Number.POSITIVE_INFINITY, 0);
    const bad = [
      () => checkSqlName('schema', '1a'),
      () => checkSqlName('schema', 'a"b'),
      () => checkName('schema', 5, /./, 'a text'),
      () => checkWhole('schema', 257, 1, 256),
      () => checkWhole('schema', 0.5, 0),
    ];
    for (const call of bad) {
      expect(thrownBy(call)).toMatchObject({
        code: 'SCHED_STORE_CONFIG',
        message: expect.stringMatching(/^schema must be /),
      });
    }
  });

  test('that are URLs are of a kind, and never shown', () => {
    checkUrl('url', 'redis://localhost', ['redis:'], 'redis://host');
    for (const url of ['redis://secret@', 'http://u:secret@localhost', 'secret', '']) {
      const { code, message } = thrownBy(() => checkUrl('url', url, ['redis:'], 'redis://host'));
      expect(code).toBe('SCHED_STORE_CONFIG');
      expect(message).toContain('url must look like redis://host');
      expect(message).not.toContain('secret');
    }
  });
});

describe('errors', () => {
  const meanings = [
    [/^28/, 'SCHED_STORE_CONFIG', 'Check password.'],
    [/refused/, 'SCHED_STORE_UNAVAILABLE', 'Check host.'],
  ] as const;

  test('mean what the first pattern says that fits, and otherwise that the store failed', () => {
    const cause = new Error('denied');
    expect(toStoreError(cause, meanings, 'X (url)', '28P01 refused', 'denied')).toMatchObject({
      code: 'SCHED_STORE_CONFIG',
      message: 'X (url) failed: denied. Check password.',
      cause,
    });
    expect(toStoreError(cause, meanings, 'X (url)', '99 odd', 'odd')).toMatchObject({
      code: 'SCHED_STORE_UNAVAILABLE',
      message: 'X (url) failed: odd.',
    });
    const own = new SchedError('SCHED_STORE_CLOSED', 'closed');
    expect(toStoreError(own, meanings, 'X', '28', '28')).toBe(own);
  });

  test('of all addresses of a host are those of the first', () => {
    const [first, second] = [new Error('1'), new Error('2')];
    expect(firstError(new AggregateError([first, second]))).toBe(first);
    expect(firstError(second)).toBe(second);
  });

  test('say what a transaction has to be', () => {
    const error = notInTransaction('a client of pg');
    expect(error.code).toBe('SCHED_ARGUMENT_INVALID');
    expect(error.message).toContain('takes a client of pg inside a transaction');
  });

  test('say that a cursor is none', () => {
    checkCursor('12', /^\d+$/);
    expect(thrownBy(() => checkCursor('x', /^\d+$/)).code).toBe('SCHED_ARGUMENT_INVALID');
  });
});

describe('schemas', () => {
  const check = (found: number, migrate: boolean) =>
    isSchemaCurrent({
      ...{ what: 'The tables sched_*', adapter: '@sched/x', found, known: 2, migrate },
      settings: 'namespace',
    });

  test('are current, to be changed, or refused', () => {
    expect(check(2, true)).toBe(true);
    expect(check(2, false)).toBe(true);
    expect(check(0, true)).toBe(false);
    expect(check(1, true)).toBe(false);
    const refused: [number, boolean, RegExp][] = [
      [3, true, /version 3, and this @sched\/x knows 2.*Install/],
      [3, false, /version 3, and this @sched\/x knows 2.*Install/],
      [0, false, /do not exist.*migrate/],
      [1, false, /version 1, not 2.*migrate.*namespace/],
    ];
    for (const [found, migrate, message] of refused) {
      expect(thrownBy(() => check(found, migrate))).toMatchObject({
        code: 'SCHED_STORE_SCHEMA',
        message: expect.stringMatching(message),
      });
    }
  });

  test.each([
    ['13', '13', true],
    ['13.4', '13', true],
    ['12.22', '13', false],
    ['9.6', '13', false],
    ['8.0.19', '8.0.19', true],
    ['8.0.18-log', '8.0.19', false],
    ['8.4', '8.0.19', true],
    ['8.0', '8.0.19', false],
    ['10.11.2-MariaDB', '10.6.0', true],
    ['something', '1', false],
  ])('of a server of version %s: at least %s is %s', (version, minimum, isEnough) => {
    const { code } = thrownBy(() => checkServerVersion('X', version, minimum, '@sched/x'));
    expect(code).toBe(isEnough ? undefined : 'SCHED_STORE_UNSUPPORTED');
  });
});

describe('lists', () => {
  test('are cut into chunks', () => {
    expect(chunks([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(chunks([1, 2], 2)).toEqual([[1, 2]]);
    expect(chunks([], 2)).toEqual([]);
  });

  test('lose what has an id for the second time', () => {
    const [a, b, again] = [{ id: 'a' }, { id: 'b' }, { id: 'a' }];
    expect(firstOfEach([a, b, again])).toEqual([a, b]);
    expect(firstOfEach([a, b, again])[0]).toBe(a);
  });

  test('are spread over shards as they always were', () => {
    expect(['', 'a', 'task-1', 'é🎉'].map((id) => shardOf(id, 256))).toEqual([197, 44, 70, 179]);
    expect(shardOf('task-1', 1)).toBe(0);
  });
});

describe('rows and pages', () => {
  const row = ['a', 'n', 'q', null, 'scheduled', 1, '5', '{}', null, null, null, null, 0, 7, 5];
  const task = {
    ...{ id: 'a', name: 'n', queue: 'q', group: null, status: 'scheduled', paused: true },
    ...{
      runAt: 5,
      body: '{}',
      resumedAt: null,
      lease: null,
      deliveries: 0,
      revision: 7,
      wakeAt: 5,
    },
  };

  test('a row becomes a record, whatever the driver makes of numbers', () => {
    expect(toRecord(row)).toEqual(task);
    const leased = [...row.slice(0, 9), '3', 'me', '9', '2', '7', null];
    const lease = { token: 3, owner: 'me', expiresAt: 9 };
    expect(toRecord(leased)).toEqual({ ...task, lease, deliveries: 2, wakeAt: null });
  });

  test('a task is given to its new owner with what was known of the last', () => {
    const lease = { token: 4, owner: 'me', expiresAt: 9 };
    const given = { ...task, lease, deliveries: 1, wakeAt: 9 };
    expect(toClaimed(toRecord(row), lease)).toEqual({ ...given, lapsedOwner: null });
    const before = { ...toRecord(row), lease: { token: 3, owner: 'you', expiresAt: 5 } };
    expect(toClaimed(before, lease)).toEqual({ ...given, lapsedOwner: 'you' });
  });

  test('of some moments the earliest is meant, if there is one', () => {
    expect(earliest([])).toBe(null);
    expect(earliest([null, undefined])).toBe(null);
    expect(earliest([null, 5, undefined, 0, 7])).toBe(0);
  });

  test('a filter becomes conditions, in which a value that is asked for is no other', () => {
    const conditions = (filter: TaskFilter) =>
      toConditions(
        filter,
        (value, member) => `<${member}:${value}>`,
        () => '<now>',
      );
    expect(conditions({})).toBe('');
    expect(conditions({ group: 'g', name: 'n', status: 'failed', paused: false })).toBe(
      ' AND group_name = <group:g> AND name = <name:n> AND status = <status:failed> AND paused = <paused:false>',
    );
    expect(conditions({ group: null, queue: '' })).toBe(
      ' AND group_name IS NULL AND queue = <queue:>',
    );
    expect(conditions({ leased: true })).toBe(' AND (lease_expires_at > <now>) IS TRUE');
    expect(conditions({ leased: false })).toBe(' AND (lease_expires_at > <now>) IS NOT TRUE');
  });

  test('a page ends where there is more, or where it was not looked further', () => {
    const rows = [row, ['b', ...row.slice(1)]];
    const page = (limit: number, end?: string) =>
      toPage(rows, limit, toRecord, ([id]) => String(id), end);
    expect(page(1)).toEqual({ tasks: [task], next: 'a' });
    expect(page(2)).toEqual({ tasks: [task, { ...task, id: 'b' }], next: null });
    expect(page(2, 'z').next).toBe('z');
    expect(page(1, 'z').next).toBe('a');
  });

  test('a filter is more than a group', () => {
    expect([{}, { group: 'a' }].map(isFiltered)).toEqual([false, false]);
    expect([{ group: null }, { name: 'a' }, { paused: false }].map(isFiltered)).toEqual([
      ...[true, true, true],
    ]);
  });

  test('a task is meant when every member is', () => {
    const leased = { ...toRecord(row), lease: { token: 1, owner: 'me', expiresAt: 9 } };
    const all = { group: null, name: 'n', queue: 'q', status: 'scheduled', paused: true } as const;
    expect(matchesFilter(leased, { ...all, leased: true }, 8)).toBe(true);
    expect(matchesFilter(leased, { ...all, leased: true }, 9)).toBe(false);
    expect(matchesFilter(leased, { leased: false }, 9)).toBe(true);
    const others = [{ group: 'g' }, { name: 'm' }, { queue: 'r' }, { paused: false }] as const;
    for (const other of others) expect(matchesFilter(leased, { ...all, ...other }, 0)).toBe(false);
    expect(matchesFilter(leased, { status: 'failed' }, 0)).toBe(false);
  });
});

describe('forgetting', () => {
  const settings = (historyLimit: number, historyMaxAgeMs = 1000) => ({
    ...{ historyLimit, historyMaxAgeMs, clock: undefined },
  });

  test('is drawn, and deletes twice as many as come on average', () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.9);
    expect(drawForgetting(settings(100), ['a', 'b'])).toBe(undefined);
    random.mockReturnValue(0);
    expect(drawForgetting(settings(100), ['a', 'b', 'a'])).toEqual({
      ...{ tasks: ['a', 'b'], keep: 100, age: 1000, stale: 150 },
    });
    expect(drawForgetting(settings(100), [])).toBe(undefined);
  });

  test('has nothing to do with what has no limit', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const none = Number.POSITIVE_INFINITY;
    expect(drawForgetting(settings(none, none), ['a'])).toEqual({ tasks: [], stale: 128 });
  });

  test('is always done where few are kept', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999);
    expect(drawForgetting(settings(2), ['a'])?.stale).toBe(2);
  });
});

describe('calls under way', () => {
  test('are waited for, however they end', async () => {
    const underWay = new UnderWay();
    const { promise, resolve } = Promise.withResolvers<void>();
    const failing = underWay.add(Promise.reject(new Error('no')));
    const call = underWay.add(promise);
    expect(call).toBe(promise);
    let isIdle = false;
    const idle = underWay.idle().then(() => {
      isIdle = true;
    });
    await expect(failing).rejects.toThrow('no');
    expect(isIdle).toBe(false);
    resolve();
    await idle;
    await underWay.idle();
  });
});

describe('a watcher', () => {
  /** A watcher whose subscriptions are those of the test. */
  function setUp() {
    const ears: Ear[] = [];
    let ended = 0;
    let failure: Error | undefined;
    const watcher = new Watcher(
      async (ear) => {
        ears.push(ear);
        if (failure) throw failure;
        return () => ended++;
      },
      (error) => new Error(`cannot listen: ${(error as Error).message}`),
    );
    const fail = (error?: Error) => {
      failure = error;
    };
    return { watcher, ears, fail, ended: () => ended };
  }

  const heard: WakeUp[] = [];
  const listener = (wakeUp: WakeUp) => heard.push(wakeUp);
  const wakeUp = { queue: 'q', wakeAt: 5 };
  afterEach(() => {
    heard.length = 0;
  });

  test('spreads one subscription among all, for as long as anybody watches', async () => {
    const { watcher, ears, ended } = setUp();
    const stops = await Promise.all([watcher.watch(listener), watcher.watch(listener)]);
    expect(ears).toHaveLength(1);
    ears[0]?.hear(wakeUp);
    expect(heard).toEqual([wakeUp, wakeUp]);
    await stops[0]?.();
    await stops[0]?.();
    ears[0]?.hear(wakeUp);
    expect(heard).toHaveLength(3);
    expect(ended()).toBe(0);
    await stops[1]?.();
    expect(ended()).toBe(1);
    await watcher.watch(listener);
    expect(ears).toHaveLength(2);
    await watcher.close();
    expect(ended()).toBe(2);
  });

  test('that cannot listen says so, and can later', async () => {
    const { watcher, fail, ears } = setUp();
    fail(new Error('refused'));
    await expect(watcher.watch(listener)).rejects.toThrow('cannot listen: refused');
    fail();
    await watcher.watch(listener);
    ears[1]?.hear(wakeUp);
    expect(heard).toEqual([wakeUp]);
    await watcher.close();
  });

  test('listens again when the connection is lost, longer apart each time, and looks where it may have missed something', async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const { watcher, ears, fail } = setUp();
    watcher.note(['q', 'r']);
    watcher.note(['q']);
    await watcher.watch(listener);
    expect([...(ears[0]?.queues ?? [])]).toEqual(['q', 'r']);
    fail(new Error('still away'));
    ears[0]?.lost();
    ears[0]?.lost();
    for (const [delayMs, attempts] of [
      [100, 2],
      [100, 2],
      [100, 3],
      [400, 4],
      [800, 5],
    ] as const) {
      await vi.advanceTimersByTimeAsync(delayMs);
      expect(ears).toHaveLength(attempts);
    }
    expect(heard).toEqual([]);
    fail();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ears).toHaveLength(6);
    expect(heard).toEqual([
      { queue: 'q', wakeAt: 0 },
      { queue: 'r', wakeAt: 0 },
    ]);
    await watcher.close();
  });

  test('that was closed does not listen again', async () => {
    vi.useFakeTimers();
    const { watcher, ears, ended } = setUp();
    await watcher.watch(listener);
    ears[0]?.lost();
    await watcher.close();
    ears[0]?.lost();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ears).toHaveLength(1);
    expect(ended()).toBe(1);
  });
});
