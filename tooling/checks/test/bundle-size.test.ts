import { expect, test } from 'vitest';
import { adapterBudget, budgets } from '../src/budgets.ts';
import { bundleSize, sizeProblems } from '../src/bundle-size.ts';
import { adapters } from '../src/conventions.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage } from '../src/workspace.ts';

test.for(budgets)(
  '$what: at most $maxBytes bytes',
  async ({ what, imports, external, maxBytes }) => {
    const bytes = await bundleSize(imports, undefined, external);
    expect(sizeProblems(what, bytes, maxBytes)).toEqual([]);
  },
);

test.for(Object.keys(adapters))('the %s adapter alone is within its budget', async (id) => {
  // Core and the driver, which users have anyway.
  const external = Object.keys(publicPackage(id).manifest.peerDependencies ?? {});
  const bytes = await bundleSize({ [`@sched/${id}`]: ['*'] }, undefined, external);
  expect(sizeProblems(id, bytes, adapterBudget(id))).toEqual([]);
});

// Text that gzip cannot shrink.
const noise = Array.from({ length: 2_000 }, (_, n) => Math.sin(n).toString(36)).join('');
const folder = scratchFolder({
  'index.js': `export const small = 1;\nexport const large = '${noise}';\n`,
});
const resolve = () => `${folder}/index.js`;

test('a bundle over its budget fails, and says by how much', async () => {
  const bytes = await bundleSize({ '@sched/fixture': ['large'] }, resolve);
  expect(bytes).toBeGreaterThan(10_000);
  expect(sizeProblems('large', bytes, 10_000)).toEqual([
    `large: ${bytes} B gzipped, ${bytes - 10_000} over 10000`,
  ]);
});

test('only what is imported counts', async () => {
  expect(await bundleSize({ '@sched/fixture': ['small'] }, resolve)).toBeLessThan(100);
});

test('an import that does not exist fails', async () => {
  await expect(bundleSize({ '@sched/fixture': ['missing'] }, resolve)).rejects.toThrow(
    'No matching export',
  );
});
