import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import type { ConformanceTarget } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { brokenStores } from './broken-stores/index.js';

/** The cases that a target fails, with what they say. */
async function rejections(target: ConformanceTarget) {
  const cases = dataStoreConformance(target);
  const outcomes = await Promise.allSettled(cases.map((each) => each.run()));
  return cases.flatMap(({ name, guarantee }, index) => {
    const outcome = outcomes[index];
    return outcome?.status === 'rejected'
      ? [{ name, guarantee, message: String(outcome.reason.message) }]
      : [];
  });
}

test('the intact store is rejected by no case', async () => {
  expect(await rejections(targetOf(MemoryDataStore))).toEqual([]);
});

describe.concurrent('a store is rejected that', () => {
  for (const { name, breaks, because, target } of brokenStores) {
    test(`${name} (${breaks})`, async ({ expect }) => {
      const rejectedBy = await rejections(target);
      const own = rejectedBy.filter(({ guarantee }) => guarantee === breaks);
      expect(own.map(({ message }) => message)).toContainEqual(expect.stringContaining(because));
      for (const { message } of own) expect(message).toContain(`${breaks} ${guarantees[breaks]}: `);
    });
  }
});
