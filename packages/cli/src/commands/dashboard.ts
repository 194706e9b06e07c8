import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { Right } from '@sched/http';
import type { CreateCommand } from '../command.js';
import { Failure } from '../errors.js';

const rights = ['read', 'operate', 'admin'] as const satisfies readonly Right[];

export const dashboard: CreateCommand = (cli) =>
  new Command('dashboard')
    .description('shows the tasks in a browser, on this machine only, until Ctrl-C')
    .option('--port <n>', 'the port to listen at; default any that is free', port, 0)
    .addOption(
      new Option('--may <right>', 'what the page may do: look, also run and pause, or everything')
        .choices(rights)
        .default('admin' as const),
    )
    .option('--no-open', 'opens no browser; without a terminal none is opened anyway')
    .action(({ port, may, open }) =>
      cli.onStore(async ({ client, place }) => {
        const { io, out } = cli;
        // Loaded here, so that the other commands start without it.
        const { serveLocally } = await import('@sched/dashboard/local');
        const stopped = io.interruption();
        const { url, close } = await serveLocally({
          ...{ scheduler: client, port, may },
          audit: ({ who, action, id, outcome }) =>
            out.note(`${who}: ${action}${id === null ? '' : ` ${id}`}: ${outcome}`),
        }).catch((cause: NodeJS.ErrnoException) => {
          if (cause.code !== 'EADDRINUSE') throw cause;
          throw new Failure(`Something else listens at port ${port}.`, { cause });
        });
        try {
          // The token is a secret that is meant to be seen.
          if (out.isJson) out.show({ url }, () => url);
          else out.raw(`${place} is shown at\n\n  ${url}\n\nCtrl-C ends it.\n`);
          await using _ = open && io.stdout.isTTY && !out.isJson ? await show(url, io.env) : null;
          if (!stopped.aborted) {
            await new Promise((resolve) => stopped.addEventListener('abort', resolve));
          }
        } finally {
          await close();
        }
        return undefined;
      }),
    );

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError('It has to be a number from 0 to 65535.');
}

/**
 * Opens a browser.
 *
 * What a program is started with can be read by every user of the machine, and the address has the token in it. So the
 * browser is given a file that leads there, which only this user can read.
 */
async function show(url: string, env: NodeJS.ProcessEnv): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'sched-dashboard-'));
  const file = join(folder, 'open.html');
  const text = `<!doctype html><meta http-equiv="refresh" content="0;url=${url}"><title>sched</title><a href="${url}">Open the dashboard</a>`;
  await writeFile(file, text, { mode: 0o600 });
  const [command = '', ...args] = opener();
  const child = spawn(command, [...args, pathToFileURL(file).href], {
    ...{ env, stdio: 'ignore', detached: true },
  });
  // Where there is nothing to open it with, the address has been written for whoever can.
  child.on('error', () => {});
  child.unref();
  return { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

function opener(): readonly string[] {
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}
