// Servers out of Debian packages, unpacked into the cache folder. Nothing is installed: no root is
// needed, no daemon starts, and nothing of the system changes.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alone, cached } from './cache.ts';
import type { Program, Site } from './contract.ts';
import { cacheFolder } from './folders.ts';
import { message, run } from './processes.ts';
import { find, isAtLeast, versionOf, which } from './programs.ts';

const dayMs = 24 * 60 * 60 * 1000;

export interface Wanted {
  program: string;
  minimum: string;
  /** The Debian packages that bring it. */
  packages: string[];
  /** Where else than in the usual folders it may be; relative to the root of the file system. */
  folders?: string[];
  versionArgs?: string[];
}

/** Finds a program on this machine, or unpacks the Debian packages that have it. */
export async function findOrUnpack(site: Site, wanted: Wanted): Promise<Program> {
  const { program, minimum, versionArgs } = wanted;
  const folders = expand('/', wanted.folders);
  const found = await find(program, minimum, { folders, ...(versionArgs && { versionArgs }) });
  if (found !== undefined) return found;

  const root = await unpacked(site, program, wanted.packages);
  const bin = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((folder) => join(root, folder));
  const path = which(program, [...expand(root, wanted.folders), ...bin]);
  if (!path?.startsWith(root)) throw new Error(`no ${program} in ${wanted.packages}`);
  const env = { LD_LIBRARY_PATH: libraryFolders(root).join(':') };
  const version = await versionOf(path, versionArgs, env);
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

function libraryFolders(root: string): string[] {
  return ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.includes('-linux-'))
        .map((name) => join(folder, name)),
    );
}

/** The folder that holds packages, with those of their dependencies that this system lacks. */
async function unpacked(site: Site, name: string, packages: string[]): Promise<string> {
  if (which('apt-get') === undefined || which('dpkg-deb') === undefined) {
    throw new Error(`no ${name} on this machine, and it is no Debian that could fetch one`);
  }
  const release = releaseName();
  return cached(`${release}-${name}`, async (folder) => {
    site.progress(`fetching Debian packages: ${packages.join(', ')}`);
    // One at a time: they share lists and archives.
    await alone(`apt-${release}`, async () => {
      const archives = await fetch(join(cacheFolder(), `apt-${release}`), packages);
      for (const file of archives) await run('dpkg-deb', ['--extract', file, folder]);
    });
  });
}

function releaseName(): string {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  return [value('ID'), value('VERSION_CODENAME') || value('VERSION_ID')].join('-');
}

/** Has apt download packages with its state in a folder of ours, and gives the files. */
async function fetch(folder: string, packages: string[]): Promise<string[]> {
  const archives = join(folder, 'cache', 'archives');
  mkdirSync(join(folder, 'state', 'lists', 'partial'), { recursive: true });
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const apt = (...args: string[]) =>
    run('apt-get', [
      ...['-o', `Dir::State=${join(folder, 'state')}`],
      ...['-o', 'Dir::State::status=/var/lib/dpkg/status'],
      ...['-o', `Dir::Cache=${join(folder, 'cache')}`],
      ...['-o', 'APT::Sandbox::User=root'],
      ...['-o', 'Acquire::Retries=3'],
      ...args,
    ]);
  const updated = join(folder, 'updated');
  const age = Date.now() - (statSync(updated, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (age > dayMs) {
    // One source that does not answer is no reason to give up; what lacks shows below.
    await apt('update').catch(() => '');
    writeFileSync(updated, '');
  }
  await apt('clean');
  await apt('install', '--yes', '--download-only', '--no-install-recommends', ...packages).catch(
    (error) => {
      throw new Error(message(error));
    },
  );
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name));
}
