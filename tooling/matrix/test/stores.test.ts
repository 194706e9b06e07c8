import { readdirSync, readFileSync } from 'node:fs';
import { record } from '@sched-tooling/adapter-tests';
import { describe, expect, test } from 'vitest';
import { describeStores, storeNames } from '../src/stores.js';

for (const name of storeNames) {
  await describeStores([name], 'a place', (store) => {
    test('is shared by the handles on it, and by no other place', async () => {
      const [place, other] = [await store.create(), await store.create()];
      const handles = [place, place, other].map(({ connect }) => connect({}));
      const [first, second, foreign] = await Promise.all(handles);
      await Promise.all([first, second, foreign].map((handle) => handle?.open()));
      expect(await first?.insert([record('a')])).toEqual(['inserted']);
      expect(await second?.count({})).toBe(1);
      expect(await foreign?.count({})).toBe(0);
      await Promise.all([first, second, foreign].map((handle) => handle?.close()));
      await Promise.all([place.dispose(), other.dispose()]);
    });
  });
}

describe('several stores', async () => {
  await describeStores(['redis', 'memory', 'postgres'], 'together', (redis, memory, postgres) => {
    test('are given in the order of their names', () => {
      expect([redis.name, memory.name, postgres.name]).toEqual(['redis', 'memory', 'postgres']);
      expect([redis.server?.name, memory.server, postgres.server?.name]).toEqual([
        'redis',
        undefined,
        'postgres',
      ]);
    });
  });
});

test('every store is put to the test of killed workers', () => {
  const folder = new URL('on/', import.meta.url);
  const texts = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const tested = texts.map((text) => /testStore\('(.+)'\)/.exec(text)?.[1]);
  expect(tested.sort()).toEqual([...storeNames].sort());
});
