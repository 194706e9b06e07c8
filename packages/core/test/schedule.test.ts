import { describe, expect, test, vi } from 'vitest';
import {
  allOf,
  anyOf,
  at,
  createScheduler,
  cron,
  type DataStore,
  type Declaration,
  defineTask,
  every,
  type PayloadCodec,
  type SchedErrorCode,
  type TaskDefinition,
  type TaskSettings,
  type Trigger,
} from '../src/index.js';
import { defaultPolicies } from '../src/policies.js';
import { interceptStore, recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const work = defineTask<unknown>('work');
const start = Date.parse('2030-01-01T00:00:00Z');
const hourMs = 3_600_000;

/** A store in which somebody does something just before the first calls of one kind. */
function meddle(store: DataStore, call: string, ...deeds: (() => Promise<unknown>)[]): DataStore {
  return interceptStore(store, async (made, proceed) => {
    if (made === call) await deeds.shift()?.();
    return proceed();
  });
}

describe('schedule', () => {
  test('stores a task, and gives its id', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    expect(await it.schedule(work, { payload: { to: 'ada' }, id: 'a', every: '1h' })).toEqual({
      id: 'a',
      outcome: 'created',
    });
    expect(await it.get('a')).toEqual({
      id: 'a',
      name: 'work',
      queue: 'default',
      group: null,
      state: 'scheduled',
      isPaused: false,
      payload: { to: 'ada' },
      trigger: { kind: 'every', every: hourMs },
      declaredAt: new Date(start),
      policies: defaultPolicies,
      runAt: new Date(start + hourMs),
      nominal: new Date(start + hourMs),
      attempt: 1,
      lease: null,
      lastRun: null,
      parent: null,
      error: null,
    });
    expect(await it.get('b')).toBeUndefined();
  });

  test('gives each task an id of its own when none is given', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const { id } = await it.schedule(work);
    expect((await it.schedule(work)).id).not.toBe(id);
    expect(await it.count()).toBe(2);
  });

  test('gives ids of which those made later sort after those made before', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const { scheduler } = createSetting();
      await using it = scheduler({ tasks: [work] });
      const ids: string[] = [];
      for (const at of [0, 15, 16, 1_000_000_000_000, 1_764_000_000_000]) {
        vi.setSystemTime(at);
        ids.push((await it.schedule(work)).id);
      }
      const version7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
      for (const id of ids) expect(id).toMatch(version7);
      expect(ids.toSorted()).toEqual(ids);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each<[what: string, when: TaskSettings, runAtMs: number]>([
    ['nothing: now', {}, 0],
    ['at', { at: '2030-01-01T03:00:00+01:00' }, 2 * hourMs],
    ['at, in the past', { at: start - 1 }, -1],
    ['in', { in: '90s' }, 90_000],
    ['every', { every: '1h' }, hourMs],
    ['every, in calendar units', { every: { months: 1 } }, 31 * 24 * hourMs],
    ['cron, at this very moment', { cron: '0 * * * *' }, 0],
    ['cron', { cron: '30 * * * *' }, hourMs / 2],
    ['trigger', { trigger: every('2h', { anchor: start - hourMs }) }, hourMs],
    ['a combination', { trigger: anyOf(at(start + 7), every('1h')) }, 7],
  ])('knows when: %s', async (_, when, runAtMs) => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work], triggers: [every, cron] });
    const { id } = await it.schedule(work, { payload: null, ...when });
    expect((await it.get(id))?.runAt).toEqual(new Date(start + runAtMs));
  });

  test('a trigger brings its kind along, and those that it is made of', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work], triggers: [] });
    await it.schedule(work, { payload: null, trigger: anyOf(every('1h')) });
    const { id } = await it.schedule(work, { payload: null, every: '1h' });
    expect((await it.get(id))?.trigger).toEqual({ kind: 'every', every: hourMs });
  });

  test('takes queue and group from the definition, unless it is given others', async () => {
    const { scheduler } = createSetting();
    const mail = defineTask('mail', { queue: 'slow', group: 'mails' });
    await using it = scheduler({ tasks: [mail] });
    await it.schedule(mail, { id: 'a' });
    await it.schedule(mail, { id: 'b', queue: 'fast', group: 'urgent' });
    expect(await it.get('a')).toMatchObject({ queue: 'slow', group: 'mails' });
    expect(await it.get('b')).toMatchObject({ queue: 'fast', group: 'urgent' });
  });

  test('jitter moves the run, not the occurrence', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const { id } = await it.schedule(work, {
      payload: null,
      trigger: every('1h', { jitter: '50m' }),
    });
    const { runAt, nominal } = (await it.get(id)) ?? {};
    expect(nominal).toEqual(new Date(start + hourMs));
    expect(runAt?.getTime()).toBeGreaterThan(start + hourMs);
    expect(runAt?.getTime()).toBeLessThanOrEqual(start + hourMs + 50 * 60_000);
  });
});

describe('ids', () => {
  test.each([
    ['empty', ''],
    ['256 bytes of ASCII', 'a'.repeat(256)],
    ['256 bytes of two each', 'é'.repeat(128)],
    ['256 bytes of four each', '😀'.repeat(64)],
    ['NUL', 'a\0'],
    ['a line feed', 'a\nb'],
    ['DEL', '\u007f'],
    ['a control character beyond ASCII', '\u0085'],
    ['half of a surrogate pair', '\ud83d'],
    ['the other half', 'a\ude00b'],
    ['no text', 7 as unknown as string],
    ['null', null as unknown as string],
  ])('that are refused: %s', async (_, id) => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await expect(it.schedule(work, { payload: null, id })).rejects.toMatchObject({
      code: 'SCHED_ID_INVALID',
    });
    expect(await it.count()).toBe(0);
  });

  test('that are different, however alike', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const ids = [
      ...['a', 'A', 'á', 'a\u0301', ' a', 'a ', 'a  b', '😀', '\u{10ffff}', '\u2028', '__proto__'],
      ...['a'.repeat(255), `${'a'.repeat(254)}b`, 'é'.repeat(127), 'a@1', 'a+1', '../a', "';--"],
    ];
    for (const id of ids)
      expect((await it.schedule(work, { payload: id, id })).outcome).toBe('created');
    for (const id of ids) expect((await it.get(id))?.payload).toBe(id);
  });
});

describe('what is not valid', () => {
  const ended = every('1h', { anchor: 0, end: start - 1 });
  const broken = (next: Trigger['next']): Trigger => {
    const trigger: Trigger = {
      kind: 'acme/broken',
      type: { kind: 'acme/broken', parse: () => trigger },
      next,
      previous: () => null,
      toJSON: () => ({ kind: 'acme/broken' }),
    };
    return trigger;
  };
  const as = (options: object) => options as TaskSettings;

  test.each<[what: string, options: TaskSettings, code: SchedErrorCode]>([
    ['an id', { id: '' }, 'SCHED_ID_INVALID'],
    ['a queue', { queue: '' }, 'SCHED_ARGUMENT_INVALID'],
    ['a group', { group: 'a\nb' }, 'SCHED_ARGUMENT_INVALID'],
    ['onConflict', as({ onConflict: 'ignore' }), 'SCHED_ARGUMENT_INVALID'],
    ['two answers to when', { at: 1, cron: '* * * * *' }, 'SCHED_ARGUMENT_INVALID'],
    ['an invalid date', { at: new Date(Number.NaN) }, 'SCHED_TIME_INVALID'],
    ['a time without an offset', { at: '2030-01-01T00:00' }, 'SCHED_TIME_INVALID'],
    ['a date that does not exist', { at: '2030-02-30T00:00Z' }, 'SCHED_TIME_INVALID'],
    ['a time too far away', { at: 1e15 }, 'SCHED_TIME_INVALID'],
    ['a delay below zero', { in: -1 }, 'SCHED_DURATION_INVALID'],
    ['a negative delay', { in: -1 }, 'SCHED_DURATION_INVALID'],
    ['a delay in words', { in: 'soon' }, 'SCHED_DURATION_INVALID'],
    ['no interval', { every: 0 }, 'SCHED_DURATION_INVALID'],
    ['a negative interval', { every: -1 }, 'SCHED_DURATION_INVALID'],
    ['NaN for an interval', { every: Number.NaN }, 'SCHED_DURATION_INVALID'],
    ['an absurd interval', { every: '1000000w' }, 'SCHED_DURATION_INVALID'],
    ['an interval of nothing', { every: {} }, 'SCHED_DURATION_INVALID'],
    ['an expression too short', { cron: '* * *' }, 'SCHED_CRON_SYNTAX'],
    ['an expression out of range', { cron: '61 * * * *' }, 'SCHED_CRON_RANGE'],
    ['a trigger that is none', as({ trigger: { kind: 'every' } }), 'SCHED_TRIGGER_INVALID'],
    ['a trigger that is null', as({ trigger: null }), 'SCHED_TRIGGER_INVALID'],
    ['a schedule that is over', { trigger: ended }, 'SCHED_TRIGGER_NEVER'],
    ['a day that never comes', { cron: '0 0 31 2 *' }, 'SCHED_TRIGGER_NEVER'],
    [
      'moments that never meet',
      { trigger: allOf(at(start + 1), at(start + 2)) },
      'SCHED_TRIGGER_NEVER',
    ],
    [
      'a trigger that gives no time',
      { trigger: broken(() => Number.NaN) },
      'SCHED_TRIGGER_INVALID',
    ],
    [
      'a trigger that gives fractions',
      { trigger: broken((after) => after + 0.5) },
      'SCHED_TRIGGER_INVALID',
    ],
    ['a trigger that stands still', { trigger: broken((after) => after) }, 'SCHED_TRIGGER_INVALID'],
    ['a number of retries', { retry: -1 }, 'SCHED_ARGUMENT_INVALID'],
    ['a broken number of retries', { retry: 1.5 }, 'SCHED_ARGUMENT_INVALID'],
    ['retries that are null', as({ retry: null }), 'SCHED_ARGUMENT_INVALID'],
    ['a kind of backoff', as({ retry: { backoff: 'cubic' } }), 'SCHED_ARGUMENT_INVALID'],
    ['a first delay', { retry: { min: 0 } }, 'SCHED_DURATION_INVALID'],
    [
      'a longest delay below the first',
      { retry: { min: '2m', max: '1m' } },
      'SCHED_ARGUMENT_INVALID',
    ],
    ['a share for jitter', { retry: { jitter: 1.1 } }, 'SCHED_ARGUMENT_INVALID'],
    ['a share for jitter in text', as({ retry: { jitter: '0.5' } }), 'SCHED_ARGUMENT_INVALID'],
    ['what happens then', as({ retry: { whenExhausted: 'stop' } }), 'SCHED_ARGUMENT_INVALID'],
    ['a timeout', { timeout: 0 }, 'SCHED_DURATION_INVALID'],
    ['an overlap', as({ overlap: 'sometimes' }), 'SCHED_ARGUMENT_INVALID'],
    ['an overlap without a mode', as({ overlap: {} }), 'SCHED_ARGUMENT_INVALID'],
    [
      'maxRunning without allow',
      { overlap: { mode: 'skip', maxRunning: 2 } },
      'SCHED_ARGUMENT_INVALID',
    ],
    ['maxRunning', { overlap: { mode: 'allow', maxRunning: 0 } }, 'SCHED_ARGUMENT_INVALID'],
    ['a catch-up', as({ catchUp: 'some' }), 'SCHED_ARGUMENT_INVALID'],
    ['a limit', { catchUp: { mode: 'all', limit: 0 } }, 'SCHED_ARGUMENT_INVALID'],
    ['an absurd limit', { catchUp: { mode: 'all', limit: 10_001 } }, 'SCHED_ARGUMENT_INVALID'],
    ['a window', { catchUp: { mode: 'all', window: 0 } }, 'SCHED_DURATION_INVALID'],
    ['a grace', { catchUp: { mode: 'none', grace: 'a while' } }, 'SCHED_DURATION_INVALID'],
    ['a delivery', as({ delivery: 'exactlyOnce' }), 'SCHED_ARGUMENT_INVALID'],
    ['at most once, and retries', { delivery: 'atMostOnce', retry: 1 }, 'SCHED_ARGUMENT_INVALID'],
    ['a number of deliveries', { maxDeliveries: 0 }, 'SCHED_ARGUMENT_INVALID'],
    ['whether to keep it', as({ keepFinished: 'yes' }), 'SCHED_ARGUMENT_INVALID'],
  ])('%s is refused by its code, and nothing is stored', async (_, options, code) => {
    const { handle, scheduler } = createSetting();
    const { store, count } = recordStore(handle());
    await using it = scheduler({ store, tasks: [work], triggers: [every, cron] });
    const bad = { task: work, payload: null, ...options };
    await expect(it.scheduleMany([{ task: work, payload: null }, bad])).rejects.toMatchObject({
      code,
    });
    expect(count('insert')).toBe(0);
  });

  test.each<[what: string, task: unknown, code: string]>([
    ['of another scheduler', defineTask('other'), 'SCHED_TASK_UNKNOWN'],
    ['that is none', undefined, 'SCHED_ARGUMENT_INVALID'],
    ['that is only a name', 'work', 'SCHED_ARGUMENT_INVALID'],
  ])('a task definition %s is refused', async (_, task, code) => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await expect(it.schedule(task as TaskDefinition)).rejects.toMatchObject({ code });
  });

  test.each<[what: string, define: () => unknown, code: SchedErrorCode]>([
    ['an empty name', () => defineTask(''), 'SCHED_ARGUMENT_INVALID'],
    ['a name too long', () => defineTask('a'.repeat(256)), 'SCHED_ARGUMENT_INVALID'],
    ['a name with a tab', () => defineTask('a\tb'), 'SCHED_ARGUMENT_INVALID'],
    ['a handler', () => defineTask('a', { handler: 'b' as never }), 'SCHED_ARGUMENT_INVALID'],
    ['a schema', () => defineTask('a', { payload: {} as never }), 'SCHED_ARGUMENT_INVALID'],
    ['a queue', () => defineTask('a', { queue: '' }), 'SCHED_ARGUMENT_INVALID'],
    ['a group', () => defineTask('a', { group: '' }), 'SCHED_ARGUMENT_INVALID'],
    ['a policy', () => defineTask('a', { timeout: -1 }), 'SCHED_DURATION_INVALID'],
    ['options', () => defineTask('a', null as never), 'SCHED_ARGUMENT_INVALID'],
  ])('defineTask refuses %s', (_, define, code) => {
    expect(define).toThrow(expect.objectContaining({ code }));
  });

  const { store } = createSetting();
  const codec = { name: 'a', encode: String, decode: String };
  test.each<[what: string, options: object, code: SchedErrorCode]>([
    ['two definitions of one name', { tasks: [work, defineTask('work')] }, 'SCHED_TASK_DUPLICATE'],
    ['a definition that is none', { tasks: [{ name: 'work' }] }, 'SCHED_ARGUMENT_INVALID'],
    ['a definition that is missing', { tasks: [undefined] }, 'SCHED_ARGUMENT_INVALID'],
    ['no store', { store: undefined }, 'SCHED_ARGUMENT_INVALID'],
    ['a store that is none', { store: { main: {} } }, 'SCHED_ARGUMENT_INVALID'],
    ['no store by any alias', { store: {} }, 'SCHED_ARGUMENT_INVALID'],
    ['a kind of trigger that is none', { triggers: [{}] }, 'SCHED_ARGUMENT_INVALID'],
    ['a payload limit', { maxPayloadBytes: 0 }, 'SCHED_ARGUMENT_INVALID'],
    ['a codec without a name', { codec: { ...codec, name: '' } }, 'SCHED_ARGUMENT_INVALID'],
    ['a codec that cannot decode', { codec: { ...codec, decode: 1 } }, 'SCHED_ARGUMENT_INVALID'],
    ['a codec that is null', { codec: null }, 'SCHED_ARGUMENT_INVALID'],
  ])('createScheduler refuses %s', (_, options, code) => {
    expect(() => createScheduler({ store, ...options })).toThrow(expect.objectContaining({ code }));
  });

  test('a codec may be of a class', () => {
    class Codec implements PayloadCodec {
      name = 'own';
      encode(payload: unknown) {
        return String(payload);
      }
      decode(text: string) {
        return text;
      }
    }
    expect(() => createScheduler({ store, codec: new Codec() })).not.toThrow();
  });
});

describe('scheduleMany', () => {
  const many = (count: number, options: TaskSettings = {}) =>
    Array.from({ length: count }, (_, i) => ({ task: work, payload: i, ...options, id: `${i}` }));

  test('needs few calls to the store, and answers in the order given', async () => {
    const { handle, scheduler } = createSetting();
    const { store, calls, count } = recordStore(handle());
    await using it = scheduler({ store, tasks: [work] });
    const scheduled = await it.scheduleMany(many(1201, { in: '1h' }));
    expect(scheduled).toEqual(
      Array.from({ length: 1201 }, (_, i) => ({ id: `${i}`, outcome: 'created' })),
    );
    expect(count('insert')).toBe(3);
    expect(calls.length).toBeLessThan(10);
    expect(await it.count()).toBe(1201);
    expect((await it.get('1200'))?.payload).toBe(1200);
  });

  test('of none does nothing', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    expect(await it.scheduleMany([])).toEqual([]);
  });

  test('takes an id that comes twice for two declarations, one after the other', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const declared = (payload: number, options: TaskSettings = {}): Declaration => ({
      task: work,
      payload,
      id: 'a',
      every: '1h',
      ...options,
    });
    expect(await it.scheduleMany([declared(1), declared(2), declared(2)])).toEqual([
      { id: 'a', outcome: 'created' },
      { id: 'a', outcome: 'updated' },
      { id: 'a', outcome: 'unchanged' },
    ]);
    expect((await it.get('a'))?.payload).toBe(2);
    await expect(
      it.scheduleMany([declared(3), declared(4, { onConflict: 'error' })]),
    ).rejects.toMatchObject({ code: 'SCHED_TASK_EXISTS' });
  });

  test('says what came of each', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.scheduleMany(many(3, { every: '1h' }));
    const again = [
      { task: work, payload: 0, id: '0', every: '1h' },
      { task: work, payload: 'new', id: '1', every: '1h' },
      { task: work, payload: 2, id: '2', every: '1h', onConflict: 'replace' as const },
      { task: work, payload: 3, id: '3' },
    ];
    const outcomes = (await it.scheduleMany(again)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['unchanged', 'updated', 'replaced', 'created']);
  });
});

describe('a schedule that has come to its end', () => {
  const options = { id: 'a', trigger: every('1h', { limit: 1 }) };

  test('and whose last run is overdue, declared again: nothing changes, and the run is made', async () => {
    const { clock, scheduler } = createSetting();
    const runs: Date[] = [];
    const task = defineTask('t', { handler: ({ nominal }) => runs.push(nominal) });
    await using it = scheduler({ tasks: [task] });
    const trigger = every('1h', { anchor: start, end: start + hourMs });
    await it.schedule(task, { id: 'a', trigger });
    await clock.advance('2h');
    expect(await it.schedule(task, { id: 'a', trigger })).toEqual({
      id: 'a',
      outcome: 'unchanged',
    });
    await it.start();
    await clock.runUntil(() => runs.length === 1);
    expect(runs).toEqual([new Date(start + hourMs)]);
  });

  test('and is kept, declared again with another payload: only that changes', async () => {
    const { clock, scheduler } = createSetting();
    const task = defineTask<number>('t', { handler: () => {}, keepFinished: true });
    await using it = scheduler({ tasks: [task] });
    const end = start + hourMs;
    const trigger = every('1h', { anchor: start, end });
    await it.schedule(task, { payload: 1, id: 'a', trigger });
    await it.start();
    await clock.advance('2h');
    expect((await it.get('a'))?.state).toBe('finished');
    expect((await it.schedule(task, { payload: 2, id: 'a', trigger })).outcome).toBe('updated');
    expect(await it.get('a')).toMatchObject({ state: 'finished', payload: 2 });
    const other = every('2h', { anchor: start, end });
    for (const declared of [
      { id: 'a', trigger: other },
      { id: 'a', trigger, onConflict: 'replace' },
      { id: 'b', trigger },
    ] as const) {
      await expect(it.schedule(task, { payload: 3, ...declared })).rejects.toMatchObject({
        code: 'SCHED_TRIGGER_NEVER',
      });
    }
    const replaced = { task, payload: 3, id: 'a', trigger, onConflict: 'replace' } as const;
    await expect(it.scheduleMany([{ task, payload: 3, id: 'c' }, replaced])).rejects.toMatchObject({
      code: 'SCHED_TRIGGER_NEVER',
    });
    expect(await it.get('c')).toBeUndefined();
    expect(await it.get('a')).toMatchObject({ state: 'finished', payload: 2 });
  });

  test('and is removed while it is declared again, is refused like one that was never there', async () => {
    const { clock, handle, scheduler } = createSetting();
    const trigger = every('1h', { anchor: start, end: start + hourMs });
    await using other = scheduler({ tasks: [work] });
    await other.schedule(work, { payload: null, id: 'a', trigger });
    await clock.advance('2h');
    const store = meddle(
      handle(),
      'get',
      async () => {},
      () => other.remove('a'),
    );
    await using it = scheduler({ store, tasks: [work] });
    await expect(it.schedule(work, { payload: null, id: 'a', trigger })).rejects.toMatchObject({
      code: 'SCHED_TRIGGER_NEVER',
    });
  });

  test('counts anew when it is declared after it was removed', async () => {
    const { clock, scheduler } = createSetting();
    const task = defineTask('t', { handler: () => {} });
    await using it = scheduler({ tasks: [task] });
    await it.start();
    await it.schedule(task, { ...options });
    await clock.advance('2h');
    expect(await it.get('a')).toBeUndefined();
    expect((await it.schedule(task, { ...options })).outcome).toBe('created');
  });
});

describe('others at the same time', () => {
  test('an edit in between is not lost: both hold', async () => {
    const { handle, scheduler } = createSetting();
    await using other = scheduler({ tasks: [work] });
    await other.schedule(work, { payload: 'old', id: 'a', every: '1h' });
    const store = meddle(handle(), 'update', () => other.update('a', { queue: 'fast' }));
    await using it = scheduler({ store, tasks: [work] });
    await it.update('a', { payload: 'new' });
    expect(await it.get('a')).toMatchObject({ payload: 'new', queue: 'fast' });
  });

  test('a task that is removed while it is being declared again is created', async () => {
    const { handle, scheduler } = createSetting();
    await using other = scheduler({ tasks: [work] });
    await other.schedule(work, { payload: 'old', id: 'a', every: '1h' });
    for (const call of ['get', 'update']) {
      const store = meddle(handle(), call, () => other.remove('a'));
      await using it = scheduler({ store, tasks: [work] });
      expect((await it.schedule(work, { payload: call, id: 'a', every: '1h' })).outcome).toBe(
        'created',
      );
      expect((await it.get('a'))?.payload).toBe(call);
    }
  });

  test('a task that is created while it is being created again is updated', async () => {
    const { handle, scheduler } = createSetting();
    await using other = scheduler({ tasks: [work] });
    const deed = () => other.schedule(work, { payload: 'theirs', id: 'a', every: '1h' });
    await using it = scheduler({ store: meddle(handle(), 'insert', deed), tasks: [work] });
    expect((await it.schedule(work, { payload: 'ours', id: 'a', every: '1h' })).outcome).toBe(
      'updated',
    );
    expect((await it.get('a'))?.payload).toBe('ours');
  });

  test('who is always faster leaves us with an error, and the store as they want it', async () => {
    const { handle, scheduler } = createSetting();
    await using other = scheduler({ tasks: [work] });
    await other.schedule(work, { payload: 0, id: 'a', every: '1h' });
    let edits = 0;
    const deeds = Array.from({ length: 100 }, () => () => other.update('a', { payload: ++edits }));
    await using it = scheduler({ store: meddle(handle(), 'update', ...deeds), tasks: [work] });
    await expect(it.update('a', { payload: 'ours' })).rejects.toMatchObject({
      code: 'SCHED_TASK_CONTENDED',
    });
    expect((await other.get('a'))?.payload).toBe(edits);
  });
});

describe('What is given at once and used later', () => {
  test.each(['schedule', 'scheduleMany', 'sync', 'update'] as const)(
    '%s stores the payload as it was when it was called',
    async (call) => {
      const { scheduler } = createSetting();
      await using it = scheduler({ tasks: [work] });
      await it.schedule(work, { payload: { n: 0 }, id: 'a', in: '1h', group: 'declared' });
      const payload = { n: 1 };
      const declaration = { payload, id: 'a', in: '1h' };
      const done = {
        schedule: () => it.schedule(work, declaration),
        scheduleMany: () => it.scheduleMany([{ ...declaration, task: work }]),
        sync: () => it.sync([{ ...declaration, task: work }]),
        update: () => it.update('a', { payload }),
      }[call]();
      payload.n = 2;
      await done;
      expect(await it.get('a')).toMatchObject({ payload: { n: 1 } });
    },
  );

  test('an update whose payload cannot be stored changes nothing', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.schedule(work, { payload: 1, id: 'a', in: '1h' });
    await expect(it.update('a', { payload: 1n })).rejects.toMatchObject({
      code: 'SCHED_PAYLOAD_NOT_JSON',
    });
    expect(await it.get('a')).toMatchObject({ payload: 1 });
  });
});

describe('A time', () => {
  test.each<[what: string, when: TaskSettings]>([
    ['0', { in: 0 }],
    ['0 in text', { in: '0s' }],
    ['a moment that has passed', { at: start - 1 }],
    ['one of several that have passed', { trigger: anyOf(at(start - 2), at(start - 1)) }],
    ['a nested one', { trigger: anyOf(anyOf(at(start - 1))) }],
  ])('of %s means now', async (_, when) => {
    const { clock, scheduler } = createSetting();
    let runs = 0;
    const task = defineTask('t', { handler: () => runs++ });
    await using it = scheduler({ tasks: [task], triggers: [anyOf] });
    await it.start();
    await it.schedule(task, { id: 'a', ...when });
    await clock.advance('1s');
    expect(runs).toBe(1);
    expect(await it.count()).toBe(0);
  });

  test('of cron and every is in the time zone that is given', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const timeZone = 'Europe/Berlin';
    await it.schedule(work, { id: 'cron', cron: '0 9 * * *', timeZone });
    await it.schedule(work, { id: 'every', every: '1d', timeZone });
    expect(await it.get('cron')).toMatchObject({
      trigger: cron('0 9 * * *', { timeZone }).toJSON(),
      runAt: new Date('2030-01-01T08:00:00Z'),
    });
    expect(await it.get('every')).toMatchObject({ trigger: every('1d', { timeZone }).toJSON() });
    await it.update('every', { cron: '0 9 * * *', timeZone });
    expect((await it.get('every'))?.trigger).toEqual((await it.get('cron'))?.trigger);
    const [next] = it.preview({ cron: '0 9 * * *', timeZone }, 1, { from: start });
    expect(next).toEqual(new Date('2030-01-01T08:00:00Z'));
  });
});

describe('at most once, and retries', () => {
  const refusal = { code: 'SCHED_ARGUMENT_INVALID' };

  test('are refused when one is the definition’s and one is the call’s', async () => {
    const { scheduler } = createSetting();
    const careful = defineTask('careful', { delivery: 'atMostOnce' });
    const stubborn = defineTask('stubborn', { retry: 3 });
    await using it = scheduler({ tasks: [careful, stubborn] });
    await expect(it.schedule(careful, { retry: 3 })).rejects.toMatchObject(refusal);
    await expect(it.schedule(stubborn, { delivery: 'atMostOnce' })).rejects.toMatchObject(refusal);
    expect(await it.count()).toBe(0);
    await it.schedule(careful, { retry: 0 });
    await it.schedule(stubborn, { delivery: 'atMostOnce', retry: 0 });
    expect(await it.count()).toBe(2);
  });

  test('are refused when an update brings them together', async () => {
    const { scheduler } = createSetting();
    const careful = defineTask('careful', { delivery: 'atMostOnce' });
    await using it = scheduler({ tasks: [careful, work] });
    await it.schedule(careful, { id: 'a', in: '1h' });
    await it.schedule(work, { id: 'b', in: '1h', retry: 3 });
    await expect(it.update('a', { retry: 3 })).rejects.toMatchObject(refusal);
    await expect(it.update('b', { delivery: 'atMostOnce' })).rejects.toMatchObject(refusal);
    await it.update('b', { delivery: 'atMostOnce', retry: 0 });
  });
});

describe('Thousands of tasks that are there already', () => {
  const many = (payload: number) =>
    Array.from({ length: 1200 }, (_, index) => ({
      task: work,
      payload: index === 7 ? payload : 0,
      id: `${index}`,
      every: '1h',
    }));

  test.each(['sync', 'scheduleMany'] as const)(
    '%s reads them in batches, and writes only what differs',
    async (call) => {
      const { handle, scheduler } = createSetting();
      const { store, count } = recordStore(handle());
      await using it = scheduler({ store, tasks: [work] });
      await it[call](many(0));
      const before = { get: count('get'), update: count('update'), insert: count('insert') };
      const result = await it[call](many(1));
      expect(count('get') - before.get).toBe(3);
      expect(count('update') - before.update).toBe(1);
      if (call === 'sync') {
        expect(count('insert')).toBe(before.insert);
        expect(result).toMatchObject({ created: [], updated: ['7'], removed: [] });
      }
    },
  );

  test('let the event loop in', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    let isOver = false;
    let turns = 0;
    const turn = () => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    await it.sync(many(0));
    isOver = true;
    expect(turns).toBeGreaterThan(3);
  });
});
