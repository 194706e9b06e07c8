import { PostgresDataStore } from '@sched/postgres';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { setting, work } from './support.js';

await describeOn('postgres', 'on PostgreSQL', (postgres) => {
  test('tasks are created, listed, changed and removed', async () => {
    const schema = `http_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
    const store = new PostgresDataStore({ url: postgres.url, schema });
    const { scheduler, call } = setting({ store });
    for (const id of ['a', 'b', 'c']) {
      const task = { task: work.name, id, payload: { id }, every: '1h', group: 'g' };
      expect((await call('POST', '/tasks', task)).body.outcome).toBe('created');
    }
    const first = (await call('GET', '/tasks?group=g&limit=2')).body;
    const rest = (await call('GET', `/tasks?group=g&limit=2&cursor=${first.next}`)).body;
    const ids = [...first.tasks, ...rest.tasks].map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(['a', 'b', 'c']);
    const order = { action: 'pause', filter: { group: 'g' }, dryRun: false, atMost: 3 };
    expect((await call('POST', '/bulk', order)).body).toMatchObject({ changed: 3 });
    expect((await call('DELETE', '/tasks/a')).body).toEqual({ removed: 1 });
    expect(await scheduler.count({ state: 'paused' })).toBe(2);
    await scheduler.remove({ all: true });
  });

  test('a password that cannot log in is shown by no answer', async () => {
    const url = Object.assign(new URL(postgres.url), { password: 'hunter2' }).href;
    const { call } = setting({ store: new PostgresDataStore({ url }) });
    for (const path of ['/tasks', '/health']) {
      expect(JSON.stringify((await call('GET', path)).body)).not.toContain('hunter2');
    }
  });
});
