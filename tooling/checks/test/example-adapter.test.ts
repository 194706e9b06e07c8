import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { command } from '../src/command.ts';
import { core } from '../src/conventions.ts';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage, root } from '../src/workspace.ts';

const example = join(root, 'apps', 'example-adapter');

/** The example where its author would have it: beside an installed core, far from this repository. */
function outside(): string {
  const folder = scratchFolder({
    'package.json': JSON.stringify({ name: 'example', type: 'module' }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'es2024',
        module: 'nodenext',
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        allowImportingTsExtensions: true,
        types: ['node'],
      },
      include: ['src', 'test/place.ts', 'test/connect.ts'],
    }),
  });
  for (const part of ['src', 'test']) {
    cpSync(join(example, part), join(folder, part), { recursive: true });
  }
  const modules = join(folder, 'node_modules');
  cpSync(pack(publicPackage(core).folder).folder, join(modules, '@sched', 'core'), {
    recursive: true,
  });
  for (const [name, from] of [
    ['fs-native-extensions', example],
    ['lmdb', example],
    ['@types/node', root],
  ] as const) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(from, 'node_modules', name), join(modules, name));
  }
  return folder;
}

test('the example adapter type-checks and passes the kit with the packed core', () => {
  const folder = outside();
  expect(command('tsc', [], folder)).toEqual({ exitCode: 0, output: '' });
  const cli = join('node_modules', '@sched', 'core', 'dist', 'conformance', 'cli.js');
  const { exitCode, output } = command('node', [cli, 'test/place.ts'], folder);
  expect(output).toMatch(/\nlmdb passes the kit: \d+ cases in [\d.]+ s\.$/);
  expect(exitCode).toBe(0);
});
