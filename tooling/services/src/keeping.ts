import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { answers, controlSocket, openFolder, upFolder } from './folders.ts';

const keeper = fileURLToPath(new URL('./keeper.ts', import.meta.url));

/** A keeper that ends with this process, at the latest. */
export interface Keeper {
  socket: string;
  /** Resolves when every server is stopped and its data removed. */
  end(): Promise<void>;
}

/** Starts a keeper of servers for as long as this process lives. */
export async function startKeeper(): Promise<Keeper> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', keeper], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // A process group of its own: Ctrl-C is for the tests.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const socket = await firstLine(child);
  child.unref();
  return {
    socket,
    async end() {
      child.ref();
      child.stdin?.end();
      await ended;
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.once('close', () => reject(new Error('The keeper of the servers did not start.')));
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(text.trim());
    });
  });
}

/** The socket of the servers that `up` started and that nobody has taken down; undefined if none. */
export async function upSocket(): Promise<string | undefined> {
  const socket = controlSocket(upFolder());
  return (await answers(socket)) ? socket : undefined;
}

/** Starts a keeper that stays until it is told to end, unless there is one. */
export async function startStayingKeeper(): Promise<string> {
  const existing = await upSocket();
  if (existing !== undefined) return existing;
  const folder = upFolder();
  rmSync(folder, { recursive: true, force: true });
  openFolder(folder);
  const logFile = join(folder, 'keeper.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', keeper, '--stay', folder],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  child.unref();
  for (;;) {
    const socket = await upSocket();
    if (socket !== undefined) return socket;
    if (child.exitCode !== null) throw new Error(readFileSync(logFile, 'utf8'));
    await delay(50);
  }
}
