import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { SqliteDataStore } from '@sched/sqlite';
import { describe, expect, test } from 'vitest';
import { database, folder, sched } from './support.js';

interface Findings {
  readonly findings: readonly {
    readonly check: string;
    readonly level: string;
    readonly message: string;
    readonly ids?: readonly string[];
  }[];
}

describe('doctor', () => {
  test('finds nothing where nothing is wrong', async () => {
    const { run, json } = await database();
    await json('add', 'x', 'in 1h');
    const { findings } = await json<Findings>('doctor');
    expect(findings.map(({ check, level }) => `${check} ${level}`)).toEqual([
      ...['schema ok', 'clock ok', 'privileges ok', 'indexes ok', 'tasks ok'],
    ]);
    const { stdout } = await run(['doctor', '--no-tasks']);
    expect(stdout).toMatch(/^ +CHECK\nok +schema +sqlite:\S+ can be opened/);
    expect(stdout).not.toContain('ok  tasks');
  });

  test('finds tasks that are stuck, failed, unreadable, or of names that nobody handles', async () => {
    const it = await database();
    const task = {
      name: 'known',
      queue: 'q',
      group: null,
      status: 'scheduled',
      paused: false,
    } as const;
    await it.json('add', 'known', 'in 1h', '--id', 'fine');
    await it.json('add', 'nobody', 'in 1h', '--id', 'orphan');
    await it.json('add', 'known', 'now', '--id', 'late');
    await it.json('add', 'known', 'now', '--id', 'lapsed', '--queue', 'gone');
    const store = new SqliteDataStore({ path: it.path, clock: () => Date.now() - 3_600_000 });
    await store.open();
    const database_ = new DatabaseSync(it.path);
    database_.exec(
      'UPDATE sched_tasks SET run_at = run_at - 7200000 WHERE run_at < unixepoch() * 1000 + 1000',
    );
    database_.close();
    await store.claim({ queues: ['gone'], limit: 1, owner: 'dead', leaseMs: 1000 });
    await store.insert([{ ...task, id: 'broken', runAt: Date.now() + 3_600_000, body: '{}' }]);
    const failed = { ...task, status: 'failed', id: 'failed', runAt: null, body: '{}' } as const;
    await store.insert([failed]);
    await store.close();
    const config = join(
      folder({
        'sched.config.mjs': `export default {
          store: { open: async () => {}, claim() {} },
          tasks: [{ name: 'known', run() {}, queue: 'default', group: null, policies: {}, hasHandler: true }],
        };`,
      }),
      'sched.config.mjs',
    );
    const args = ['--json', '--config', config, '--store', it.path, 'doctor'];
    const { code, stdout } = await sched(args);
    expect(code).toBe(1);
    const { findings }: Findings = JSON.parse(stdout);
    const problems = findings.filter(({ level }) => level !== 'ok');
    expect(problems.map(({ check, level, ids = [] }) => [check, level, ids.join()])).toEqual([
      ['stuck', 'problem', 'late'],
      ['stuck', 'problem', 'lapsed'],
      ['failed', 'warning', 'failed'],
      ['unreadable', 'problem', 'broken,failed'],
      ['unhandled', 'problem', 'orphan'],
    ]);
  });

  test('leaves nothing of what it tries', async () => {
    const { json } = await database();
    await json('doctor');
    expect(await json('list')).toEqual({ tasks: [], next: null });
  });

  test('says why a store cannot be opened, as a finding', async () => {
    const { code, stdout } = await sched(['--json', '-s', join(folder(), 'new.db'), 'doctor']);
    expect(code).toBe(1);
    const { findings }: Findings = JSON.parse(stdout);
    expect(findings).toEqual([
      { check: 'open', level: 'problem', message: expect.stringMatching(/^SCHED_STORE_SCHEMA: /) },
    ]);
  });

  test('says of clocks that differ', async () => {
    const cwd = folder({
      'sched.config.mjs': `import { MemoryDataStore } from ${JSON.stringify(import.meta.resolve('@sched/memory'))};
        export default new MemoryDataStore({ clock: () => Date.now() + 7_200_000 });`,
    });
    const { code, stdout } = await sched(['--json', 'doctor'], { cwd });
    expect(code).toBe(0);
    const clock = JSON.parse(stdout).findings.find(
      ({ check }: { check: string }) => check === 'clock',
    );
    expect(clock.level).toBe('warning');
    expect(clock.message).toContain('its clock is 2h ahead of the one here');
  });
});

describe('schema', () => {
  test('is printed, applied and checked', async () => {
    const cwd = folder();
    const run = (...args: string[]) => sched(['-s', 'sqlite:x.db', ...args], { cwd });
    expect(await run('schema', 'check')).toMatchObject({ code: 1, stdout: '' });
    const printed = await run('schema', 'print');
    expect(printed.code).toBe(0);
    const connection = new DatabaseSync(join(cwd, 'x.db'));
    connection.exec(printed.stdout);
    connection.close();
    const current = `The schema of sqlite:${join(cwd, 'x.db')} is current.\n`;
    expect(await run('schema', 'check')).toMatchObject({ code: 0, stdout: current });
    expect(await run('schema', 'apply')).toMatchObject({ code: 0, stdout: current });
  });

  test('is printed for a database that nothing is connected to', async () => {
    const args = ['-s', 'postgres:', '-o', 'schema=jobs', '-o', 'namespace=n', 'schema', 'print'];
    const { code, stdout } = await sched([...args, '--user', 'app', '--mode', 'read']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^BEGIN;\n\nCREATE SCHEMA IF NOT EXISTS "jobs";\n\nCREATE TABLE "jobs"\.n_meta/,
    );
    expect(stdout).toMatch(/COMMIT;\n\nGRANT USAGE ON SCHEMA "jobs" TO "app";/);
    expect(stdout).not.toContain('INSERT ON');
    const mariadb = await sched(['-s', 'mariadb:', 'schema', 'print', '--user', 'app@10.%']);
    expect(mariadb.stdout).toContain('COLLATE utf8mb4_nopad_bin');
    expect(mariadb.stdout).toContain("DELETE ON sched_tasks TO 'app'@'10.%';");
  });

  test('there is none to print of a store without SQL', async () => {
    const { code, stderr } = await sched(['-s', 'redis://localhost', 'schema', 'print']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sched: SCHED_STORE_UNSUPPORTED: @sched\/redis has no statements/);
  });

  test('a user that could break out of its quotes is refused', async () => {
    const user = 'x"; DROP TABLE y; --';
    const { code, stdout } = await sched(['-s', 'postgres:', 'schema', 'print', '--user', user]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('completion', () => {
  const cli = fileURLToPath(new URL('../dist/index.js', import.meta.url));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', cwd: folder() });

  test('there is a script for each shell', () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { status, stdout } = run('completion', shell);
      expect(status).toBe(0);
      expect(stdout).toContain('sched complete --');
    }
    expect(run('completion', 'csh').status).toBe(2);
  });

  test('what it asks is answered: commands, options and what they may be', () => {
    expect(run('complete', '--', 're').stdout).toMatch(
      /^resume\t.*\nretry\t.*\nreschedule\t.*\nremove\t/,
    );
    expect(run('complete', '--', 'list', '--st').stdout).toContain('--state\t');
    expect(run('complete', '--', 'list', '--state', '').stdout).toContain('running');
    expect(run('complete', '--', 'schema', '').stdout).toContain('print\t');
  });
});
