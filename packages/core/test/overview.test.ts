import { describe, expect, test } from 'vitest';
import {
  anyOf,
  at,
  cron,
  type Declaration,
  defineTask,
  every,
  type ListFilter,
  PermanentError,
  type RunContext,
  type TaskSettings,
} from '../src/index.js';
import { defaultPolicies } from '../src/policies.js';
import { readBody, writeBody } from '../src/record.js';
import { logEvents } from './support/events.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const work = defineTask<unknown>('work');
const mail = defineTask<unknown>('mail');
const start = Date.parse('2030-01-01T00:00:00Z');
const hourMs = 3_600_000;

describe('list and count', () => {
  async function filled() {
    const { scheduler, clock } = createSetting();
    const busy = defineTask('work', {
      queue: 'busy',
      handler: async ({ payload, signal }: RunContext<unknown>) => {
        if (payload === 'wait') await clock.sleep('1d', { signal });
        throw new PermanentError('as told');
      },
    });
    const it = scheduler({ tasks: [work, mail] });
    await it.schedule(work, { payload: null, id: 'plain', in: '1h' });
    await it.schedule(work, { payload: null, id: 'grouped', in: '1h', group: 'g' });
    await it.schedule(work, { payload: null, id: 'queued', in: '1h', queue: 'q' });
    await it.schedule(mail, { payload: null, id: 'mailed', in: '1h', group: 'g' });
    await it.schedule(work, { payload: null, id: 'paused', in: '1h' });
    await it.pause('paused');
    const worker = scheduler({ tasks: [busy], queues: ['busy'] });
    await worker.start();
    await it.schedule(work, { payload: null, id: 'failed', queue: 'busy' });
    await clock.runUntil(async () => (await it.get('failed'))?.state === 'failed');
    for (const id of ['running', 'running on']) {
      await it.schedule(work, { payload: 'wait', id, queue: 'busy' });
      await clock.runUntil(async () => (await it.get(id))?.state === 'running');
    }
    await it.pause('running on');
    return it;
  }
  const waiting = ['plain', 'grouped', 'queued', 'mailed'];
  const running = ['running', 'running on'];

  test.each<[what: string, filter: ListFilter, ids: string[]]>([
    ['none', {}, [...waiting, 'paused', 'failed', ...running]],
    ['a group', { group: 'g' }, ['grouped', 'mailed']],
    ['no group', { group: null }, ['plain', 'queued', 'paused', 'failed', ...running]],
    ['a name', { name: 'mail' }, ['mailed']],
    ['a queue', { queue: 'q' }, ['queued']],
    ['scheduled', { state: 'scheduled' }, waiting],
    ['running', { state: 'running' }, running],
    ['the state paused', { state: 'paused' }, ['paused']],
    ['failed', { state: 'failed' }, ['failed']],
    ['finished', { state: 'finished' }, []],
    ['paused', { paused: true }, ['paused', 'running on']],
    ['not paused', { paused: false }, [...waiting, 'failed', 'running']],
    ['running and paused', { state: 'running', paused: true }, ['running on']],
    ['a state and a group', { state: 'scheduled', group: 'g' }, ['grouped', 'mailed']],
    ['several', { group: 'g', name: 'work' }, ['grouped']],
    ['what nothing matches', { group: 'h' }, []],
  ])('by filter: %s', async (_, filter, ids) => {
    await using it = await filled();
    const listed: string[] = [];
    for await (const { id } of it.list(filter)) listed.push(id);
    expect(listed.sort()).toEqual(ids.toSorted());
    expect(await it.count(filter)).toBe(ids.length);
    for (const id of ids) {
      if (filter.state) expect(await it.get(id)).toMatchObject({ state: filter.state });
    }
  });

  test('page by page, each task once, whatever is added and removed meanwhile', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const ids = Array.from({ length: 25 }, (_, i) => `${i}`);
    await it.scheduleMany(ids.map((id) => ({ task: work, payload: null, id, in: '1h' })));
    const seen: string[] = [];
    let after: string | null | undefined;
    do {
      const page = await it.listPage({ limit: 10, ...(after != null && { after }) });
      seen.push(...page.tasks.map(({ id }) => id));
      after = page.next;
      await it.remove(seen[0] ?? '');
      await it.schedule(work, { payload: null, in: '1h', group: 'late' });
    } while (after !== null);
    expect(seen.filter((id) => ids.includes(id)).sort()).toEqual(ids.toSorted());
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('the iteration goes over all pages, and may be left early', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.scheduleMany(Array.from({ length: 250 }, () => ({ task: work, payload: null })));
    let count = 0;
    for await (const _task of it.list()) count++;
    expect(count).toBe(250);
    for await (const task of it.list()) {
      expect(task.state).toBe('scheduled');
      break;
    }
  });

  test.each([0, -1, 1.5, Number.NaN, '5'])('a page of %s is refused', async (limit) => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await expect(it.listPage({ limit: limit as number })).rejects.toMatchObject({
      code: 'SCHED_ARGUMENT_INVALID',
    });
  });

  test('a record that cannot be read is listed all the same, and says why', async () => {
    const { scheduler, store } = createSetting();
    const codec = { name: 'upper', encode: () => 'X', decode: () => 'x' };
    await using it = scheduler({ tasks: [work] });
    await using other = scheduler({ tasks: [work], codec });
    await it.schedule(work, { payload: 1, id: 'newer', in: '1h' });
    await other.schedule(work, { payload: 2, id: 'encoded', in: '1h' });
    const [record] = await store.get(['newer']);
    const body = { ...readBody(record?.body ?? ''), v: 99 };
    await store.update('newer', { body: writeBody(body) }, { revision: record?.revision ?? 0 });
    const { tasks } = await it.listPage();
    expect(tasks).toMatchObject([
      {
        id: 'newer',
        state: 'scheduled',
        runAt: new Date(start + hourMs),
        trigger: null,
        nominal: null,
        error: { code: 'SCHED_RECORD_UNREADABLE' },
      },
      {
        id: 'encoded',
        payload: undefined,
        trigger: { kind: 'at', at: start + hourMs },
        nominal: new Date(start + hourMs),
        error: { code: 'SCHED_RECORD_UNREADABLE' },
      },
    ]);
  });
});

describe('the policies of a task', () => {
  const strict = defineTask<unknown>('work', { timeout: '5s', retry: 1 });

  test('are its own, those of its definition and the defaults, in this order', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [strict] });
    await it.schedule(strict, { id: 'a', payload: null, in: '1h', retry: 7 });
    const { timeoutMs } = strict.policies;
    expect((await it.get('a'))?.policies).toEqual({
      ...defaultPolicies,
      timeoutMs,
      retry: { ...defaultPolicies.retry, limit: 7 },
    });
  });

  test('are only its own where its definition is not known', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [strict] });
    await it.schedule(strict, { id: 'a', payload: null, in: '1h', keepFinished: true });
    await using other = scheduler({ tasks: [] });
    expect((await other.listPage()).tasks).toMatchObject([{ policies: { keepFinished: true } }]);
    expect(Object.keys((await other.get('a'))?.policies ?? {})).toEqual(['keepFinished']);
  });
});

describe('preview', () => {
  const { scheduler } = createSetting();
  const it = scheduler({ tasks: [work], triggers: [every, cron] });
  const from = new Date(start);
  const inMinutes = (dates: Date[]) => dates.map((date) => (date.getTime() - start) / 60_000);

  test.each<[what: string, when: Parameters<typeof it.preview>[0], minutes: number[]]>([
    ['a trigger', every('5m'), [5, 10, 15]],
    ['a short form', { cron: '*/20 * * * *' }, [0, 20, 40]],
    ['once', { in: '7m' }, [7]],
    ['once, in the past', at(start - 60_000), [-1]],
    ['now', {}, [0]],
    ['a schedule with an end', every('5m', { limit: 2 }), [5, 10]],
    ['a schedule that is over', every('5m', { anchor: 0, end: 1 }), []],
  ])('of %s', (_, when, minutes) => {
    expect(inMinutes(it.preview(when, 3, { from }))).toEqual(minutes);
  });

  test('is what happens: with jitter, and for the task that it is meant for', async () => {
    const { scheduler, clock } = createSetting();
    const ran: Date[] = [];
    const task = defineTask('t', { handler: () => ran.push(new Date(clock.now())) });
    await using worker = scheduler({ tasks: [task] });
    const trigger = every('1h', { jitter: '59m' });
    const expected = worker.preview(trigger, 5, { id: 'a', from: clock.now() });
    expect(worker.preview(trigger, 5, { id: 'b', from: clock.now() })).not.toEqual(expected);
    await worker.start();
    await worker.schedule(task, { id: 'a', trigger });
    await clock.runUntil(() => ran.length === 5);
    expect(ran).toEqual(expected);
  });

  test('of a stored task continues its own schedule, not one that begins now', async () => {
    const { scheduler, clock } = createSetting();
    await using it = scheduler({ tasks: [work] });
    const trigger = every({ months: 1 }, { limit: 3 });
    await clock.advance('30d');
    await it.schedule(work, { id: 'a', payload: null, trigger: anyOf(trigger) });
    const task = await it.get('a');
    if (!task?.trigger || !task.declaredAt) throw new Error('not stored');
    const stored = it.readTrigger(task.trigger);
    const { id, declaredAt } = task;
    const expected = it.preview(trigger, 9, { from: declaredAt });
    expect(expected.map((date) => date.toISOString().slice(0, 10))).toEqual([
      ...['2030-02-28', '2030-03-31', '2030-04-30'],
    ]);
    expect(it.preview(stored, 9, { id, declaredAt, from: declaredAt })).toEqual(expected);
    const [, ...others] = expected;
    const from = task.runAt?.getTime() ?? 0;
    expect(it.preview(stored, 9, { id, declaredAt, from: from + 1 })).toEqual(others);
    expect(it.preview(stored, 9, { id, from: from + 1 })).not.toEqual(others);
  });

  test('goes on from any moment with the schedule that a stored task has', async () => {
    const { scheduler, clock } = createSetting();
    const task = defineTask('t');
    await using other = scheduler({ tasks: [task] });
    const trigger = every({ months: 1 });
    // On the 31st of January: what counts from the 28th of February would be on the 28th of March.
    await clock.advance(30 * 24 * 60 * 60_000);
    await other.schedule(task, { id: 'a', trigger });
    const { declaredAt } = (await other.get('a')) ?? {};
    expect(declaredAt).toEqual(new Date(clock.now()));
    const [first, ...rest] = other.preview(trigger, 4, { id: 'a', from: clock.now() });
    const later = { id: 'a', from: (first?.getTime() ?? 0) + 1 };
    expect(other.preview(trigger, 3, { ...later, declaredAt: clock.now() })).toEqual(rest);
    expect(other.preview(trigger, 3, later)).not.toEqual(rest);
  });

  test('refuses what schedule refuses, and counts and times that are none', () => {
    for (const [act, code] of [
      [() => it.preview({}, 1, { declaredAt: Number.NaN }), 'SCHED_TIME_INVALID'],
      [() => it.readTrigger({ kind: 'tide' }), 'SCHED_TRIGGER_UNKNOWN'],
      [() => it.readTrigger(null as never), 'SCHED_TRIGGER_INVALID'],
      [() => it.preview({ every: 0 }, 1), 'SCHED_DURATION_INVALID'],
      [() => it.preview({ in: 1, at: 1 }, 1), 'SCHED_ARGUMENT_INVALID'],
      [() => it.preview(every('5m'), Number.POSITIVE_INFINITY), 'SCHED_ARGUMENT_INVALID'],
      [() => it.preview(every('5m'), Number.NaN), 'SCHED_ARGUMENT_INVALID'],
      [() => it.preview(every('5m'), 0), 'SCHED_ARGUMENT_INVALID'],
      [() => it.preview(every('5m'), 1, { from: new Date(Number.NaN) }), 'SCHED_TIME_INVALID'],
      [() => it.preview(every('5m'), 1, { declaredAt: 'yesterday' }), 'SCHED_TIME_INVALID'],
    ] as const) {
      expect(act).toThrow(expect.objectContaining({ code }));
    }
  });
});

describe('history', () => {
  test('tells of runs, attempts and skips, newest first', async () => {
    const { scheduler, clock } = createSetting();
    let runs = 0;
    const task = defineTask('t', {
      retry: { limit: 1, min: '1s', jitter: 0 },
      handler: async () => {
        runs++;
        if (runs === 1) throw Object.assign(new TypeError('not yet'), { code: 'E_NOT_YET' });
        if (runs === 3) await clock.sleep('150m');
      },
    });
    await using worker = scheduler({ tasks: [task], owner: 'w' });
    await worker.start();
    await worker.schedule(task, { id: 'a', every: '1h' });
    await clock.advance('5h');
    const nominal = (hours: number) => new Date(start + hours * hourMs);
    const history = await worker.history('a');
    expect(history).toEqual([
      {
        outcome: 'succeeded',
        nominal: nominal(5),
        attempt: 1,
        token: expect.any(Number),
        owner: 'w',
        startedAt: nominal(5),
        endedAt: nominal(5),
      },
      {
        outcome: 'skipped',
        reason: 'overlap',
        nominal: nominal(3),
        lastNominal: nominal(4),
        count: 2,
        endedAt: nominal(4.5),
      },
      expect.objectContaining({ outcome: 'succeeded', nominal: nominal(2), endedAt: nominal(4.5) }),
      expect.objectContaining({ outcome: 'succeeded', nominal: nominal(1), attempt: 2 }),
      {
        outcome: 'failed',
        nominal: nominal(1),
        attempt: 1,
        token: expect.any(Number),
        owner: 'w',
        startedAt: nominal(1),
        endedAt: nominal(1),
        retryAt: new Date(start + hourMs + 1000),
        error: { name: 'TypeError', message: 'not yet', code: 'E_NOT_YET' },
      },
    ]);
    expect(await worker.history('a', 2)).toEqual(history.slice(0, 2));
    expect(await worker.history('nobody')).toEqual([]);
    await expect(worker.history('a', 0)).rejects.toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
  });

  test('of a schedule holds the runs of the tasks that were given its occurrences', async () => {
    const { scheduler, clock } = createSetting();
    const task = defineTask('t', { overlap: 'allow', handler: () => clock.sleep('90m') });
    await using worker = scheduler({ tasks: [task] });
    const events = logEvents(worker);
    await worker.start();
    await worker.schedule(task, { id: 'a', trigger: every('1h', { limit: 3 }) });
    await clock.advance('10h');
    const history = await worker.history('a');
    expect(history.map(({ nominal }) => nominal.getTime())).toEqual(
      [3, 2, 1].map((n) => start + n * hourMs),
    );
    expect(history.map(({ childId }) => childId)).toEqual(
      events
        .of('spawned')
        .map(({ childId }) => childId)
        .reverse(),
    );
    expect(await worker.count()).toBe(0);
  });
});

describe('sync', () => {
  const declared = (id: string, payload: unknown, options: TaskSettings = {}): Declaration => ({
    task: work,
    payload,
    id,
    every: '1h',
    ...options,
  });

  test('adds, changes and removes, and touches nothing else', async () => {
    const { scheduler, clock, store } = createSetting();
    await using it = scheduler({ tasks: [work, mail] });
    await it.schedule(work, { payload: 'mine', id: 'mine', every: '1h' });
    await it.schedule(work, { payload: 'theirs', id: 'theirs', every: '1h', group: 'other' });
    expect(await it.sync(['a', 'b', 'c', 'd'].map((id) => declared(id, 1)))).toEqual({
      created: ['a', 'b', 'c', 'd'],
      updated: [],
      unchanged: [],
      removed: [],
    });
    await it.pause('a');
    await clock.advance('90m');
    const before = await store.get(['mine', 'theirs', 'a', 'b']);
    const again = [
      declared('a', 1),
      declared('b', 1),
      declared('c', 2),
      declared('e', 1),
      declared('f', 1, { group: 'ignored' }),
    ];
    expect(await it.sync(again)).toEqual({
      created: ['e', 'f'],
      updated: ['c'],
      unchanged: ['a', 'b'],
      removed: ['d'],
    });
    expect(await store.get(['mine', 'theirs', 'a', 'b'])).toEqual(before);
    expect(await it.get('f')).toMatchObject({ group: 'declared' });
    expect(await it.sync(again)).toMatchObject({ created: [], updated: [], removed: [] });
  });

  test('takes over a task that had been scheduled by hand', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.schedule(work, { payload: 1, id: 'a', every: '1h' });
    expect(await it.sync([declared('a', 1)])).toMatchObject({ updated: ['a'] });
    expect(await it.sync([])).toMatchObject({ removed: ['a'] });
  });

  test('refuses the id of a task of another group, before anything changes', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.schedule(work, { payload: 'theirs', id: 'b', every: '1h', group: 'other' });
    const before = await it.get('b');
    await expect(it.sync([declared('a', 1), declared('b', 1)])).rejects.toMatchObject({
      code: 'SCHED_TASK_EXISTS',
      message: expect.stringContaining('The id "b" is that of a task of the group "other"'),
    });
    expect(await it.get('b')).toEqual(before);
    expect(await it.count()).toBe(1);
  });

  test('keeps to the group that it is given', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.sync([declared('a', 1)], { group: 'one' });
    expect(await it.sync([declared('b', 1)], { group: 'two' })).toMatchObject({ removed: [] });
    expect(await it.sync([], { group: 'one' })).toMatchObject({ removed: ['a'] });
    expect(await it.count()).toBe(1);
  });

  test('leaves runs alone that were given a task of their own', async () => {
    const { scheduler, clock } = createSetting();
    const task = defineTask('work', {
      overlap: 'allow',
      handler: ({ signal }) => clock.sleep('3h', { signal }),
    });
    await using worker = scheduler({ tasks: [task] });
    await worker.start();
    await worker.sync([declared('a', 1)]);
    await clock.advance('90m');
    expect(await worker.sync([])).toMatchObject({ removed: ['a'] });
    expect(await worker.count({ group: 'declared' })).toBe(1);
    await clock.advance('5h');
    expect(await worker.history('a')).toMatchObject([{ outcome: 'succeeded' }]);
  });

  test('leaves alone what it cannot read: a newer version may have declared it', async () => {
    const { scheduler, store } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.sync([declared('newer', 1), declared('older', 1)]);
    const [record] = await store.get(['newer']);
    const body = writeBody({ ...readBody(record?.body ?? ''), v: 99 });
    await store.update('newer', { body }, { revision: record?.revision ?? 0 });
    expect(await it.sync([])).toMatchObject({ removed: ['older'] });
    expect((await store.get(['newer']))[0]?.body).toBe(body);
  });

  test.each<[what: string, declarations: readonly Declaration[], code: string]>([
    ['without an id', [declared('a', 1), { task: work, payload: 1 }], 'SCHED_ARGUMENT_INVALID'],
    ['with an id twice', [declared('a', 1), declared('a', 2)], 'SCHED_ARGUMENT_INVALID'],
    ['that is not valid', [declared('a', 1), declared('b', 1n)], 'SCHED_PAYLOAD_NOT_JSON'],
    ['of a task not known here', [{ task: mail, payload: 1, id: 'a' }], 'SCHED_TASK_UNKNOWN'],
  ])('with a declaration %s changes nothing', async (_, declarations, code) => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await it.sync([declared('kept', 1)]);
    await expect(it.sync(declarations)).rejects.toMatchObject({ code });
    expect((await it.listPage()).tasks.map(({ id }) => id)).toEqual(['kept']);
  });

  test('refuses a group that is none', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    await expect(it.sync([], { group: '' })).rejects.toMatchObject({
      code: 'SCHED_ARGUMENT_INVALID',
    });
  });
});

describe('several stores', () => {
  test('by alias: each holds tasks of its own, and all are worked on', async () => {
    const one = createSetting();
    const two = createSetting();
    const ran: string[] = [];
    const task = defineTask<string>('t', { handler: ({ payload }) => ran.push(payload) });
    // The clock of one moves both.
    const other = interceptStore(two.store, async (call, proceed) =>
      call === 'now' ? one.clock.now() : proceed(),
    );
    await using it = one.scheduler({ store: { main: one.handle(), other }, tasks: [task] });
    const events = logEvents(it);
    await it.schedule(task, { payload: 'in main', id: 'a' });
    await it.store('other').schedule(task, { payload: 'in other', id: 'a' });
    expect(it.store('main')).toBe(it);
    expect((await it.get('a'))?.payload).toBe('in main');
    expect((await it.store('other').get('a'))?.payload).toBe('in other');
    expect(events.of('scheduled').map(({ store }) => store)).toEqual(['main', 'other']);
    await it.start();
    await one.clock.runUntil(() => ran.length === 2);
    expect(ran.sort()).toEqual(['in main', 'in other']);
    expect(() => it.store('third')).toThrow(
      expect.objectContaining({
        code: 'SCHED_ARGUMENT_INVALID',
        message: expect.stringContaining('main, other'),
      }),
    );
  });
});

describe('withTransaction', () => {
  test('is refused by a store without transactions', async () => {
    const { scheduler } = createSetting();
    await using it = scheduler({ tasks: [work] });
    expect(() => it.withTransaction({})).toThrow(
      expect.objectContaining({ code: 'SCHED_STORE_UNSUPPORTED' }),
    );
  });

  test('gives the same calls on the store that is inside the transaction', async () => {
    const { scheduler, handle } = createSetting();
    const inside: string[] = [];
    const store = handle();
    const transactional = Object.assign(Object.create(store), store, {
      withTransaction: (tx: string) =>
        interceptStore(store, async (call, proceed) => {
          inside.push(`${tx}: ${call}`);
          return proceed();
        }),
    });
    await using it = scheduler({ store: transactional, tasks: [work] });
    await it.count();
    await it.withTransaction('tx').schedule(work, { payload: null, id: 'a', in: '1h' });
    expect(inside).toEqual(['tx: now', 'tx: insert']);
    expect(await it.count()).toBe(1);
  });
});

describe('health', () => {
  test('says how the scheduler and its stores are doing, and never throws', async () => {
    const { scheduler, handle, clock } = createSetting();
    const task = defineTask('t', { handler: ({ signal }) => clock.sleep('1h', { signal }) });
    let isUp = true;
    const flaky = interceptStore(handle(), async (_call, proceed) => {
      if (!isUp) throw new Error('connection refused');
      return proceed();
    });
    const it = scheduler({ store: { main: handle(), flaky }, tasks: [task], owner: 'w' });
    expect(await it.health()).toMatchObject({
      state: 'idle',
      owner: 'w',
      definitions: [task.name],
      running: 0,
      waiting: 0,
      settling: 0,
      stores: {
        main: { name: 'memory', isUp: true, error: null, capabilities: { latestHistory: true } },
        flaky: { isUp: true },
      },
    });
    await it.start();
    await it.schedule(task);
    await clock.advance(1);
    expect(await it.health()).toMatchObject({ state: 'running', running: 1 });
    isUp = false;
    expect((await it.health()).stores).toMatchObject({
      main: { isUp: true, latencyMs: 0 },
      flaky: {
        ...{ isUp: false, clockOffsetMs: null, error: { code: 'SCHED_STORE_UNAVAILABLE' } },
        capabilities: { history: true },
      },
    });
    const stopped = it.stop({ deadline: 1 });
    expect((await it.health()).state).toBe('stopping');
    isUp = true;
    await clock.advance('1m');
    await stopped;
    expect(await it.health()).toMatchObject({
      state: 'stopped',
      running: 0,
      stores: { main: { isUp: false, error: { code: 'SCHED_CLOSED' } } },
    });
  });

  test('of a stopped scheduler is all that it still tells', async () => {
    const { scheduler } = createSetting();
    const it = scheduler({ tasks: [work] });
    await it.schedule(work, { payload: null, id: 'a', in: '1h' });
    await it.stop();
    for (const call of [
      () => it.schedule(work),
      () => it.get('a'),
      () => it.pause('a'),
      () => it.start(),
      () => it.count(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'SCHED_CLOSED' });
    }
    await it.stop();
  });
});
