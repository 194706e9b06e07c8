import { expect, test } from 'vitest';
import { campaign, type Evidence } from './campaign.ts';
import { judge } from './judge.ts';
import { describeStores, type StoreName, type TestStore } from './stores.ts';

/** Registers the test that every store has to pass. */
export async function testStore(name: StoreName): Promise<void> {
  const body = (store: TestStore) =>
    test(`are run on ${name}, once each, and its history says so`, async () => {
      const evidence = await campaign(store);
      expect(judge(evidence)).toEqual([]);
      // It happened as it was meant to.
      expect(evidence.killed).toBeGreaterThanOrEqual(5);
      expect(cutShort(evidence)).toBeGreaterThan(0);
      if (store.server?.restartable) expect(evidence.repeated).toBeGreaterThan(0);
    });
  await describeStores([name], 'tasks of killed workers', body, { own: true });
}

/** How many runs began of which the store was never told the end. */
function cutShort({ journal, histories }: Evidence): number {
  const tokens = new Set([...histories.values()].flat().map(({ token }) => token));
  return journal.filter((entry) => entry.kind === 'began' && !tokens.has(entry.run.token)).length;
}
