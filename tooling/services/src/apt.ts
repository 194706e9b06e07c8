// Debian packages, downloaded and unpacked into a folder. Nothing is installed: no root is needed, no
// daemon starts, and nothing of the system changes. apt keeps its state in a folder of the cache.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { alone } from './cache.ts';
import { cacheFolder } from './folders.ts';
import { run } from './processes.ts';
import { which } from './programs.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** A release of a distribution, and which of its packages count as there already. */
export interface Release {
  name: string;
  /** apt's list of sources; undefined for that of this system. */
  sources?: string;
  /** The file that says which packages are there already; undefined if none is. */
  status?: string;
}

/** Whether this system has the tools for packages of this kind. */
export function hasApt(): boolean {
  return which('apt-get') !== undefined && which('dpkg-deb') !== undefined;
}

/** The release that runs on this machine, with the packages that it has. */
export function hostRelease(): Release {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  const name = [value('ID'), value('VERSION_CODENAME') || value('VERSION_ID')].join('-');
  return { name, status: '/var/lib/dpkg/status' };
}

/**
 * Debian's unstable release, of which nothing is there already, from the mirror that this Debian
 * has its own packages from.
 */
export async function sidRelease(): Promise<Release> {
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)';
  const targets = await run('apt-get', ['indextargets', '--format', format]);
  const mirror = /^Debian Debian (\S+)$/m.exec(targets)?.[1];
  if (mirror === undefined) throw new Error('it comes from Debian sid, and this is no Debian');
  const keys = ['gpg', 'pgp'].map((kind) => `/usr/share/keyrings/debian-archive-keyring.${kind}`);
  const key = keys.find((file) => existsSync(file));
  const options = key === undefined ? '' : `[signed-by=${key}] `;
  return { name: 'debian-sid', sources: `deb ${options}${mirror} sid main\n` };
}

/** Unpacks packages, and those of their dependencies that are not there already, into a folder. */
export async function unpack(release: Release, packages: string[], into: string): Promise<void> {
  // One at a time: they share lists and archives.
  await alone(`apt-${release.name}`, async () => {
    const folder = join(cacheFolder(), `apt-${release.name}`);
    const apt = aptIn(folder, release);
    await update(folder, apt);
    const install = ['install', '--yes', '--no-install-recommends', ...packages];
    const files = archiveNames(await apt('--simulate', ...install));
    await apt('--download-only', ...install);
    for (const file of files) {
      await run('dpkg-deb', ['--extract', join(folder, 'cache', 'archives', file), into]);
    }
    await apt('clean');
  });
  for (const name of ['doc', 'i18n', 'info', 'lintian', 'locale', 'man']) {
    rmSync(join(into, 'usr', 'share', name), { recursive: true, force: true });
  }
}

type Apt = (...args: string[]) => Promise<string>;

function aptIn(folder: string, { sources, status }: Release): Apt {
  mkdirSync(join(folder, 'state', 'lists', 'partial'), { recursive: true });
  mkdirSync(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  // A copy, because apt takes its locks beside the original, which only root may do.
  const installed = join(folder, 'installed');
  writeFileSync(installed, status === undefined ? '' : readFileSync(status));
  const options = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': installed,
    'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    ...(sources === undefined
      ? {}
      : {
          'Dir::Etc::sourcelist': join(folder, 'sources.list'),
          'Dir::Etc::sourceparts': '/dev/null',
          'Dir::Etc::preferences': '/dev/null',
          'Dir::Etc::preferencesparts': '/dev/null',
        }),
  };
  if (sources !== undefined) writeFileSync(join(folder, 'sources.list'), sources);
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return (...args) => run('apt-get', [...flags, ...args]);
}

/** Brings the lists of packages up to date, once a day. */
async function update(folder: string, apt: Apt): Promise<void> {
  const stamp = join(folder, 'updated');
  const age = Date.now() - (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (age < dayMs) return;
  // One source that does not answer is no reason to give up; what lacks shows afterwards.
  await apt('update').catch(() => '');
  const hasLists = readdirSync(join(folder, 'state', 'lists')).some((name) =>
    /Packages/.test(name),
  );
  if (hasLists) writeFileSync(stamp, '');
}

/** The files of the packages that apt says it would install. */
export function archiveNames(simulation: string): string[] {
  return [...simulation.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) .*?\[(\w+)\]\)/gm)].map(
    ([, name = '', version = '', architecture]) =>
      `${name.split(':')[0]}_${version.replaceAll(':', '%3a')}_${architecture}.deb`,
  );
}
