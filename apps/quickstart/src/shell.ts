import { spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';

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
 * Runs the command `$1` by the shell `$0`, with `$2` for its input if there is one.
 *
 * File descriptor 3 leads to this process. A guard in the background reads from it: a line sends it away, and its end
 * means that this process is dead, by `kill -9` perhaps. The command is then killed with all that it started, for it
 * will be run again. Into the other direction goes the exit code.
 *
 * When the process group is told to end, everything but the command waits for the command to do so.
 *
 * `cat` and `printf` stand between the command and Node because Node's pipes are sockets: bash would take itself for a
 * remote shell, and `/dev/stderr` could not be opened.
 */
const wrapper = `
  (trap '' TERM; read -r _ <&3 || kill -KILL 0) </dev/null >/dev/null 2>&1 &
  trap : TERM
  cd "$HOME" || exit
  {
    trap : TERM
    if [ $# -lt 2 ]
    then "$0" -c "$1" 3<&-
    else printf %s "$2" | "$0" -c "$1" 3<&-
    fi
    echo $? >&3
  } 2>&1 | (trap '' TERM; exec cat 3<&-)
`;

/**
 * Runs a command in a process group of its own. As for cron, it has ended when it has, and nothing that it started
 * holds on to its output.
 *
 * @throws Error when it ends with anything but exit code 0; the signal's reason when it was aborted
 */
export async function runShell(
  { command, input, env }: ShellCommand,
  { signal, onLine }: ShellOptions,
): Promise<void> {
  signal.throwIfAborted();
  const shell = env.SHELL ?? '/bin/sh';
  const args = ['-c', wrapper, shell, command, ...(input === null ? [] : [input])];
  const child = spawn('/bin/sh', args, {
    env: { ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
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

  const [, stdout, stderr, control] = child.stdio as [null, Readable, Readable, Duplex, undefined];
  readLines(stdout, onLine);
  readLines(stderr, onLine);
  let exitCode = '';
  control.on('data', (data) => {
    exitCode += data;
  });
  // The guard is gone when the whole group was killed.
  control.on('error', () => {});
  child.on('exit', () => control.end('\n'));

  try {
    const [ownCode, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.on('error', reject);
        child.on('close', (...end) => resolve(end));
      },
    );
    signal.throwIfAborted();
    if (killedBy) throw new Error(`killed by ${killedBy}`);
    const code = exitCode.trim() || String(ownCode);
    if (code !== '0') throw new Error(`exit code ${code}`);
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
