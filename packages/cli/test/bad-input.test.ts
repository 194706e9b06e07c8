import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { database, folder, sched } from './support.js';

describe('what is typed wrong ends with 2, and one line that says what', () => {
  test.for<[what: string, args: string[], said: string]>([
    ['an unknown command', ['lst'], "unknown command 'lst'"],
    ['a near miss of one', ['shwo', 'a'], 'Did you mean show?'],
    ['an unknown option', ['list', '--lmit', '3'], "unknown option '--lmit'"],
    ['a missing argument', ['show'], "missing required argument 'id'"],
    ['too many arguments', ['show', 'a', 'b'], 'too many arguments'],
    ['a limit that is none', ['list', '--limit', '-1'], 'whole number of at least 1'],
    ['a state that there is not', ['list', '--state', 'done'], 'Allowed choices are scheduled,'],
    ['a cron expression', ['add', 'x', '99 9 * * *'], 'SCHED_CRON_RANGE: '],
    ['a duration', ['add', 'x', 'every 5 parsecs'], 'SCHED_DURATION_INVALID: '],
    [
      'a time zone',
      ['add', 'x', '0 9 * * *', '--zone', 'Mars/Olympus'],
      'SCHED_TIME_ZONE_UNKNOWN: ',
    ],
    ['a zone to show times in', ['list', '--zone', 'Mars'], 'SCHED_TIME_ZONE_UNKNOWN: '],
    ['a moment', ['add', 'x', '2026-99-99'], 'SCHED_TIME_INVALID: '],
    ['a trigger that is no JSON', ['add', 'x', '{"every"'], 'The trigger is not JSON: '],
    ['an unknown kind of trigger', ['add', 'x', '{"kind":"tide"}'], 'SCHED_TRIGGER_UNKNOWN: '],
    ['an unknown member of one', ['add', 'x', '{"evry":"5m"}'], 'must not have a member "evry"'],
    ['a payload', ['add', 'x', 'now', '--payload', '{'], '--payload is not JSON: '],
    [
      'a payload that is not there',
      ['add', 'x', 'now', '--payload', '@no.json'],
      '--payload: ENOENT',
    ],
    ['a number of attempts', ['add', 'x', 'now', '--retry', 'many'], 'SCHED_ARGUMENT_INVALID: '],
    ['an id with a line break', ['add', 'x', 'now', '--id', 'a\nb'], 'SCHED_ID_INVALID: '],
    ['an id without end', ['show', 'x'.repeat(10_000)], 'SCHED_ID_INVALID: '],
    [
      'the cursor of another store',
      ['list', '--after', 'eyJsYXN0IjoxfQ'],
      'SCHED_ARGUMENT_INVALID: ',
    ],
    ['an option of no store', ['-o', 'namspace=x', 'list'], 'namspace'],
    [
      'an option that is no JSON',
      ['-o', 'connection={', 'list'],
      'value of connection is not JSON',
    ],
    ['an option without a value', ['-o', 'namespace', 'list'], 'form name=value'],
    ['a selection that is none', ['pause'], 'Which tasks? Give ids, or --group, or --all.'],
    ['two selections', ['remove', 'a', '--all'], 'Which tasks? Give ids, or --group, or --all.'],
  ])('%s', async ([, args, said]) => {
    const { run, json } = await database();
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^sched: [^\n]+(\n\(Did you mean [^\n]+)?\n$/);
    expect({ code, stdout }).toEqual({ code: said === 'namspace' ? 1 : 2, stdout: '' });
    expect(await json('list')).toMatchObject({ tasks: [] });
  });

  test('with --json an error is JSON, with its code', async () => {
    const { run } = await database();
    const { code, stdout, stderr } = await run(['--json', 'show', 'nobody']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'SCHED_TASK_NOT_FOUND', message: 'There is no task "nobody".' },
    });
  });
});

test('help and the version are no failure, and no command is one', async () => {
  for (const args of [['--help'], ['list', '--help']]) {
    const { code, stdout, stderr } = await sched(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: sched .*Options:/s);
    expect(stdout).toContain('--store <url>');
  }
  expect(await sched(['--version'])).toMatchObject({ code: 0, stdout: '0.0.0\n' });
  expect(await sched([])).toMatchObject({ code: 2, stdout: '' });
});

describe('which store', () => {
  test('is asked for where none is named', async () => {
    const { code, stderr } = await sched(['list'], { cwd: folder() });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^sched: Which store\? Give --store <url>, or set SCHED_STORE, or write/,
    );
  });

  test('may be in the environment', async () => {
    const { path, cwd } = await database();
    const { code } = await sched(['list'], { cwd, env: { SCHED_STORE: `sqlite:${path}` } });
    expect(code).toBe(0);
  });

  test.for<[url: string, said: string]>([
    ['oracle://scott:tiger@host', '--store must be the URL of a data store, such as sqlite:'],
    ['', '--store must be the URL of a data store'],
    ['memory:', 'tasks in memory are in the process that holds them'],
    ['sqlite::memory:', 'An SQLite database is named by its file'],
    ['dynamodb://', 'A DynamoDB table is named by its region'],
  ])('%s is refused', async ([url, said]) => {
    const { code, stderr } = await sched(['--store', url, 'list']);
    expect(code).toBe(2);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain('tiger');
  });

  test('looking creates nothing', async () => {
    const cwd = folder();
    const { code, stderr } = await sched(['--store', 'sqlite:misspelt.db', 'list'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain('To create or upgrade it: sched schema apply.');
    expect(existsSync(join(cwd, 'misspelt.db'))).toBe(false);
  });
});

describe('a password', () => {
  const password = 'hun%24ter2';
  test.for([
    ['postgres:', 'db'],
    ['mysql:', 'db'],
    ['redis:', '0'],
    ['mongodb:', 'db', '-o', 'options={"serverSelectionTimeoutMS":100}'],
    ['dynamodb+http:', 'table'],
  ])('in the URL of a store, %s, is in no error', async ([protocol, path, ...options]) => {
    const url = `${protocol}//user:${password}@127.0.0.1:1/${path}`;
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await sched([
        ...[...more, ...options, '--store', url, 'list'],
      ]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('SCHED_STORE_UNAVAILABLE');
      expect(stderr).not.toMatch(/hun(%24|\$)ter2/);
    }
  });

  test.for<[what: string, args: string[]]>([
    [
      'with characters that should be encoded',
      ['--store', 'postgres://u:pa ss@#w@host/db', 'list'],
    ],
    ['typed as a command', ['postgres://u:hunter2@host/db']],
    ['typed as an argument too many', ['list', 'postgres://u:hunter2@host/db']],
    ['of the target of a copy', ['--store', 'sqlite:x', 'copy', '--to', 'redis://u:hunter2@h/x/y']],
    ['in an option', ['--store', 'sqlite:x', '-o', 'password=hunter2', 'list']],
    [
      'deep in an option',
      [
        '--store',
        'redis://h',
        '-o',
        'connection={"password":"hunter2"}',
        '-o',
        'x=hunter2',
        'list',
      ],
    ],
    ['in a parameter', ['oracle://host?password=hunter2']],
  ])('%s is in no error', async ([, args]) => {
    const { code, stdout, stderr } = await sched(args, { cwd: folder() });
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).not.toMatch(/hunter2|pa ss|#w/);
  });

  test('that a configuration has from the environment is in no error', async () => {
    const cwd = folder({
      'sched.config.mjs': `throw new Error('cannot reach ' + process.env.PATH.slice(0, 0) + 'db.example with s3same, at postgres://u:s3same@db.example/x');`,
    });
    const env = { DATABASE_URL: 'postgres://u:s3same@db.example/x' };
    const { code, stderr } = await sched(['list'], { cwd, env });
    expect(code).toBe(1);
    expect(stderr).toContain('cannot reach db.example with ***, at postgres://u:***@db.example/x');
    expect(stderr).not.toContain('s3same');
  });

  test('that is a short word takes nothing out of longer ones', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const env = { DATABASE_URL: 'postgres://sched:sched@db.example/x', OTHER: 'redis://:$(a]@h' };
    const { stdout } = await run(['list'], { env });
    expect(stdout).toMatch(/\na +x +scheduled /);
  });
});
