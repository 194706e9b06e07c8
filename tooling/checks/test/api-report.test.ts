import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apiReportProblems, reports } from '../src/api-report.ts';
import { core } from '../src/conventions.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage, readPackage } from '../src/workspace.ts';

test('the API report of core is up to date', () => {
  expect(apiReportProblems(publicPackage(core), { update: false })).toEqual([]);
});

test('every import path of core has a report', () => {
  const pkg = publicPackage(core);
  for (const { name } of reports(pkg)) {
    expect(existsSync(join(pkg.folder, 'api', `${name}.api.md`)), name).toBe(true);
  }
});

function fixture() {
  const folder = scratchFolder({
    'package.json': JSON.stringify({
      name: 'fixture',
      version: '1.0.0',
      type: 'module',
      exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    }),
    'dist/index.d.ts': 'export declare const answer: number;\n',
  });
  return { folder, pkg: { ...readPackage(folder), id: 'fixture' } };
}

test('a package without its report fails', () => {
  expect(apiReportProblems(fixture().pkg, { update: false })).toEqual([
    expect.stringContaining('api/fixture.api.md is out of date'),
  ]);
});

test('an update writes the report, and the next change to the exports fails', () => {
  const { folder, pkg } = fixture();
  expect(apiReportProblems(pkg, { update: true })).toEqual([]);
  expect(readFileSync(join(folder, 'api/fixture.api.md'), 'utf8')).toContain('answer: number');
  expect(apiReportProblems(pkg, { update: false })).toEqual([]);

  writeFileSync(join(folder, 'dist/index.d.ts'), 'export declare const answer: string;\n');
  expect(apiReportProblems(pkg, { update: false })).toEqual([
    expect.stringContaining('api/fixture.api.md is out of date'),
  ]);
});
