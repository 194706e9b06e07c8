import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { database, folder, sched } from './support.js';

const sqlite = JSON.stringify(import.meta.resolve('@sched/sqlite'));
const core = JSON.stringify(import.meta.resolve('@sched/core'));
const cli = fileURLToPath(new URL('../dist/index.js', import.meta.url));

describe('a configuration', () => {
  test.for<[what: string, name: string, text: (path: string) => string]>([
    [
      'is a data store',
      'sched.config.mjs',
      (path) => `import { SqliteDataStore } from ${sqlite};
        export default new SqliteDataStore({ path: ${JSON.stringify(path)} });`,
    ],
    [
      'is the options of createScheduler',
      'sched.config.js',
      (path) => `import { SqliteDataStore } from ${sqlite};
        import { defineTask } from ${core};
        export default {
          store: new SqliteDataStore({ path: ${JSON.stringify(path)} }),
          tasks: [defineTask('x', { handler() {} })],
        };`,
    ],
    [
      'is a function that gives them, later',
      'sched.config.mjs',
      (path) => `import { SqliteDataStore } from ${sqlite};
        export default async () => ({ store: new SqliteDataStore({ path: ${JSON.stringify(path)} }) });`,
    ],
  ])('%s', async ([, name, text]) => {
    const { path, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const cwd = folder({ [name]: text(path), 'package.json': '{"type":"module"}' });
    const { code, stdout, stderr } = await sched(['list'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\na +x +scheduled/);
  });

  test('may be TypeScript, which Node reads itself', async () => {
    const { path, json } = await database();
    await json('add', 'x', 'in 1h', '--id', 'a');
    const built = JSON.stringify(new URL('../../sqlite/dist/index.js', import.meta.url).href);
    const text = `import { SqliteDataStore } from ${built};
      const path: string = ${JSON.stringify(path)};
      export default { store: new SqliteDataStore({ path }) satisfies object };
      setInterval(() => {}, 60_000);`;
    const cwd = folder({ 'sched.config.ts': text, 'package.json': '{"type":"module"}' });
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'list'], {
      ...{ cwd, encoding: 'utf8' },
    });
    // It ends, though the configuration has left a timer.
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/\na +x +scheduled/);
  });

  test('has several stores, of which one is chosen', async () => {
    const [first, second] = [await database(), await database()];
    await second.json('add', 'x', 'in 1h', '--id', 'a');
    const make = (path: string) => `new SqliteDataStore({ path: ${JSON.stringify(path)} })`;
    const text = `import { SqliteDataStore } from ${sqlite};
      export default { store: { one: ${make(first.path)}, two: ${make(second.path)} } };`;
    const cwd = folder({ 'sched.config.mjs': text });
    expect((await sched(['list'], { cwd })).stdout).toBe('No tasks.\n');
    expect((await sched(['--alias', 'two', 'list'], { cwd })).stdout).toMatch(/\na /);
    const { code, stderr } = await sched(['--alias', 'three', 'list'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain('There is no store three in the configuration. It has: one, two.');
  });

  test('says which tasks there are, and checks their payloads', async () => {
    const { path } = await database();
    const text = `import { SqliteDataStore } from ${sqlite};
      import { defineTask } from ${core};
      const validate = (value) => typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] };
      const payload = { '~standard': { version: 1, vendor: 'test', validate } };
      export default {
        store: new SqliteDataStore({ path: ${JSON.stringify(path)} }),
        tasks: [defineTask('known', { payload })],
      };`;
    const cwd = folder({ 'sched.config.mjs': text });
    const unknown = await sched(['add', 'unknown', 'now'], { cwd });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^sched: SCHED_TASK_UNKNOWN: .* only known\. Say --any-name/);
    expect((await sched(['add', 'unknown', 'now', '--any-name'], { cwd })).code).toBe(0);
    const wrong = await sched(['add', 'known', 'now', '--payload', '"x"'], { cwd });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('SCHED_PAYLOAD_INVALID');
    expect((await sched(['add', 'known', 'now', '--payload', '1'], { cwd })).code).toBe(0);
  });

  test.for<[what: string, text: string, said: string]>([
    [
      'throws',
      "throw new TypeError('boom');",
      'sched.config.mjs cannot be loaded. TypeError: boom',
    ],
    ['throws later', "export default async () => { throw 'boom'; };", 'cannot be loaded. boom'],
    ['is no module', 'export default {', 'sched.config.mjs cannot be loaded. '],
    [
      'has no default',
      'export const store = 1;',
      'The default export of sched.config.mjs has to be',
    ],
    [
      'gives something else',
      'export default 7;',
      'The default export of sched.config.mjs has to be',
    ],
    ['has a store that is none', 'export default { store: 7 };', 'There is no store'],
    [
      'misspells an option',
      'export default { store: { open() {}, claim() {} }, taks: [] };',
      'Did you mean tasks?',
    ],
  ])('that %s is refused by name', async ([, text, said]) => {
    const { code, stdout, stderr } = await sched(['list'], {
      cwd: folder({ 'sched.config.mjs': text }),
    });
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(said);
    expect(stderr).not.toContain('    at ');
  });

  test('that is named and not there is refused', async () => {
    const { code, stderr } = await sched(['--config', 'nowhere.ts', 'list'], { cwd: folder() });
    expect(code).toBe(2);
    expect(stderr).toMatch(/There is no configuration \S+nowhere\.ts/);
  });
});
