import type { NewTaskRecord, Release, Settlement } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Stores that handle the items of one call in another order than that in which they are given. */
export const itemOrderStores: readonly BrokenStore[] = [
  broken(
    'settles the last of a call first',
    'G2',
    'settlements of one task',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        return (await super.settle(settlements.toReversed())).toReversed();
      }
    },
  ),
  broken(
    'spawns all that a call spawns once everything is settled, the last first',
    'G6',
    'tasks that are removed and spawned',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements.map((each) => ({ ...each, spawn: [] })));
        const isApplied = (_: Settlement, index: number) => answers[index] === 'settled';
        const spawned = settlements
          .filter(isApplied)
          .flatMap(({ spawn }): readonly NewTaskRecord[] => spawn);
        await this.insert(spawned.toReversed());
        return answers;
      }
    },
  ),
  broken(
    'adds entries to a history in the order of their ids',
    'G5',
    'entries of equal time',
    class extends MemoryDataStore {
      override settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map((each) => ({
            ...each,
            history: each.history.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
          })),
        );
      }
    },
  ),
  broken(
    'says of a lease that is named twice that it gave it back twice',
    'G3',
    'releases of one lease',
    class extends MemoryDataStore {
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        return leases.map(({ id }) => answers[leases.findIndex((one) => one.id === id)] ?? 'lost');
      }
    },
  ),
];
