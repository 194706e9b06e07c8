import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  createScheduler,
  type DataStore,
  defineTask,
  type Policies,
  type RunInfo,
  type Scheduler,
  type SchedulerEvents,
  type SchedulerOptions,
  type TaskDefinition,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { SqliteDataStore } from '@sched/sqlite';
import { createThreadPool, inThread, type ThreadPool } from '@sched/worker-threads';
import { afterEach, describe, expect, test } from 'vitest';

const handlers = new URL('./handlers.ts', import.meta.url);
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function scheduler(tasks: TaskDefinition[], options: Partial<SchedulerOptions> = {}) {
  const made = createScheduler({
    store: new MemoryDataStore(),
    tasks,
    announce: false,
    maxResultBytes: 10_000,
    ...options,
  });
  cleanups.push(() => made.stop({ deadline: '1ms' }));
  return made;
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sched-threads-'));
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function next<K extends keyof SchedulerEvents>(
  it: Scheduler,
  name: K,
  id?: string,
): Promise<SchedulerEvents[K]> {
  return new Promise((resolve) => {
    const off = it.on(name, (event) => {
      if (id !== undefined && (event as { id?: string }).id !== id) return;
      off();
      resolve(event);
    });
  });
}

/** A task that blocks its thread once it runs, and the moment from which it does. */
function stuckTask(pool: ThreadPool, terminateAfterMs: number, options: Policies = {}) {
  const { promise: isStuck, resolve } = Promise.withResolvers<void>();
  const handler = inThread(handlers, { pool, exportName: 'stuck', terminateAfterMs });
  const task = defineTask<string>('stuck', {
    use: [pool],
    retry: 0,
    ...options,
    handler: (run) =>
      handler({
        ...run,
        log: (line) => {
          run.log(line);
          resolve();
        },
      }),
  });
  return { task, isStuck };
}

/** Runs a task once, and gives its entry in the history. */
async function ran(it: Scheduler, task: TaskDefinition, payload?: unknown): Promise<RunInfo> {
  const id = crypto.randomUUID();
  const ended = Promise.race([next(it, 'succeeded', id), next(it, 'failed', id)]);
  await it.schedule(task, {
    id,
    payload,
    keepFinished: true,
  });
  await ended;
  const [entry] = await it.history(id);
  return entry as RunInfo;
}

describe('a handler in a thread', () => {
  test('is given the run, tells how far it is, and returns', async () => {
    const pool = createThreadPool();
    const task = defineTask<unknown>('echo', {
      use: [pool],
      handler: inThread(handlers, { pool }),
    });
    const it = scheduler([task]);
    await it.start();
    const payload = { image: 7, tags: ['a', null] };
    await it.schedule(task, {
      payload,
      id: 'a',
      group: 'g',
      headers: { trace: 't' },
      keepFinished: true,
    });
    await next(it, 'succeeded', 'a');
    expect(await it.history('a')).toMatchObject([
      {
        outcome: 'succeeded',
        progress: 1,
        log: [{ text: 'line 1' }, { text: 'line 2' }, { text: 'line 3' }],
        result: {
          payload,
          attempt: 1,
          token: expect.any(Number),
          nominal: expect.any(String),
          headers: { trace: 't' },
          task: { id: 'a', name: 'echo', queue: 'default', group: 'g' },
          isMainThread: false,
          isAborted: false,
        },
      },
    ]);
  });

  test('is given rich types by its codec and schema, and gives them to middleware', async () => {
    const seen: unknown[] = [];
    const task = defineTask<unknown>('echo', {
      use: [async (_run, proceed) => seen.push(await proceed())],
      handler: inThread(handlers),
    });
    const it = scheduler([task]);
    await it.start();
    await ran(it, task, 'x');
    expect(seen).toMatchObject([{ nominal: expect.any(Date), payload: 'x' }]);
  });

  test('keeps name, message, code and stack of an error, and its cause', async () => {
    const thrown: unknown[] = [];
    const task = defineTask<string>('failing', {
      use: [
        async (_run, proceed) => {
          try {
            return await proceed();
          } catch (error) {
            thrown.push(error);
            throw error;
          }
        },
      ],
      retry: { limit: 1, min: 1, max: 1 },
      handler: inThread(handlers, { exportName: 'failing' }),
    });
    const it = scheduler([task]);
    await it.start();
    expect(await ran(it, task, 'error')).toMatchObject({
      outcome: 'failed',
      attempt: 2,
      error: { name: 'TooLarge', message: '7 is too large', code: 'E_TOO_LARGE' },
    });
    expect(thrown[0]).toBeInstanceOf(Error);
    expect(thrown[0]).toMatchObject({
      stack: expect.stringContaining('handlers.ts'),
      cause: { message: 'because' },
    });
    expect(await ran(it, task, 'permanent')).toMatchObject({
      attempt: 1,
      error: { message: 'never' },
    });
    thrown.length = 0;
    await ran(it, task, 'value');
    await ran(it, task, 'function');
    expect(thrown).toEqual([
      { reason: 'a value' },
      { reason: 'a value' },
      expect.stringContaining('=>'),
      expect.stringContaining('=>'),
    ]);
  });

  test('that ends its thread, or returns what cannot be cloned, harms nobody else', async () => {
    const task = defineTask<string>('failing', {
      retry: 0,
      handler: inThread(handlers, { exportName: 'failing' }),
    });
    const it = scheduler([task]);
    await it.start();
    expect(await ran(it, task, 'exit')).toMatchObject({ outcome: 'failed' });
    expect(await ran(it, task, 'later')).toMatchObject({
      outcome: 'failed',
      error: { message: 'out of nowhere' },
    });
    const succeeded = await ran(it, task, 'none of these');
    expect(succeeded).toMatchObject({ outcome: 'succeeded' });
    expect(succeeded).not.toHaveProperty('result');
  });

  test('that takes too much memory fails alone', async () => {
    const pool = createThreadPool({ resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const greedy = defineTask('greedy', {
      retry: 0,
      use: [pool],
      handler: inThread(handlers, { pool, exportName: 'greedy' }),
    });
    const echo = defineTask('echo', { use: [pool], handler: inThread(handlers, { pool }) });
    const it = scheduler([greedy, echo]);
    await it.start();
    expect(await ran(it, greedy)).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_WORKER_OUT_OF_MEMORY' },
    });
    expect(await ran(it, echo)).toMatchObject({ outcome: 'succeeded' });
  });

  test('that its module does not export fails for good, and says which', async () => {
    const task = defineTask('t', {
      retry: 5,
      handler: inThread(handlers, { exportName: 'notAFunction' }),
    });
    const it = scheduler([task]);
    await it.start();
    expect(await ran(it, task)).toMatchObject({
      attempt: 1,
      error: { message: expect.stringContaining('handlers.ts exports no function notAFunction') },
    });
  });
});

describe('an abort', () => {
  test('reaches the handler, which may end by itself and goes on in the same thread', async () => {
    const pool = createThreadPool({ maxThreads: 1 });
    const patient = defineTask('patient', {
      use: [pool],
      handler: inThread(handlers, { pool, exportName: 'patient', terminateAfterMs: 60_000 }),
    });
    const where = defineTask('where', {
      use: [pool],
      handler: inThread(handlers, { pool, exportName: 'where' }),
    });
    const it = scheduler([patient, where]);
    await it.start();
    const { result } = await ran(it, where);
    await it.schedule(patient, { id: 'p', every: '1h', timeout: '1s', retry: 0 });
    const failed = next(it, 'failed');
    await it.runNow('p');
    expect(await failed).toMatchObject({ error: { code: 'SCHED_TIMEOUT' } });
    expect(await it.history('p')).toMatchObject([
      { outcome: 'failed', log: [{ text: 'waiting' }, { text: 'aborted: SCHED_TIMEOUT' }] },
    ]);
    expect((await ran(it, where)).result).toBe(result);
  });

  test('that cancels, or comes while the run waits for a thread, is told by its reason', async () => {
    const pool = createThreadPool({ maxThreads: 1 });
    const { task: stuck, isStuck } = stuckTask(pool, 100);
    const queued = defineTask('queued', {
      use: [pool],
      timeout: '200ms',
      retry: 0,
      handler: inThread(handlers, { pool }),
    });
    const echo = defineTask('echo', { use: [pool], handler: inThread(handlers, { pool }) });
    const it = scheduler([stuck, queued, echo]);
    await it.start();
    await it.schedule(stuck, { id: 's', payload: '' });
    await isStuck;
    expect(await ran(it, queued)).toMatchObject({ error: { code: 'SCHED_TIMEOUT' } });
    const failed = next(it, 'failed', 's');
    expect(await it.cancel('s')).toBe(true);
    expect(await failed).toMatchObject({ error: { code: 'SCHED_CANCELLED' } });
    expect(await ran(it, echo)).toMatchObject({ outcome: 'succeeded' });
  });
});

const stores: [name: string, make: () => DataStore][] = [
  ['memory', () => new MemoryDataStore()],
  ['SQLite', () => new SqliteDataStore({ path: join(folder(), 'tasks.db') })],
];

test.each(stores)(
  'a handler that never ends keeps no lease of others from being extended, and ends by its timeout (%s)',
  async (_name, makeStore) => {
    const pool = createThreadPool({ maxThreads: 1 });
    const { task: stuck } = stuckTask(pool, 200, { timeout: '4s' });
    const echo = defineTask('echo', { use: [pool], handler: inThread(handlers, { pool }) });
    let calls = 0;
    const released = Promise.withResolvers<void>();
    const other = defineTask('other', {
      handler: async () => {
        calls++;
        await released.promise;
      },
    });
    const store = makeStore();
    const it = scheduler([stuck, echo, other], {
      store,
      lease: '1s',
      pollInterval: '50ms',
    });
    const rival = scheduler([other], { store, lease: '1s', pollInterval: '50ms' });
    const lost: unknown[] = [];
    it.on('lost', (event) => lost.push(event));
    rival.on('lost', (event) => lost.push(event));
    const abandoned: unknown[] = [];
    it.on('abandoned', (event) => abandoned.push(event));
    const file = join(folder(), 'log');

    await it.start();
    await it.schedule(stuck, { id: 's', payload: file });
    const begun = next(it, 'started', 'o');
    await it.schedule(other, { id: 'o' });
    await begun;
    await rival.start();
    // Four leases long.
    expect(await next(it, 'failed', 's')).toMatchObject({
      error: { code: 'SCHED_TIMEOUT' },
      durationMs: expect.toSatisfy((ms: number) => ms >= 4000),
    });
    expect(calls).toBe(1);
    expect(lost).toEqual([]);
    expect(abandoned).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('began\n');
    expect(await it.history('s')).toMatchObject([{ outcome: 'failed', log: [{ text: 'stuck' }] }]);

    expect(await ran(it, echo)).toMatchObject({ outcome: 'succeeded' });
    released.resolve();
    await next(it, 'succeeded', 'o');
  },
);

describe('a pool', () => {
  test('is closed when the last scheduler that uses it has stopped', async () => {
    const pool = createThreadPool({ maxThreads: 2 });
    const echo = defineTask('echo', { use: [pool], handler: inThread(handlers, { pool }) });
    const [one, two] = [scheduler([echo]), scheduler([echo])];
    await one.start();
    await two.start();
    expect(pool.size).toBe(0);
    await ran(one, echo);
    expect(pool.size).toBe(1);
    await one.stop();
    expect(pool.size).toBe(1);
    await ran(two, echo);
    await two.stop();
    expect(pool.size).toBe(0);
  });

  test('ends what is stuck when its scheduler stops', async () => {
    const pool = createThreadPool({ maxThreads: 1 });
    const { task: stuck, isStuck } = stuckTask(pool, 3_600_000);
    const it = scheduler([stuck], { abortGrace: '100ms' });
    await it.start();
    await it.schedule(stuck, { id: 's', payload: '' });
    await isStuck;
    const abandoned = next(it, 'abandoned', 's');
    await it.stop({ deadline: '100ms' });
    await abandoned;
    expect(pool.size).toBe(0);
  });

  test('that nobody closes keeps no process from ending', async () => {
    const script = `
      import { createScheduler, defineTask } from '@sched/core';
      import { MemoryDataStore } from '@sched/memory';
      import { inThread } from '@sched/worker-threads';
      const echo = defineTask('echo', { handler: inThread(${JSON.stringify(handlers.href)}) });
      const it = createScheduler({ store: new MemoryDataStore(), tasks: [echo], announce: false });
      const ended = new Promise((resolve) => it.on('succeeded', resolve));
      await it.start();
      await it.schedule(echo);
      await ended;
      await it.stop();
      console.log('stopped');`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: new URL('..', import.meta.url), timeout: 20_000 },
    );
    expect(stdout).toBe('stopped\n');
  });

  test('and a handler are refused what they cannot use', () => {
    const refusals: [() => unknown, RegExp][] = [
      [() => createThreadPool({ maxThread: 1 } as never), /Did you mean maxThreads/],
      [() => createThreadPool({ maxThreads: 0 }), /maxThreads and minThreads/],
      [() => inThread(new URL('./none.js', import.meta.url)), /no file .*none\.js/],
      [() => inThread('./handlers.ts'), /an absolute path/],
      [() => inThread(handlers, { pool: {} as never }), /made by createThreadPool/],
      [() => inThread(handlers, { exportname: 'x' } as never), /Did you mean exportName/],
      [() => inThread(handlers, { terminateAfterMs: Number.NaN }), /terminateAfterMs/],
    ];
    for (const [call, message] of refusals) {
      expect(call).toThrow(message);
      expect(call).toThrow(expect.objectContaining({ code: 'SCHED_ARGUMENT_INVALID' }));
    }
  });
});
