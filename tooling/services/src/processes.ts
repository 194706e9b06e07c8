import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { isFree } from './ports.ts';

/** An account of this machine. */
export interface Account {
  uid: number;
  gid: number;
}

export interface ServerCommand {
  command: string;
  args: string[];
  /** Where it will listen. */
  port: number;
  logFile: string;
  env?: Record<string, string>;
  cwd?: string;
  account?: Account | undefined;
  /** Resolves when the server answers in its own protocol; rejects while it does not. */
  ready: () => Promise<void>;
  readyWithinMs?: number;
  /** The signal for each way to stop it. Whatever has not stopped 15 s later is killed. */
  signals?: { polite?: NodeJS.Signals; end?: NodeJS.Signals };
}

/** One server process: started, waited for, stopped, as often as wanted. */
export interface ServerProcess {
  start(): Promise<void>;
  stop(how: 'polite' | 'kill' | 'end'): Promise<void>;
  /** How the process ended; undefined while it runs. */
  ended(): string | undefined;
}

export function serverProcess(options: ServerCommand): ServerProcess {
  const { signals = {}, readyWithinMs = 90_000 } = options;
  let child: ChildProcess | undefined;
  let end: Promise<void> = Promise.resolve();
  let ended: string | undefined = 'it was not started';

  return {
    ended: () => ended,

    async start() {
      if (child !== undefined) return;
      // Otherwise whoever has it might pass for ours, until ours notices.
      if (!(await isFree(options.port))) throw new Error('The address is already in use.');
      const log = openSync(options.logFile, 'a');
      const [command, args] = dyingWithParent(options.command, options.args, signals.end);
      const started = spawn(command, args, {
        stdio: ['ignore', log, log],
        env: { ...cleanEnvironment(), ...options.env },
        detached: true,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...options.account,
      });
      closeSync(log);
      child = started;
      ended = undefined;
      end = new Promise<string>((resolve) => {
        started.once('error', (error) => resolve(error.message));
        started.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`));
      }).then((how) => {
        ended = how;
        child = undefined;
      });
      try {
        await untilReady(options.ready, this.ended, readyWithinMs);
      } catch (error) {
        await this.stop('kill');
        throw new Error(`${message(error)}\n${tail(options.logFile)}`.trim());
      }
    },

    async stop(how) {
      const stopping = child;
      if (stopping === undefined) return;
      const signal = how === 'end' ? signals.end : (signals.polite ?? 'SIGTERM');
      if (how !== 'kill' && signal !== undefined) {
        stopping.kill(signal);
        await Promise.race([end, delay(15_000, undefined, { ref: false })]);
      }
      // The whole group: some servers start helpers that would outlive them.
      kill(stopping);
      await end;
    },
  };
}

/** Asks again and again until the answer comes, the process ends or the time is up. */
export async function untilReady(
  ready: () => Promise<void>,
  ended: () => string | undefined,
  withinMs: number,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const failure = await ready().then(
      () => undefined,
      (error: unknown) => message(error),
    );
    // Asked last: an answer from someone else's server on this port must not count.
    const end = ended();
    if (end !== undefined) throw new Error(`It did not start: ${end}.`);
    if (failure === undefined) return;
    if (Date.now() > deadline) {
      throw new Error(`It did not answer within ${withinMs / 1000} s: ${failure}`);
    }
    await delay(50);
  }
}

function kill(child: ChildProcess) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

/** Where the system can do it, a server dies with the process that started it, however that ends. */
function dyingWithParent(
  command: string,
  args: string[],
  signal: NodeJS.Signals = 'SIGKILL',
): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  if (process.platform !== 'linux' || !existsSync(setpriv)) return [command, args];
  return [setpriv, ['--pdeathsig', signal.slice('SIG'.length), '--', command, ...args]];
}

/** What servers must not see: settings meant for the programs that test them. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(PG|MYSQL|REDIS|AWS_|MONGO|FERRETDB|NODE_|npm_|VITEST|SCHED_)/i;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
}

const running = new Set<ChildProcess>();
let ending = false;

/** Kills every program that `run` waits for, and has it start no other until told to. */
export function endRuns(): () => void {
  ending = true;
  for (const child of running) kill(child);
  return () => {
    ending = false;
  };
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  account?: Account | undefined;
  timeoutMs?: number;
}

/** Runs a program to its end and gives what it printed; throws what it said if it failed. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { env, cwd, account, timeoutMs } = options;
  if (ending) return Promise.reject(new Error('The run is ending.'));
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...env },
    // A group of its own, so that its helpers can be ended along with it.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...account,
  });
  running.add(child);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => kill(child), timeoutMs);
  let [printed, said] = ['', ''];
  child.stdout.on('data', (chunk) => {
    printed += chunk;
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  return new Promise<string>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${command} did not start: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(printed);
      const why = essence(said) ?? `it ended with ${signal ?? code}`;
      const all = [`${basename(command)} failed: ${why}`, [command, ...args].join(' ')];
      reject(new Error([...all, lastLines(said)].join('\n').trim()));
    });
  }).finally(() => {
    running.delete(child);
    clearTimeout(timer);
  });
}

/** The line of an output that most likely says what went wrong. */
function essence(output: string): string | undefined {
  const lines = stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.find((line) => /^E: |error|fatal|denied|cannot/i.test(line)) ?? lines.at(-1);
}

function tail(file: string): string {
  return existsSync(file) ? `The end of its log:\n${lastLines(readFileSync(file, 'utf8'))}` : '';
}

function lastLines(text: string, count = 25): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
