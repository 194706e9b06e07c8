import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test, vi } from 'vitest';
import type { ConformanceCase } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees } from '../src/conformance/index.js';
import { brokenClients, UnorderedServer } from './broken-servers/clients.js';
import { brokenServers } from './broken-servers/servers.js';
import { RenumberingStore } from './broken-stores/renumbering-store.js';
import { servedTarget } from './served-store/index.js';
import { StoreServer } from './served-store/server.js';

// Some wait for what never comes, while others are tried.
vi.setConfig({ maxConcurrency: 12 });

/** How many cases of an intact store run at once. */
const width = 8;

/** What each of some cases says when it fails. */
async function rejections(cases: readonly ConformanceCase[]): Promise<string[]> {
  const messages: string[] = [];
  const left = cases.values();
  const work = async () => {
    for (const { run } of left) {
      await run().catch((error: Error) => messages.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return messages;
}

test('a store that is served is rejected by no case', async () => {
  expect(await rejections(dataStoreConformance(servedTarget()))).toEqual([]);
});

test.each([
  (file: string) => new UnorderedServer(MemoryDataStore, file),
  (file: string) => new StoreServer(RenumberingStore, file),
])('nor is one of those that broken ones are made of, by faults: %o', async (createServer) => {
  const cases = dataStoreConformance(servedTarget({ createServer }));
  expect(await rejections(cases.filter(({ level }) => level === 'faults'))).toEqual([]);
});

describe.concurrent('a store that is served is rejected that', () => {
  for (const { name, by, breaks, because, target } of [...brokenClients, ...brokenServers]) {
    test(`${name} (${breaks})`, async ({ expect }) => {
      const cases = dataStoreConformance(target).filter((each) => each.name === by);
      const said = await rejections(cases);
      expect(said).toEqual([expect.stringContaining(because)]);
      expect(said[0]).toContain(`${breaks} ${guarantees[breaks]}: ${by}\n`);
    });
  }
});
