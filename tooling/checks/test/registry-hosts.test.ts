import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { registryHostProblems } from '../src/registry-hosts.ts';
import { trackedFiles } from '../src/tracked-files.ts';
import { root } from '../src/workspace.ts';

test('no file names a package registry', () => {
  const files = trackedFiles();
  expect(files).toContain('pnpm-lock.yaml');
  expect(
    files.flatMap((path) => registryHostProblems(path, readFileSync(join(root, path), 'utf8'))),
  ).toEqual([]);
});

const host = ['registry', 'example', 'org'].join('.');

test.for([
  `resolved "https://${host}/left-pad/-/left-pad-1.0.0.tgz"`,
  `registry=http://${host}:8080/`,
  `  resolution: {integrity: sha512-x, ${'tarball'}: https://example.org/left-pad.tgz}`,
])('%s fails', (line) => {
  expect(registryHostProblems('pnpm-lock.yaml', `first\n${line}\n`)).toEqual([
    expect.stringMatching(/^pnpm-lock\.yaml:2 names /),
  ]);
});

test.for([
  'import { registry } from "./registry.js";',
  'registry.add(trigger)',
  'https://example.org',
])('%s passes', (line) => {
  expect(registryHostProblems('a.ts', line)).toEqual([]);
});
