import { SchedError, type Settlement } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Stores that refuse what they cannot hold too late, or not at all. */
export const refusalStores: readonly BrokenStore[] = [
  broken(
    'finds the task of another text by one that it cannot hold',
    'G8',
    'a text that cannot be held',
    class extends MemoryDataStore {
      override get(ids: readonly string[]) {
        return super.get(ids.map((id) => id.toWellFormed()));
      }
    },
  ),
  broken(
    'ends a text at its first character 0',
    'G8',
    'a text that cannot be held',
    class extends MemoryDataStore {
      override remove(selector: Parameters<MemoryDataStore['remove']>[0]) {
        if (!('group' in selector)) return super.remove(selector);
        return super.remove({ group: selector.group.replace(/\0.*/s, '') });
      }
    },
  ),
  broken(
    'refuses a body when it has stored the rest of the call',
    'G8',
    'stores nothing when it refuses a body',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const bodies = settlements.flatMap(({ history }) => history.map(({ body }) => body));
        if (bodies.every((body) => body.length < 2 ** 20)) return answers;
        throw new SchedError('SCHED_PAYLOAD_TOO_LARGE', 'A body is too long.');
      }
    },
  ),
];
