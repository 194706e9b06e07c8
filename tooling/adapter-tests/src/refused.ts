import type { DataStore, SchedError } from '@sched/core';
import { expect } from 'vitest';
import { failure } from './failure.js';
import { claimAll, record, settlement } from './records.js';

/**
 * Sends a text that the store cannot hold through every call that carries any, and expects each of them to be refused
 * and to have changed nothing.
 *
 * @param store an empty one
 * @param twin the id of a task for which it might be taken
 * @param inBodies whether bodies are to be refused, too
 */
export async function expectTextRefused(
  store: DataStore,
  text: string,
  { twin = 'twin', inBodies = true } = {},
): Promise<void> {
  await store.insert([record('a'), record(twin)]);
  const before = await store.list({ limit: 9 });
  const [task] = before.tasks;
  if (!task) throw new Error('a task was inserted');
  const calls = [
    () => store.insert([record('new'), record(text)]),
    () => store.insert([record('new', { queue: text })]),
    () => store.update('a', { name: text }, task),
    () => store.update(text, { body: '1' }, task),
    () => store.get([text]),
    () => store.list({ name: text, limit: 1 }),
    () => store.list({ after: text, limit: 1 }),
    () => store.count({ group: text }),
    () => store.remove({ ids: ['a', text] }),
    () => store.setPaused({ group: text }, true),
    () => store.claim({ ...claimAll, owner: text }),
    () => store.claim({ ...claimAll, queues: [text] }),
    () => store.extend([{ id: text, token: 1 }], 1),
    () => store.settle([settlement(task, { id: text })]),
    () => store.release([{ id: text, token: 1 }]),
    () => store.history(text, 1),
  ];
  if (inBodies) {
    calls.push(
      () => store.insert([record('new', { body: text })]),
      () => store.update('a', { body: text }, task),
    );
  }
  for (const call of calls) await failure(call, 'SCHED_ARGUMENT_INVALID');
  expect(await store.list({ limit: 9 })).toEqual(before);
}

/**
 * Sends a body that is too large for the store through every call that carries one, beside others that are not, and
 * expects each of them to be refused and to have changed nothing.
 *
 * @param store an empty one, at the time 1000
 * @returns what each call failed with
 */
export async function expectBodyRefused(store: DataStore, body: string): Promise<SchedError[]> {
  await store.insert([record('a'), record('b')]);
  const [a, b] = (await store.claim(claimAll)).tasks;
  if (!a || !b) throw new Error('two tasks were claimed');
  const next = { status: 'scheduled', runAt: 1000, body } as const;
  const entry = { taskId: 'b', id: 'run', at: 1000, body };
  const calls = [
    () => store.insert([record('c'), record('d', { body })]),
    () => store.update('a', { body }, a),
    () => store.settle([settlement(a), settlement(b, { next })]),
    () => store.settle([settlement(a), settlement(b, { spawn: [record('c', { body })] })]),
    () => store.settle([settlement(a), settlement(b, { history: [entry] })]),
  ];
  const errors: SchedError[] = [];
  for (const call of calls) errors.push(await failure(call, 'SCHED_PAYLOAD_TOO_LARGE'));
  expect(await store.get(['a', 'b', 'c', 'd'])).toEqual([
    expect.objectContaining({ revision: a.revision, lease: a.lease }),
    expect.objectContaining({ revision: b.revision, lease: b.lease }),
    undefined,
    undefined,
  ]);
  expect(await store.history('b', 9)).toEqual([]);
  return errors;
}
