import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test, vi } from 'vitest';
import type { ConformanceCase, ConformanceTarget, Guarantee } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { brokenStores } from './broken-stores/index.js';
import { RunKeepingStore } from './broken-stores/kept-runs.js';
import { ArrangingStore } from './broken-stores/latest-history.js';
import { RenumberingStore } from './broken-stores/renumbering-store.js';

// A store that does not notify is waited for, while others are tried.
vi.setConfig({ maxConcurrency: 20 });

/** How many cases of one store run at once. */
const width = 8;

/** What each of some cases says when it fails. */
async function rejections(cases: readonly ConformanceCase[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(cases.map((each) => each.run()));
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [String(outcome.reason.message)] : [],
  );
}

/** What the cases of one guarantee say, up to the first that says what is sought. */
async function rejectionsUntil(target: ConformanceTarget, breaks: Guarantee, sought: string) {
  const cases = dataStoreConformance(target).filter(({ guarantee }) => guarantee === breaks);
  const messages: string[] = [];
  for (let at = 0; at < cases.length; at += width) {
    messages.push(...(await rejections(cases.slice(at, at + width))));
    if (messages.some((message) => message.includes(sought))) break;
  }
  return messages;
}

test.each([MemoryDataStore, RunKeepingStore, ArrangingStore, RenumberingStore])(
  'an intact %o is rejected by no case',
  async (Store) => {
    // Those that broken ones are made of look through all that they hold.
    const cases = dataStoreConformance(targetOf(Store)).filter(
      ({ level }) => level !== 'scale' || Store === MemoryDataStore,
    );
    expect(await rejections(cases)).toEqual([]);
  },
);

describe.concurrent('a store is rejected that', () => {
  for (const { name, breaks, because, target } of brokenStores) {
    test(`${name} (${breaks})`, async ({ expect }) => {
      const own = await rejectionsUntil(target, breaks, because);
      expect(own).toContainEqual(expect.stringContaining(because));
      const [found] = own.filter((message) => message.includes(because));
      expect(found).toContain(`${breaks} ${guarantees[breaks]}: `);
    });
  }
});
