import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import type { ConformanceTarget, Guarantee } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { brokenStores } from './broken-stores/index.js';
import { RunKeepingStore } from './broken-stores/kept-runs.js';
import { RenumberingStore } from './broken-stores/renumbering-store.js';

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
      const own = await rejections(target, breaks);
      expect(own.map(({ message }) => message)).toContainEqual(expect.stringContaining(because));
      for (const { message } of own) expect(message).toContain(`${breaks} ${guarantees[breaks]}: `);
    });
  }
});
