import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ConformanceReport } from '../src/conformance/index.js';

const cli = fileURLToPath(new URL('../dist/conformance/cli.js', import.meta.url));
const memory = new URL('../../memory/dist/index.js', import.meta.url).href;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sched-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command in the scratch folder, over a module with this text if one is given. */
async function run(text: string | undefined, ...args: string[]) {
  if (text !== undefined) await writeFile(join(folder, 'place.mjs'), text);
  const given = text === undefined ? args : ['./place.mjs', ...args];
  const child = spawn(process.execPath, [cli, ...given], { cwd: folder });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const exitCode = await new Promise((resolve) => child.on('close', resolve));
  return { exitCode, ...output };
}

/** A module whose places hold a memory store, in which `body` may override methods. */
const moduleOf = (body = '', connect = 'store ??= new Store(options)') => `
import { MemoryDataStore } from '${memory}';
class Store extends MemoryDataStore { ${body} }
export default {
  create() {
    let store;
    return { connect: (options) => ${connect} };
  },
};
`;

const brokenInsert = 'async insert() { return []; }';

test('a store that passes: a line for each case, the levels, and exit code 0', async () => {
  const { exitCode, stdout, stderr } = await run(moduleOf());
  expect(stderr).toBe('');
  expect(stdout).toMatch(
    /^ok {5}G8 a store says what it is called and what it can do \(\d+ ms\)$/m,
  );
  expect(stdout).toMatch(/^contract {5}\d+ passed, 0 failed/m);
  expect(stdout).toMatch(/\n\nmemory passes the kit: \d+ cases in [\d.]+ s\.\n$/);
  expect(exitCode).toBe(0);
});

test('a store that fails: its cases are named, explained in the end, and exit code 1', async () => {
  const { exitCode, stdout } = await run(moduleOf(brokenInsert), '--only', 'an INSERTED task');
  expect(stdout).toMatch(/^FAILED G1 an inserted task is stored as given/m);
  expect(stdout).toContain('insert answers `inserted`');
  expect(stdout).toMatch(/memory fails \d+ of \d+ cases?\.\n$/);
  expect(exitCode).toBe(1);
});

test('the report is written as JSON and as Markdown', async () => {
  const out = join(folder, 'a', 'report');
  await run(moduleOf(brokenInsert), '--level', 'concurrency', '--out', out, '--concurrency', '8');
  const report: ConformanceReport = JSON.parse(
    await readFile(join(out, 'conformance.json'), 'utf8'),
  );
  expect(report).toMatchObject({
    store: 'memory',
    capabilities: { history: true, transactions: false },
    versions: {
      core: expect.stringMatching(/^\d+\.\d+\.\d+/),
      runtime: `node ${process.versions.node}`,
      platform: `${process.platform} ${process.arch}`,
    },
    complete: false,
    seeds: [1, 2, 3],
    levels: { concurrency: { failed: report.failed, passed: report.passed } },
  });
  expect(Object.keys(report.levels)).toEqual(['concurrency']);
  expect(report.cases.map(({ level }) => level)).toEqual(
    Array(report.passed + report.failed).fill('concurrency'),
  );
  const page = await readFile(join(out, 'conformance.md'), 'utf8');
  expect(page).toContain(`**memory fails ${report.failed} of ${report.cases.length} cases.**`);
});

test('help and version', async () => {
  const help = await run(undefined, '--help');
  expect(help.stdout).toMatch(/^Usage: sched-conformance <module>/);
  expect(help.stdout).toContain('concurrency  many clients at once');
  const { version } = JSON.parse(
    await readFile(new URL('../package.json', import.meta.url), 'utf8'),
  );
  expect(await run(undefined, '--version')).toEqual({
    exitCode: 0,
    stdout: `${version}\n`,
    stderr: '',
  });
});

test('a function named create, or exported by default, is a target too', async () => {
  const named = moduleOf().replace('export default {\n  create()', 'export function create()');
  const only = ['--only', 'what it is called'];
  expect(await run(named.replace(/,\n};\n$/, '\n'), ...only)).toMatchObject({ exitCode: 0 });
  const plain = moduleOf().replace('export default {\n  create()', 'export default function ()');
  expect(await run(plain.replace(/,\n};\n$/, '\n'), ...only)).toMatchObject({ exitCode: 0 });
});

test.for<[why: string, module: string | undefined, args: string[], said: string]>([
  ['no module', undefined, [], 'Name one module, as in: sched-conformance ./place.js'],
  ['two modules', moduleOf(), ['b.js'], 'Name one module, as in: sched-conformance ./place.js'],
  ['an unknown option', moduleOf(), ['--leevl', 'x'], "Unknown option '--leevl'. Say --help"],
  ['an unknown level', moduleOf(), ['--level', 'x'], 'There is no level x, only contract, '],
  [
    'no cases at once',
    moduleOf(),
    ['--concurrency', '0'],
    '--concurrency has to be a number above',
  ],
  ['text that no case has', moduleOf(), ['--only', 'xyzzy'], 'No case of the kit is of that level'],
  ['a file that is not there', undefined, ['nowhere.mjs'], 'nowhere.mjs cannot be loaded: '],
  ['a module that throws', 'throw "a string";', [], './place.mjs cannot be loaded: a string'],
  [
    'a module that hangs',
    'await new Promise(() => {});',
    ['--patience', '0.2'],
    './place.mjs cannot be loaded: nothing has happened for 0.2 seconds',
  ],
  ['a module without create', 'export default {};', [], './place.mjs has no create: give it'],
  [
    'a place that cannot be made',
    'export const create = () => { throw "no disk"; };',
    [],
    'A place cannot be made: no disk',
  ],
  [
    'a place without a store',
    moduleOf('', 'undefined'),
    [],
    'The place gives no store: connect has to return a DataStore, not undefined',
  ],
  [
    'a store that hangs',
    moduleOf('open() { return new Promise(() => {}); }'),
    ['--patience', '0.2'],
    'The store does not open: nothing has happened for 0.2 seconds',
  ],
  [
    'a store that throws strings',
    moduleOf('open() { throw "no"; }'),
    [],
    'The store does not open: no',
  ],
])('%s: one sentence, and exit code 2', async ([, module, args, said]) => {
  const { exitCode, stdout, stderr } = await run(module, ...args);
  expect(stderr.startsWith(said), stderr).toBe(true);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stdout).toBe('');
  expect(exitCode).toBe(2);
});

test('an error that no case could catch ends the run with exit code 1', async () => {
  const stray = 'async now() { queueMicrotask(() => { throw new Error("stray"); }); return 0; }';
  const { exitCode, stdout } = await run(moduleOf(stray));
  expect(stdout).toContain('FAILED outside of any case: Error: stray');
  expect(exitCode).toBe(1);
});
