import { describe, expect, test } from 'vitest';
import {
  defineTask,
  PermanentError,
  type ScheduleOptions,
  type TaskSettings,
} from '../src/index.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

const start = Date.parse('2030-01-01T00:00:00Z');

/** A task that takes a second, and what it was run with. */
function createMail() {
  const setting = createSetting();
  const sent: string[] = [];
  const mail = defineTask<string>('mail', {
    handler: async ({ payload }) => {
      sent.push(payload);
      await setting.clock.sleep('1s');
    },
  });
  return { ...setting, mail, sent, it: setting.scheduler({ tasks: [mail] }) };
}

describe('A call that is repeated with the same id', () => {
  test('after its answer was lost, while the handler runs, does not have it run twice', async () => {
    const { clock, handle, scheduler, mail, sent, it } = createMail();
    let isLost = false;
    const store = interceptStore(handle(), async (call, proceed) => {
      const answer = await proceed();
      if (call !== 'insert' || isLost) return answer;
      isLost = true;
      throw new Error('connection reset');
    });
    await using client = scheduler({ store, tasks: [mail] });
    await it.start();
    const call = () => client.schedule(mail, { payload: 'hello', id: 'welcome-ada' });
    await expect(call()).rejects.toMatchObject({ code: 'SCHED_STORE_UNAVAILABLE' });
    await clock.runUntil(() => sent.length === 1);
    expect(await call()).toEqual({ id: 'welcome-ada', outcome: 'unchanged' });
    await clock.advance('1h');
    expect(sent).toEqual(['hello']);
    await it.stop();
  });

  test.each<[what: string, options: ScheduleOptions<string>]>([
    ['no time', { payload: 'new' }],
    ['in', { payload: 'new', in: '5m' }],
  ])('with %s keeps the moment, whatever the trigger', async (_, options) => {
    const { clock, mail, it } = createMail();
    const moments: TaskSettings[] = [{ at: start + 9_000 }, { in: '10s' }, { every: '1h' }];
    for (const [index, when] of moments.entries()) {
      const id = `${index}`;
      await it.schedule(mail, { payload: 'old', id, ...when });
      const before = await it.get(id);
      await clock.advance('1s');
      expect(await it.schedule(mail, { ...options, id })).toEqual({ id, outcome: 'updated' });
      expect(await it.get(id)).toEqual({ ...before, payload: 'new' });
      expect(await it.schedule(mail, { ...options, id })).toEqual({ id, outcome: 'unchanged' });
    }
  });

  test('does not give a task that keeps failing new attempts', async () => {
    const { clock, scheduler } = createSetting();
    const attempts: number[] = [];
    const task = defineTask('failing', {
      retry: { limit: 2, backoff: 'fixed', min: '1m', jitter: 0 },
      handler: ({ attempt }) => {
        attempts.push(attempt);
        throw new Error('no');
      },
    });
    await using it = scheduler({ tasks: [task] });
    await it.start();
    for (let i = 0; i < 20; i++) {
      await it.schedule(task, { id: 'a' });
      await clock.advance('20s');
    }
    expect(attempts).toEqual([1, 2, 3]);
    expect(await it.get('a')).toMatchObject({ state: 'failed' });
  });

  test('leaves a task alone that has run and was kept', async () => {
    const { clock, scheduler } = createSetting();
    let runs = 0;
    const task = defineTask('once', { keepFinished: true, handler: () => runs++ });
    await using it = scheduler({ tasks: [task] });
    await it.start();
    await it.schedule(task, { id: 'a' });
    await clock.advance('1m');
    expect(await it.schedule(task, { id: 'a' })).toMatchObject({ outcome: 'unchanged' });
    await clock.advance('1m');
    expect(runs).toBe(1);
  });

  test.each(['update', 'catchUp'])(
    'runs a one-off once more whose payload changed while it ran (%s)',
    async (how) => {
      const { clock, mail, sent, it } = createMail();
      const catchUp = how === 'catchUp' ? ({ mode: 'none', grace: 1 } as const) : 'latest';
      await it.start();
      await it.schedule(mail, { payload: 'old', id: 'a', catchUp });
      await clock.runUntil(() => sent.length === 1);
      expect(await it.schedule(mail, { payload: 'new', id: 'a', catchUp })).toMatchObject({
        outcome: 'updated',
      });
      await clock.advance('1h');
      expect(sent).toEqual(['old', 'new']);
      expect(await it.count()).toBe(0);
      await it.stop();
    },
  );
});

test('A codec that writes the same differently each time does not have it run once more', async () => {
  const { clock, scheduler } = createSetting();
  let count = 0;
  const codec = {
    name: 'salted',
    encode: (payload: unknown) => `${++count}:${JSON.stringify(payload)}`,
    decode: (text: string) => JSON.parse(text.slice(text.indexOf(':') + 1)) as unknown,
  };
  const sent: string[] = [];
  const mail = defineTask<string>('mail', {
    handler: async ({ payload }) => {
      sent.push(payload);
      await clock.sleep('1s');
    },
  });
  await using it = scheduler({ tasks: [mail], codec });
  await it.start();
  await it.schedule(mail, { payload: 'a', id: 'x' });
  await clock.runUntil(() => sent.length === 1);
  const stored = await it.get('x');
  expect((await it.schedule(mail, { payload: 'a', id: 'x' })).outcome).toBe('unchanged');
  expect(await it.get('x')).toEqual(stored);
  await clock.advance('1m');
  expect(sent).toEqual(['a']);
  await it.schedule(mail, { payload: 'a', id: 'y' });
  await clock.runUntil(() => sent.length === 2);
  await it.schedule(mail, { payload: 'b', id: 'y' });
  await clock.advance('1m');
  expect(sent).toEqual(['a', 'a', 'b']);
});

describe('debounce', () => {
  test('puts the run off with each call, and takes the last payload', async () => {
    const { clock, mail, sent, it } = createMail();
    await it.start();
    for (const payload of ['a', 'ab', 'abc']) {
      await it.schedule(mail, { payload, id: 'search', debounce: '5s' });
      expect(await it.get('search')).toMatchObject({ runAt: new Date(clock.now() + 5000) });
      await clock.advance('4s');
    }
    expect(sent).toEqual([]);
    await clock.advance('10s');
    expect(sent).toEqual(['abc']);
    await it.stop();
  });

  test('while it runs, has it run once more', async () => {
    const { clock, mail, sent, it } = createMail();
    await it.start();
    await it.schedule(mail, { payload: 'a', id: 'search', debounce: '5s' });
    await clock.runUntil(() => sent.length === 1);
    await it.schedule(mail, { payload: 'b', id: 'search', debounce: '5s' });
    await clock.advance('4s');
    expect(sent).toEqual(['a']);
    await clock.advance('2s');
    expect(sent).toEqual(['a', 'b']);
    await it.stop();
  });

  test('begins anew after a failure', async () => {
    const { clock, scheduler } = createSetting();
    const task = defineTask('failing', {
      handler: () => {
        throw new PermanentError('no');
      },
    });
    await using it = scheduler({ tasks: [task] });
    await it.start();
    await it.schedule(task, { id: 'a', debounce: '1s' });
    await clock.advance('2s');
    expect(await it.get('a')).toMatchObject({ state: 'failed' });
    await it.schedule(task, { id: 'a', debounce: '1s' });
    expect(await it.get('a')).toMatchObject({ state: 'scheduled', attempt: 1 });
  });

  test.each<[what: string, options: ScheduleOptions<string>, problem: RegExp]>([
    ['without an id', { payload: '', debounce: '5s' }, /needs the id/],
    ['with another time', { payload: '', id: 'a', debounce: '5s', in: '1m' }, /excludes in/],
    [
      'with onConflict',
      { payload: '', id: 'a', debounce: '5s', onConflict: 'keep' },
      /excludes onConflict/,
    ],
  ])('%s is refused', async (_, options, problem) => {
    const { mail, it } = createMail();
    const error = await it.schedule(mail, options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
    expect((error as Error).message).toMatch(problem);
    expect(await it.count()).toBe(0);
  });
});
