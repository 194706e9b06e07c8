import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { runShell, type ShellCommand } from '../src/shell.ts';
import { isAlive } from './support/process.ts';
import { until } from './support/until.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sched-shell-'));
  return () => rmSync(folder, { recursive: true });
});

/** Runs a command in the folder; gives the error it ended with, if any, and what it wrote. */
async function run(
  command: string,
  { env, ...changes }: Partial<ShellCommand & { signal: AbortSignal; onLine(): void }> = {},
) {
  const lines: string[] = [];
  const { signal = new AbortController().signal, onLine } = changes;
  const shell = { command, input: changes.input ?? null };
  const error = await runShell(
    { ...shell, env: { PATH: '/usr/bin:/bin', HOME: folder, ...env } },
    {
      signal,
      onLine(line) {
        lines.push(line);
        onLine?.();
      },
    },
  ).catch((thrown: unknown) => thrown);
  return { lines, error: error instanceof Error ? error.message : error };
}

test('both streams are given line by line, in order', async () => {
  const command = 'echo one; echo two >&2; echo three >/dev/stderr; printf four';
  expect(await run(command)).toEqual({ lines: ['one', 'two', 'three', 'four'], error: undefined });
});

test('a command runs in HOME, by SHELL, with nothing else in its environment', async () => {
  const env = { SHELL: '/bin/bash', GREETING: 'hi' };
  const { lines } = await run('echo "$PWD $GREETING $BASH"; env', { env });
  expect(lines[0]).toBe(`${folder} hi /bin/bash`);
  expect(lines.join('\n')).not.toMatch(/^(?:VITEST|npm_)/m);
});

test.for([
  ['exit 3', 'exit code 3'],
  ['no-such-command', 'exit code 127'],
  ['kill -9 $$', 'exit code 137'],
])('%s fails with %s', async ([command = '', error]) => {
  expect(await run(command)).toMatchObject({ error });
});

test('a shell and a folder that do not exist are failures like others', async () => {
  expect(await run(':', { env: { SHELL: '/no/shell' } })).toEqual({
    lines: [expect.stringMatching(/not found/)],
    error: 'exit code 127',
  });
  expect(await run(':', { env: { HOME: '/no/folder' } })).toMatchObject({ error: 'exit code 2' });
});

test('input is read from standard input, or left unread', async () => {
  expect(await run('cat; exit 4', { input: 'a\nb\n' })).toEqual({
    lines: ['a', 'b'],
    error: 'exit code 4',
  });
  expect(await run('true', { input: 'a'.repeat(100_000) })).toMatchObject({ error: undefined });
  expect(await run('cat')).toEqual({ lines: [], error: undefined });
});

test('a line without end is cut, and does not fill the memory', async () => {
  const { lines } = await run('yes | head -c 3000000 | tr -d "\\n"; echo; echo end');
  expect(lines.map(({ length }) => length)).toEqual([1000, 3]);
});

test('what a command leaves in the background belongs to it while it holds the output', async () => {
  expect(await run('(until [ -e go ]; do sleep 0.01; done; echo late) & touch go')).toEqual({
    lines: ['late'],
    error: undefined,
  });
});

test.for([
  ['by itself', 'echo; sleep 60'],
  ['with what it started', 'sleep 60 & echo; wait'],
  ['by force', "trap '' TERM; echo; while :; do sleep 60; done"],
])('an aborted command ends, %s', async ([, command = '']) => {
  const controller = new AbortController();
  const { error } = await run(`echo $$ > pid; ${command}`, {
    signal: controller.signal,
    onLine: () => controller.abort(new Error('enough')),
  });
  expect(error).toBe('enough');
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  // Killed it is; the system may still have to clear it away.
  await until(() => !isAlive(pid));
});

test('an aborted command may tidy up', async () => {
  const controller = new AbortController();
  const command = "trap 'echo bye; exit' TERM; echo; while :; do sleep 0.01; done";
  const abort = () => controller.abort(new Error('enough'));
  const { lines } = await run(command, { signal: controller.signal, onLine: abort });
  expect(lines).toContain('bye');
});
