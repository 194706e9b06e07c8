import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { command } from '../src/command.ts';
import { scratchFolder } from '../src/scratch.ts';
import { root } from '../src/workspace.ts';

const preset = pathToFileURL(`${root}/tooling/vitest/preset.ts`).href;

/** Runs a test file under the shared preset. */
function run(text: string, ...args: string[]) {
  const folder = scratchFolder({
    'package.json': '{"type":"module"}',
    'vitest.config.js': `export { default } from ${JSON.stringify(preset)};\n`,
    'test/x.test.ts': text,
  });
  const failures = () =>
    JSON.parse(readFileSync(join(folder, '.test-results/failures.json'), 'utf8'));
  return { ...command('vitest', ['run', '--globals', ...args], folder), failures };
}

const passing = "test('a', () => {});\n";

test('a run in which every test runs and passes is green', () => {
  const { exitCode, failures } = run(passing);
  expect(exitCode).toBe(0);
  expect(failures()).toEqual([]);
});

test.for([
  ['a test', "test('b', () => { throw new Error('why'); });", 'test/x.test.ts > b'],
  [
    'a suite',
    "describe('b', () => { beforeAll(() => { throw new Error('why'); }); test('c', () => {}); });",
    'test/x.test.ts > b',
  ],
  ['a file', "throw new Error('why');", 'test/x.test.ts'],
  ['nobody', "test('b', () => { Promise.reject(new Error('why')); });", 'Outside of any test'],
])('an error of %s is written down, and makes a run red', ([, text, where]) => {
  const { exitCode, failures } = run(passing + text);
  expect(failures()).toEqual([expect.stringMatching(`^${where}\n  why\n +at`)]);
  expect(exitCode).not.toBe(0);
});

test('what differs is written down along with it', () => {
  const { failures } = run("test('b', () => { expect(['this']).toEqual(['that']); });");
  expect(failures()[0]).toMatch(/- +"that",?\n +\+ +"this"/);
});

test.for([
  ['test.skip', "test.skip('b', () => {});"],
  ['a skip at run time', "test('b', ({ skip }) => skip());"],
  ['test.todo', "test.todo('b');"],
  ['test.skipIf', "test.skipIf(true)('b', () => {});"],
])('%s makes a run red', ([, text]) => {
  const { exitCode, output } = run(passing + text);
  expect(output).toContain('skipped: test/x.test.ts > b');
  expect(exitCode).not.toBe(0);
});

test('test.only makes a run red', () => {
  const { exitCode, output } = run(`${passing}test.only('b', () => {});`);
  expect(output).toContain('Unexpected .only modifier');
  expect(exitCode).not.toBe(0);
});

test('a test that may retry makes a run red', () => {
  const { exitCode, output } = run("test('b', { retry: 2 }, () => {});");
  expect(output).toContain('may retry: test/x.test.ts > b');
  expect(exitCode).not.toBe(0);
});

test('a package without tests makes a run red', () => {
  expect(run('').exitCode).not.toBe(0);
});

test('choosing one test by name is no excuse and no fault', () => {
  expect(run(`${passing}test('b', () => {});`, '-t', 'a').exitCode).toBe(0);
});
