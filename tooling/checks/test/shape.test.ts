import { expect, test } from 'vitest';
import { fields, scripts, texts } from '../src/conventions.ts';
import { scratchFolder } from '../src/scratch.ts';
import { shapeProblems } from '../src/shape.ts';
import { publicPackages, readPackage } from '../src/workspace.ts';

test.for(publicPackages())('$manifest.name has the shape of every package', (pkg) => {
  expect(shapeProblems(pkg)).toEqual([]);
});

const sqlite = {
  'package.json': JSON.stringify({ name: '@sched/sqlite', ...fields, scripts }),
  'README.md': '',
  'src/index.ts': '',
  'src/sqlite-data-store.ts': '',
  'src/calls.ts': '',
  'src/client.ts': '',
  'src/connect.ts': '',
  'src/errors.ts': '',
  'src/options.ts': '',
  'src/session.ts': '',
  'src/schema.ts': '',
  'test/conformance.test.ts': '',
  'test/sqlite.test.ts': '',
  'tsup.config.ts': '',
  ...texts,
};

/** What the check says of an adapter with other files than it should have. */
function problemsWith(files: Record<string, string>, missing?: string): string[] {
  const all = Object.entries({ ...sqlite, ...files }).filter(([path]) => path !== missing);
  const parent = scratchFolder(
    Object.fromEntries(all.map(([path, text]) => [`sqlite/${path}`, text])),
  );
  return shapeProblems(readPackage(`${parent}/sqlite`));
}

test('a package of the right shape passes', () => {
  expect(problemsWith({})).toEqual([]);
});

test.for([
  'README.md',
  'src/index.ts',
  'src/sqlite-data-store.ts',
  'src/calls.ts',
  'src/client.ts',
  'src/connect.ts',
  'src/errors.ts',
  'src/options.ts',
  'src/session.ts',
  'src/schema.ts',
  'test/conformance.test.ts',
  'test/sqlite.test.ts',
  'tsconfig.json',
  'tsup.config.ts',
  'vitest.config.ts',
])('a package without %s fails', (path) => {
  expect(problemsWith({}, path)).toEqual([`${path} is missing`]);
});

test('another script, a missing one and another name fail', () => {
  const manifest = { name: '@sched/sqllite', ...fields, scripts: { ...scripts, test: 'mocha' } };
  expect(problemsWith({ 'package.json': JSON.stringify(manifest) })).toEqual([
    'package.json: the name is @sched/sqllite, not @sched/sqlite',
    expect.stringMatching(/^package\.json: scripts is not/),
  ]);
});

test('another field fails', () => {
  const manifest = { name: '@sched/sqlite', ...fields, scripts, sideEffects: true };
  expect(problemsWith({ 'package.json': JSON.stringify(manifest) })).toEqual([
    'package.json: sideEffects is not false',
  ]);
});

test('a configuration of its own fails', () => {
  expect(problemsWith({ 'tsconfig.json': '{}\n' })).toEqual([
    'tsconfig.json is not the shared preset alone',
  ]);
});

test('a conformance test of 20 lines fails', () => {
  expect(problemsWith({ 'test/conformance.test.ts': '//\n'.repeat(20) })).toEqual([
    'test/conformance.test.ts has 20 lines, more than 19',
  ]);
});

test('an adapter that nothing is known about fails', () => {
  const parent = scratchFolder({
    'oracle/package.json': JSON.stringify({ name: '@sched/oracle', ...fields, scripts }),
  });
  expect(shapeProblems(readPackage(`${parent}/oracle`))).toContain(
    'oracle is not listed in conventions.ts',
  );
});
