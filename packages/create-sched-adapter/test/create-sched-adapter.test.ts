import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Runner } from '../src/project.js';
import { nameProblem, projectFiles, runners } from '../src/project.js';

const cli = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'sched-create-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: scratch,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('the command writes the package into a folder of its name, and says how to go on', () => {
  const { status, stdout, stderr } = run('my-database');
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^\d+ files are in sched-my-database\. Go on with:\n\n {2}cd sched-my-d/);
  expect(status).toBe(0);
  const folder = join(scratch, 'sched-my-database');
  const written = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  expect(written.sort()).toEqual([...projectFiles('my-database', 'vitest', '0.0.0').keys()].sort());
  expect(existsSync(join(folder, '.gitignore'))).toBe(true);
});

test('a folder that has something in it is left alone', () => {
  const folder = mkdtempSync(join(scratch, 'used-'));
  writeFileSync(join(folder, 'precious.txt'), 'x');
  expect(run('my-database', '--folder', folder)).toEqual({
    status: 2,
    stdout: '',
    stderr: `${folder} is not empty. Name another folder with --folder.\n`,
  });
  expect(readdirSync(folder)).toEqual(['precious.txt']);
});

test.for<[what: string, args: string[], said: string]>([
  ['no name, and nobody to ask', [], 'Name one database, as in: npm create sched-adapter my-data'],
  ['two names', ['a', 'b'], 'Name one database, as in: npm create sched-adapter my-database'],
  ['a name that cannot be', ['My_DB'], '"My_DB" cannot be the name of an adapter: use small'],
  [
    'an unknown runner',
    ['a', '--runner', 'jest'],
    'There is no runner jest, only vitest and node.',
  ],
  ['an unknown option', ['a', '--runer', 'x'], "Unknown option '--runer'. Say --help for what"],
])('%s: one sentence, and exit code 2', ([, args, said]) => {
  const { status, stdout, stderr } = run(...args);
  expect(stderr.startsWith(said), stderr).toBe(true);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});

test('help and version', () => {
  expect(run('--help').stdout).toContain('Usage: npm create sched-adapter <name> -- [options]');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(run('--version').stdout).toBe(`${version}\n`);
});

test('names are those that a package, a class and a file can have', () => {
  for (const name of ['lmdb', 'my-database', 'db2', 'a']) expect(nameProblem(name)).toBeUndefined();
  for (const name of ['', 'My', '2db', 'a--b', '-a', 'a-', 'a b', '../a', 'a'.repeat(41)]) {
    expect(nameProblem(name)).toContain('cannot be the name');
  }
});

test.for(runners)('the files for %s are of that runner and of that name', (runner: Runner) => {
  const files = projectFiles('my-database', runner, '1.2.3');
  expect([...files.keys()]).toContain('src/my-database-data-store.ts');
  expect(files.get('src/index.ts')).toContain('MyDatabaseDataStore');
  for (const [path, text] of files) expect(`${path}\n${text}`).not.toMatch(/acme/i);
  const imported = { vitest: 'vitest', node: 'node:test' }[runner];
  expect(files.get('test/conformance.test.ts')).toContain(`import { test } from '${imported}'`);
  const manifest = JSON.parse(files.get('package.json') ?? '');
  expect(manifest).toMatchObject({
    name: 'sched-my-database',
    peerDependencies: { '@sched/core': '^1.2.3' },
    devDependencies: { '@sched/core': '^1.2.3' },
  });
  expect('vitest' in manifest.devDependencies).toBe(runner === 'vitest');
  expect(files.get('.gitignore')).toContain('node_modules/');
});
