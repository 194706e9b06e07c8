import { describe, expect, test } from 'vitest';
import {
  type Declaration,
  defineTask,
  every,
  type Scheduler,
  type TaskSettings,
} from '../src/index.js';
import { resolvePolicies } from '../src/policies.js';
import { readBody } from '../src/record.js';
import {
  createScene,
  hourly,
  hourMs,
  inSituation,
  situationOf,
  situations,
  start,
  untilRunning,
} from './support/scene.js';
import { createSetting } from './support/setting.js';

describe.each(situations)('declared again while it is $what', (situation) => {
  const { options } = situation;

  test('and nothing has changed: nothing changes, not even an overdue run', async () => {
    await using scene = await inSituation(situation);
    const { client, task, record } = scene;
    const before = await record();
    for (const onConflict of ['update', 'keep'] as const) {
      const { outcome } = await client.schedule(task, { payload: 'old', ...options, onConflict });
      expect(outcome).toBe('unchanged');
    }
    expect(await record()).toEqual(before);
  });

  test('and is to be kept, or must not exist: it stays as it is', async () => {
    await using scene = await inSituation(situation);
    const { client, task, record } = scene;
    const before = await record();
    const changed = { ...options, retry: 7, queue: 'fast' };
    const { outcome } = await client.schedule(task, {
      payload: 'new',
      ...changed,
      onConflict: 'keep',
    });
    expect(outcome).toBe('unchanged');
    await expect(
      client.schedule(task, { payload: 'new', ...changed, onConflict: 'error' }),
    ).rejects.toMatchObject({ code: 'SCHED_TASK_EXISTS' });
    expect(await record()).toEqual(before);
  });

  test('with another payload: only that changes, and the next run stays where it is', async () => {
    await using scene = await inSituation(situation);
    const { client, task } = scene;
    const before = await client.get('a');
    expect((await client.schedule(task, { payload: 'new', ...options })).outcome).toBe('updated');
    expect(await client.get('a')).toEqual({ ...before, payload: 'new' });
    const declaration: Declaration = { ...options, task };
    expect((await client.scheduleMany([declaration]))[0]?.outcome).toBe('updated');
    expect(await client.get('a')).toEqual({ ...before, payload: undefined });
  });

  test('with other policies, another queue or group: the next run stays where it is', async () => {
    await using scene = await inSituation(situation);
    const { client, task } = scene;
    const before = await client.get('a');
    for (const changed of [
      { retry: 7 },
      { retry: 7, queue: 'fast' },
      { retry: 7, queue: 'fast', group: 'g' },
    ]) {
      const { outcome } = await client.schedule(task, { payload: 'old', ...options, ...changed });
      expect(outcome).toBe('updated');
      const { retry, ...effect } = changed;
      const policies = { ...before?.policies, ...resolvePolicies({ retry }) };
      expect(await client.get('a')).toEqual({ ...before, ...effect, policies });
    }
  });

  test('with another trigger: it has a new next run; a pause and a run in progress stay', async () => {
    await using scene = await inSituation(situation);
    const { client, task, clock } = scene;
    const before = await client.get('a');
    const { at: _at, every: _every, ...rest } = options;
    const outcome = await client.schedule(task, {
      payload: 'old',
      ...rest,
      at: clock.now() + 5 * hourMs,
    });
    expect(outcome).toMatchObject({ outcome: 'updated' });
    const runAt = new Date(clock.now() + 5 * hourMs);
    expect(await client.get('a')).toMatchObject({
      state: before?.lease ? 'running' : before?.isPaused ? 'paused' : 'scheduled',
      isPaused: before?.isPaused,
      lease: before?.lease,
      lastRun: before?.lastRun,
      runAt,
      nominal: runAt,
      attempt: 1,
    });
  });

  test('to be replaced: it is scheduled anew; a pause and a run in progress stay', async () => {
    await using scene = await inSituation(situation);
    const { client, task, clock } = scene;
    const before = await client.get('a');
    const replaced = await client.schedule(task, {
      payload: 'old',
      ...options,
      onConflict: 'replace',
    });
    expect(replaced.outcome).toBe('replaced');
    const runAt = options.every ? new Date(clock.now() + hourMs) : new Date(start + hourMs);
    expect(await client.get('a')).toMatchObject({
      state: before?.lease ? 'running' : before?.isPaused ? 'paused' : 'scheduled',
      isPaused: before?.isPaused,
      lease: before?.lease,
      lastRun: null,
      runAt,
      attempt: 1,
    });
  });
});

test('declared again with what its definition says already, a task stays as it is', async () => {
  const { scheduler } = createSetting();
  const mail = defineTask<object>('mail', {
    queue: 'slow',
    group: 'mails',
    retry: 7,
    timeout: '1m',
  });
  await using it = scheduler({ tasks: [mail] });
  await it.schedule(mail, { payload: { b: 1, a: [{ d: 1, c: 2 }] }, id: 'a', every: '1h' });
  const again = { id: 'a', every: '60m', queue: 'slow', group: 'mails' } as const;
  const { outcome } = await it.schedule(mail, { payload: { a: [{ c: 2, d: 1 }], b: 1 }, ...again });
  expect(outcome).toBe('unchanged');
});

test('a change is found wherever it is in a payload, whatever its key is called', async () => {
  const { scheduler } = createSetting();
  const work = defineTask('work');
  await using it = scheduler({ tasks: [work] });
  const declare = (text: string) =>
    it.schedule(work, { payload: JSON.parse(text), id: 'a', every: '1h' });
  await declare('{"list":[{"__proto__":{"a":1}}]}');
  expect(await declare('{"list":[{"__proto__":{"a":1}}]}')).toMatchObject({ outcome: 'unchanged' });
  expect(await declare('{"list":[{"__proto__":{"a":2}}]}')).toMatchObject({ outcome: 'updated' });
  expect(JSON.stringify((await it.get('a'))?.payload)).toBe('{"list":[{"__proto__":{"a":2}}]}');
});

test('what the definition says is not copied: a new version of it holds for tasks that are there', async () => {
  const { clock, scheduler } = createSetting();
  const attempts: number[] = [];
  const handler = ({ attempt }: { attempt: number }) => {
    attempts.push(attempt);
    throw new Error('again');
  };
  await using client = scheduler({ tasks: [defineTask('t', { retry: 5 })] });
  await client.schedule(defineTask('t'), { payload: null, id: 'a', in: '1h' });
  await using worker = scheduler({ tasks: [defineTask('t', { handler, retry: 1 })] });
  await worker.start();
  await clock.advance('1d');
  expect(attempts).toEqual([1, 2]);
});

describe.each(situations)('updated while it is $what', (situation) => {
  test('member by member: each changes, and nothing else', async () => {
    await using scene = await inSituation(situation);
    const { client } = scene;
    let expected = await client.get('a');
    const change = async (changes: Parameters<Scheduler['update']>[1], effect: object) => {
      await client.update('a', changes);
      expected = { ...expected, ...effect } as typeof expected;
      expect(await client.get('a')).toEqual(expected);
    };
    await change({}, {});
    await change({ payload: { now: 'this' } }, { payload: { now: 'this' } });
    await change({ payload: undefined }, { payload: undefined });
    await change({ queue: 'fast' }, { queue: 'fast' });
    await change({ group: 'g' }, { group: 'g' });
    await change({ group: null }, { group: null });
    for (const policies of [
      { retry: 2, timeout: '1m', overlap: 'queueAll' },
      { catchUp: 'all', maxDeliveries: 9, keepFinished: true },
    ] as const) {
      const effect = { policies: { ...expected?.policies, ...resolvePolicies(policies) } };
      await change(policies, effect);
    }
    const [record] = await scene.store.get(['a']);
    expect(readBody(record?.body ?? '').policies).toMatchObject({
      retry: { limit: 2 },
      timeoutMs: 60_000,
      overlap: { mode: 'queueAll' },
      catchUp: { mode: 'all' },
      maxDeliveries: 9,
      keepFinished: true,
    });
  });

  test.each<[what: string, when: TaskSettings, inMs: number]>([
    ['at', { at: start + 9 * hourMs }, Number.NaN],
    ['in', { in: '2h' }, 2 * hourMs],
    ['every', { every: '3h' }, 3 * hourMs],
    ['trigger', { trigger: every('4h', { limit: 2 }) }, 4 * hourMs],
  ])('and rescheduled: %s', async (_, when, inMs) => {
    await using scene = await inSituation(situation);
    const { client, clock } = scene;
    const before = await client.get('a');
    if (situation.state === 'failed') await client.retry('a');
    await client.update('a', when);
    for (const member of ['begunAt', 'backlogUntil', 'isLast']) {
      const [record] = await scene.store.get(['a']);
      expect(readBody(record?.body ?? '')).not.toHaveProperty(member);
    }
    const runAt = new Date(Number.isNaN(inMs) ? start + 9 * hourMs : clock.now() + inMs);
    expect(await client.get('a')).toMatchObject({
      state: before?.lease ? 'running' : before?.isPaused ? 'paused' : 'scheduled',
      isPaused: before?.isPaused,
      payload: 'old',
      lastRun: before?.lastRun ?? null,
      runAt,
      nominal: runAt,
      attempt: 1,
    });
  });

  test('with what is not valid: refused, and nothing changes', async () => {
    await using scene = await inSituation(situation);
    const { client, record } = scene;
    const before = await record();
    for (const [changes, code] of [
      [{ every: 0 }, 'SCHED_DURATION_INVALID'],
      [{ trigger: every('1h', { anchor: 0, end: 1 }) }, 'SCHED_TRIGGER_NEVER'],
      [{ in: '1h', every: '1h' }, 'SCHED_ARGUMENT_INVALID'],
      [{ payload: 1n }, 'SCHED_PAYLOAD_NOT_JSON'],
      [{ queue: '' }, 'SCHED_ARGUMENT_INVALID'],
      [{ group: '' }, 'SCHED_ARGUMENT_INVALID'],
      [{ retry: -1 }, 'SCHED_ARGUMENT_INVALID'],
      [{ payload: 'fine', timeout: 0 }, 'SCHED_DURATION_INVALID'],
    ] as const) {
      await expect(client.update('a', changes)).rejects.toMatchObject({ code });
    }
    expect(await record()).toEqual(before);
  });
});

describe('an edit made during a run', () => {
  test('of the payload holds from the next run', async () => {
    await using scene = await inSituation(situationOf('running'));
    const { client, clock, runs } = scene;
    await client.update('a', { payload: 'new' });
    scene.order = 'succeed';
    await client.cancel('a');
    await clock.runUntil(() => runs.length === 2, '3h');
    expect(runs).toEqual(['a: old', 'a: new']);
  });

  test('of the trigger is what follows the run', async () => {
    const scene = createScene();
    const { it, task, clock, runs } = scene;
    await it.schedule(task, { payload: 'old', ...hourly });
    await untilRunning(scene);
    await it.update('a', { at: start + 10 * hourMs });
    scene.order = 'succeed';
    await it.cancel('a');
    await clock.runUntil(async () => (await it.get('a'))?.state === 'scheduled');
    expect(await it.get('a')).toMatchObject({
      runAt: new Date(start + 10 * hourMs),
      lastRun: { outcome: 'failed', error: { code: 'SCHED_CANCELLED' } },
    });
    await clock.runUntil(() => runs.length === 2);
    expect(clock.now()).toBe(start + 10 * hourMs);
    await it.stop();
  });
});
