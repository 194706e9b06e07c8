import type { DataStore } from '@sched/core';
import { claimAll, leaseOf, records, settlement } from './records.js';

/**
 * Makes calls of every kind about the same tasks at once, in orders that contradict each other, and leaves nothing
 * behind. Whatever they answer is theirs; none of them may fail.
 *
 * @param store and `other`: two handles on the same empty place, at the time 1000
 */
export async function clash(
  store: DataStore,
  other: DataStore,
  { rounds, count, spawned }: { rounds: number; count: number; spawned: number },
): Promise<void> {
  const ids = records(count, 'task-').map(({ id }) => id);
  for (let round = 0; round < rounds; round++) {
    await store.insert(records(count, 'task-', { group: 'g' }));
    const { tasks } = await store.claim(claimAll);
    const leases = tasks.map(leaseOf);
    const spawn = records(spawned, 'spawned-');
    const history = [{ taskId: 'task-1', id: 'run', at: 1000, body: '{}' }];
    await Promise.all([
      store.extend(leases, 1000),
      other.settle(tasks.map((task) => settlement(task, { spawn: spawn.toReversed(), history }))),
      store.settle(tasks.toReversed().map((task) => settlement(task, { spawn, history }))),
      other.setPaused({ group: 'g' }, true),
      store.setPaused({ all: true }, false),
      other.release(leases.toReversed()),
      store.insert(records(count, 'task-').toReversed()),
      other.remove({ ids: ids.toReversed() }),
      store.claim(claimAll),
      other.remove({ all: true }),
    ]);
  }
  await store.remove({ all: true });
}
