import { setTimeout } from 'node:timers/promises';
import type { ClaimedTask, DataStore, HistoryEntry } from '@sched/core';
import type { Session } from './cli.js';
import { Failure } from './errors.js';

/** How many entries one settlement takes: some databases limit what is written at once. */
const most = 20;

/** How long to look for a task that has just been scheduled, where indexes are behind the tasks. */
const tries = 100;
const pauseMs = 50;

const carrier = 'sched-import';

/**
 * Appends entries to the histories of tasks. Only a settlement does that, and it may be that of another task: so one is
 * scheduled in a queue of its own, claimed, and removed by the settlement that carries the entries.
 *
 * @param entries the oldest first
 */
export async function appendHistory(
  { store, clientFor }: Session,
  entries: readonly HistoryEntry[],
): Promise<void> {
  const { client, task } = clientFor(carrier);
  for (let i = 0; i < entries.length; i += most) {
    const queue = `${carrier}-${crypto.randomUUID()}`;
    await client.schedule(task, { id: queue, queue });
    const { id, lease, revision } = await claim(store, queue);
    const history = entries.slice(i, i + most);
    const settlement = { id, token: lease.token, revision, next: null, history, spawn: [] };
    const [answer] = await store.settle([settlement]);
    if (answer !== 'settled') {
      throw new Failure(`The task ${id}, which was to carry the history, is ${answer}.`);
    }
  }
}

async function claim(store: DataStore, queue: string): Promise<ClaimedTask> {
  for (let i = 0; i < tries; i++) {
    const { tasks } = await store.claim({
      ...{ queues: [queue], limit: 1, owner: carrier, leaseMs: 60_000 },
    });
    if (tasks[0]) return tasks[0];
    await setTimeout(pauseMs);
  }
  throw new Failure(`The task ${queue}, which was to carry the history, could not be claimed.`);
}
