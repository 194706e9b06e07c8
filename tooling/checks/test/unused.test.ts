import { expect, test } from 'vitest';
import { scratchFolder } from '../src/scratch.ts';
import { unusedProblems } from '../src/unused.ts';
import { root } from '../src/workspace.ts';

test('nothing in this repository is unused or undeclared', () => {
  expect(unusedProblems(root, 'tooling/checks/knip.jsonc')).toEqual([]);
});

const files = {
  'package.json': JSON.stringify({ name: 'x', main: 'index.js', type: 'module' }),
  'knip.json': '{}',
  'index.js': "import { used } from './lib.js';\nconsole.log(used);\n",
  'lib.js': 'export const used = 1;\n',
};
const problemsWith = (changes: Record<string, string>) =>
  unusedProblems(scratchFolder({ ...files, ...changes }), 'knip.json').join('\n');

test('a project in which everything is used passes', () => {
  expect(problemsWith({})).toBe('');
});

test('an unused file fails', () => {
  expect(problemsWith({ 'left-over.js': '' })).toMatch(/Unused files.*left-over\.js/s);
});

test('an unused export fails', () => {
  const text = `${files['lib.js']}export const left = 2;\n`;
  expect(problemsWith({ 'lib.js': text })).toMatch(/Unused exports.*left/s);
});

test('an unused dependency fails', () => {
  const manifest = { ...JSON.parse(files['package.json']), dependencies: { 'left-pad': '*' } };
  expect(problemsWith({ 'package.json': JSON.stringify(manifest) })).toMatch(
    /Unused dependencies.*left-pad/s,
  );
});

test('an undeclared dependency fails', () => {
  expect(problemsWith({ 'index.js': `${files['index.js']}import 'left-pad';\n` })).toMatch(
    /Unlisted dependencies.*left-pad/s,
  );
});
