import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { createScheduler } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { describe, expect, test } from 'vitest';
import { parseCrontab } from '../src/crontab.ts';
import { declarationsOf, group, shellTask, withIds } from '../src/tasks.ts';
import { moment } from '../src/words.ts';
import { createPlace, type Place } from './support/app.ts';
import { isAlive } from './support/process.ts';
import { until } from './support/until.ts';

const everySecond = '* * * * * * echo "$SCHED_NOMINAL" >> ticks';

/** Says when it begins, waits for a file named `go`, and says when it ends. */
const long =
  '@every 1s echo "begin $SCHED_NOMINAL $$" >> long; while [ ! -e go ]; do sleep 0.01; done; echo "end $SCHED_NOMINAL" >> long';

const twice = (values: readonly string[]) =>
  values.filter((value, index) => values.indexOf(value) !== index);

describe('a run', () => {
  test('fires on time, says what it does, and ends by itself', async () => {
    const place = createPlace();
    const crontab = place.write('my.crontab', '# a comment', everySecond, '* * * * * * exit 3');
    const app = place.start('--crontab', crontab, '--for', '3s');
    expect(await app.ended()).toBe(0);
    expect(app.errors).toBe('');

    const ticks = place.lines('ticks');
    expect(ticks.length).toBeGreaterThanOrEqual(2);
    expect(twice(ticks)).toEqual([]);
    for (const tick of ticks) expect(tick).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
    expect(app.output).toMatch(/^schedule {2}my\.crontab: 2 lines to run$/m);
    expect(app.output).toMatch(/^store {5}\.sched-quickstart\/my-crontab-\w{6}\.db: nothing yet$/m);
    expect(app.output).toMatch(/^sync {6}2 created$/m);
    expect(app.output).toMatch(/^[\d:.]{12} {2}ok {8}echo .* after \d+ ms, next \d\d:\d\d:\d\d$/m);
    expect(app.output).toMatch(
      /^[\d:.]{12} {2}failed {4}exit 3 .* after \d+ ms: exit code 3, next/m,
    );
    const [, ok, failed] =
      /^summary .*: (\d+) ok, (\d+) failed, lateness median \d+ ms, p99 \d+ ms$/m.exec(
        app.output,
      ) ?? [];
    expect(Number(ok)).toBe(ticks.length);
    expect(Number(failed)).toBe(app.output.match(/ failed {4}exit 3/g)?.length);
    // Nothing that a terminal would take for an order.
    expect(app.output).not.toContain('\x1b');
  });

  test('shares the tasks with other processes: each occurrence runs in one of them', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', everySecond, '* * * * * * sleep 0.1');
    const apps = [1, 2, 3].map(() => place.start('--crontab', crontab, '--for', '4s'));
    const exitCodes = await Promise.all(apps.map((app) => app.ended()));
    expect(exitCodes).toEqual([0, 0, 0]);
    expect(apps.map((app) => app.errors)).toEqual(['', '', '']);
    const ticks = place.lines('ticks');
    expect(ticks.length).toBeGreaterThanOrEqual(2);
    expect(twice(ticks)).toEqual([]);
  });

  test('shows what commands write, and keeps their control codes from the terminal', async () => {
    const place = createPlace();
    const crontab = place.write(
      'crontab',
      `* * * * * * printf 'a\\tb\\033[2J\\007\\n'; cat >&2; seq 20 | sed 's/^/n/'%from%input`,
    );
    const app = place.start('--crontab', crontab, '--for', '2s');
    expect(await app.ended()).toBe(0);
    const shown = app.output
      .match(/ │ .*$/gm)
      ?.slice(0, 11)
      .map((line) => line.slice(3));
    expect(shown).toEqual([
      'a b',
      'from',
      'input',
      'n1',
      'n2',
      'n3',
      'n4',
      'n5',
      'n6',
      'n7',
      '… and more, which is left out',
    ]);
  });

  test('ends a command that takes too long', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', '@every 1s echo $$ > pid; sleep 60');
    const app = place.start('--crontab', crontab, '--timeout', '1s');
    await app.says(/ failed .*longer than its timeout/);
    await until(() => !isAlive(Number(place.lines('pid')[0])));
  });

  test('skips what falls due while a command is still running', async () => {
    const place = createPlace();
    const app = place.start('--crontab', place.write('crontab', long, everySecond));
    await until(() => place.lines('long').length === 1);
    // The other task shows that seconds pass.
    const ticks = place.lines('ticks').length;
    await until(() => place.lines('ticks').length >= ticks + 3);
    place.write('go');
    await app.says(/ skipped .*overlap/);
  });
});

test('the page shows the same tasks, and changes them, for who has its address', async () => {
  const place = createPlace();
  const crontab = place.write('crontab', everySecond, '0 0 1 1 * echo "a new year"');
  const app = place.start('--crontab', crontab, '--dashboard', '--plain');
  await app.says(/^page {6}http:/);
  const url = new URL(/^page {6}(\S+)$/m.exec(app.output)?.[1] ?? '');
  expect((await fetch(new URL('/api/tasks', url))).status).toBe(401);
  const entered = await fetch(url, { redirect: 'manual' });
  const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? '';
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { cookie, origin: url.origin };
    const answer = await fetch(new URL(path, url), { ...init, headers });
    expect(answer.status).toBe(200);
    return answer;
  };
  expect(await (await ask('/')).text()).toContain('<title>');
  const page = (await (await ask('/api/tasks')).json()) as { tasks: { id: string }[] };
  expect(page.tasks).toHaveLength(2);
  const id = page.tasks.find((each) => each.id.includes('new-year'))?.id ?? '';
  await ask(`/api/tasks/${encodeURIComponent(id)}/pause`, { method: 'POST' });
  await app.says(/^page {6}pauseTask .*: ok$/);
  app.process.kill('SIGINT');
  expect(await app.ended()).toBe(0);
  expect(app.errors).toBe('');
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

describe('a restart', () => {
  test('after kill -9 runs the interrupted run again, and nothing else', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', long, everySecond);
    const first = place.start('--crontab', crontab);
    await until(() => place.lines('long').length === 1 && place.lines('ticks').length >= 2);
    const [, nominal = '', pid] = place.lines('long')[0]?.split(' ') ?? [];
    first.process.kill('SIGKILL');
    expect(await first.ended()).toBe('SIGKILL');
    // The command dies with the process that started it.
    await until(() => !isAlive(Number(pid)));
    expect(place.lines('long')).toHaveLength(1);
    place.write('go');

    const second = place.start('--crontab', crontab);
    await second.says(/ ok .*next/);
    await until(() => place.lines('long').filter((line) => line.startsWith('end')).length >= 2);
    second.process.kill('SIGINT');
    expect(await second.ended()).toBe(0);
    expect(second.errors).toBe('');

    const written = place.lines('long').map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(twice(written)).toEqual([`begin ${nominal}`]);
    expect(written.filter((line) => line === `end ${nominal}`)).toHaveLength(1);

    const { output } = second;
    expect(output).toMatch(/^sync {6}2 unchanged$/m);
    expect(output).toMatch(/^found {5}(?:in progress|interrupted): echo "begin .* run again/m);
    const again = output.split('\n').filter((line) => / again {5}/.test(line));
    const vanished = `quickstart-${first.process.pid} vanished with it`;
    const ofLong = again.filter((line) => line.includes('echo "begin'));
    expect(ofLong).toEqual([expect.stringContaining(vanished)]);
    expect(ofLong[0]).toContain(`the run of ${moment(new Date(nominal))}:`);
    // The signal may have hit the other task in the middle of a run as well; the restart says so then.
    const repeated = twice(place.lines('ticks'));
    const ofTicks = again.filter((line) => line.includes('echo "$SCHED'));
    for (const tick of repeated) {
      expect(ofTicks).toEqual([expect.stringContaining(`the run of ${moment(new Date(tick))}:`)]);
    }
  });

  test('after a while says what it missed and what it catches up with', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', everySecond);
    await earlier(place, everySecond, 3_600_000);

    const app = place.start('--crontab', crontab, '--db', place.path('tasks.db'), '--for', '2s');
    expect(await app.ended()).toBe(0);
    expect(app.output).toMatch(/^store {5}tasks\.db: 1 task, none has run$/m);
    expect(app.output).toMatch(/overdue: 1 task; the latest time of each is caught up$/m);
    expect(app.output).toMatch(/ skipped .* at least 1000 times, .*: missed, nothing ran$/m);
    expect(app.output).toMatch(/ catch-up .* passed [\d.]+ m?s ago, while nothing ran$/m);
    expect(app.output).toMatch(/^summary .* 1 caught up, skipped: \d{4} missed/m);
    expect(twice(place.lines('ticks'))).toEqual([]);
  });

  test('begins with what was stopped in the middle', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', long);
    await earlier(place, long, 0, async (scheduler) => {
      await scheduler.start();
      await until(() => place.lines('long').length === 1);
      await scheduler.stop({ deadline: 1 });
    });
    place.write('go');

    const app = place.start('--crontab', crontab, '--db', place.path('tasks.db'));
    await app.says(/ ok .*next/);
    expect(app.output).toMatch(/stopped in the middle: echo "begin .*; run again/);
    expect(app.output).toMatch(/ again .*it was stopped in the middle/);
    const [first, second, third] = place.lines('long').map((line) => line.split(' ')[1]);
    expect([second, third]).toEqual([first, first]);
  });

  test('with the lines in another order, and others, changes only what is different', async () => {
    const place = createPlace();
    const [a, b, c] = ['0 0 1 1 * a', '0 0 2 1 * b', '0 0 3 1 * c'];
    const run = async (...lines: string[]) => {
      const app = place.start('--crontab', place.write('crontab', ...lines), '--for', '1s');
      expect(await app.ended()).toBe(0);
      return /^sync +(.*)$/m.exec(app.output)?.[1];
    };
    expect(await run(a, b)).toBe('2 created');
    expect(await run(b, '# and', a)).toBe('2 unchanged');
    expect(await run('A=1', b, c)).toBe('1 created, 1 updated, 1 removed');
  });

  /** What a scheduler of the same tasks does, as long ago as is said. */
  async function earlier(
    place: Place,
    line: string,
    agoMs: number,
    use?: (scheduler: ReturnType<typeof createScheduler>) => Promise<void>,
  ): Promise<void> {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const task = shellTask({ timeoutMs: 60_000, onLine() {} });
    const path = place.path('tasks.db');
    const store = new SqliteDataStore({ path, clock: () => Date.now() - agoMs });
    await using scheduler = createScheduler({ store, tasks: [task] });
    const home = `HOME=${place.folder}`;
    const { lines } = parseCrontab(`${home}\n${line}`, { timeZone });
    await scheduler.sync(declarationsOf(withIds(lines), task), { group });
    await use?.(scheduler);
  }
});

describe('Ctrl-C', () => {
  test('waits for the commands that are running', async () => {
    const place = createPlace();
    const app = place.start('--crontab', place.write('crontab', long));
    await until(() => place.lines('long').length === 1);
    app.process.kill('SIGINT');
    await app.says(/^stopping .* 1 command to end/);
    place.write('go');
    expect(await app.ended()).toBe(0);
    expect(app.output).toMatch(/^summary .*: 1 ok, 0 failed/m);
    expect(place.lines('long')).toHaveLength(2);
  });

  test('stops at once when it comes a second time, and the commands with it', async () => {
    const place = createPlace();
    const app = place.start('--crontab', place.write('crontab', long));
    await until(() => place.lines('long').length === 1);
    app.process.kill('SIGINT');
    await app.says(/^stopping/);
    app.process.kill('SIGINT');
    expect(await app.ended()).toBe(130);
    const pid = Number(place.lines('long')[0]?.split(' ')[2]);
    await until(() => !isAlive(pid));
  });
});

describe('a system crontab', () => {
  test('runs the lines of its user, and leaves the others out', async () => {
    const place = createPlace();
    const { username } = userInfo();
    const other = username === 'root' ? 'daemon' : 'root';
    const crontab = place.write(
      'crontab',
      'SHELL=/bin/sh',
      'MAILTO=root',
      `* * * * * *\t${username}\techo "$LOGNAME" >> who`,
      `* * * * * *\t${other}\techo other >> who`,
      '@reboot root x',
    );
    const app = place.start('--system', '--crontab', crontab, '--for', '2s');
    expect(await app.ended()).toBe(0);
    expect(new Set(place.lines('who'))).toEqual(new Set([username]));
    expect(app.output).toMatch(/ line 2: MAILTO: no mail/);
    expect(app.output).toContain(` line 4: left out: it is for ${other}, and you are ${username}.`);
    expect(app.output).toMatch(/ line 5: left out: @reboot/);

    const asMe = place.start('--system', '--as-me', '--crontab', crontab);
    await until(() => place.lines('who').includes('other'));
    asMe.process.kill('SIGTERM');
    expect(await asMe.ended()).toBe(0);
  });
});

describe('what cannot be', () => {
  test('lines are reported with file, line, column and field, and nothing is scheduled', async () => {
    const place = createPlace();
    const crontab = place.write('crontab', everySecond, ' 61 * * * * x', '* * * FEBR * x');
    const app = place.start('--crontab', crontab, '--for', '1s');
    expect(await app.ended()).toBe(2);
    expect(app.output).toBe('');
    const lines = app.errors.split('\n');
    expect(lines[0]).toMatch(`${crontab}:2:2: minute: "61" is out of range`);
    expect(lines.slice(1, 3)).toEqual(['     61 * * * * x', '     ^']);
    expect(lines[3]).toMatch(`${crontab}:3:7: month: "FEBR" cannot stand here`);
    expect(lines.slice(4, 7)).toEqual([
      '    * * * FEBR * x',
      '          ^',
      'Nothing was scheduled.',
    ]);
    expect(existsSync(place.path('.sched-quickstart'))).toBe(false);
  });

  test.for([
    ['a file that does not exist', ['--crontab', 'none'], /cannot be read: ENOENT.*none/],
    ['a folder', ['--crontab', '.'], /cannot be read: EISDIR/],
    ['a file without a line to run', ['--crontab', 'empty'], /empty has no line to run/],
    ['an unknown option', ['--fro', '20s'], /'--fro'.*\n.*--help/],
    ['an argument without option', ['empty'], /'empty'/],
    ['a time without unit', ['--for', '20'], /--for is "20"\. Write a time such as 20s/],
    ['no time at all', ['--timeout', '0s'], /--timeout is "0s"/],
    ['more time than timers hold', ['--for', '600h'], /at most 24 days/],
    ['a database in no folder', ['--db', 'no/folder/tasks.db'], /no\/folder\/tasks\.db/],
    ['a database that is none', ['--db', 'empty'], /empty is not an SQLite database/],
  ] as [string, string[], RegExp][])('%s', async ([, args, message]) => {
    const place = createPlace();
    place.write('empty', '# nothing', '@reboot x', '# nothing'.repeat(200));
    const app = place.start(...args);
    expect(await app.ended()).toBe(2);
    expect(app.errors).toMatch(message);
    expect(app.errors).not.toMatch(/^ +at /m);
  });

  test('--help says what can be', async () => {
    const app = createPlace().start('--help', '--crontab', 'none');
    expect(await app.ended()).toBe(0);
    expect(app.output).toMatch(/^Usage: npm start -- \[options\]$/m);
  });
});
