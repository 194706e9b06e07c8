import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test, vi } from 'vitest';
import type { ConformanceTarget, Guarantee } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { brokenStores } from './broken-stores/index.js';
import { RunKeepingStore } from './broken-stores/kept-runs.js';
import { RenumberingStore } from './broken-stores/renumbering-store.js';

// A store that does not notify is waited for, while others are tried.
vi.setConfig({ maxConcurrency: 20 });

/** The cases that a target fails, with what they say; of one guarantee, if one is given. */
async function rejections(target: ConformanceTarget, guarantee?: Guarantee) {
  const cases = dataStoreConformance(target).filter(
    (each) => guarantee === undefined || each.guarantee === guarantee,
  );
  const outcomes = await Promise.allSettled(cases.map((each) => each.run()));
  return cases.flatMap(({ name }, index) => {
    const outcome = outcomes[index];
    return outcome?.status === 'rejected'
      ? [{ name, message: String(outcome.reason.message) }]
      : [];
  });
}

test.each([MemoryDataStore, RunKeepingStore, RenumberingStore])(
  'an intact %o is rejected by no case',
  async (Store) => {
    expect(await rejections(targetOf(Store))).toEqual([]);
  },
);

describe.concurrent('a store is rejected that', () => {
  for (const { name, breaks, because, target } of brokenStores) {
    test(`${name} (${breaks})`, async ({ expect }) => {
      const own = (await rejections(target, breaks)).map(({ message }) => message);
      expect(own).toContainEqual(expect.stringContaining(because));
      const [found] = own.filter((message) => message.includes(because));
      expect(found).toContain(`${breaks} ${guarantees[breaks]}: `);
    });
  }
});
