import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeOn } from '@sched-tooling/services';
import { describe, expect, test, vi } from 'vitest';
import { isFree } from '../src/ports.ts';
import { isAlive, scratchFolder } from './scratch.ts';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const node = process.execPath;

/** The environment without the servers of whoever runs these tests: the command line is to start its own. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SCHED_TEST_')),
);

/** Starts the command line, with a folder of its own for all that is temporary. */
function start(args: string[], env: Record<string, string> = {}) {
  const temporary = env.TMPDIR ?? scratchFolder();
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', cli, ...args], {
    env: { ...environment, CI: '', TMPDIR: temporary, ...env },
  });
  const run = { child, temporary, output: '', errors: '' };
  child.stdout.on('data', (chunk) => {
    run.output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    run.errors += chunk;
  });
  return run;
}

function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) =>
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']),
    );
  });
}

async function finish(args: string[], env: Record<string, string> = {}) {
  const run = start(args, env);
  return { ...run, code: await exitCode(run.child), output: run.output, errors: run.errors };
}

/** A command that says what it found, as a line of JSON, and goes on as told. */
const say = (then: string) => [
  node,
  '--eval',
  `console.log(JSON.stringify({ pid: process.pid, url: process.env.SCHED_TEST_REDIS_URL }));${then}`,
];
const forever = 'setInterval(() => {}, 1e6);';

function said(output: string): { pid: number; port: number } {
  const { pid, url } = JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? '{}');
  return { pid, port: Number(new URL(url).port) };
}

await describeOn('redis', 'the command line', () => {
  test.for([
    ['a command that succeeds', '', 0],
    ['a command that fails', 'process.exitCode = 3;', 3],
    ['a command that is killed', 'process.kill(process.pid, "SIGKILL");', 137],
  ] as const)('%s leaves nothing behind', async ([, then, expected]) => {
    const { code, output, temporary } = await finish(['run', 'redis', '--', ...say(then)]);
    expect(code).toBe(expected);
    expect(output).toMatch(/^ready {4}redis on 127\.0\.0\.1:\d+: /);
    expect(await isFree(said(output).port)).toBe(true);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('a command that does not exist leaves nothing behind', async () => {
    const { code, errors, temporary } = await finish(['run', 'redis', '--', 'sched-no-such-thing']);
    expect(errors).toContain('sched-no-such-thing did not start');
    expect(code).toBe(2);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s ends the command, and then the servers',
    async (signal) => {
      const run = start(['run', 'redis', '--', ...say(forever)]);
      const code = exitCode(run.child);
      await vi.waitUntil(() => run.output.includes('"pid"'), 20_000);
      run.child.kill(signal);
      expect(await code).toBe(128 + constants.signals.SIGTERM);
      const { pid, port } = said(run.output);
      expect(isAlive(pid)).toBe(false);
      expect(await isFree(port)).toBe(true);
      expect(readdirSync(run.temporary)).toEqual([]);
    },
  );

  test('a command that does not admit to have been stopped is not taken for a success', async () => {
    const polite = `process.on('SIGTERM', () => process.exit(0));${forever}`;
    const run = start(['run', 'redis', '--', ...say(polite)]);
    const code = exitCode(run.child);
    await vi.waitUntil(() => run.output.includes('"pid"'), 20_000);
    run.child.kill('SIGTERM');
    expect(await code).toBe(128 + constants.signals.SIGTERM);
  });

  test('the servers end even if the command line is killed', async () => {
    const run = start(['run', 'redis', '--', ...say('process.stdin.resume();')]);
    await vi.waitUntil(() => run.output.includes('"pid"'), 20_000);
    run.child.kill('SIGKILL');
    await vi.waitUntil(() => readdirSync(run.temporary).length === 0, 20_000);
    expect(await isFree(said(run.output).port)).toBe(true);
  });

  test('servers stay up until they are taken down', async () => {
    const { code, output, temporary } = await finish(['up', 'redis']);
    expect(code).toBe(0);
    const env = { TMPDIR: temporary };
    try {
      const variable = /^export (SCHED_TEST_REDIS_URL)='(.*)'$/m.exec(output);
      expect(variable).not.toBeNull();
      const url = new URL(variable?.[2] ?? '');
      expect((await finish(['restart', 'redis', '--kill'], env)).code).toBe(0);
      expect((await finish(['status'], env)).output).toContain(`redis on ${url.host}`);
      // The same server for whoever comes second.
      expect((await finish(['up', 'redis'], env)).output).toContain(url.href);
    } finally {
      expect((await finish(['down'], env)).code).toBe(0);
    }
    expect(readdirSync(temporary)).toEqual([]);
    expect((await finish(['status'], env)).output).toBe('Nothing is up.\n');
  });
});

describe('on a machine without Java', () => {
  const line = 'MISSING  dynamodb (DynamoDB Local 2.6): no Java 17 or later on this machine';
  const nothing = { PATH: '', SCHED_TEST_DYNAMODB_URL: '' };
  const command = ['run', 'dynamodb', '--', node, '--eval', 'console.log("ran")'];

  test('what is missing is named before and after the command', async () => {
    const { code, output, errors } = await finish(command, nothing);
    expect(output.indexOf(line)).toBeGreaterThanOrEqual(0);
    expect(output.indexOf(line)).toBeLessThan(output.indexOf('ran'));
    expect(errors).toContain(line);
    expect(code).toBe(0);
  });

  test('in continuous integration the command runs, and the run fails', async () => {
    const { code, output } = await finish(command, { ...nothing, CI: 'true' });
    expect(output).toContain('ran');
    expect(code).toBe(1);
  });

  test('a URL makes up for it', async () => {
    const env = { ...nothing, CI: 'true', SCHED_TEST_DYNAMODB_URL: 'http://there:8000' };
    const { code, output } = await finish(command, env);
    expect(output).toContain('dynamodb on there:8000: given by SCHED_TEST_DYNAMODB_URL');
    expect(code).toBe(0);
  });
});

test('a download is given up when the run is told to stop', async () => {
  const folder = scratchFolder({
    java: '#!/bin/sh\necho openjdk 17.0.1\n',
    mvn: `#!/bin/sh\nsleep 1000 &\necho $! > "${'$'}{0%/*}/pid"\nwait\n`,
  });
  for (const name of ['java', 'mvn']) chmodSync(join(folder, name), 0o755);
  const run = start(['run', 'dynamodb', '--', node, '--eval', ''], {
    PATH: `${folder}:${process.env.PATH}`,
    XDG_CACHE_HOME: folder,
  });
  const code = exitCode(run.child);
  await vi.waitUntil(() => existsSync(join(folder, 'pid')), 20_000);
  const pid = Number(await vi.waitUntil(() => readFileSync(join(folder, 'pid'), 'utf8').trim()));
  run.child.kill('SIGTERM');
  expect(await code).toBe(128 + constants.signals.SIGTERM);
  await vi.waitUntil(() => !isAlive(pid));
  expect(readdirSync(run.temporary)).toEqual([]);
});

test.for([
  [[], 'Usage: pnpm services'],
  [['fly'], 'Usage: pnpm services'],
  [['run', 'redis'], 'What is to be run?'],
  [['run', 'oracle', '--', 'true'], 'There is no service oracle'],
  [['restart'], 'Nothing is up to restart'],
] as [string[], string][])('%j is refused', async ([args, expected]) => {
  const { code, errors, temporary } = await finish(args);
  expect(errors).toContain(expected);
  expect(code).toBe(2);
  expect(readdirSync(temporary)).toEqual([]);
});
