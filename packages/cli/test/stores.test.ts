import { join } from 'node:path';
import { createScheduler, defineTask, PermanentError } from '@sched/core';
import { PostgresDataStore } from '@sched/postgres';
import type { RunningService } from '@sched-tooling/services';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { createStore, findTarget } from '../src/adapters.js';
import { pair } from '../src/store-options.js';
import { folder, sched } from './support.js';

/** What leads to a place of its own: a URL, and options of the store. */
type Place = readonly [url: string, ...options: readonly string[]];

const freshName = () => `cli_${crypto.randomUUID().slice(0, 8)}`;

function placeOn({ name, url }: RunningService): Place {
  const own = freshName();
  if (name === 'postgres') return [url, `schema=${own}`];
  if (name === 'dynamodb') {
    const { host } = new URL(url);
    return [`dynamodb+http://sched:sched@${host}/cli?region=local`, `namespace=${own}`];
  }
  return [name === 'mariadb' ? url.replace('mysql:', 'mariadb:') : url, `namespace=${own}`];
}

/** The commands that an operator needs, from an empty database on. */
function testCommands(createPlaces: () => readonly [Place, Place]) {
  test('everything that is done with tasks', async () => {
    const [[url, ...options], [target, ...targetOptions]] = createPlaces();
    const cwd = folder();
    const flags = (name: string, values: readonly string[]) =>
      values.flatMap((value) => [name, value]);
    const at = ['--store', url, ...flags('-o', options)];
    const run = (...args: string[]) => sched([...at, ...args], { cwd });
    const json = async <T = unknown>(...args: string[]): Promise<T> => {
      const { code, stdout, stderr } = await run('--json', ...args);
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout) as T;
    };

    expect(await run('schema', 'check')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SCHED_STORE_SCHEMA'),
    });
    await json('schema', 'apply');
    await json('schema', 'check');

    await json('add', 'x', 'now', '--id', 'bad', '--retry', '0', '--payload', '{"n":1}');
    await json('add', 'x', '0 9 * * *', '--zone', 'Europe/Berlin', '--id', 'daily', '--group', 'g');
    const { tasks } = await json<{ tasks: { id: string }[] }>('list');
    expect(tasks.map(({ id }) => id).sort()).toEqual(['bad', 'daily']);
    const { childId } = await json<{ childId: string }>('run', 'daily');

    const x = defineTask<unknown>('x', {
      handler({ task }) {
        if (task.id === 'bad') throw new PermanentError('broken');
      },
    });
    const store = await createStore(
      findTarget(
        '--store',
        url,
        options.reduce((rest, each) => pair(each, rest), {}),
        cwd,
      ),
      cwd,
      {},
    );
    {
      await using worker = createScheduler({ store, tasks: [x] });
      const ended = new Promise<void>((resolve) => {
        let count = 0;
        const note = () => ++count === 2 && resolve();
        worker.on('succeeded', note);
        worker.on('failed', note);
      });
      await worker.start();
      await ended;
    }
    expect(await json('history', 'daily')).toMatchObject([{ outcome: 'succeeded', childId }]);
    if (store.capabilities.latestHistory) {
      const { runs } = await json<{ runs: unknown[] }>('runs');
      expect(runs).toHaveLength(2);
      expect(runs).toContainEqual(expect.objectContaining({ id: 'daily', name: 'x', childId }));
    } else {
      const refused = { code: 1, stderr: expect.stringContaining('SCHED_STORE_UNSUPPORTED') };
      expect(await run('runs')).toMatchObject(refused);
    }
    expect(await json('failures')).toMatchObject([{ count: 1, ids: ['bad'] }]);
    expect(await json('top')).toMatchObject({ tasks: { scheduled: 1, failed: 1 } });
    expect(await json('retry', 'bad')).toEqual({ retried: 1 });
    expect(await json('reschedule', 'bad', '2100-01-01T00:00:00Z')).toMatchObject({
      runAt: '2100-01-01T00:00:00.000Z',
    });
    expect(await json('pause', 'daily')).toEqual({ paused: 1 });
    expect(await json('next')).toMatchObject([{ id: 'bad', at: '2100-01-01T00:00:00.000Z' }]);
    expect(await json('--yes', 'resume', '--group', 'g')).toEqual({ resumed: 1 });
    expect(await json('show', 'daily', '--next', '2')).toMatchObject({ state: 'scheduled' });
    const { findings } = await json<{ findings: { check: string; level: string }[] }>('doctor');
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
    expect(await run('--yes', 'cancel', 'bad')).toMatchObject({ code: 1, stderr: '' });

    // To another place on the same server; and by way of a file, for one that is no longer there.
    const to = ['--store', target, ...flags('-o', targetOptions)];
    await sched([...to, 'schema', 'apply'], { cwd });
    const copied = await json('copy', '--to', target, ...flags('--to-option', targetOptions));
    expect(copied).toMatchObject({ isComplete: true, inserted: 2 });
    await sched([...to, '--yes', 'remove', 'daily'], { cwd });
    expect((await run('export', '--history', '--file', 'x.jsonl')).code).toBe(0);
    const imported = await sched(['--json', ...to, 'import', 'x.jsonl'], { cwd });
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(imported.stdout)).toMatchObject({ inserted: 1, unchanged: 1, history: 2 });
    const history = await sched(['--json', ...to, 'history', 'daily'], { cwd });
    expect(JSON.parse(history.stdout)).toEqual(await json('history', 'daily'));

    expect(await json('--yes', 'remove', '--all')).toEqual({ removed: 2 });
    expect(await json('list')).toEqual({ tasks: [], next: null });
    await sched([...to, '--yes', 'remove', '--all'], { cwd });
  });
}

describe('on sqlite', () => {
  testCommands(() => [[join(folder(), 'a.db')], [join(folder(), 'b.db')]]);
});

await describeOnEach(
  ['postgres', 'mysql', 'mariadb', 'redis', 'ferretdb', 'dynamodb'],
  'the command',
  (server) => testCommands(() => [placeOn(server), placeOn(server)]),
);

await describeOn('postgres', 'a user who may create nothing', ({ url }) => {
  test('has what an administrator was told to run, and is told what is not granted', async () => {
    const [schema, user] = [freshName(), freshName()];
    const options = ['-o', `schema=${schema}`];
    const args = ['--store', 'postgres:', ...options, 'schema', 'print', '--user', user];
    const { stdout } = await sched([...args, '--mode', 'read']);
    const administrator = new pg.Client(url);
    await administrator.connect();
    await administrator.query(`CREATE ROLE ${user} LOGIN PASSWORD 'hunter2'; ${stdout}`);
    const own = Object.assign(new URL(url), { username: user, password: 'hunter2' }).href;
    const run = (...rest: string[]) => sched(['--store', own, ...options, ...rest]);

    expect(await run('list')).toEqual({ code: 0, stdout: 'No tasks.\n', stderr: '' });
    expect(await run('runs')).toEqual({ code: 0, stdout: 'No runs.\n', stderr: '' });
    const added = await run('add', 'x', 'now');
    expect(added).toMatchObject({ code: 1, stderr: expect.stringContaining('denied') });
    const { code, stdout: findings } = await run('doctor');
    expect(code).toBe(1);
    for (const what of ['change tasks', 'pause tasks', 'remove tasks', 'claim tasks']) {
      expect(findings).toContain(`Cannot ${what}: SCHED_STORE_`);
    }
    expect(findings).not.toContain('Cannot list');
    expect(added.stderr + findings).not.toContain('hunter2');
    await administrator.query(
      `DROP OWNED BY ${user}; DROP ROLE ${user}; DROP SCHEMA ${schema} CASCADE`,
    );
    await administrator.end();
  });

  test('a user who may change tasks but add none learns that', async () => {
    const [schema, user] = [freshName(), freshName()];
    const options = ['-o', `schema=${schema}`];
    const print = ['--store', 'postgres:', ...options, 'schema', 'print', '--user', user];
    const { stdout } = await sched(print);
    const administrator = new pg.Client(url);
    await administrator.connect();
    await administrator.query(`CREATE ROLE ${user} LOGIN PASSWORD 'hunter2'; ${stdout}`);
    const own = Object.assign(new URL(url), { username: user, password: 'hunter2' }).href;
    const doctor = () => sched(['--store', own, ...options, 'doctor']);
    expect(await doctor()).toMatchObject({ code: 0, stdout: expect.stringContaining('add tasks') });
    await administrator.query(`REVOKE INSERT ON ALL TABLES IN SCHEMA ${schema} FROM ${user}`);
    const refused = await doctor();
    expect(refused.code).toBe(1);
    expect(refused.stdout.match(/Cannot [a-z ]+(?=:)/g)).toEqual(['Cannot add tasks']);
    const { stdout: list } = await sched(['--store', url, ...options, 'list']);
    expect(list).toBe('No tasks.\n');
    await administrator.query(
      `DROP OWNED BY ${user}; DROP ROLE ${user}; DROP SCHEMA ${schema} CASCADE`,
    );
    await administrator.end();
  });
});

await describeOn('postgres', 'the doctor', ({ url }) => {
  test('notices by the time it takes that an index is missing', async () => {
    const schema = freshName();
    const store = new PostgresDataStore({ url, schema });
    await store.open();
    const runAt = Date.now() + 86_400_000;
    const kept = {
      name: 'x',
      group: null,
      status: 'scheduled',
      paused: false,
      body: '{}',
    } as const;
    for (let first = 0; first < 100_000; first += 10_000) {
      await store.insert(
        Array.from({ length: 10_000 }, (_, index) => ({
          ...{ ...kept, id: `${first + index}`, queue: `q${index}`, runAt },
        })),
      );
    }
    const indexes = async () => {
      const args = ['--json', '--store', url, '-o', `schema=${schema}`, 'doctor', '--no-tasks'];
      const { stdout } = await sched([...args, '--slow', '5']);
      const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string }[] };
      return findings.filter(({ check }) => check === 'indexes');
    };
    expect(await indexes()).toMatchObject([{ level: 'ok' }]);
    const administrator = new pg.Client(url);
    await administrator.connect();
    const { rows } = await administrator.query<{ name: string }>(
      "SELECT indexname AS name FROM pg_indexes WHERE schemaname = $1 AND indexname LIKE '%due'",
      [schema],
    );
    expect(rows).toHaveLength(1);
    await administrator.query(`DROP INDEX ${schema}."${rows[0]?.name}"`);
    expect(await indexes()).toEqual([
      {
        ...{ check: 'indexes', level: 'warning' },
        message: expect.stringMatching(/^To look for due tasks takes \d+ ms more/),
      },
    ]);
    await store.close();
    await administrator.query(`DROP SCHEMA ${schema} CASCADE`);
    await administrator.end();
  });
});
