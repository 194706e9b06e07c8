import type { DataStore } from '@sched/core';
import { expect } from 'vitest';
import { claimAll, leaseOf, record, settlement } from './records.js';

/** What a user of the database is to do. */
export type Mode = 'work' | 'schedule' | 'read';

/** Makes every call that a user of that mode needs, and one that a user of the next lower mode may not make. */
export async function useAs(mode: Mode, store: DataStore): Promise<void> {
  await store.now();
  await store.get(['a']);
  await store.count({});
  await store.list({ limit: 1 });
  await store.history('a', 1);
  if (store.capabilities.latestHistory) await store.latestHistory({ limit: 1 });
  if (mode === 'read') {
    await expect(store.insert([record('a')])).rejects.toThrow(/denied/);
    return;
  }
  await store.insert([record('a'), record('b')]);
  const [task] = await store.get(['a']);
  expect(await store.update('a', { body: '1' }, { revision: task?.revision ?? 0 })).toBe('updated');
  expect(await store.setPaused({ ids: ['b'] }, true)).toBe(1);
  expect(await store.setPaused({ all: true }, false)).toBe(1);
  expect(await store.remove({ ids: ['b'] })).toBe(1);
  const { tasks } = await store.claim(claimAll);
  const history = [{ taskId: 'a', id: 'run', at: await store.now(), body: '{}' }];
  const settle = () =>
    store.settle(tasks.map((each) => settlement(each, { history, spawn: [record('c')] })));
  if (mode === 'schedule') {
    await expect(settle()).rejects.toThrow(/denied/);
    return;
  }
  await store.extend(tasks.map(leaseOf), 1000);
  expect(await settle()).toEqual(['settled']);
  expect(await store.history('a', 1)).toEqual(history);
  const spawned = await store.claim(claimAll);
  expect(await store.release(spawned.tasks.map(leaseOf))).toEqual(['released', 'released']);
}
