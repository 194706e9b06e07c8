import { describe, expect, test } from 'vitest';
import { commands } from '../src/conventions.ts';
import { pack } from '../src/pack.ts';
import { publintProblems, typesProblems } from '../src/publication.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackages } from '../src/workspace.ts';

describe.for(publicPackages())('$manifest.name', ({ id, folder }) => {
  test('satisfies publint', async () => {
    expect(await publintProblems(pack(folder))).toEqual([]);
  });

  // Nothing can be imported from it.
  if (commands[id]) return;

  test('gives its importers the right types', () => {
    expect(typesProblems(pack(folder))).toEqual([]);
  });
});

const manifest = {
  name: 'broken',
  version: '1.0.0',
  type: 'module',
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  files: ['dist'],
};

test('types behind the default fail publint', async () => {
  const exports = { '.': { default: './dist/index.js', types: './dist/index.d.ts' } };
  const folder = scratchFolder({
    'package.json': JSON.stringify({ ...manifest, exports }),
    'dist/index.js': 'export const x = 1;\n',
    'dist/index.d.ts': 'export declare const x: number;\n',
  });
  expect((await publintProblems(pack(folder))).join()).toContain('should be the first');
});

test('a file that is not published fails publint', async () => {
  const folder = scratchFolder({
    'package.json': JSON.stringify({ ...manifest, files: ['lib'] }),
    'dist/index.js': 'export const x = 1;\n',
    'dist/index.d.ts': 'export declare const x: number;\n',
  });
  expect((await publintProblems(pack(folder))).join()).toContain('./dist/index.js');
});

test('declarations that do not resolve fail', () => {
  const folder = scratchFolder({
    'package.json': JSON.stringify(manifest),
    'dist/index.js': 'export const x = 1;\n',
    'dist/index.d.ts': "export { x } from './missing';\n",
  });
  expect(typesProblems(pack(folder)).join()).toContain('Internal resolution error');
});
