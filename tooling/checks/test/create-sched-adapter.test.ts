import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { command } from '../src/command.ts';
import { core } from '../src/conventions.ts';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage, root } from '../src/workspace.ts';

/** Makes an adapter with the packed command, and lays its dependencies beside it: core as it is packed. */
function make(runner: string): string {
  const folder = join(scratchFolder(), 'adapter');
  const cli = join(pack(publicPackage('create-sched-adapter').folder).folder, 'dist', 'index.js');
  const args = [cli, 'my-database', '--runner', runner, '--folder', folder];
  const { exitCode, output } = command('node', args, root);
  expect(output).toContain('npm test');
  expect(exitCode).toBe(0);

  const modules = join(folder, 'node_modules');
  const installed = join(modules, '@sched', 'core');
  cpSync(pack(publicPackage(core).folder).folder, installed, { recursive: true });
  for (const name of ['@types/node', 'typescript', 'vitest']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const [name, file] of Object.entries(pack(publicPackage(core).folder).manifest.bin ?? {})) {
    mkdirSync(join(modules, '.bin'), { recursive: true });
    chmodSync(join(installed, file), 0o755);
    symlinkSync(join(installed, file), join(modules, '.bin', name));
  }
  return folder;
}

const script = (name: string, folder: string) => command('pnpm', ['run', name], folder);

test.for(['vitest', 'node'])('an adapter that is made for %s is green as it is', (runner) => {
  const folder = make(runner);
  for (const name of ['typecheck', 'test', 'build', 'conformance']) {
    const { exitCode, output } = script(name, folder);
    expect(exitCode, output).toBe(0);
  }
  const report = JSON.parse(readFileSync(join(folder, 'report', 'conformance.json'), 'utf8'));
  expect(report).toMatchObject({ store: 'my-database', complete: true, failed: 0 });
  expect(report.passed).toBeGreaterThan(100);

  // Its users get types, from what it built.
  writeFileSync(
    join(folder, 'test', 'user.ts'),
    `import type { DataStore } from '@sched/core';
     import { MyDatabaseDataStore } from 'sched-my-database';
     export const store: DataStore = new MyDatabaseDataStore({ url: 'my-database://here' });
     // @ts-expect-error Without its URL it is nowhere.
     export const lost = new MyDatabaseDataStore({});`,
  );
  expect(script('typecheck', folder)).toMatchObject({ exitCode: 0 });
});

test('its tests fail once its store does', () => {
  const folder = make('node');
  const file = join(folder, 'src', 'my-database-data-store.ts');
  const text = readFileSync(file, 'utf8');
  const broken = text.replace("if (task.revision !== revision) return 'conflict';", '');
  expect(broken).not.toBe(text);
  writeFileSync(file, broken);
  const { exitCode, output } = script('test', folder);
  expect(output).toContain('G6 edits are safe');
  expect(exitCode).not.toBe(0);
});
