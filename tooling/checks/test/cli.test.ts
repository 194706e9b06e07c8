import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage } from '../src/workspace.ts';

/** A folder in which these packages are installed, as they are packed, with what they depend on. */
function install(...ids: readonly string[]): string {
  const modules = join(scratchFolder(), 'node_modules');
  for (const id of ids) {
    const { folder } = publicPackage(id);
    const { manifest, folder: packed } = pack(folder);
    cpSync(packed, join(modules, manifest.name), { recursive: true });
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      if (name.startsWith('@sched/')) continue;
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(folder, 'node_modules', name), join(modules, name));
    }
  }
  return dirname(modules);
}

/** Runs the command as it is installed there, and finds nothing but what is. */
function sched(folder: string, ...args: readonly string[]) {
  const file = join(folder, 'node_modules/@sched/cli/dist/index.js');
  const env = { ...process.env, NODE_PATH: '' };
  const options = { cwd: folder, env, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], options);
  return { exitCode: status, output: stdout + stderr };
}

test('the packed command works with the packed adapter beside it', () => {
  const folder = install('cli', 'core', 'memory', 'sqlite');
  const onStore = (...args: readonly string[]) => sched(folder, '-s', 'sqlite:x.db', ...args);
  expect(onStore('schema', 'apply')).toMatchObject({ exitCode: 0 });
  expect(onStore('add', 'hello', 'every 5m', '--id', 'a')).toMatchObject({ exitCode: 0 });
  expect(onStore('list').output).toMatch(/^ID .*\na +hello +scheduled/);
  expect(sched(folder, 'completion', 'zsh').output).toContain('sched complete --');
});

test('without its adapter it says what to install', () => {
  const folder = install('cli', 'core', 'memory');
  const { exitCode, output } = sched(folder, '-s', 'mysql://u:hunter2@host/db', 'list');
  expect(exitCode).toBe(1);
  expect(output).toContain('npm install @sched/mysql mysql2.');
  expect(output).not.toContain('hunter2');
});
