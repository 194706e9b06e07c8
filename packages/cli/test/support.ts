import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { createScheduler, type TaskDefinition } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { afterEach } from 'vitest';
import { main } from '../src/main.js';

/** What a command wrote, and what it ended with. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Setting {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is on standard input. */
  readonly input?: string;
  /** Whether it runs on a terminal. */
  readonly tty?: boolean;
  readonly interruption?: AbortSignal;
  /** Called with all that has been written to standard output so far. */
  readonly onOutput?: (text: string) => void;
}

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own for one test, with these files in it. */
export function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'sched-cli-'));
  folders.push(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function collector(onText: (text: string) => void = () => {}) {
  let text = '';
  const stream = new Writable({
    write(chunk, _, done) {
      text += chunk;
      onText(text);
      done();
    },
  });
  return { stream, text: () => text };
}

/** Runs a command in this process. */
export async function sched(args: readonly string[], setting: Setting = {}): Promise<Result> {
  const { cwd = tmpdir(), env = {}, input, tty = false, onOutput } = setting;
  const stdout = collector(onOutput);
  const stderr = collector();
  const code = await main(args, {
    ...{ cwd, env },
    stdin: Object.assign(Readable.from(input === undefined ? [] : [input]), { isTTY: tty }),
    stdout: Object.assign(stdout.stream, { isTTY: tty, columns: 80, rows: 24 }),
    stderr: Object.assign(stderr.stream, { isTTY: tty }),
    interruption: () => setting.interruption ?? new AbortController().signal,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A file with the schema in it, and how to run commands on it. */
export async function database() {
  const cwd = folder();
  const store = join(cwd, 'tasks.db');
  const run = (args: readonly string[], setting: Setting = {}) =>
    sched(['--store', store, ...args], { cwd, ...setting });
  await run(['schema', 'apply']);
  return {
    ...{ cwd, path: store, run },
    /** Gives what a command says as JSON; it has to succeed. */
    async json<T = unknown>(...args: readonly string[]): Promise<T> {
      const { code, stdout, stderr } = await run(['--json', ...args]);
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
    /** Runs what is due, until a condition holds. */
    async work(tasks: readonly TaskDefinition[], until: () => Promise<boolean> | boolean) {
      await using scheduler = createScheduler({
        ...{ store: new SqliteDataStore({ path: store }), tasks, owner: 'a-worker', lease: '3s' },
      });
      const isDone = new Promise<void>((resolve) => {
        scheduler.onAny(async () => {
          if (await until()) resolve();
        });
      });
      await scheduler.start();
      await isDone;
    },
  };
}
