/** What processes use, as Linux counts it; nothing elsewhere. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How many of the kernel's ticks are a second: fixed for what it shows to programs. */
const ticksPerSecond = 100;

/**
 * CPU time of processes, of all that they have started and of those of these that have ended; in milliseconds.
 * Undefined where there are none, or where that cannot be seen.
 */
export function cpuMs(pids: readonly number[]): number | undefined {
  const stats = orNothing(() => readdirSync('/proc')).flatMap((name) =>
    /^\d+$/.test(name) ? stat(name) : [],
  );
  const parents = new Map(stats.map(({ pid, parent }) => [pid, parent]));
  const wanted = new Set(pids);
  const belongs = (pid: number | undefined): boolean =>
    pid !== undefined && (wanted.has(pid) || belongs(parents.get(pid)));
  const found = stats.filter(({ pid }) => belongs(pid));
  if (found.length === 0) return undefined;
  return (found.reduce((sum, { ticks }) => sum + ticks, 0) * 1000) / ticksPerSecond;
}

/** Bytes that a process has read and written: on sockets and in files. */
export function ioBytes(pid: number): number {
  const text = read(`/proc/${pid}/io`);
  return ['rchar', 'wchar'].reduce(
    (sum, name) => sum + Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN),
    0,
  );
}

/** The processes that listen on a port, and on those that their command lines name, as a server behind another. */
export function serverPids(port: number): readonly number[] {
  const listeners = listenersByPort();
  const pids = listeners.get(port) ?? [];
  const behind = pids
    .flatMap((pid) => [...read(`/proc/${pid}/cmdline`).matchAll(/127\.0\.0\.1:(\d+)/g)])
    .flatMap(([, other]) => listeners.get(Number(other)) ?? []);
  return [...new Set([...pids, ...behind])];
}

function listenersByPort(): ReadonlyMap<number, number[]> {
  const sockets = new Map<string, number>();
  for (const line of `${read('/proc/net/tcp')}\n${read('/proc/net/tcp6')}`.split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === '0A')
      sockets.set(`socket:[${inode}]`, Number.parseInt(local.split(':')[1] ?? '', 16));
  }
  const found = new Map<number, number[]>();
  for (const pid of orNothing(() => readdirSync('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const socket of openFiles(pid)) {
      const port = sockets.get(socket);
      if (port !== undefined) found.set(port, [...(found.get(port) ?? []), Number(pid)]);
    }
  }
  return found;
}

function openFiles(pid: string): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return orNothing(() => readdirSync(folder)).flatMap((fd) =>
    orNothing(() => [readlinkSync(`${folder}/${fd}`)]),
  );
}

/** What is read of a process may be gone with it at any moment, or be somebody else's. */
function orNothing(look: () => readonly string[]): readonly string[] {
  try {
    return look();
  } catch {
    return [];
  }
}

function stat(name: string): { pid: number; parent: number; ticks: number }[] {
  const text = read(`/proc/${name}/stat`);
  if (!text) return [];
  // Behind the name of the program, which may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0] = fields.slice(1);
  const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
  return [{ pid: Number(name), parent, ticks }];
}

function read(path: string): string {
  return orNothing(() => [readFileSync(path, 'utf8')])[0] ?? '';
}
