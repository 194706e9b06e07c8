import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { command } from './command.ts';
import { scratchFolder } from './scratch.ts';
import { type Package, readPackage } from './workspace.ts';

/** A package as it would be published. */
export interface PackedPackage extends Package {
  tarball: string;
  /** The files inside, as paths from the package's folder: `dist/index.js`. */
  files: string[];
}

const packed = new Map<string, PackedPackage>();

/** Packs a package once per process and unpacks the result, whose folder and manifest it gives. */
export function pack(folder: string): PackedPackage {
  const known = packed.get(folder);
  if (known !== undefined) return known;

  const scratch = scratchFolder();
  const tarball = join(scratch, 'package.tgz');
  for (const [name, args, cwd] of [
    ['pnpm', ['pack', '--out', tarball], folder],
    ['tar', ['-xzf', tarball], scratch],
  ] as const) {
    const { exitCode, output } = command(name, [...args], cwd);
    if (exitCode !== 0) throw new Error(`${name} ${args.join(' ')} failed in ${cwd}:\n${output}`);
  }
  const unpacked = join(scratch, 'package');
  const files = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(unpacked, join(entry.parentPath, entry.name)))
    .sort();
  const result = { ...readPackage(unpacked), tarball, files };
  packed.set(folder, result);
  return result;
}
