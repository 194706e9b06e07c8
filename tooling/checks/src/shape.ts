import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  adapters,
  commands,
  conformanceTestLines,
  core,
  fields,
  files,
  libraries,
  scripts,
  texts,
} from './conventions.ts';
import type { Package } from './workspace.ts';

/** Says in what a published package differs from the shape that they all have. */
export function shapeProblems({ id, folder, manifest }: Package): string[] {
  const problems: string[] = [];
  const has = (path: string) => existsSync(join(folder, path));
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');

  const command = commands[id];
  const name = command?.name ?? `@sched/${id}`;
  const expectedFields = { ...fields, ...(command && { files: command.files }), scripts };
  if (manifest.name !== name) {
    problems.push(`package.json: the name is ${manifest.name}, not ${name}`);
  }
  for (const [field, expected] of Object.entries(expectedFields)) {
    const actual = Object.entries(manifest).find(([key]) => key === field)?.[1];
    if (!isDeepStrictEqual(actual, expected)) {
      problems.push(`package.json: ${field} is not ${JSON.stringify(expected)}`);
    }
  }
  for (const path of files) {
    if (!has(path)) problems.push(`${path} is missing`);
  }
  for (const [path, text] of Object.entries(texts)) {
    if (has(path) && read(path) !== text) problems.push(`${path} is not the shared preset alone`);
  }
  const hasNoStore = id === core || command !== undefined || libraries.includes(id);
  return hasNoStore ? problems : [...problems, ...adapterProblems(id, has, read)];
}

function adapterProblems(
  id: string,
  has: (path: string) => boolean,
  read: (path: string) => string,
): string[] {
  const adapter = adapters[id];
  if (adapter === undefined) return [`${id} is not listed in conventions.ts`];

  const conformance = 'test/conformance.test.ts';
  const expected = [`src/${id}-data-store.ts`, conformance, `test/${id}.test.ts`, ...adapter.files];
  const problems = expected.filter((path) => !has(path)).map((path) => `${path} is missing`);
  if (has(conformance)) {
    const lines = read(conformance).trimEnd().split('\n').length;
    if (lines > conformanceTestLines) {
      problems.push(`${conformance} has ${lines} lines, more than ${conformanceTestLines}`);
    }
  }
  return problems;
}
