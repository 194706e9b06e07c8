import { readFileSync, writeFileSync } from 'node:fs';
import { adapterReports, page, updatedTable } from './conformance-table.ts';
import { publicPackages } from './workspace.ts';

const reports = adapterReports(publicPackages().map(({ folder }) => folder));
writeFileSync(page, updatedTable(readFileSync(page, 'utf8'), reports));
