// Servers that only Debian's unstable release has. They need its C library too, which they bring
// along: each program is started by the loader that came with it. So they run on any Debian, for any
// user, without a change of root.

import { chmodSync, globSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { hasApt, sidRelease, unpack } from './apt.ts';
import { cached } from './cache.ts';
import type { Site } from './contract.ts';

export interface FromSid {
  /** What the folder of the cache is called. */
  name: string;
  packages: string[];
  /** The programs that will be run; patterns, relative to the root of the file system. */
  programs: string[];
}

/** The folder into which packages of sid are unpacked, their programs ready to be run from there. */
export async function fromSid(site: Site, { name, packages, programs }: FromSid): Promise<string> {
  if (!hasApt()) throw new Error('it comes from Debian sid, and this is no Debian');
  return cached(`debian-sid-${name}`, async (root) => {
    site.progress(`fetching packages of Debian sid: ${packages.join(', ')}`);
    await unpack(await sidRelease(), packages, root);
    chooseAlternatives(root);
    for (const program of globSync(programs, { cwd: root })) startByLoader(root, program);
  });
}

/** What the packages' install scripts would do: name one of several versions as the one to use. */
function chooseAlternatives(root: string) {
  for (const file of globSync('usr/share/postgresql/*/extension/postgis-*.control', {
    cwd: root,
  })) {
    const path = join(root, file);
    symlinkSync(basename(file), join(dirname(path), 'postgis.control'));
  }
}

/** Puts a script in a program's place that starts it by the loader and with the libraries of sid. */
function startByLoader(root: string, program: string) {
  const [loader] = globSync('usr/lib{,64}/ld-linux-*.so.*', { cwd: root });
  if (loader === undefined) throw new Error(`${root} has no loader`);
  const libraries = globSync(
    ['usr/lib/*-linux-*', 'usr/lib/*-linux-*/{blas,lapack}', 'usr/lib/postgresql/*/lib'],
    { cwd: root },
  );
  const path = join(root, program);
  renameSync(path, `${path}.bin`);
  // Relative to itself: the folder is renamed when it is complete, and may be copied.
  const script = [
    '#!/bin/sh',
    'here=$(cd "$(dirname "$0")" && pwd)',
    `root=$here/${relative(dirname(program), '.')}`,
    `exec "$root/${loader}" --argv0 "$here/${basename(program)}" \\`,
    `  --library-path "${libraries.map((folder) => `$root/${folder}`).join(':')}" \\`,
    `  "$here/${basename(program)}.bin" "$@"`,
    '',
  ];
  writeFileSync(path, script.join('\n'));
  chmodSync(path, 0o755);
}
