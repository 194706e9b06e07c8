import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { cacheFolder } from './folders.ts';

/**
 * Gives a folder of the cache, and makes it first if it is not there. It gets its name when it is
 * complete, so that one whose making was interrupted is never used, and only one process makes it.
 */
export async function cached(
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  return alone(name, async () => {
    if (existsSync(folder)) return folder;
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    await make(unfinished);
    renameSync(unfinished, folder);
    return folder;
  });
}

/**
 * Runs an action while no other process of this user does one of the same name. The lock is one of
 * SQLite's, which the system gives back when its holder dies.
 */
export async function alone<T>(name: string, action: () => Promise<T>): Promise<T> {
  mkdirSync(join(cacheFolder(), 'locks'), { recursive: true });
  using lock = new DatabaseSync(join(cacheFolder(), 'locks', `${name}.db`), { timeout: 0 });
  while (!acquired(lock)) await delay(200);
  return await action();
}

function acquired(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && /locked/.test(error.message)) return false;
    throw error;
  }
}
