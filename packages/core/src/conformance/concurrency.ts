import { holds, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { claim, recordsOf } from './records.js';

/** Many handles on one place. */
export const concurrencyCases: readonly CaseDefinition[] = [
  {
    name: 'claimers that race take every task exactly once between them',
    guarantee: 'G2',
    async run({ openMany }) {
      const stores = await openMany(6);
      const records = recordsOf(300);
      await stores[0]?.insert(records);
      const owners = new Map<string, string>();
      await Promise.all(
        stores.map(async (store, index) => {
          for (;;) {
            const tasks = await claim(store, { owner: `owner-${index}`, limit: 7 });
            if (tasks.length === 0) return;
            for (const { id, lease } of tasks) {
              holds(
                !owners.has(id),
                `no task is given to two callers: ${id} to ${owners.get(id)} and ${lease.owner}`,
              );
              owners.set(id, lease.owner);
            }
          }
        }),
      );
      same(owners.size, records.length, 'every task that is due is claimed by somebody');
    },
  },
];
