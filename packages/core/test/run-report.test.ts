import { expect, test } from 'vitest';
import { defineTask, type RunContext } from '../src/index.js';
import type { TestClock } from '../src/testing/index.js';
import { interceptStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

/** A task whose run goes on until it is told to end. */
function createLong(clock: TestClock) {
  const started = Promise.withResolvers<RunContext>();
  const end = new AbortController();
  const task = defineTask('long', {
    keepFinished: true,
    handler: async (run) => {
      started.resolve(run);
      await clock.sleep('1d', { signal: end.signal }).catch(() => {});
      return 'result';
    },
  });
  return { task, run: started.promise, end: () => end.abort() };
}

test('what a handler tells is seen while it runs, and in its history', async () => {
  const { clock, scheduler } = createSetting();
  const { task, run, end } = createLong(clock);
  const it = scheduler({ tasks: [task] });
  const other = scheduler({ tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  const { progress, log } = await run;
  expect((await other.get('a'))?.report).toBeNull();
  progress(0.25);
  log('first');
  const at = clock.now();
  await clock.advance('2s');
  const report = { progress: 0.25, log: [{ at, text: 'first' }] };
  expect((await other.get('a'))?.report).toEqual(report);
  progress(0.5);
  await clock.advance('1s');
  expect((await other.get('a'))?.report).toEqual({ ...report, progress: 0.5 });
  // Too late to be written while it runs.
  progress(1);
  end();
  await clock.advance('1s');
  expect(await it.get('a')).toMatchObject({ state: 'finished', report: null });
  const [entry, ...others] = await it.history('a');
  expect(entry).toMatchObject({ outcome: 'succeeded', progress: 1, log: report.log });
  expect(entry).not.toHaveProperty('result');
  expect(others).toEqual([]);
  await it.stop();
});

test('what a run has told is not told by the next', async () => {
  const { clock, scheduler } = createSetting();
  let attempts = 0;
  const task = defineTask('task', {
    retry: { limit: 1, min: '10s', jitter: 0 },
    handler: async ({ progress }) => {
      if (attempts++ > 0) return;
      progress(0.5);
      await clock.sleep('5s');
      throw new Error('half way');
    },
  });
  const it = scheduler({ tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a', every: '1h' });
  await clock.advance('1h');
  await clock.advance('3s');
  expect((await it.get('a'))?.report).toEqual({ progress: 0.5 });
  await clock.advance('1m');
  expect(await it.history('a')).toMatchObject([
    { outcome: 'succeeded', attempt: 2 },
    { outcome: 'failed', attempt: 1, progress: 0.5 },
  ]);
  const [succeeded] = await it.history('a');
  expect(succeeded).not.toHaveProperty('progress');
  expect((await it.get('a'))?.report).toBeNull();
  await it.stop();
});

test('an edit meanwhile is kept, and so is what is told', async () => {
  const { clock, scheduler } = createSetting();
  const { task, run, end } = createLong(clock);
  const it = scheduler({ tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  const { progress, log } = await run;
  progress(0.1);
  await clock.advance('2s');
  await it.update('a', { group: 'edited' });
  log('after the edit');
  await clock.advance('2s');
  expect(await it.get('a')).toMatchObject({
    ...{ group: 'edited', state: 'running' },
    report: { progress: 0.1, log: [{ text: 'after the edit' }] },
  });
  end();
  await clock.advance('1s');
  expect(await it.get('a')).toMatchObject({ group: 'edited', state: 'finished' });
  expect(await it.history('a')).toMatchObject([{ outcome: 'succeeded', progress: 0.1 }]);
  await it.stop();
});

test('a store that fails loses what is told in between, and nothing else', async () => {
  const { clock, store, scheduler } = createSetting();
  const { task, run, end } = createLong(clock);
  let fails = false;
  const handle = interceptStore(store, async (call, proceed) => {
    if (fails && (call === 'get' || call === 'update')) throw new Error('down');
    return proceed();
  });
  const it = scheduler({ store: handle, tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  const { progress } = await run;
  fails = true;
  progress(0.1);
  await clock.advance('2s');
  fails = false;
  expect((await it.get('a'))?.report).toBeNull();
  progress(0.2);
  await clock.advance('2s');
  expect((await it.get('a'))?.report).toEqual({ progress: 0.2 });
  end();
  await clock.advance('1s');
  expect(await it.history('a')).toMatchObject([{ outcome: 'succeeded', progress: 0.2 }]);
  await it.stop();
});

test('little is written, however much is told', async () => {
  const { clock, store, scheduler } = createSetting();
  const { task, run, end } = createLong(clock);
  let updates = 0;
  const handle = interceptStore(store, async (call, proceed) => {
    if (call === 'update') updates++;
    return proceed();
  });
  const it = scheduler({ store: handle, tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  const { log } = await run;
  for (let line = 0; line < 100; line++) {
    log(`${line} ${'x'.repeat(1000)}`);
    await clock.advance('100ms');
  }
  await clock.advance('2s');
  expect(updates).toBeLessThanOrEqual(11);
  end();
  await clock.advance('1s');
  const [{ log: kept = [] } = {}] = await it.history('a');
  expect(kept.map(({ text }) => text.slice(0, 3).trim())).toEqual(
    Array.from({ length: 20 }, (_, index) => String(80 + index)),
  );
  expect(Math.max(...kept.map(({ text }) => text.length))).toBe(501);
  // After the end nothing is told any more.
  log('late');
  await clock.advance('2s');
  expect((await it.history('a'))[0]?.log).toHaveLength(20);
  await it.stop();
});

test.each<[string, unknown, number, unknown]>([
  ['an object', { count: 1, none: undefined }, 100, { count: 1 }],
  ['null', null, 100, null],
  ['nothing', undefined, 100, undefined],
  ['what is too large', 'ä'.repeat(50), 100, undefined],
  ['what just fits', 'ä'.repeat(49), 100, 'ä'.repeat(49)],
  ['what is no JSON', 1n, 100, undefined],
  ['a function', () => {}, 100, undefined],
  ['anything, unless it is asked for', 1, 0, undefined],
])('a result is kept in the history: %s', async (_, returned, maxResultBytes, result) => {
  const { clock, scheduler } = createSetting();
  const task = defineTask('task', { handler: async () => returned });
  const it = scheduler({ tasks: [task], maxResultBytes });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  const [entry] = await it.history('a');
  expect(entry?.outcome).toBe('succeeded');
  expect(entry?.result).toEqual(result);
  await it.stop();
});

test.each<[string, (run: RunContext) => void]>([
  ['less than none', ({ progress }) => progress(-0.1)],
  ['more than all', ({ progress }) => progress(1.1)],
  ['no number', ({ progress }) => progress(Number.NaN)],
  ['no text', ({ log }) => log(1 as unknown as string)],
])('bad input fails the run: %s', async (_, tell) => {
  const { clock, scheduler } = createSetting();
  const task = defineTask('task', { handler: tell });
  const it = scheduler({ tasks: [task] });
  await it.start();
  await it.schedule(task, { id: 'a' });
  await clock.advance('1s');
  expect((await it.get('a'))?.lastRun?.error).toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
  await it.stop();
});
