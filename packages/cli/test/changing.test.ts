import { defineTask } from '@sched/core';
import { describe, expect, test } from 'vitest';
import { database, folder } from './support.js';

describe('add', () => {
  test('schedules a task with everything that can be said of it', async () => {
    const { json } = await database();
    const args = ['--id', 'a', '--queue', 'q', '--group', 'g', '--payload', '{"n":1}'];
    const policies = ['--retry', '2', '--timeout', '30s', '--overlap', 'queueOne'];
    const more = ['--catch-up', 'all', '--keep-finished'];
    const added = await json(
      'add',
      'report',
      '2100-01-01T00:00:00Z',
      ...args,
      ...policies,
      ...more,
    );
    expect(added).toEqual({ id: 'a', outcome: 'created', runAt: '2100-01-01T00:00:00.000Z' });
    expect(await json('show', 'a')).toMatchObject({
      ...{ id: 'a', name: 'report', queue: 'q', group: 'g', payload: { n: 1 } },
      trigger: { kind: 'at', at: 4_102_444_800_000 },
    });
  });

  test('reads a payload from a file and from standard input', async () => {
    const { run, json } = await database();
    const cwd = folder({ 'payload.json': '{"from":"file"}' });
    await run(['add', 'x', 'in 1h', '--id', 'a', '--payload', '@payload.json'], { cwd });
    await run(['add', 'x', 'in 1h', '--id', 'b', '--payload', '-'], { input: '{"from":"input"}' });
    expect(await json('show', 'a')).toMatchObject({ payload: { from: 'file' } });
    expect(await json('show', 'b')).toMatchObject({ payload: { from: 'input' } });
  });

  test('refuses an id that is taken, unless it is said what to do then', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const again = ['add', 'x', 'every 5m', '--id', 'a'];
    const { code, stderr } = await run(again);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sched: SCHED_TASK_EXISTS: /);
    expect(await json(...again, '--on-conflict', 'keep')).toMatchObject({ outcome: 'unchanged' });
    expect(await json(...again, '--on-conflict', 'update')).toMatchObject({ outcome: 'updated' });
    expect(await json('--yes', ...again, '--on-conflict', 'replace')).toMatchObject({
      outcome: 'replaced',
    });
  });
});

test('run has a worker run a task beside its schedule', async () => {
  const it = await database();
  await it.json('add', 'x', '2100-01-01T00:00:00Z', '--id', 'a', '--payload', '7');
  const { childId } = await it.json<{ childId: string }>('run', 'a');
  const ran: unknown[] = [];
  const x = defineTask<unknown>('x', { handler: ({ payload }) => ran.push(payload) });
  await it.work([x], async () => (await it.json<unknown[]>('history', 'a')).length === 1);
  expect(ran).toEqual([7]);
  expect(await it.json('history', 'a')).toMatchObject([{ outcome: 'succeeded', childId }]);
});

test('pause and resume take ids, a group or all', async () => {
  const { json } = await database();
  for (const id of ['a', 'b', 'c']) {
    await json('add', 'x', 'in 1h', '--id', id, ...(id === 'c' ? [] : ['--group', 'g']));
  }
  expect(await json('pause', 'a')).toEqual({ paused: 1 });
  expect(await json('--yes', 'pause', '--group', 'g')).toEqual({ paused: 1 });
  expect(await json('--yes', 'pause', '--all')).toEqual({ paused: 1 });
  expect(await json('resume', 'a', 'b')).toEqual({ resumed: 2 });
  expect(await json('--yes', 'resume', '--all')).toEqual({ resumed: 1 });
});

test('reschedule says what was and what is', async () => {
  const { run, json } = await database();
  await json('add', 'x', 'every 5m', '--id', 'a');
  const { stdout } = await run(['reschedule', 'a', '0 9 * * *', '--zone', 'Europe/Berlin']);
  expect(stdout).toMatch(
    /^was +every 5m\nis +0 9 \* \* \* Europe\/Berlin\nnext run +\S+ 09:00:00 /,
  );
  expect(await json('show', 'a')).toMatchObject({
    trigger: { kind: 'cron', expression: '0 9 * * *', timeZone: 'Europe/Berlin' },
  });
});

test('retry gives failed tasks another chance, one by one or all', async () => {
  const it = await database();
  for (const id of ['a', 'b', 'c']) await it.json('add', 'x', 'now', '--id', id, '--retry', '0');
  const failedCount = async () =>
    (await it.json<{ tasks: unknown[] }>('list', '--state', 'failed')).tasks.length;
  const x = defineTask<unknown>('x', {
    handler() {
      throw new Error('no');
    },
  });
  await it.work([x], async () => (await failedCount()) === 3);
  expect(await it.json('retry', 'a')).toEqual({ retried: 1 });
  const all = await it.run(['retry', '--name', 'x']);
  expect(all.code).toBe(2);
  expect(all.stderr).toContain('Would retry 2 failed tasks. Nothing has been changed');
  expect(await it.json('--yes', 'retry', '--name', 'x')).toEqual({ retried: 2 });
  expect(await failedCount()).toBe(0);
  const { code, stderr } = await it.run(['retry', 'a']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^sched: SCHED_TASK_STATE: /);
});

test('cancel aborts a run, and says where there is none', async () => {
  const it = await database();
  await it.json('add', 'x', 'now', '--id', 'a', '--retry', '0');
  let wasAborted = false;
  let isCancelled: Promise<unknown> | undefined;
  const x = defineTask<unknown>('x', {
    async handler({ signal }) {
      isCancelled = it.json('--yes', 'cancel', 'a');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      wasAborted = true;
      throw signal.reason;
    },
  });
  await it.work([x], () => wasAborted);
  expect(await isCancelled).toEqual({ cancelled: true });
  const { code, stdout } = await it.run(['--yes', 'cancel', 'a']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: 'It is not running.\n' });
});

describe('what destroys something', () => {
  test.for<[args: string[], said: RegExp]>([
    [['remove', 'a'], /^sched: Would remove the task a from sqlite:\S+tasks\.db, and abort/],
    [['remove', '--group', 'g'], /Would remove 1 task of the group g from/],
    [['remove', '--all'], /Would remove 2 tasks, all that there are from/],
    [['pause', '--all'], /Would pause 2 tasks, all that there are\./],
    [['cancel', 'a'], /Would abort the run of a, without another attempt\./],
    [['add', 'x', 'now', '--id', 'a', '--on-conflict', 'replace'], /with the id a would be sched/],
  ])('%j says what it would do, and does it only with --yes', async ([args, said]) => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a', '--group', 'g');
    await json('add', 'x', 'in 1h', '--id', 'b');
    const before = await json('list');
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).toContain('Nothing has been changed: say --yes to do it.');
    expect(await json('list')).toEqual(before);
  });

  test('is done with --yes', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    expect((await run(['--yes', 'remove', 'a'])).stdout).toBe('1 task removed.\n');
    expect(await json('list')).toMatchObject({ tasks: [] });
  });

  test.for([
    ['y\n', 0, []],
    ['n\n', 2, ['a']],
    ['\n', 2, ['a']],
  ] as const)('is asked about on a terminal: %j', async ([input, code, left]) => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const result = await run(['remove', 'a'], { tty: true, input });
    expect(result.stderr).toContain('Go on? [y/N]');
    expect(result.code).toBe(code);
    const { tasks } = await json<{ tasks: { id: string }[] }>('list');
    expect(tasks.map(({ id }) => id)).toEqual(left);
  });

  test('names what is not there before anything is changed', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const { code, stderr } = await run(['--yes', 'remove', 'a', 'nobody']);
    expect(code).toBe(1);
    expect(stderr).toContain('There is no task "nobody".');
    expect((await json<{ tasks: unknown[] }>('list')).tasks).toHaveLength(1);
  });
});
