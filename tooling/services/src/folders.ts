import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const prefix = 'sched-services-';

/** Where downloads are kept: made once, used by every run. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sched-services');
}

/** The socket in a run's folder on which the keeper of its servers listens. */
export const controlSocket = (folder: string) => join(folder, 'control.sock');

/** A new folder for one run. */
export function runFolder(): string {
  return openFolder(mkdtempSync(join(tmpdir(), prefix)));
}

/** The folder of the servers that `up` starts: one for each checkout. */
export function upFolder(): string {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  return join(tmpdir(), `${prefix}up-${hash(root)}-${process.getuid?.() ?? 0}`);
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);

const memory = '/dev/shm';
const roomyBytes = 2 ** 30;

/**
 * The counterpart of a run's folder in memory; the folder itself where there is none, or little room.
 */
export function memoryFolder(folder: string): string {
  if (!existsSync(memory)) return folder;
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < roomyBytes) return folder;
  return join(memory, `${basename(folder)}${memorySuffix(dirname(folder))}`);
}

/** Tells the runs in one folder from those in another: there is one memory for all. */
export const memorySuffix = (parent: string) => `-${hash(parent)}`;

/** Makes a folder that servers which run under another account can reach but not list. */
export function openFolder(folder: string): string {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
  return folder;
}

/** Whether something listens on a socket. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}

/**
 * Removes what runs left behind that were killed before they could: their keeper is gone.
 *
 * @param parent where runs have their folders
 * @param counterparts where these have their counterparts in memory
 */
export async function sweep(parent = tmpdir(), counterparts = memory): Promise<void> {
  const suffix = memorySuffix(parent);
  const isOld = ({ uid, mtimeMs }: Stats) =>
    // A young one may belong to a keeper that does not listen yet.
    uid === process.getuid?.() && mtimeMs < Date.now() - 60_000;
  for (const [place, end] of [
    [parent, ''],
    [counterparts, suffix],
  ] as const) {
    const names = existsSync(place) ? readdirSync(place) : [];
    for (const name of names.filter((each) => each.startsWith(prefix) && each.endsWith(end))) {
      const folder = join(place, name);
      const stat = statSync(folder, { throwIfNoEntry: false });
      const run = join(parent, name.slice(0, name.length - end.length));
      if (!stat || !isOld(stat) || (await answers(controlSocket(run)))) continue;
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
