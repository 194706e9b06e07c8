import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

export const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A folder of its own for a test: home of its commands, where the app is called, and where its database is. */
export interface Place {
  readonly folder: string;
  path(name: string): string;
  write(name: string, ...lines: string[]): string;
  /** The lines of a file; none while there is no file. */
  lines(name: string): string[];
  /** Starts the app. */
  start(...args: string[]): App;
  env: Readonly<Record<string, string>>;
}

/** A running app. */
interface App {
  readonly process: ChildProcess;
  readonly output: string;
  readonly errors: string;
  /** Waits until the output has a line that matches. */
  says(pattern: RegExp): Promise<void>;
  /** Waits until it has ended; gives its exit code, or the signal that killed it. */
  ended(): Promise<number | NodeJS.Signals | null>;
}

export function createPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sched-quickstart-'));
  const apps: App[] = [];
  onTestFinished(async () => {
    for (const { process } of apps) process.kill('SIGKILL');
    await Promise.all(apps.map((app) => app.ended()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const path = (name: string) => join(folder, name);
  // The zone of this process, so that both mean the same by a schedule and by a time of day.
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const env = { PATH: '/usr/bin:/bin', HOME: folder, INIT_CWD: folder, TZ: timeZone };
  return {
    folder,
    path,
    env,
    write(name, ...lines) {
      writeFileSync(path(name), `${lines.join('\n')}\n`);
      return path(name);
    },
    lines(name) {
      return existsSync(path(name)) ? readFileSync(path(name), 'utf8').trimEnd().split('\n') : [];
    },
    start(...args) {
      const app = start(spawn(process.execPath, [main, ...args], { cwd: folder, env }));
      apps.push(app);
      return app;
    },
  };
}

function start(child: ChildProcess): App {
  let output = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return {
    process: child,
    get output() {
      return output;
    },
    get errors() {
      return errors;
    },
    says: (pattern) =>
      until(
        () => output.split('\n').some((line) => pattern.test(line)),
        () => output + errors,
      ),
    ended: () => ended,
  };
}
