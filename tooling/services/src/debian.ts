import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasApt, hostRelease, unpack } from './apt.ts';
import { cached } from './cache.ts';
import type { Program, Site } from './contract.ts';
import { find, isAtLeast, versionOf, which } from './programs.ts';

/** Whoever waits, and wants to know what takes so long. */
type Telling = Pick<Site, 'progress'>;

export interface Wanted {
  program: string;
  minimum: string;
  /** The Debian packages that bring it. */
  packages: string[];
  /** Where else than in the usual folders it may be; relative to the root of the file system. */
  folders?: string[];
  /** Which folders beside the libraries hold more of them, where their users look by absolute path. */
  libraries?: string[];
}

/** Finds a program on this machine, or unpacks the Debian packages that have it. */
export async function findOrUnpack(site: Telling, wanted: Wanted): Promise<Program> {
  const { program, minimum } = wanted;
  const folders = expand('/', wanted.folders);
  const found = await find(program, minimum, { folders });
  if (found !== undefined) return found;

  const root = await unpacked(site, program, wanted.packages);
  const bin = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((folder) => join(root, folder));
  const path = which(program, [...expand(root, wanted.folders), ...bin]);
  if (!path?.startsWith(root)) throw new Error(`no ${program} in ${wanted.packages}`);
  const env = { LD_LIBRARY_PATH: libraryFolders(root, wanted.libraries).join(':') };
  const version = await versionOf(path, ['--version'], env);
  if (!isAtLeast(version, minimum)) {
    throw new Error(`${program} ${minimum} is needed; this system's packages have ${version}`);
  }
  return { path, version, env, folder: root, source: 'unpacked from Debian packages' };
}

/** The folders below a root that match; a `*` stands for a version, the newest of which is first. */
function expand(root: string, folders: string[] = []): string[] {
  return folders.flatMap((folder) => {
    const [before = '', after] = folder.split('*');
    if (after === undefined) return join(root, folder);
    const parent = join(root, before);
    if (!existsSync(parent)) return [];
    return readdirSync(parent)
      .sort((a, b) => (isAtLeast(a, b) ? -1 : 1))
      .map((version) => join(parent, version, after));
  });
}

function libraryFolders(root: string, more: string[] = []): string[] {
  return ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.includes('-linux-'))
        .flatMap((name) => ['', ...more].map((below) => join(folder, name, below))),
    );
}

/** The folder that holds packages, with those of their dependencies that this system lacks. */
async function unpacked(site: Telling, name: string, packages: string[]): Promise<string> {
  if (!hasApt()) {
    throw new Error(`no ${name} on this machine, which is no Debian that could fetch one`);
  }
  const release = hostRelease();
  return cached(`${release.name}-${name}`, async (folder) => {
    site.progress(`fetching Debian packages: ${packages.join(', ')}`);
    await unpack(release, packages, folder);
  });
}
