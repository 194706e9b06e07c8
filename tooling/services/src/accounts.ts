// Some servers refuse to run as root. Where this is root, they run under another account.

import { chownSync, existsSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Program, Site } from './contract.ts';
import { type Account, run } from './processes.ts';

/** The account for servers that refuse to run as root; undefined when this is not root. */
export async function unprivileged(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = [await run('id', ['-u', name]), await run('id', ['-g', name])];
      return { uid: Number(uid), gid: Number(gid) };
    } catch {
      // No such account; the next one.
    }
  }
  throw new Error('it refuses to run as root, and there is no other account to run it under');
}

/** Gives files to an account, if there is one to give them to. */
export function own(account: Account | undefined, ...paths: string[]): void {
  if (account === undefined) return;
  for (const path of paths) chownSync(path, account.uid, account.gid);
}

/**
 * A program that an account gets at. Root's cache folder is closed to all others: then one in the
 * server's folder, of links where that is the same file system.
 */
export async function reachable(
  site: Site,
  account: Account | undefined,
  program: Program,
): Promise<Program> {
  const { folder } = program;
  if (account === undefined || folder === undefined || isOpen(folder)) return program;
  const copy = join(site.folder, 'programs');
  const copyTo = (...how: string[]) => run('cp', ['--archive', ...how, folder, copy]);
  await copyTo('--link').catch(() => {
    rmSync(copy, { recursive: true, force: true });
    return copyTo();
  });
  const moved = (text: string) => text.replaceAll(folder, copy);
  return {
    ...program,
    folder: copy,
    path: moved(program.path),
    env: Object.fromEntries(
      Object.entries(program.env ?? {}).map(([name, value]) => [name, moved(value)]),
    ),
  };
}

/** Whether everybody may pass through a folder and all those above it. */
function isOpen(folder: string): boolean {
  if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isOpen(parent);
}
