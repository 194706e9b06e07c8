import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Program } from './contract.ts';
import { run } from './processes.ts';

// Debian keeps servers where only root's PATH leads.
const alsoIn = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/usr/local/bin'];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Looks for a program in PATH, in the usual folders of servers and in the given ones. */
export function which(name: string, folders: string[] = []): string | undefined {
  return [...folders, ...(process.env.PATH ?? '').split(delimiter), ...alsoIn]
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** The first version number in what a program says of itself. */
export async function versionOf(
  path: string,
  args = ['--version'],
  env: Record<string, string> = {},
): Promise<string> {
  const said = await run(path, args, { env });
  const version = /\d+(?:\.\d+)+/.exec(said)?.[0];
  if (version === undefined) throw new Error(`${path} does not say which version it is`);
  return version;
}

/** Compares dotted version numbers. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  for (const [index, wanted] of minimum.split('.').map(Number).entries()) {
    const part = have[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

/** Finds a program on this machine that is recent enough; undefined if there is none. */
export async function find(
  name: string,
  minimum: string,
  options: { folders?: string[]; versionArgs?: string[] } = {},
): Promise<Program | undefined> {
  const path = which(name, options.folders);
  if (path === undefined) return undefined;
  const version = await versionOf(path, options.versionArgs);
  return isAtLeast(version, minimum) ? { path, version, source: 'found here' } : undefined;
}
