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

/** The version in what a program says of itself: the first number that looks like one. */
export async function versionOf(
  path: string,
  args = ['--version'],
  env: Record<string, string> = {},
): Promise<string> {
  const version = versionIn(await run(path, args, { env }));
  if (version === undefined) throw new Error(`${path} does not say which version it is`);
  return version;
}

const versionIn = (text: string) => /\d+(?:\.\d+)+/.exec(text)?.[0];

/** Compares dotted version numbers. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  for (const [index, wanted] of minimum.split('.').map(Number).entries()) {
    const part = have[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

export interface FindOptions {
  /** Where else to look, before PATH. */
  folders?: string[];
  /** How to ask it for its version, if not by `--version`. */
  versionArgs?: string[];
  /** What a namesake that is something else says of itself. */
  notIf?: RegExp;
}

/** Finds a program on this machine that is recent enough; undefined if there is none. */
export async function find(
  name: string,
  minimum: string,
  { folders, versionArgs = ['--version'], notIf }: FindOptions = {},
): Promise<Program | undefined> {
  const path = which(name, folders);
  if (path === undefined) return undefined;
  const said = await run(path, versionArgs);
  const version = versionIn(said);
  if (version === undefined || notIf?.test(said) || !isAtLeast(version, minimum)) return undefined;
  return { path, version, source: 'found here' };
}
