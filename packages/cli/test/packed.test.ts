// The command as it is published: packed, installed by npm with the packed adapters and their drivers, and started as
// `npx` does it, on each data store. It needs the packages to be built.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RunningService } from '@sched-tooling/services';
import { describeOnEach } from '@sched-tooling/services';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The packages that are installed, each with the driver that its users install beside it. */
const packages: Readonly<Record<string, string | null>> = {
  core: null,
  http: null,
  dashboard: null,
  memory: null,
  cli: null,
  sqlite: null,
  postgres: 'pg',
  mysql: 'mysql2',
  redis: 'ioredis',
  mongo: 'mongodb',
  dynamodb: '@aws-sdk/client-dynamodb',
};

const execute = promisify(execFile);
const project = mkdtempSync(join(tmpdir(), 'sched-packed-'));
const env = {
  // The Node of this process comes first, then what npm has put there.
  ...{ ...process.env, NODE_PATH: '', NODE_OPTIONS: '' },
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
};

beforeAll(async () => {
  const files: string[] = [];
  const drivers: string[] = [];
  for (const [name, driver] of Object.entries(packages)) {
    const cwd = join(root, 'packages', name);
    const file = join(project, `${name}.tgz`);
    await execute('pnpm', ['pack', '--out', file], { cwd, env });
    files.push(file);
    if (driver === null) continue;
    // The version that everything else is tested with.
    const manifest = join(cwd, 'node_modules', driver, 'package.json');
    drivers.push(`${driver}@${JSON.parse(readFileSync(manifest, 'utf8')).version}`);
  }
  writeFileSync(join(project, 'package.json'), '{"private":true}');
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await execute('npm', ['install', ...flags, ...files, ...drivers], { cwd: project, env });
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Runs the installed command; what it says as JSON. It has to succeed. */
async function sched(args: readonly string[], cwd = project): Promise<unknown> {
  const command = join(project, 'node_modules', '.bin', 'sched');
  const { stdout, stderr } = await execute(command, ['--json', ...args], { cwd, env });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const freshName = () => `packed_${crypto.randomUUID().slice(0, 8)}`;

/** Where the store is: its URL, and an option that makes it a place of its own. */
function placeOn({ name, url }: RunningService): readonly string[] {
  const own = freshName();
  if (name === 'postgres') return ['--store', url, '-o', `schema=${own}`];
  const named: Readonly<Record<string, string>> = {
    mariadb: url.replace('mysql:', 'mariadb:'),
    dynamodb: `dynamodb+http://sched:sched@${new URL(url).host}/packed?region=local`,
  };
  return ['--store', named[name] ?? url, '-o', `namespace=${own}`];
}

/** What an operator does, from an empty database on. */
function testCommands(place: () => readonly string[]): void {
  test('adds, lists, shows, runs and removes tasks, and finds nothing wrong', async () => {
    const at = place();
    const run = (...args: readonly string[]) => sched([...at, ...args]);
    await run('schema', 'apply');
    const add = ['add', 'mail', '0 9 * * *', '--id', 'daily', '--zone', 'Europe/Berlin'];
    expect(await run(...add, '--payload', '{"to":"ä"}')).toMatchObject({ outcome: 'created' });
    expect(await run('list')).toMatchObject({ tasks: [{ id: 'daily', state: 'scheduled' }] });
    const { childId } = (await run('run', 'daily')) as { childId: string };
    expect(await run('show', 'daily')).toMatchObject({ name: 'mail', payload: { to: 'ä' } });
    expect(await run('show', childId)).toMatchObject({ name: 'mail' });
    const { findings } = (await run('doctor')) as { findings: { level: string }[] };
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
    expect(await run('--yes', 'remove', 'daily', childId)).toEqual({ removed: 2 });
    expect(await run('list')).toEqual({ tasks: [], next: null });
  });
}

test('shows the dashboard', async () => {
  const command = join(project, 'node_modules', '.bin', 'sched');
  const at = ['--store', `sqlite:${freshName()}.db`];
  await sched([...at, 'schema', 'apply']);
  const child = spawn(command, [...at, '--json', 'dashboard'], { cwd: project, env });
  const ended = once(child, 'exit');
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    if (said.includes('}')) break;
  }
  const { url } = JSON.parse(said) as { url: string };
  const entered = await fetch(url, { redirect: 'manual' });
  const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? '';
  const page = await fetch(new URL('/', url), { headers: { cookie } });
  expect(await page.text()).toContain('<title>Scheduled tasks</title>');
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
});

test('npx finds it', async () => {
  const { stdout } = await execute('npx', ['--no-install', 'sched', '--version'], {
    ...{ cwd: project, env },
  });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('on sqlite', () => testCommands(() => ['--store', `sqlite:${freshName()}.db`]));

await describeOnEach(
  ['postgres', 'mysql', 'mariadb', 'redis', 'ferretdb', 'mongodb', 'dynamodb'],
  'the packed command',
  (server) => testCommands(() => placeOn(server)),
);

test('on memory, whose tasks are those of a configuration, for as long as a command takes', async () => {
  const cwd = join(project, 'in-memory');
  mkdirSync(cwd);
  const config = `
    import { createScheduler, defineTask } from '@sched/core';
    import { MemoryDataStore } from '@sched/memory';
    const store = new MemoryDataStore();
    const mail = defineTask('mail');
    await createScheduler({ store, tasks: [mail] }).schedule(mail, { id: 'daily', cron: '@daily' });
    export default { store, tasks: [mail] };
  `;
  writeFileSync(join(cwd, 'sched.config.mjs'), config);
  const run = (...args: readonly string[]) => sched(args, cwd);
  expect(await run('add', 'mail', 'now', '--id', 'a')).toMatchObject({ outcome: 'created' });
  expect(await run('list')).toMatchObject({ tasks: [{ id: 'daily' }] });
  expect(await run('show', 'daily')).toMatchObject({ name: 'mail', state: 'scheduled' });
  expect(await run('run', 'daily')).toMatchObject({ childId: expect.any(String) });
  expect(await run('--yes', 'remove', 'daily')).toEqual({ removed: 1 });
  const { findings } = (await run('doctor')) as { findings: { level: string }[] };
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
});
