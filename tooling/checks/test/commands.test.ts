import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../src/scratch.ts';
import { root } from '../src/workspace.ts';

type Counts = [passed: number, failed: number, skipped: number];

interface Fixture {
  /** What tools exit with, by the beginning of their command line. */
  exitCodes?: Record<string, number>;
  /** The test results that they write, by package. */
  results?: Record<string, Counts>;
  /** What they say has failed in core. */
  failures?: string[];
  /** Whether each package has one more test, which found no server to run on. */
  withoutServer?: boolean;
  env?: Record<string, string>;
}

const earlier: Counts = [9, 0, 0];

function resultsFile([passed, failed, skipped]: Counts, withoutServer = false): string {
  const assertion = { status: 'skipped', meta: { missingService: 'mysql' } };
  const more = withoutServer ? 1 : 0;
  return JSON.stringify({
    numTotalTests: passed + failed + skipped + more,
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: skipped + more,
    numTodoTests: 0,
    testResults: [{ assertionResults: withoutServer ? [assertion] : [] }],
  });
}

/**
 * Runs `npm test` or `npm start` in a small workspace in which every tool is a stand-in: it says how
 * it was called, writes the test results that it is told to, and exits with the code that it is told.
 */
function run(
  args: string[],
  { exitCodes = {}, results = {}, failures = [], withoutServer = false, env = {} }: Fixture = {},
) {
  const manifest = (name: string, script: string) =>
    JSON.stringify({ name, scripts: { [script]: 'x' } });
  const folder = scratchFolder({
    'package.json': JSON.stringify({ packageManager: 'pnpm@12.0.0' }),
    'packages/core/package.json': manifest('@sched/core', 'test'),
    'tooling/checks/package.json': manifest('@sched-tooling/checks', 'test'),
    'apps/quickstart/package.json': manifest('@sched-apps/quickstart', 'start'),
    'tooling/services/src/cli.ts': servicesCode,
    'tool.mjs': toolCode,
    // What an earlier run left behind.
    'tooling/checks/.test-results/vitest.json': resultsFile(earlier),
    'tooling/checks/.test-results/failures.json': '["an earlier one"]',
  });
  const bin = join(folder, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  chmodSync(join(folder, 'tool.mjs'), 0o755);
  for (const name of ['turbo', 'biome', 'pnpm', 'npx']) {
    symlinkSync('../../tool.mjs', join(bin, name));
  }
  symlinkSync(process.execPath, join(bin, 'node'));
  copyFileSync(join(root, 'tooling', 'run.mjs'), join(folder, 'tooling', 'run.mjs'));

  const { status, stdout } = spawnSync('node', ['tooling/run.mjs', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      EXIT_CODES: JSON.stringify(exitCodes),
      RESULTS: JSON.stringify(
        Object.fromEntries(
          Object.entries(results).map(([key, counts]) => [key, resultsFile(counts, withoutServer)]),
        ),
      ),
      FAILURES: JSON.stringify(failures),
      CI: '',
      ...env,
    },
  });
  const lines = stdout.trimEnd().split('\n');
  return {
    exitCode: status,
    output: stdout,
    lastLine: lines.at(-1),
    calls: lines.filter((line) => line.startsWith('called ')).map((line) => line.slice(7)),
  };
}

// The stand-in for what starts the servers: it misses one, and runs the command.
const servicesCode = `
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const [command, ...args] = process.argv.slice(process.argv.indexOf('--') + 1);
const [name, option, file] = process.argv.slice(2);
console.log('called services ' + name + ' ' + option);
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, '["MISSING  mysql"]');
process.exit(spawnSync(command, args, { stdio: 'inherit' }).status);
`;

const toolCode = `#!/usr/bin/env node
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

const call = [basename(process.argv[1]), ...process.argv.slice(2)].join(' ');
console.log('called ' + call);
if (call.startsWith('turbo run test')) {
  const group = call.includes('--filter=@sched-tooling/checks') ? 'tooling/' : 'packages/';
  for (const [folder, text] of Object.entries(JSON.parse(process.env.RESULTS))) {
    if (!folder.startsWith(group)) continue;
    mkdirSync(folder + '/.test-results', { recursive: true });
    writeFileSync(folder + '/.test-results/vitest.json', text);
  }
  if (group === 'packages/') {
    mkdirSync('packages/core/.test-results', { recursive: true });
    writeFileSync('packages/core/.test-results/failures.json', process.env.FAILURES);
  }
}
const exitCodes = Object.entries(JSON.parse(process.env.EXIT_CODES));
process.exit(exitCodes.find(([start]) => call.startsWith(start))?.[1] ?? 0);
`;

const green: Record<string, Counts> = { 'packages/core': [5, 0, 0], 'tooling/checks': [2, 0, 0] };

test('npm test takes every step and closes with the sum of the counts', () => {
  const { exitCode, lastLine, calls } = run(['test'], { results: green });
  expect(calls).toEqual([
    'npx --yes pnpm@12.0.0 install',
    expect.stringMatching(/^turbo run build/),
    'biome check .',
    expect.stringMatching(/^turbo run typecheck/),
    'services run --report',
    expect.stringMatching(/^turbo run test .*--filter=!@sched-tooling\/checks$/),
    expect.stringMatching(/^turbo run test .*--filter=@sched-tooling\/checks$/),
  ]);
  expect(lastLine).toBe('7 passed, 0 failed');
  expect(exitCode).toBe(0);
});

test('it stops at the first step that fails, with its exit code', () => {
  const { exitCode, lastLine, calls } = run(['test'], { exitCodes: { biome: 7 }, results: green });
  expect(calls.at(-1)).toBe('biome check .');
  expect(lastLine).toBe('0 passed, 0 failed');
  expect(exitCode).toBe(7);
});

test('a failed test is counted', () => {
  const results = { ...green, 'packages/core': [4, 1, 0] satisfies Counts };
  const { exitCode, lastLine } = run(['test'], { exitCodes: { 'turbo run test': 1 }, results });
  expect(lastLine).toBe('4 passed, 1 failed');
  expect(exitCode).toBe(1);
});

test('what failed is said in the end, and nothing of an earlier run', () => {
  const failures = Array.from({ length: 12 }, (_, index) => `test/x.test.ts > ${index}\n  why`);
  const { output } = run(['test'], {
    exitCodes: { 'turbo run test': 1 },
    results: green,
    failures,
  });
  const end = output.slice(output.indexOf('=== Summary'));
  expect(end).toContain('FAILED  @sched/core: test/x.test.ts > 0\n  why\n');
  expect(end).toContain('test/x.test.ts > 9\n  why\n\n… and 2 more');
  expect(end).not.toContain('x.test.ts > 10');
  expect(end).not.toContain('earlier');
});

test('a skipped test fails, even where its runner did not mind', () => {
  const results = { ...green, 'packages/core': [4, 0, 1] satisfies Counts };
  const { exitCode, lastLine } = run(['test'], { results });
  expect(lastLine).toBe('4 passed, 0 failed, 1 skipped');
  expect(exitCode).toBe(1);
});

test('tests that found no server are named, and excused', () => {
  const { exitCode, lastLine, output } = run(['test'], { results: green, withoutServer: true });
  expect(output).toContain('MISSING  mysql');
  expect(output).toContain('For want of servers, 2 groups of tests did not run.');
  expect(lastLine).toBe('7 passed, 0 failed');
  expect(exitCode).toBe(0);
});

test('in continuous integration nothing excuses them', () => {
  const { exitCode, output } = run(['test'], {
    results: green,
    withoutServer: true,
    env: { CI: 'true' },
  });
  expect(output).toContain('MISSING  mysql');
  expect(exitCode).toBe(1);
});

test.for([
  ['without any result', {}],
  ['without a test', { 'packages/core': [0, 0, 0] }],
] as [string, Record<string, Counts>][])('a package %s fails', ([, results]) => {
  const { exitCode, lastLine } = run(['test'], { results });
  expect(lastLine).toBe('0 passed, 0 failed');
  expect(exitCode).toBe(1);
});

test('results of an earlier run do not count', () => {
  // The stand-in for the package checks writes nothing this time.
  const { exitCode, lastLine } = run(['test'], { results: { 'packages/core': [5, 0, 0] } });
  expect(lastLine).toBe('5 passed, 0 failed');
  expect(exitCode).toBe(1);
});

test('npm start builds the quickstart and hands its arguments and its exit code through', () => {
  const { exitCode, calls } = run(['start', '--for', '20s'], { exitCodes: { 'pnpm ': 3 } });
  expect(calls).toEqual([
    'npx --yes pnpm@12.0.0 install',
    expect.stringMatching(/^turbo run build .*--filter=@sched-apps\/quickstart\.\.\.$/),
    expect.stringMatching(/^pnpm --dir .*apps\/quickstart start --for 20s$/),
  ]);
  expect(exitCode).toBe(3);
});

test('another command is refused', () => {
  expect(run(['deploy'])).toMatchObject({ exitCode: 2, calls: [] });
});
