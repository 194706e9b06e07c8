import { describe, expect, test } from 'vitest';
import type { ClaimedTask, ClaimResult, DataStore, Settlement } from '../src/index.js';
import type { Interceptor } from './support/intercepted-store.js';
import { simulate } from './support/simulation.js';

describe('a cluster keeps its promises', () => {
  // A run that fails is the same again with its seed. Those of the storms have found something before.
  const quiet = [1, 2].map((seed) => ({ seed, faults: 0 }));
  const faulty = [11, 12, 13, 14].map((seed) => ({ seed, faults: 20 }));
  const stormy = [130, 184, 22].map((seed) => ({ seed, faults: 150 }));
  const worst = [{ seed: 5024, faults: 300, tasks: 70 }];
  for (const options of [...quiet, ...faulty, ...stormy, ...worst]) {
    const { seed, faults } = options;
    test(`with ${faults} calls in a thousand going wrong, seed ${seed}`, async () => {
      const verdict = await simulate({ tasks: 100, ...options });
      expect(verdict.violations, `seed ${seed}, ${faults} faults`).toEqual([]);
      expect(verdict.pendingTimers).toBe(0);
      // Much has happened, of every kind.
      expect(verdict.counts).toMatchObject({
        claimed: expect.toSatisfy((count: number) => count > 500),
        succeeded: expect.toSatisfy((count: number) => count > 200),
        failed: expect.toSatisfy((count: number) => count > 50),
        skipped: expect.toSatisfy((count: number) => count > 10),
        interrupted: expect.toSatisfy((count: number) => count > 0),
      });
    });
  }

  test('and does the same again with the same seed', async () => {
    const options = { seed: 7, faults: 50, tasks: 30 };
    expect(await simulate(options)).toEqual(await simulate(options));
  });
});

describe('the judge notices a store that', () => {
  /** Changes some of what is settled. */
  const settling =
    (change: (settlement: Settlement) => Settlement | Promise<Settlement>): Interceptor =>
    async (call, proceed, args) =>
      call === 'settle'
        ? proceed(await Promise.all((args[0] as readonly Settlement[]).map(change)))
        : proceed();

  const sabotages: Record<
    string,
    { readonly complaint: RegExp; readonly make: (store: DataStore) => Interceptor }
  > = {
    'gives a task to two': {
      complaint: /began twice under token|began under token .* which was not valid/,
      make: () => {
        let before: readonly ClaimedTask[] = [];
        return async (call, proceed) => {
          const answer = await proceed();
          if (call !== 'claim') return answer;
          const { tasks, ...rest } = answer as ClaimResult;
          const both = [...tasks, ...before];
          before = tasks;
          return { tasks: both, ...rest };
        };
      },
    },
    'has tasks run early': {
      complaint: /began attempt .* early/,
      make: () =>
        settling((settlement) => {
          const { next } = settlement;
          if (!next?.runAt) return settlement;
          return { ...settlement, next: { ...next, runAt: next.runAt - 10_000 } };
        }),
    },
    'has tasks run late': {
      complaint: /is to run at .* which is not its time/,
      make: () =>
        settling((settlement) => {
          const { next } = settlement;
          if (!next?.runAt) return settlement;
          return { ...settlement, next: { ...next, runAt: next.runAt + 1 } };
        }),
    },
    'loses the record of an occurrence': {
      complaint: /nothing says what became of/,
      make: () => settling((settlement) => ({ ...settlement, history: [] })),
    },
    'records an occurrence twice': {
      complaint: /ended 2 times/,
      make: () =>
        settling((settlement) => ({
          ...settlement,
          history: [...settlement.history, ...settlement.history],
        })),
    },
    'passes over an occurrence': {
      complaint: /nothing says what became of/,
      make: () =>
        settling((settlement) => {
          const { next } = settlement;
          if (!next?.runAt) return settlement;
          const body = JSON.parse(next.body) as { nominal: number };
          body.nominal += 3_600_000;
          return { ...settlement, next: { ...next, body: JSON.stringify(body) } };
        }),
    },
    'lets a settlement undo an edit': {
      complaint: /lost an edit|knew nothing of its new schedule/,
      make: (store) =>
        settling(async (settlement) => {
          const [record] = await store.get([settlement.id]);
          return { ...settlement, revision: record?.revision ?? settlement.revision };
        }),
    },
    'lets anybody settle': {
      complaint: /no worker ended such a run|settled by the run of another worker/,
      make: (store) =>
        settling(async (settlement) => {
          const [record] = await store.get([settlement.id]);
          return { ...settlement, token: record?.lease?.token ?? settlement.token };
        }),
    },
    'says that it settled what it did not': {
      complaint: /acknowledged, and it is not in the history/,
      make: () => {
        let calls = 0;
        return async (call, proceed, args) =>
          call === 'settle' && ++calls % 3 === 0
            ? (args[0] as unknown[]).map(() => 'settled')
            : proceed();
      },
    },
  };
  for (const [what, { complaint, make }] of Object.entries(sabotages)) {
    test(what, async () => {
      let isNoticed = false;
      for (let seed = 1; !isNoticed && seed <= 5; seed++) {
        const { violations } = await simulate({ seed, faults: 20, tasks: 60, sabotage: make });
        isNoticed = violations.some((violation) => complaint.test(violation));
      }
      expect(isNoticed).toBe(true);
    });
  }
});
