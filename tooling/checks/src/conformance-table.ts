import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConformanceReport } from '@sched/core/conformance';
import { levels } from '@sched/core/conformance';
import { root } from './workspace.ts';

/** The page with the table of what our own adapters pass. */
export const page = join(root, 'docs', 'conformance.md');

/** How to write it anew. */
const remedy = 'run their tests, then npm run conformance:update';

const begin = '<!-- Written by npm run conformance:update. -->\n\n';
const end = '\n<!-- Until here. -->\n';
const levelNames = Object.keys(levels) as (keyof typeof levels)[];
const capabilityNames = [
  ...(['history', 'latestHistory', 'watch', 'transactions', 'processes'] as const),
];
const header = ['adapter', 'on', ...levelNames, ...capabilityNames.map((name) => `\`${name}\``)];

/** A report as the tests of an adapter leave it. */
export type AdapterReport = Pick<ConformanceReport, 'capabilities' | 'levels'> & {
  /** The name of the adapter's package. */
  readonly adapter: string;
  /** The server that the places were on, if there is one. */
  readonly server: string | null;
};

/** The reports of the last test run. There is none where a server was missing. */
export function adapterReports(folders: readonly string[]): AdapterReport[] {
  return folders.flatMap((folder) => {
    const reports = join(folder, '.test-results', 'conformance');
    if (!existsSync(reports)) return [];
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return readdirSync(reports)
      .sort()
      .map((file) => ({ adapter: name, ...JSON.parse(readFileSync(join(reports, file), 'utf8')) }));
  });
}

/** Says where the table of a page differs from the reports, and which adapters are not in it. */
export function tableProblems(
  text: string,
  reports: readonly AdapterReport[],
  adapters: readonly string[],
): string[] {
  const rows = rowsOf(text);
  const missing = adapters
    .filter((adapter) => !rows.some((row) => row[0] === nameCell(adapter)))
    .map((adapter) => `${adapter} is not in the table: ${remedy}`);
  const outdated = reports.flatMap((report) => {
    const row = rowOf(report);
    // A server that only some have, and that nobody has put into the table.
    const written = rows.find((each) => isSame(each, row));
    if (!written || written.join() === row.join()) return [];
    return `the row of ${row[0]} on ${row[1]} is out of date: ${remedy}`;
  });
  return [...missing, ...outdated];
}

/** The page with the rows of these reports. Those of others stay as they are. */
export function updatedTable(text: string, reports: readonly AdapterReport[]): string {
  const fresh = reports.map(rowOf);
  const kept = rowsOf(text).filter((row) => !fresh.some((each) => isSame(each, row)));
  const rows = [...kept, ...fresh].sort((a, b) => compare(a.join(' '), b.join(' ')));
  const lines = [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`);
  const { before, after } = split(text);
  return `${before}${lines.join('')}${after}`;
}

function split(text: string) {
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end, from - 1);
  if (from < begin.length || to < 0) throw new Error('The page has no place for the table.');
  return { before: text.slice(0, from), table: text.slice(from, to), after: text.slice(to) };
}

function rowsOf(text: string): string[][] {
  const rows = split(text).table.split('\n').filter(Boolean);
  return rows.slice(2).map((row) => row.slice(2, -2).split(' | '));
}

function rowOf({ adapter, server, levels: reports, capabilities }: AdapterReport): string[] {
  return [
    nameCell(adapter),
    server ?? 'node',
    ...levelNames.map((level) => {
      const { passed, failed } = reports[level] ?? { passed: 0, failed: 0 };
      return failed > 0 ? `${passed} of ${passed + failed}` : String(passed);
    }),
    ...capabilityNames.map((name) => (capabilities[name] ? 'yes' : '')),
  ];
}

const nameCell = (adapter: string) => `\`${adapter}\``;

const isSame = (a: readonly string[], b: readonly string[]) => a[0] === b[0] && a[1] === b[1];

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
