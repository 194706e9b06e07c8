import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { AdapterReport } from '../src/conformance-table.ts';
import { adapterReports, page, tableProblems, updatedTable } from '../src/conformance-table.ts';
import { adapters } from '../src/conventions.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackages } from '../src/workspace.ts';

test('the table of our adapters says what their last tests found out', () => {
  const reports = adapterReports(publicPackages().map(({ folder }) => folder));
  const names = Object.keys(adapters).map((id) => `@sched/${id}`);
  expect(tableProblems(readFileSync(page, 'utf8'), reports, names)).toEqual([]);
});

const empty = `# Kit

<!-- Written by npm run conformance:update. -->

| adapter |
| --- |

<!-- Until here. -->

More.
`;
const toy: AdapterReport = {
  adapter: '@sched/toy',
  server: null,
  levels: {
    contract: { passed: 12, failed: 0, seconds: 1 },
    concurrency: { passed: 3, failed: 1, seconds: 2 },
  },
  capabilities: {
    ...{ history: true, latestHistory: true, watch: false, transactions: false, processes: true },
  },
};
const onServer = { ...toy, adapter: '@sched/served', server: 'postgres' };

test('reports become rows, between the marks and nowhere else', () => {
  expect(updatedTable(empty, [toy, onServer])).toBe(`# Kit

<!-- Written by npm run conformance:update. -->

| adapter | on | contract | concurrency | faults | scale | worker | \`history\` | \`latestHistory\` | \`watch\` | \`transactions\` | \`processes\` |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| \`@sched/served\` | postgres | 12 | 3 of 4 | 0 | 0 | 0 | yes | yes |  |  | yes |
| \`@sched/toy\` | node | 12 | 3 of 4 | 0 | 0 | 0 | yes | yes |  |  | yes |

<!-- Until here. -->

More.
`);
});

test('rows without a report stay, and those with one are written anew', () => {
  const table = updatedTable(empty, [toy, onServer]);
  const better = { ...toy, levels: { contract: { passed: 14, failed: 0, seconds: 1 } } };
  const updated = updatedTable(table, [better]);
  expect(updated).toContain('| `@sched/served` | postgres | 12 | 3 of 4 |');
  expect(updated).toContain('| `@sched/toy` | node | 14 | 0 |');
  expect(updatedTable(updated, [])).toBe(updated);
});

test('other numbers than the table has fail, whatever the seconds', () => {
  const table = updatedTable(empty, [toy]);
  const slower = { ...toy, levels: { ...toy.levels } };
  slower.levels.contract = { passed: 12, failed: 0, seconds: 100 };
  expect(tableProblems(table, [slower, onServer], ['@sched/toy'])).toEqual([]);
  slower.levels.contract = { passed: 13, failed: 0, seconds: 1 };
  expect(tableProblems(table, [slower], ['@sched/toy'])).toEqual([
    'the row of `@sched/toy` on node is out of date: run their tests, then npm run conformance:update',
  ]);
});

test('an adapter that is not in the table fails', () => {
  expect(tableProblems(empty, [], ['@sched/toy'])).toEqual([
    '@sched/toy is not in the table: run their tests, then npm run conformance:update',
  ]);
});

test('reports are found in the folders of the packages', () => {
  const folder = scratchFolder({
    'package.json': JSON.stringify({ name: '@sched/toy' }),
    '.test-results/conformance/toy.json': JSON.stringify({ ...toy, adapter: undefined }),
  });
  expect(adapterReports([folder, scratchFolder()])).toEqual([toy]);
});
