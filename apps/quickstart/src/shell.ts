import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** A command for a shell. */
export interface ShellCommand {
  readonly command: string;
  /** What it reads from its standard input; null for nothing. */
  readonly input: string | null;
  /** All of its environment. `SHELL` runs the command, in the folder `HOME`. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ShellOptions {
  /** Ends the command and whatever it started. */
  readonly signal: AbortSignal;
  /** Is given each line of output, of both streams, as it comes. */
  onLine(line: string): void;
}

/** How long a command may take to end by itself once it has been told to, in milliseconds. */
const killAfterMs = 2000;

/** How much of a line is kept. */
const longestLine = 1000;

/**
 * Starts the command (`$1`, by the shell `$0`), and next to it a guard. File descriptor 3 is a pipe from this process:
 * a line in it sends the guard away, and its end means that this process is dead, by `kill -9` perhaps. The command is
 * then killed with everything it started, for another process will run it again.
 */
const wrapper = `
  (trap '' TERM; read -r _ <&3 || kill -KILL 0) </dev/null >/dev/null 2>&1 &
  cd "$HOME" && exec "$0" -c "$1" 3<&-
`;

/**
 * Runs a command in a process group of its own. Ends when the command has, and nothing that it started holds on to its
 * output: as cron sees it.
 *
 * @throws Error when it ends with anything but exit code 0; the signal's reason when it was aborted
 */
export async function runShell(
  { command, input, env }: ShellCommand,
  { signal, onLine }: ShellOptions,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', wrapper, env.SHELL ?? '/bin/sh', command], {
    env: { ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const [stdin, stdout, stderr, guard] = child.stdio;
  const kill = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // It has ended meanwhile.
    }
  };
  let killing: NodeJS.Timeout | undefined;
  const abort = () => {
    kill('SIGTERM');
    killing = setTimeout(kill, killAfterMs, 'SIGKILL');
  };
  signal.addEventListener('abort', abort);

  for (const stream of [stdin, guard]) {
    // A command need not read its input, and the guard may be gone.
    stream?.on('error', () => {});
  }
  stdin?.end(input ?? '');
  readLines(stdout, onLine);
  readLines(stderr, onLine);
  child.on('exit', () => {
    if (guard && 'end' in guard) guard.end('\n');
  });

  try {
    const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.on('error', reject);
        child.on('close', (...end) => resolve(end));
      },
    );
    signal.throwIfAborted();
    if (killedBy) throw new Error(`killed by ${killedBy}`);
    if (code !== 0) throw new Error(`exit code ${code}`);
  } finally {
    signal.removeEventListener('abort', abort);
    clearTimeout(killing);
  }
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) onLine(line.slice(0, longestLine));
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
