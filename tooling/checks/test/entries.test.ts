import { expect, test } from 'vitest';
import { entryProblems, tsupEntries } from '../src/entries.ts';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackages, readPackage } from '../src/workspace.ts';

test.for(publicPackages())('$manifest.name builds and packs what it exports', async (pkg) => {
  expect(entryProblems(pkg, pack(pkg.folder), await tsupEntries(pkg))).toEqual([]);
});

const target = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });
const exports = { '.': target('index'), './kit': target('kit/index') };
const entries = { index: 'src/index.ts', 'kit/index': 'src/kit/index.ts' };
const files = {
  'src/index.ts': '',
  'src/kit/index.ts': '',
  'dist/index.js': '',
  'dist/index.d.ts': '',
  'dist/kit/index.js': '',
  'dist/kit/index.d.ts': '',
};

function problemsWith(
  manifest: object,
  build: Record<string, string> = entries,
  missing?: string,
): string[] {
  const text = JSON.stringify({
    name: 'x',
    version: '1.0.0',
    files: ['dist'],
    exports,
    ...manifest,
  });
  const all = Object.entries({ ...files, 'package.json': text });
  const folder = scratchFolder(Object.fromEntries(all.filter(([path]) => path !== missing)));
  return entryProblems(readPackage(folder), pack(folder), build);
}

test('exports, entries and files that agree pass', () => {
  expect(problemsWith({})).toEqual([]);
});

test('a command is an entry, too', () => {
  const manifest = { exports: { '.': target('index') }, bin: { kit: './dist/kit/index.js' } };
  expect(problemsWith(manifest)).toEqual([]);
  expect(problemsWith(manifest, { index: 'src/index.ts' }, 'dist/kit/index.js')).toEqual([
    'no entry of tsup.config.ts builds kit',
    'the command kit names ./dist/kit/index.js, which is not packed',
  ]);
});

test('an import path that nothing builds fails', () => {
  expect(problemsWith({}, { index: 'src/index.ts' })).toEqual([
    'no entry of tsup.config.ts builds ./kit',
  ]);
});

test('an entry that is not exported fails', () => {
  expect(problemsWith({ exports: { '.': target('index') } })).toEqual([
    'the entry kit/index of tsup.config.ts is not exported',
  ]);
});

test('types that are not first fail', () => {
  const { types, default: file } = target('index');
  const swapped = { ...exports, '.': { default: file, types } };
  expect(problemsWith({ exports: swapped })).toEqual([
    expect.stringMatching(/^exports\["\."\] is not/),
  ]);
});

test('a promised file that was not built fails', () => {
  expect(problemsWith({}, entries, 'dist/kit/index.js')).toEqual([
    'exports["./kit"] names ./dist/kit/index.js, which is not packed',
  ]);
});

test('an entry without its source fails', () => {
  expect(problemsWith({}, entries, 'src/kit/index.ts')).toEqual([
    'src/kit/index.ts does not exist',
  ]);
});

test('a packed file that nobody needs fails', () => {
  expect(problemsWith({ files: ['dist', 'src'] })).toEqual([
    'src/index.ts is packed and should not be',
    'src/kit/index.ts is packed and should not be',
  ]);
});
