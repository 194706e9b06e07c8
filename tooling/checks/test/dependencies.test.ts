import { expect, test } from 'vitest';
import { dependencyProblems } from '../src/dependencies.ts';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackages } from '../src/workspace.ts';

test.for(publicPackages())('$manifest.name depends on nothing it should not', async (pkg) => {
  expect(await dependencyProblems(pack(pkg.folder), pkg.id)).toEqual([]);
});

function problemsOf(id: string, manifest: object, code = '', types = ''): Promise<string[]> {
  const text = {
    name: `@sched/${id}`,
    version: '1.0.0',
    type: 'module',
    files: ['dist'],
    ...manifest,
  };
  const folder = scratchFolder({
    'package.json': JSON.stringify(text),
    'dist/index.js': code,
    'dist/index.d.ts': types,
  });
  return dependencyProblems(pack(folder), id);
}

const peer = { peerDependencies: { '@sched/core': '^1.0.0' } };

test('a dependency of core fails, of whatever kind', async () => {
  const range = { 'left-pad': '^1.0.0' };
  const said = ['@sched/core depends on left-pad@^1.0.0'];
  expect(await problemsOf('core', { dependencies: range })).toEqual(said);
  expect(await problemsOf('core', { optionalDependencies: range })).toEqual(said);
  expect(await problemsOf('core', { peerDependencies: range })).toEqual([
    '@sched/core has a peer, left-pad',
  ]);
});

test('an import that the manifest does not name fails, in code and in types', async () => {
  const said = ['left-pad is imported but not declared'];
  expect(await problemsOf('core', {}, "import 'left-pad/lib';")).toEqual(said);
  expect(await problemsOf('core', {}, '', "import { x } from 'left-pad';")).toEqual(said);
});

test('a module of Node passes', async () => {
  expect(await problemsOf('core', {}, "import 'node:sqlite';\nimport 'node:fs';")).toEqual([]);
});

test('an adapter with core as its peer passes', async () => {
  expect(await problemsOf('sqlite', peer, "import '@sched/core';")).toEqual([]);
});

test('a command that works on stores has core as its peer, and adapters that need not be there', async () => {
  const names = ['sqlite', 'postgres', 'redis', 'mysql', 'mongo', 'dynamodb'];
  const optional = names.map((name) => [`@sched/${name}`, { optional: true }] as const);
  const dependencies = { '@sched/memory': '^1.0.0' };
  const manifest = { ...peer, dependencies, peerDependenciesMeta: Object.fromEntries(optional) };
  expect(await problemsOf('cli', manifest)).toEqual([]);
  const fewer = { ...manifest, peerDependenciesMeta: Object.fromEntries(optional.slice(1)) };
  expect(await problemsOf('cli', fewer)).toEqual(['@sched/sqlite is no optional peer']);
  expect(await problemsOf('cli', { ...manifest, peerDependencies: {} })).toEqual([
    'the peer @sched/core is published as undefined',
  ]);
});

test('an adapter that brings its own core fails', async () => {
  const own = { ...peer, dependencies: { '@sched/core': '^1.0.0' } };
  expect(await problemsOf('sqlite', own)).toEqual(['@sched/core is a dependency, not a peer']);
});

test('an adapter without its peer, or with one range for the workspace only, fails', async () => {
  expect(await problemsOf('sqlite', {})).toEqual([
    'the peer @sched/core is published as undefined',
  ]);
  expect(await problemsOf('sqlite', { peerDependencies: { '@sched/core': '*' } })).toEqual([
    'the peer @sched/core is published as *',
  ]);
});
