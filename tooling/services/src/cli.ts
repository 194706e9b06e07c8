// The command line: `pnpm services`.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { ask, controlVariable, type Outcome } from './client.ts';
import { startKeeper, startStayingKeeper, upSocket } from './keeping.ts';
import { message } from './processes.ts';
import { details, line, missing, missingLine, variables } from './report.ts';
import { services } from './services/index.ts';

const usage = `Usage: pnpm services <command>

  up [name…]                  start servers and leave them running; prints their URLs
  down                        stop them and remove their data
  run [name…] -- <command>    start servers, run a command on them, stop them;
                              with --report <file>, write down as JSON what is missing
  restart <name> [--kill]     stop one that is up and start it again with its data
  status                      what is up

  Names: ${names().join(', ')}. Without one: all.`;

function names(): string[] {
  return services.filter(({ internal }) => !internal).map(({ name }) => name);
}

/** Starts servers at the same time, says what becomes of each, and in the end what is missing. */
async function startAll(socket: string, wanted: string[]): Promise<Outcome[]> {
  const outcomes = await Promise.all(
    wanted.map(async (id) => {
      const outcome = await ask(socket, 'start', { id }, (text) => {
        console.log(`         ${id}: ${text}`);
      });
      console.log(line(outcome));
      return outcome;
    }),
  );
  for (const text of details(outcomes)) console.error(`\n${text}`);
  return outcomes;
}

async function up(wanted: string[]): Promise<number> {
  const socket = await startStayingKeeper();
  const outcomes = await startAll(socket, wanted);
  console.log('');
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
  const outcomes = socket === undefined ? [] : await ask(socket, 'outcomes', {});
  console.log(outcomes.map(line).join('\n') || 'Nothing is up.');
  return 0;
}

async function restart([name]: string[], kill = false): Promise<number> {
  const socket = process.env[controlVariable] || (await upSocket());
  if (socket === undefined || name === undefined) throw new Error('Nothing is up to restart.');
  await ask(socket, 'halt', { id: name, kill });
  await ask(socket, 'resume', { id: name });
  return 0;
}

async function run(
  wanted: string[],
  [command, ...args]: string[],
  reportFile?: string,
): Promise<number> {
  if (command === undefined) throw new Error(`What is to be run?\n\n${usage}`);
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stopping.abort(signal));
  }
  const keeper = await startKeeper();
  try {
    const outcomes = await Promise.race([
      startAll(keeper.socket, wanted),
      abortion(stopping.signal),
    ]);
    const lacking = missing(outcomes);
    console.log(`\n${lacking.map(missingLine).join('\n') || 'Every server is ready.'}\n`);
    if (reportFile !== undefined) {
      mkdirSync(dirname(reportFile), { recursive: true });
      writeFileSync(reportFile, JSON.stringify(lacking.map(missingLine)));
    }
    const env = { ...variables(outcomes), [controlVariable]: keeper.socket };
    const exitCode = await foreground(command, args, env, stopping.signal);
    if (lacking.length > 0) console.error(`\n${lacking.map(missingLine).join('\n')}`);
    // Not every command admits that it was stopped.
    if (exitCode === 0 && stopping.signal.aborted) return exitCodeOf(stopping.signal.reason);
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
  const separator = args.includes('--') ? args.indexOf('--') : args.length;
  const { values, positionals } = parseArgs({
    args: args.slice(0, separator),
    allowPositionals: true,
    options: { kill: { type: 'boolean' }, report: { type: 'string' } },
  });
  const wanted = positionals.length > 0 ? positionals : names();
  const commands: Record<string, () => Promise<number>> = {
    up: () => up(wanted),
    down,
    run: () => run(wanted, args.slice(separator + 1), values.report),
    restart: () => restart(positionals, values.kill),
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
