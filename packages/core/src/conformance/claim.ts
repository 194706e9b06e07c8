import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { claim, leaseMs, record } from './records.js';

/** Which tasks `claim` takes, and when. */
export const claimCases: readonly CaseDefinition[] = [
  {
    name: 'a task is claimed at exactly its time and not one millisecond before',
    guarantee: 'G4',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a', { runAt: start + 10 })]);
      clock.advance(9);
      same(await claim(store), [], 'a task is not due while now < wakeAt');
      clock.advance(1);
      same(
        (await claim(store)).map((task) => task.id),
        ['a'],
        'a task is due when wakeAt <= now: at exactly now too',
      );
    },
  },
  {
    name: 'a leased task is claimed by another at exactly the end of its lease and not before',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      await claim(store, { owner: 'alice' });
      clock.advance(leaseMs - 1);
      same(await claim(store, { owner: 'bob' }), [], 'a lease is live while now < expiresAt');
      clock.advance(1);
      const [task] = await claim(store, { owner: 'bob' });
      same(task?.lapsedOwner, 'alice', 'at exactly expiresAt a lease is over, and the task is due');
    },
  },
];
