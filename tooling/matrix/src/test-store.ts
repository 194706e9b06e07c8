import { expect, test } from 'vitest';
import { campaign } from './campaign.ts';
import { judge } from './judge.ts';
import { describeStores, type StoreName } from './stores.ts';

/** Registers the test that every store has to pass. */
export async function testStore(name: StoreName): Promise<void> {
  const which = { own: true };
  await describeStores(
    [name],
    'tasks of killed workers',
    (store) => {
      test(`are run on ${name}, once each, and so its history says`, async () => {
        const evidence = await campaign(store);
        expect(judge(evidence)).toEqual([]);
        expect(evidence.killed).toBeGreaterThanOrEqual(5);
      });
    },
    which,
  );
}
