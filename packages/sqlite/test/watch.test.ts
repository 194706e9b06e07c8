import { watch } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { WakeUp } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { record } from '@sched-tooling/adapter-tests';
import { expect, test, vi } from 'vitest';
import { createDirectory } from './place.js';

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return { ...fs, watch: vi.fn(fs.watch) };
});

const refuse = () => {
  throw Object.assign(new Error('no space for another watcher'), { code: 'ENOSPC' });
};

test.each([
  ['a file with a log', 'wal', undefined],
  ['a file without a log', 'delete', undefined],
  ['a file whose changes nothing tells of', 'wal', refuse],
])('what is written to %s is heard, whoever has written it', async (_, journal, refusal) => {
  if (refusal) vi.mocked(watch).mockImplementationOnce(refusal);
  const place = createDirectory();
  const { path } = place;
  const [database, other] = [new DatabaseSync(path), new DatabaseSync(path, { timeout: 5000 })];
  database.exec(`PRAGMA journal_mode = ${journal}`);
  const [store, sharing, elsewhere] = [database, database, other].map(
    (each) => new SqliteDataStore({ database: each }),
  );
  const heard: WakeUp[] = [];
  for (const each of [store, sharing, elsewhere]) await each?.open();
  await store?.watch((wakeUp) => heard.push(wakeUp));
  for (const [index, each] of [store, sharing, elsewhere].entries()) {
    const wakeUp = { queue: `q${index}`, wakeAt: 1000 + index };
    await each?.insert([record(`t${index}`, { queue: wakeUp.queue, runAt: wakeUp.wakeAt })]);
    await vi.waitFor(() => expect(heard).toContainEqual(wakeUp), { timeout: 10_000 });
  }
  expect(watch).toHaveBeenLastCalledWith(
    journal === 'wal' ? `${path}-wal` : path,
    expect.anything(),
  );
  for (const each of [store, sharing, elsewhere]) await each?.close();
  database.close();
  other.close();
  place.remove();
});

test('a queue without a name, and one that another name begins with, are heard of as well', async () => {
  const place = createDirectory();
  const store = new SqliteDataStore({ path: place.path });
  await store.open();
  const heard = new Set<string>();
  await store.watch(({ queue }) => heard.add(queue));
  const queues = ['', 'q', 'q1', 'é'];
  await store.insert(queues.map((queue) => record(`in ${queue}`, { queue })));
  await vi.waitFor(() => expect([...heard].sort()).toEqual(queues), { timeout: 10_000 });
  await store.close();
  place.remove();
});
