// The command line: `pnpm services`.

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask, controlVariable, type Outcome } from './client.ts';
import { startKeeper, startStayingKeeper, upSocket } from './keeping.ts';
import { message } from './processes.ts';
import { line, missing, missingLine, report, variables } from './report.ts';
import { services } from './services/index.ts';

const usage = `Usage: pnpm services <command>

  up [name…]                  start servers and leave them running; prints their URLs
  down                        stop them and remove their data
  run [name…] -- <command>    start servers, run a command on them, stop them
  restart <name> [--kill]     stop one that is up and start it again with its data
  status                      what is up

  Names: ${names().join(', ')}. Without one: all.`;

function names(): string[] {
  return services.filter(({ internal }) => !internal).map(({ name }) => name);
}

/** What the last `run` had to do without, for the summary of `npm test`. */
const missingFile = fileURLToPath(new URL('../.test-results/missing.json', import.meta.url));

async function startAll(socket: string, wanted: string[]): Promise<Outcome[]> {
  return Promise.all(
    wanted.map(async (name) => {
      const begun = Date.now();
      const outcome = await ask(socket, 'start', { id: name }, (text) => {
        const seconds = Math.round((Date.now() - begun) / 1000);
        if (text !== 'starting' || seconds > 1) console.log(`         ${name}: ${text}`);
      });
      console.log(line(outcome));
      return outcome;
    }),
  );
}

async function up(wanted: string[]): Promise<number> {
  const socket = await startStayingKeeper();
  const outcomes = await startAll(socket, wanted);
  console.log(`\n${report(outcomes)}\n`);
  for (const [name, value] of Object.entries({
    ...variables(outcomes),
    [controlVariable]: socket,
  })) {
    console.log(`export ${name}='${value}'`);
  }
  return missing(outcomes).length > 0 ? 1 : 0;
}

async function down(): Promise<number> {
  const socket = await upSocket();
  if (socket === undefined) console.log('Nothing is up.');
  else await ask(socket, 'end', {});
  return 0;
}

async function status(): Promise<number> {
  const socket = await upSocket();
  console.log(socket === undefined ? 'Nothing is up.' : report(await ask(socket, 'outcomes', {})));
  return 0;
}

async function restart([name, how]: string[]): Promise<number> {
  const socket = process.env[controlVariable] ?? (await upSocket());
  if (socket === undefined || name === undefined) throw new Error('Nothing is up to restart.');
  await ask(socket, 'halt', { id: name, kill: how === '--kill' });
  await ask(socket, 'resume', { id: name });
  return 0;
}

async function run(wanted: string[], [command, ...args]: string[]): Promise<number> {
  if (command === undefined) throw new Error(`What is to be run?\n\n${usage}`);
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stopping.abort(signal));
  }
  rmSync(missingFile, { force: true });
  const keeper = await startKeeper();
  try {
    const outcomes = await Promise.race([
      startAll(keeper.socket, wanted),
      abortion(stopping.signal),
    ]);
    const lacking = missing(outcomes);
    console.log(`\n${report(outcomes)}\n`);
    mkdirSync(dirname(missingFile), { recursive: true });
    writeFileSync(missingFile, JSON.stringify(lacking.map(missingLine)));
    const env = { ...variables(outcomes), [controlVariable]: keeper.socket };
    const exitCode = await foreground(command, args, env, stopping.signal);
    if (lacking.length > 0) console.error(`\n${lacking.map(missingLine).join('\n')}`);
    return exitCode || (process.env.CI && lacking.length > 0 ? 1 : 0);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    return exitCodeOf(stopping.signal.reason);
  } finally {
    await keeper.end();
  }
}

/** Rejects when the run is told to stop. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`stopped by ${signal.reason}`)));
  });
}

/** Runs a command to its end and gives its exit code. */
function foreground(
  command: string,
  args: string[],
  env: Record<string, string>,
  stopping: AbortSignal,
): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  // Ctrl-C reaches the command by itself, unless only this process was meant.
  const stop = () =>
    setTimeout(() => child.kill('SIGTERM'), stopping.reason === 'SIGINT' ? 1_000 : 0).unref();
  if (stopping.aborted) stop();
  stopping.addEventListener('abort', stop);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${command} did not start: ${error.message}`)));
    child.once('close', (code, signal) => resolve(code ?? exitCodeOf(signal)));
  });
}

function exitCodeOf(signal: NodeJS.Signals | null): number {
  return signal === null ? 1 : 128 + constants.signals[signal];
}

async function main([command, ...args]: string[]): Promise<number> {
  const separator = args.indexOf('--');
  const [chosen, rest] =
    separator < 0 ? [args, []] : [args.slice(0, separator), args.slice(separator + 1)];
  const wanted = chosen.length > 0 ? chosen : names();
  const commands: Record<string, () => Promise<number>> = {
    up: () => up(wanted),
    down,
    run: () => run(wanted, rest),
    restart: () => restart(args),
    status,
  };
  const action = commands[command ?? ''];
  if (action === undefined) throw new Error(usage);
  return action();
}

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error) => {
    console.error(message(error));
    process.exitCode = 2;
  },
);
