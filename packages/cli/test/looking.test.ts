import { createScheduler, defineTask, every, PermanentError } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { describe, expect, test, vi } from 'vitest';
import { database, sched } from './support.js';

/** Tasks of which two have failed alike, one otherwise, and one has failed and goes on. */
async function failed() {
  const it = await database();
  const messages = new Map([
    ['mail-1', 'no answer from 10.0.0.17'],
    ['mail-2', 'no answer from 10.0.0.99'],
    ['full', 'disk full'],
    ['recurring', 'not yet'],
  ]);
  for (const id of messages.keys()) {
    await it.json('add', 'mail', id === 'recurring' ? 'every 1s' : 'now', '--id', id);
  }
  const mail = defineTask<unknown>('mail', {
    handler({ task }) {
      throw new PermanentError(messages.get(task.id));
    },
  });
  const countFailed = async () => {
    const groups = await it.json<{ count: number }[]>('failures', '--all');
    return groups.reduce((sum, { count }) => sum + count, 0);
  };
  await it.work([mail], async () => (await countFailed()) === messages.size);
  return it;
}

describe('list', () => {
  test('shows a page of tasks, and where the next begins', async () => {
    const { run, json } = await database();
    for (const id of ['a', 'b', 'c']) {
      await json(
        'add',
        'report',
        '0 9 * * *',
        '--id',
        id,
        '--group',
        id === 'c' ? 'other' : 'daily',
      );
    }
    const first = await run(['list', '--limit', '2', '--zone', 'UTC']);
    expect(first.code).toBe(0);
    const [head, ...rows] = first.stdout.trimEnd().split('\n');
    expect(head).toMatch(/^ID {2}NAME {4}STATE {6}QUEUE {4}GROUP {2}NEXT RUN/);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(
      /^a {3}report {2}scheduled {2}default {2}daily {2}\d{4}-\d\d-\d\d 09:00:00 \+00:00/,
    );
    const [, cursor = ''] = /--after (\S+)/.exec(first.stderr) ?? [];
    const second = await run(['list', '--after', cursor]);
    expect(second.stdout).toMatch(/\nc +report/);
    expect(second.stderr).toBe('');
  });

  test('as JSON it is the page as the client gives it', async () => {
    const { json } = await database();
    await json('add', 'report', 'every 5m', '--id', 'a', '--payload', '{"to":["ada"]}');
    const { tasks, next } = await json<{ tasks: object[]; next: null }>('list');
    expect(next).toBeNull();
    expect(tasks).toMatchObject([
      { id: 'a', payload: { to: ['ada'] }, state: 'scheduled', trigger: { kind: 'every' } },
    ]);
  });

  test('filters by state, name, queue and group, and those without a group', async () => {
    const { json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a', '--group', 'g', '--queue', 'q');
    await json('add', 'y', 'in 1h', '--id', 'b');
    await json('pause', 'b');
    const ids = async (...args: string[]) =>
      (await json<{ tasks: { id: string }[] }>('list', ...args)).tasks.map(({ id }) => id);
    expect(await ids('--state', 'paused')).toEqual(['b']);
    expect(await ids('--name', 'x')).toEqual(['a']);
    expect(await ids('--queue', 'q')).toEqual(['a']);
    expect(await ids('--group', 'g')).toEqual(['a']);
    expect(await ids('--no-group')).toEqual(['b']);
  });

  test('what a name could do to a terminal stands there as text', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a\u202eb', '--payload', '"\\u001b[2Jgone"');
    const { stdout } = await run(['list'], { tty: true });
    expect(stdout).toContain('a\\u202eb');
    const shown = await run(['show', 'a\u202eb'], { tty: true });
    expect(shown.stdout).toContain('\\u001b[2Jgone');
    expect(shown.stdout).not.toContain('\u001b[2J');
  });
});

describe('show', () => {
  test('tells everything about a task, and what it does next', async () => {
    const { run, json } = await database();
    await json(
      'add',
      'report',
      '0 9 * * *',
      '--zone',
      'Europe/Berlin',
      '--id',
      'a',
      '--payload',
      '[1]',
    );
    const { stdout } = await run(['show', 'a', '--next', '2', '--zone', 'Europe/Berlin']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.slice(0, 9).trim())).toEqual([
      'id',
      'name',
      'state',
      'queue',
      'trigger',
      'since',
      'payload',
      'next',
      '',
    ]);
    expect(lines[4]).toContain('0 9 * * * Europe/Berlin');
    expect(lines[6]).toContain('[1]');
    expect(lines.slice(7)).toEqual([
      expect.stringContaining(' 09:00:00'),
      expect.stringContaining(' 09:00:00'),
    ]);
  });

  test('what is next is what the schedule of the task gives, wherever that counts from', async () => {
    const { path, json } = await database();
    const task = defineTask('monthly');
    const trigger = every({ months: 1 });
    const clock = () => Date.parse('2026-01-31T12:00:00Z');
    const store = new SqliteDataStore({ path, clock });
    await using scheduler = createScheduler({ store, tasks: [task] });
    await scheduler.schedule(task, { id: 'a', trigger });
    const { next, declaredAt } = await json<{ next: string[]; declaredAt: string }>(
      'show',
      'a',
      '--next',
      '3',
    );
    const expected = scheduler.preview(trigger, 100, { from: declaredAt, id: 'a' });
    const now = Date.now();
    const rest = expected.slice(1).filter((date) => date.getTime() > now);
    expect(next).toEqual([expected[0], ...rest.slice(0, 2)].map((date) => date?.toISOString()));
  });

  test('a task that is not there', async () => {
    const { run } = await database();
    const { code, stderr } = await run(['show', 'nobody']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'sched: SCHED_TASK_NOT_FOUND: There is no task "nobody".\n',
    });
  });
});

test('history lists runs and why others were skipped', async () => {
  const it = await failed();
  const { stdout } = await it.run(['history', 'mail-1']);
  const [head, row, ...rest] = stdout.trimEnd().split('\n');
  expect(head).toMatch(/^ENDED +OUTCOME +MEANT FOR +TOOK +ATTEMPT +WORKER +ERROR$/);
  expect(row).toMatch(/failed .* 1 +a-worker +PermanentError: no answer from 10\.0\.0\.17$/);
  expect(rest).toEqual([]);
  expect((await it.run(['history', 'nobody'])).stdout).toBe('No history.\n');
});

describe('runs', () => {
  test('lists those of all tasks, the newest first, and why they failed', async () => {
    const it = await failed();
    const { stdout } = await it.run(['runs', '--outcome', 'failed', '--name', 'mail']);
    const [head, ...rows] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^ENDED +ID +NAME +OUTCOME +TOOK +ATTEMPT +WORKER +ERROR$/);
    for (const [id, error] of [
      ['mail-1', 'no answer from 10\\.0\\.0\\.17'],
      ['mail-2', 'no answer from 10\\.0\\.0\\.99'],
      ['full', 'disk full'],
      ['recurring', 'not yet'],
    ]) {
      const row = new RegExp(`${id} +mail +failed .* 1 +a-worker +PermanentError: ${error}$`);
      expect(rows).toContainEqual(expect.stringMatching(row));
    }
    expect((await it.run(['runs', '--outcome', 'succeeded'])).stdout).toBe('No runs.\n');
    expect((await it.run(['runs', '--outcome', 'done'])).code).toBe(2);
  });

  test('shows a page, and where the next begins; as JSON the page as the client gives it', async () => {
    const it = await failed();
    type Page = { runs: { id: string; endedAt: string }[]; next: string | null };
    const all = await it.json<Page>('runs');
    expect(all.next).toBeNull();
    const moments = all.runs.map(({ endedAt }) => endedAt);
    expect(moments).toEqual(moments.toSorted().reverse());
    const { stderr } = await it.run(['runs', '--limit', '1']);
    const [, cursor = ''] = /--after (\S+)/.exec(stderr) ?? [];
    const rest = await it.json<Page>('runs', '--after', cursor);
    expect(rest.runs).toEqual(all.runs.slice(1));
  });
});

describe('workers', () => {
  test('are those at work on the store, with what they have done', async () => {
    const { path, run, json } = await database();
    expect((await run(['workers'])).stdout).toContain('No scheduler is at work here');
    const task = defineTask('report', { handler: () => {} });
    const store = new SqliteDataStore({ path });
    await using scheduler = createScheduler({ store, tasks: [task], owner: 'one', concurrency: 3 });
    await scheduler.start();
    await vi.waitUntil(async () => (await scheduler.workers()).length === 1);
    expect(await json('workers')).toMatchObject([
      { owner: 'one', pid: process.pid, tasks: ['report'], queues: ['default'], running: 0 },
    ]);
    const { stdout } = await run(['workers']);
    expect(stdout).toMatch(/^OWNER +HOST +PID +QUEUES +RUNNING +DONE +FAILED +STARTED +SEEN\none /);
    expect(stdout).toContain('0/3');
    // What is said of schedulers is no task, and is not taken along.
    expect((await run(['export'])).stdout).not.toContain('sched:scheduler');
  });
});

describe('failures', () => {
  test('are grouped by error, without what differs from task to task', async () => {
    const it = await failed();
    const groups = await it.json<{ count: number; error: string; ids: string[] }[]>('failures');
    expect(groups.map(({ count, error, ids }) => [count, error, ids.sort()])).toEqual([
      [2, 'PermanentError: no answer from <n>.0.0.<n>', ['mail-1', 'mail-2']],
      [1, 'PermanentError: disk full', ['full']],
    ]);
    const all = await it.json<{ ids: string[] }[]>('failures', '--all');
    expect(all.flatMap(({ ids }) => ids)).toContain('recurring');
    const { stdout } = await it.run(['failures']);
    expect(stdout).toMatch(/^TASKS +NAME +ERROR +LATEST +IDS\n2 +mail +PermanentError: no answer/);
  });

  test('there are none', async () => {
    const { run } = await database();
    expect((await run(['failures'])).stdout).toBe('Nothing has failed.\n');
  });
});

describe('next', () => {
  test('merges the occurrences of all tasks, and leaves out paused ones', async () => {
    const { run, json } = await database();
    await json('add', 'x', '2100-01-01T00:00:00Z', '--id', 'once');
    await json(
      'add',
      'y',
      JSON.stringify({ kind: 'cron', expression: '0 0 1 1 *', start: 4_070_908_800_000 }),
      '--id',
      'yearly',
    );
    await json('add', 'z', '2100-06-01T00:00:00Z', '--id', 'paused');
    await json('pause', 'paused');
    const runs = await json<{ id: string; at: string }[]>('next', '--limit', '4');
    expect(runs.map(({ id, at }) => `${at.slice(0, 4)} ${id}`)).toEqual([
      '2099 yearly',
      ...['2100 once', '2100 yearly'].sort(),
      '2101 yearly',
    ]);
    const { stdout } = await run(['next', '--limit', '1', '--zone', 'Asia/Tokyo']);
    expect(stdout).toContain('WHEN (Asia/Tokyo)');
    expect(stdout).toContain('Thu 2099-01-01 09:00:00 +09:00');
  });
});

describe('preview', () => {
  test('points out where the clocks change', async () => {
    const args = [
      'preview',
      '30 2 * * *',
      '--zone',
      'Europe/Berlin',
      '--from',
      '2026-03-28T00:00:00Z',
    ];
    const { code, stdout } = await sched([...args, '--count', '3']);
    expect(code).toBe(0);
    const [, ...rows] = stdout.trimEnd().split('\n');
    expect(rows).toEqual([
      expect.stringMatching(/^Sat {2}2026-03-28 02:30:00 \+01:00 +\S+ ago$/),
      expect.stringMatching(/^Sun {2}2026-03-29 03:00:00 \+02:00 .* the clocks have changed$/),
      expect.stringMatching(/^Mon {2}2026-03-30 02:30:00 \+02:00 +\S+ ago$/),
    ]);
  });

  test.for([
    ['0 9 * * *', '2026-01-01T09:00:00.000Z'],
    ['cron 0 9 * * *', '2026-01-01T09:00:00.000Z'],
    ['@daily', '2026-01-01T00:00:00.000Z'],
    ['every 5m', '2026-01-01T00:05:00.000Z'],
    ['5m', '2026-01-01T00:05:00.000Z'],
    ['in 1h', '2026-01-01T01:00:00.000Z'],
    ['now', '2026-01-01T00:00:00.000Z'],
    ['2026-12-24T18:00:00+01:00', '2026-12-24T17:00:00.000Z'],
    ['{"every":{"months":1}}', '2026-02-01T00:00:00.000Z'],
    ['{"kind":"anyOf","triggers":[{"kind":"at","at":1800000000000}]}', '2027-01-15T08:00:00.000Z'],
  ])('reads %s', async ([text = '', first]) => {
    const { code, stdout, stderr } = await sched([
      'preview',
      text,
      '--from',
      '2026-01-01T00:00:00Z',
      '--count',
      '1',
      '--json',
    ]);
    expect({ code, stderr, dates: JSON.parse(stdout) }).toEqual({
      code: 0,
      stderr: '',
      dates: [first],
    });
  });
});

describe('top', () => {
  test('is written once where there is no terminal', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h');
    const { code, stdout } = await run(['top']);
    expect(code).toBe(0);
    expect(stdout).toContain('scheduled 1   running 0   paused 0');
    expect(stdout).toContain('Nothing is running.');
    expect(await json('top')).toMatchObject({ tasks: { scheduled: 1 }, running: [] });
  });

  test('looks again and again on a terminal, until it is interrupted, and puts that back', async () => {
    const { run } = await database();
    const interruption = new AbortController();
    const frames = (text: string) => text.split('\u001b[H').length - 1;
    const { code, stdout } = await run(['top', '--interval', '1'], {
      tty: true,
      interruption: interruption.signal,
      onOutput: (text) => frames(text) === 2 && interruption.abort(),
    });
    expect(code).toBe(0);
    expect(frames(stdout)).toBe(2);
    expect(stdout.startsWith('\u001b[?1049h')).toBe(true);
    expect(stdout.endsWith('\u001b[?1049l')).toBe(true);
  });
});

describe('colours', () => {
  const args = [
    'preview',
    '30 2 * * *',
    '--zone',
    'Europe/Berlin',
    '--from',
    '2026-03-28T00:00:00Z',
  ];
  const styled = '\u001b[';
  test('are on a terminal, and nowhere else', async () => {
    expect((await sched(args, { tty: true })).stdout).toContain(styled);
    expect((await sched(args)).stdout).not.toContain(styled);
    expect((await sched(args, { tty: true, env: { NO_COLOR: '1' } })).stdout).not.toContain(styled);
    expect((await sched([...args, '--no-color'], { tty: true })).stdout).not.toContain(styled);
    expect((await sched([...args, '--json'], { tty: true })).stdout).not.toContain(styled);
  });
});
