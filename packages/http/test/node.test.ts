import { toNodeListener } from '@sched/http/node';
import { expect, test } from 'vitest';
import { read, serve, setting, sqliteStore, work } from './support.js';

test('tasks are listed, shown and paused over node:http, on SQLite', async () => {
  const { scheduler, api } = setting({ store: sqliteStore() });
  await scheduler.schedule(work, { id: 'ada/digest', payload: { to: 'ada' }, every: '5m' });
  await scheduler.schedule(work, { id: 'b', payload: null, cron: '30 9 * * MON-FRI' });
  const base = `${await serve(toNodeListener(api))}/sched`;
  const headers = { 'sched-request': '1' };

  const list = await read(`${base}/tasks?limit=1`);
  const rest = await read(`${base}/tasks?limit=1&cursor=${list.next}`);
  const ids = [...list.tasks, ...rest.tasks].map(({ id }: { id: string }) => id);
  expect(ids.sort()).toEqual(['ada/digest', 'b']);

  const path = `${base}/tasks/${encodeURIComponent('ada/digest')}`;
  const shown = await read(path);
  expect(shown).toMatchObject({
    ...{ id: 'ada/digest', state: 'scheduled', payload: { to: 'ada' } },
    trigger: { words: 'every 5 minutes', json: { kind: 'every', every: 300_000 } },
  });
  expect(shown.occurrences).toHaveLength(10);

  const paused = await fetch(`${path}/pause`, { method: 'POST', headers });
  expect([paused.status, await paused.json()]).toEqual([200, { changed: true }]);
  expect(await scheduler.get('ada/digest')).toMatchObject({ state: 'paused' });
});
