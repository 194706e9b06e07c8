import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The part of a `package.json` that the checks read. */
export interface Manifest {
  name: string;
  version?: string;
  private?: boolean;
  license?: string;
  type?: string;
  sideEffects?: boolean;
  files?: string[];
  engines?: Record<string, string>;
  scripts?: Record<string, string>;
  exports?: Record<string, string | Record<string, string>>;
  /** Its commands: name to file. */
  bin?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/** A package on disk. */
export interface Package {
  /** The name of its folder: `core`, `sqlite`. */
  id: string;
  folder: string;
  manifest: Manifest;
}

export function readPackage(folder: string): Package {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return { id: basename(folder), folder, manifest };
}

/** The packages that are published, by name. */
export function publicPackages(): Package[] {
  const parent = join(root, 'packages');
  return readdirSync(parent)
    .filter((id) => existsSync(join(parent, id, 'package.json')))
    .sort()
    .map((id) => readPackage(join(parent, id)))
    .filter(({ manifest }) => manifest.private !== true);
}

export function publicPackage(id: string): Package {
  return readPackage(join(root, 'packages', id));
}

/** What an `exports` map promises: each import path with the files behind its conditions. */
export function exportTargets({ exports = {} }: Manifest): { subpath: string; files: string[] }[] {
  return Object.entries(exports).map(([subpath, target]) => ({
    subpath,
    files: typeof target === 'string' ? [target] : Object.values(target),
  }));
}
