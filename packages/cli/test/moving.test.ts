import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineTask } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { describe, expect, test } from 'vitest';
import { database } from './support.js';

type Database = Awaited<ReturnType<typeof database>>;

/** What a store says of its tasks and their history, without what is its own. */
async function contents({ path }: Database) {
  const store = new SqliteDataStore({ path, migrate: false });
  await store.open();
  const { tasks } = await store.list({ limit: 1000 });
  const histories = await Promise.all(tasks.map(({ id }) => store.history(id, 1000)));
  await store.close();
  const records = tasks.map(({ id, name, queue, group, status, paused, runAt, body }) => ({
    ...{ id, name, queue, group, status, paused, runAt, body },
  }));
  return { records, histories };
}

/** A database with tasks of several states, and a history. */
async function filled(): Promise<Database> {
  const it = await database();
  await it.json('add', 'x', 'now', '--id', 'failed', '--retry', '0', '--payload', '{"deep":[1]}');
  await it.json('add', 'x', 'every 5m', '--id', 'recurring', '--group', 'g');
  await it.json('add', 'x', 'in 1h', '--id', 'paused', '--queue', 'q');
  await it.json('pause', 'paused');
  for (let i = 0; i < 25; i++) await it.json('run', 'recurring');
  const x = defineTask<unknown>('x', {
    handler({ task }) {
      if (task.id === 'failed') throw new Error('no');
    },
  });
  const count = async () =>
    (await it.json<unknown[]>('history', 'recurring', '--limit', '99')).length;
  const state = async () => (await it.json<{ state: string }>('show', 'failed')).state;
  await it.work([x], async () => (await count()) === 25 && (await state()) === 'failed');
  return it;
}

describe('export and import', () => {
  test('move tasks and their history as they are', async () => {
    const [from, to] = [await filled(), await database()];
    const exported = await from.run(['export', '--history', '--file', 'all.jsonl']);
    expect(exported).toEqual({
      code: 0,
      stdout: '',
      stderr: '3 tasks, 26 entries of their history.\n',
    });
    const file = join(from.cwd, 'all.jsonl');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await to.json('import', file)).toMatchObject({
      ...{ read: 3, inserted: 3, history: 26, isComplete: true },
    });
    expect(await contents(to)).toEqual(await contents(from));

    // Again: nothing is there twice.
    expect(await to.json('import', file)).toMatchObject({ unchanged: 3, inserted: 0 });
    expect(await contents(to)).toEqual(await contents(from));
  });

  test('work through pipes', async () => {
    const [from, to] = [await filled(), await database()];
    const { stdout } = await from.run(['export', '--group', 'g']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => Object.keys(JSON.parse(line))[0]),
    ).toEqual(['sched', 'task', 'end']);
    const imported = await to.run(['import', '-'], { input: stdout });
    expect(imported).toEqual({ code: 0, stdout: '1 task: 1 inserted.\n', stderr: '' });
  });

  test('a file that is there is not written over', async () => {
    const it = await database();
    writeFileSync(join(it.cwd, 'precious.txt'), 'x');
    const { code, stderr } = await it.run(['export', '--file', 'precious.txt']);
    expect(code).toBe(2);
    expect(stderr).toContain('is there already');
    expect(readFileSync(join(it.cwd, 'precious.txt'), 'utf8')).toBe('x');
  });

  test('a task that differs is left, unless it is to be replaced', async () => {
    const [from, to] = [await database(), await database()];
    await from.json('add', 'x', 'in 1h', '--id', 'a', '--payload', '1');
    await to.json('add', 'x', 'in 1h', '--id', 'a', '--payload', '2');
    const { stdout: input } = await from.run(['export']);
    const refused = await to.run(['import', '-'], { input });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^sched: SCHED_TASK_EXISTS: /);
    const asked = await to.run(['import', '-', '--on-conflict', 'replace'], { input });
    expect(asked.code).toBe(2);
    expect(await to.json('show', 'a')).toMatchObject({ payload: 2 });
    const replaced = await to.run(['import', '-', '--on-conflict', 'replace', '-y'], { input });
    expect(replaced.stdout).toBe('1 task: 1 replaced.\n');
    expect(await to.json('show', 'a')).toMatchObject({ payload: 1 });
  });

  test('a task that a worker had stays out, unless it is asked for', async () => {
    const [from, to] = [await database(), await database()];
    await from.json('add', 'x', 'now', '--id', 'a');
    const store = new SqliteDataStore({ path: from.path });
    await store.open();
    await store.claim({ queues: ['default'], limit: 1, owner: 'w', leaseMs: 60_000 });
    await store.close();
    const { stdout: input } = await from.run(['export']);
    const left = await to.run(['import', '-'], { input });
    expect(left.code).toBe(1);
    expect(left.stdout).toMatch(/^1 task: 1 left\.\n {2}a: leased, by w\nNot everything/);
    expect((await to.run(['import', '-', '--held'], { input })).stdout).toBe(
      '1 task: 1 inserted.\n',
    );
  });
});

describe('an export that is not one', () => {
  const header = '{"sched":"export","version":1}';
  const task = {
    ...{ id: 'a', name: 'x', queue: 'default', group: null, status: 'scheduled', paused: false },
    ...{
      runAt: 1,
      body: '{}',
      resumedAt: null,
      lease: null,
      deliveries: 0,
      revision: 1,
      wakeAt: 1,
    },
  };
  const line = (changes: object) => JSON.stringify({ task: { ...task, ...changes } });
  const end = '{"end":{"tasks":1,"history":0}}';
  test.for<[what: string, lines: string[], said: string]>([
    ['no JSON', ['hello'], 'Line 1 is not JSON.'],
    ['something else', ['{"task":{}}'], 'The task of line 1: id must be string, not undefined.'],
    ['without its beginning', [line({})], 'Line 1 is not the beginning of an export of sched.'],
    ['of a later version', ['{"sched":"export","version":2}'], 'Line 1 is of another form'],
    ['cut off', [header, line({})], 'The export has no end: a part of it is missing.'],
    ['with more behind its end', [header, end, line({})], 'Line 3 is behind the end'],
    ['with an unknown member', [header, '{"tusk":{}}'], 'must not have a member "tusk". Did you'],
    ['a task with one', [header, line({ prio: 1 })], 'The task of line 2 must not have a member'],
    ['a member of another kind', [header, line({ runAt: '1' })], 'runAt must be number or null'],
    ['a list', [header, '[]'], 'Line 2 must be an object, not an array.'],
  ])('%s: is refused by its line, and nothing is changed', async ([, lines, said]) => {
    const it = await database();
    writeFileSync(join(it.cwd, 'bad.jsonl'), lines.join('\n'));
    const { code, stderr } = await it.run(['import', 'bad.jsonl']);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(said) });
    expect(await it.json('list')).toMatchObject({ tasks: [] });
  });

  test('that is bad behind more than fits into memory: nothing of it is taken', async () => {
    const it = await database();
    const body = JSON.stringify({ text: 'x'.repeat(9_000_000) });
    const lines = [header, line({ id: 'a', body }), line({ id: 'b', body }), 'hello'];
    writeFileSync(join(it.cwd, 'bad.jsonl'), lines.join('\n'));
    expect((await it.run(['import', 'bad.jsonl'])).stderr).toContain('Line 4 is not JSON.');
    expect(await it.json('list')).toMatchObject({ tasks: [] });
  });

  test('there is none', async () => {
    const { run } = await database();
    expect((await run(['import', 'nothing.jsonl'])).code).toBe(2);
  });

  test('a body of 10 MB is taken where the store takes it, and not lost', async () => {
    const it = await database();
    const body = JSON.stringify({ text: 'x'.repeat(10_000_000) });
    const input = [header, line({ body }), end].join('\n');
    const { code, stdout } = await it.run(['import', '-'], { input });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '1 task: 1 inserted.\n' });
  });
});

describe('copy', () => {
  test('copies tasks to another data store', async () => {
    const [from, to] = [await filled(), await database()];
    const { code, stdout } = await from.run(['copy', '--to', `sqlite:${to.path}`]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '3 tasks: 3 inserted.\n' });
    expect((await contents(to)).records).toEqual((await contents(from)).records);
  });

  test('refuses the store that it copies from, and one without a schema', async () => {
    const from = await database();
    const same = await from.run(['copy', '--to', `sqlite:${from.path}`]);
    expect(same).toMatchObject({
      code: 2,
      stderr: 'sched: --to is the data store to copy from.\n',
    });
    const missing = await from.run(['copy', '--to', join(from.cwd, 'nowhere.db')]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('SCHED_STORE_SCHEMA');
    expect(missing.stderr).toContain('sched schema apply');
  });

  test('says what it would replace', async () => {
    const [from, to] = [await database(), await database()];
    const args = ['copy', '--to', to.path, '--on-conflict', 'replace'];
    const { code, stderr } = await from.run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^sched: Would make the tasks of sqlite:\S+ what those of the same ids/);
  });
});
