import { describe, expect, expectTypeOf, test } from 'vitest';
import { createScheduler, defineTask, type Middleware, type RunMiddleware } from '../src/index.js';
import { createSetting } from './support/setting.js';

/** A middleware that notes when it is entered and left. */
function noting(log: string[], name: string): RunMiddleware {
  return async (run, next) => {
    log.push(`${name} in ${run.task.id}`);
    try {
      return await next();
    } finally {
      log.push(`${name} out`);
    }
  };
}

describe('around runs', () => {
  test('what is used first is outermost, and a definition is within the scheduler', async () => {
    const { clock, scheduler } = createSetting();
    const log: string[] = [];
    const task = defineTask('task', {
      use: [noting(log, 'own'), { run: noting(log, 'inner') }],
      handler: () => {
        log.push('handler');
      },
    });
    const other = defineTask('other', { handler: () => log.push('other') });
    const it = scheduler({ tasks: [task, other] });
    it.use(noting(log, 'first')).use({ run: noting(log, 'second') });
    await it.start();
    await it.schedule(task, { id: 'a' });
    await clock.advance('1s');
    expect(log).toEqual([
      ...['first in a', 'second in a', 'own in a', 'inner in a', 'handler'],
      ...['inner out', 'own out', 'second out', 'first out'],
    ]);
    log.length = 0;
    await it.schedule(other, { id: 'b' });
    await clock.advance('1s');
    expect(log).toEqual(['first in b', 'second in b', 'other', 'second out', 'first out']);
    await it.stop();
  });

  test.each<[string, RunMiddleware, string | undefined, number]>([
    ['one that throws', () => Promise.reject(new Error('refused')), 'refused', 0],
    ['one that throws at once', throwing, 'refused', 0],
    ['one that does not go on', () => 'cached', undefined, 0],
    ['one that hides the failure', (_, next) => next().catch(() => {}), undefined, 1],
    ['one that passes it on', (_, next) => next(), 'failed', 1],
    ['one that goes on twice', (_, next) => next().catch(() => next()), 'called next() twice', 1],
  ])('the run ends as the outermost does: %s', async (_, middleware, message, calls) => {
    const { clock, scheduler } = createSetting();
    let called = 0;
    const task = defineTask('task', {
      ...{ keepFinished: true, retry: 0 },
      handler: () => {
        called++;
        throw new Error('failed');
      },
    });
    const it = scheduler({ tasks: [task] }).use(middleware);
    await it.start();
    await it.schedule(task, { id: 'a' });
    await clock.advance('1s');
    expect(called).toBe(calls);
    const info = await it.get('a');
    expect(info?.state).toBe(message === undefined ? 'finished' : 'failed');
    if (message !== undefined) expect(info?.lastRun?.error?.message).toContain(message);
    await it.stop();
  });

  test('its signal and its timeout are those of the run', async () => {
    const { clock, scheduler } = createSetting();
    const reasons: unknown[] = [];
    const task = defineTask('task', {
      ...{ timeout: '1s', retry: 0 },
      handler: ({ signal }) => clock.sleep('1h', { signal }),
    });
    const it = scheduler({ tasks: [task] }).use(async ({ signal }, next) => {
      await next().finally(() => reasons.push(signal.reason.code));
    });
    await it.start();
    await it.schedule(task, { id: 'a' });
    await clock.advance('10s');
    expect(reasons).toEqual(['SCHED_TIMEOUT']);
    expect((await it.get('a'))?.lastRun?.error).toMatchObject({ code: 'SCHED_TIMEOUT' });
    await it.stop();
  });
});

function throwing(): never {
  throw new Error('refused');
}

describe('context', () => {
  const database = (log: string[], name = 'database'): Middleware => ({
    open: async () => {
      log.push(`open ${name}`);
      return { [name]: { isOpen: true } };
    },
    close: (context) => {
      log.push(`close ${name}`);
      for (const each of Object.values(context)) each.isOpen = false;
    },
  });

  test('is built once, before the first run, and closed after the last, the last opened first', async () => {
    const { clock, scheduler } = createSetting();
    const log: string[] = [];
    const shared = database(log);
    const seen: unknown[] = [];
    const handler = async ({ context, signal }: { context: object; signal: AbortSignal }) => {
      await clock.sleep('1h', { signal }).catch(() => {});
      seen.push(structuredClone(context));
    };
    const tasks = ['a', 'b'].map((name) =>
      defineTask(name, { use: [database(log, `own of ${name}`), shared], handler }),
    );
    const client = defineTask('client', { use: [database(log, 'nobody')] });
    const it = scheduler({ tasks: [...tasks, client] }).use(database(log, 'common'));
    expect(log).toEqual([]);
    await it.start();
    for (const task of tasks) await it.schedule(task, {});
    await clock.advance('1s');
    await Promise.all([it.stop({ deadline: 0 }), clock.advance('1s')]);
    expect(log).toEqual([
      ...['open common', 'open own of a', 'open database', 'open own of b'],
      ...['close own of b', 'close database', 'close own of a', 'close common'],
    ]);
    const isOpen = true;
    expect(seen).toEqual([
      { common: { isOpen }, 'own of a': { isOpen }, database: { isOpen } },
      { common: { isOpen }, 'own of b': { isOpen }, database: { isOpen } },
    ]);
  });

  test('that cannot be built keeps the scheduler from starting, and what was built is closed', async () => {
    const { scheduler } = createSetting();
    const log: string[] = [];
    let fails = true;
    const failing = {
      open: () => {
        if (fails) throw new Error('no database');
        return { fine: true };
      },
    };
    const it = scheduler({ tasks: [] }).use(database(log)).use(failing);
    await expect(it.start()).rejects.toThrow('no database');
    expect(log).toEqual(['open database', 'close database']);
    fails = false;
    await it.start();
    expect((await it.health()).state).toBe('running');
    await it.stop();
    expect(log.slice(2)).toEqual(['open database', 'close database']);
  });

  test('that cannot be closed is told, and the others are closed', async () => {
    const { scheduler } = createSetting();
    const log: string[] = [];
    const failing = {
      open: () => ({}),
      close: () => Promise.reject(new Error('stuck')),
    };
    const it = scheduler({ tasks: [] }).use(database(log)).use(failing);
    const errors: unknown[] = [];
    it.on('middlewareError', ({ error }) => errors.push(error));
    await it.start();
    await it.stop();
    expect(errors).toEqual([new Error('stuck')]);
    expect(log).toEqual(['open database', 'close database']);
  });

  test('of a scheduler that is stopped while it is built is closed', async () => {
    const { scheduler } = createSetting();
    const log: string[] = [];
    const { promise, resolve } = Promise.withResolvers<{ late: true }>();
    const entered = Promise.withResolvers<void>();
    const it = scheduler({ tasks: [] }).use({
      open: () => {
        entered.resolve();
        return promise;
      },
      close: () => log.push('closed'),
    });
    const starting = it.start();
    await entered.promise;
    await it.stop();
    resolve({ late: true });
    await starting;
    expect(log).toEqual(['closed']);
  });

  test('has the type of what the definition uses', () => {
    const withDatabase = { open: async () => ({ database: 'handle' as const }) };
    const withLogger: Middleware<{ logger: number }> = { open: () => ({ logger: 1 }) };
    const schema = {
      '~standard': {
        ...{ version: 1 as const, vendor: 'test', validate: () => ({ value: 1 }) },
        types: { input: '' as string, output: 1 as number },
      },
    };
    defineTask('typed', {
      payload: schema,
      use: [withDatabase, withLogger, (_run, next) => next()],
      handler: ({ payload, context }) => {
        expectTypeOf(payload).toEqualTypeOf<number>();
        expectTypeOf(context.database).toEqualTypeOf<'handle'>();
        expectTypeOf(context.logger).toEqualTypeOf<number>();
      },
    });
    defineTask<string, string, [typeof withDatabase]>('named', {
      use: [withDatabase],
      handler: ({ payload, context }) => {
        expectTypeOf(payload).toEqualTypeOf<string>();
        expectTypeOf(context.database).toEqualTypeOf<'handle'>();
      },
    });
    defineTask('none', {
      handler: ({ context }) => {
        expectTypeOf(context).toEqualTypeOf<object>();
        // @ts-expect-error: nothing was built
        context.database;
      },
    });
  });
});

describe('around calls that schedule', () => {
  test('headers travel with tasks, through edits and to those that run occurrences', async () => {
    const { clock, scheduler } = createSetting();
    const got: unknown[] = [];
    const task = defineTask<string>('task', {
      handler: ({ headers, task: { id } }) => {
        got.push([id.slice(0, 1), headers]);
      },
    });
    const it = scheduler({ tasks: [task] });
    const stored: unknown[] = [];
    it.use({
      async schedule({ store, tasks }, next) {
        for (const { id, headers } of tasks) headers.trace = `${store} of ${id}`;
        const outcomes = await next();
        stored.push(outcomes);
        return outcomes;
      },
    });
    await it.start();
    await it.schedule(task, { id: 'a', payload: '', in: '1h', headers: { own: '1' } });
    await it.scheduleMany([
      { task, id: 'b', payload: '', in: '1h' },
      { task, id: 'c', payload: '', in: '1h' },
    ]);
    await it.sync([{ task, id: 'd', payload: '', in: '1h' }]);
    expect(stored.map((each) => (each as unknown[]).length)).toEqual([1, 2, 1]);
    expect((await it.get('a'))?.headers).toEqual({ own: '1', trace: 'default of a' });
    await it.update('a', { payload: 'new', in: '2h' });
    await it.runNow('b');
    await clock.advance('3h');
    const of = (id: string) => [id, { trace: `default of ${id}` }];
    expect(got.sort()).toEqual([
      ['a', { own: '1', trace: 'default of a' }],
      ...[of('b'), of('b'), of('c'), of('d')],
    ]);
    await it.stop();
  });

  test('a repeated call changes nothing for its headers alone, and takes new ones with a change', async () => {
    const { scheduler } = createSetting();
    const task = defineTask<number>('task');
    const it = scheduler({ tasks: [task] });
    const declare = async (payload: number, headers?: Record<string, string>, every = '1h') => {
      const given = { id: 'a', payload, every, ...(headers && { headers }) };
      const { outcome } = await it.schedule(task, given);
      return [outcome, (await it.get('a'))?.headers];
    };
    expect(await declare(1, { trace: '1' })).toEqual(['created', { trace: '1' }]);
    expect(await declare(1, { trace: '2' })).toEqual(['unchanged', { trace: '1' }]);
    expect(await declare(2, { trace: '3' })).toEqual(['updated', { trace: '3' }]);
    expect(await declare(3)).toEqual(['updated', { trace: '3' }]);
    expect(await declare(3, undefined, '2h')).toEqual(['updated', { trace: '3' }]);
    expect(await declare(3, { trace: '4' }, '3h')).toEqual(['updated', { trace: '4' }]);
    await it.stop();
  });

  test('one that throws refuses the tasks, and one that does not go on is at fault', async () => {
    const { scheduler } = createSetting();
    const task = defineTask('task');
    const refusing = scheduler({ tasks: [task] }).use({ schedule: throwing });
    await expect(refusing.schedule(task)).rejects.toThrow('refused');
    expect(await refusing.count()).toBe(0);
    const silent = scheduler({ tasks: [task] }).use({ schedule: async () => [] });
    await expect(silent.schedule(task)).rejects.toThrow('did not call next()');
    expect(await silent.count()).toBe(0);
    const greedy = scheduler({ tasks: [task] }).use({
      schedule: ({ tasks }, next) => {
        for (const { headers } of tasks) headers.long = 'ä'.repeat(4097);
        return next();
      },
    });
    const refused = { code: 'SCHED_PAYLOAD_TOO_LARGE' };
    await expect(greedy.schedule(task)).rejects.toMatchObject(refused);
    expect(await greedy.count()).toBe(0);
    await Promise.all([refusing.stop(), silent.stop(), greedy.stop()]);
  });
});

describe('bad input', () => {
  const task = defineTask('task');

  test.each<[string, unknown, string]>([
    ['a number', 1, 'must be an object'],
    ['an unknown member', { around: () => {} }, 'must not have a member "around"'],
    ['a member that is no function', { run: 1 }, 'must be a function'],
  ])('middleware: %s', (_, given, message) => {
    const { scheduler } = createSetting();
    const it = scheduler({ tasks: [task] });
    expect(() => it.use(given as RunMiddleware)).toThrow(message);
    expect(() => defineTask('bad', { use: [given as RunMiddleware] })).toThrow(message);
  });

  test('what a definition cannot surround', () => {
    const given = { schedule: (_: unknown, next: () => Promise<unknown>) => next() };
    expect(() => defineTask('bad', { use: [given as Middleware] })).toThrow('"schedule"');
    expect(() => defineTask('bad', { use: given as unknown as [] })).toThrow(
      'a list of middleware',
    );
  });

  test('use after start', async () => {
    const { scheduler } = createSetting();
    const it = scheduler({ tasks: [task] });
    await it.start();
    expect(() => it.use(() => {})).toThrow('Call it before start()');
    await it.stop();
  });

  test.each<[string, unknown, string]>([
    ['a list', ['a'], 'must be an object'],
    ['a number in it', { a: 1 }, 'must be text'],
    ['half of a surrogate pair', { a: '\ud800' }, 'surrogate'],
    ['too much', { [`${'a'.repeat(4096)}`]: 'b'.repeat(4097) }, '8193 bytes'],
  ])('headers: %s', async (_, headers, message) => {
    const { store } = createSetting();
    const it = createScheduler({ store, tasks: [task] });
    const given = { headers: headers as Record<string, string> };
    await expect(it.schedule(task, given)).rejects.toThrow(message);
    expect(await it.count()).toBe(0);
    await it.stop();
  });
});
