#!/usr/bin/env node
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import type { Runner } from './project.js';
import { nameProblem, projectFiles, runners } from './project.js';

const help = `Usage: npm create sched-adapter <name> -- [options]

Makes the folder sched-<name> with a data store for @sched: a working store that keeps
tasks in a Map, with the places for the calls of your database marked, the conformance
kit as its test, and a workflow for continuous integration.

  --runner <runner>  vitest or node (node:test); default vitest
  --folder <folder>  another folder; it has to be new or empty
  --help             shows this
  --version          shows the version`;

/** Something that the user has to put right. */
class Refusal extends Error {}

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        runner: { type: 'string' },
        folder: { type: 'string' },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const [what] = String(error instanceof Error ? error.message : error).split('. ');
    throw new Refusal(`${what}. Say --help for what there is.`);
  }
}

/** Asks on a terminal; elsewhere nobody could answer. */
async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

async function readName(given: readonly string[]): Promise<string> {
  const [name = await ask('Name of the database, such as my-database: '), ...rest] = given;
  if (name === undefined || rest.length > 0) {
    throw new Refusal('Name one database, as in: npm create sched-adapter my-database');
  }
  const problem = nameProblem(name);
  if (problem) throw new Refusal(problem);
  return name;
}

async function readRunner(given: string | undefined): Promise<Runner> {
  const asked = given ?? (await ask(`Test runner, ${runners.join(' or ')} [vitest]: `));
  const runner = runners.find((each) => each === (asked || 'vitest'));
  if (runner) return runner;
  throw new Refusal(`There is no runner ${asked}, only ${runners.join(' and ')}.`);
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) return say(help);
  if (values.version) return say(version);
  const name = await readName(positionals);
  const runner = await readRunner(values.runner);
  const folder = resolve(values.folder ?? `sched-${name}`);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new Refusal(`${folder} is not empty. Name another folder with --folder.`);
  }
  const files = projectFiles(name, runner, version);
  for (const [path, text] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const where = relative('.', folder) || '.';
  say(`${files.size} files are in ${where}. Go on with:

  cd ${where}
  npm install
  npm test

It passes the conformance kit as it is. Then make src/database.ts that of your database.`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
