#!/usr/bin/env node
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runConformance } from './index.js';
import { Progress } from './progress.js';
import { levelNames } from './report.js';
import { reportMarkdown } from './report-markdown.js';
import { coreVersion, messageOf, within } from './run.js';
import type { ConformanceLevel, ConformanceTarget } from './types.js';
import { levels } from './types.js';

const help = `Usage: sched-conformance <module> [options]

Runs the conformance kit of @sched/core over a data store. <module> is a JavaScript
file whose default export is { create }: a function that makes a place for tasks.

  --level <name>     only cases of this level; may be given several times
  --only <text>      only cases with this text in their name
  --out <folder>     writes conformance.json and conformance.md there
  --concurrency <n>  how many cases run at the same time; default 1
  --patience <s>     how long, in seconds, a place may take to be made and opened
                     before anything is tested; default 30
  --help             shows this
  --version          shows the version of @sched/core

Levels:
${levelNames.map((level) => `  ${level.padEnd(12)} ${levels[level]}`).join('\n')}

Exit code: 0 every case passed; 1 a case failed; 2 nothing could be run.`;

/** Something that keeps the kit from running at all. The message says what to do. */
class Refusal extends Error {}

const options = {
  level: { type: 'string', multiple: true },
  only: { type: 'string' },
  out: { type: 'string' },
  concurrency: { type: 'string', default: '1' },
  patience: { type: 'string', default: '30' },
  help: { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
} as const;

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    // What follows the first sentence is about arguments that begin with a dash.
    const [what] = messageOf(error).split('. ');
    throw new Refusal(`${what}. Say --help for what there is.`);
  }
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0) return number;
  throw new Refusal(`--${option} has to be a number above 0, not ${text}.`);
}

function levelsOf(names: readonly string[] = levelNames): ConformanceLevel[] {
  return names.map((name) => {
    const level = levelNames.find((each) => each === name);
    if (level) return level;
    throw new Refusal(`There is no level ${name}, only ${levelNames.join(', ')}.`);
  });
}

/** The target that a module exports: its default export, or `create` by that name. */
async function load(path: string, patienceMs: number): Promise<ConformanceTarget> {
  let module: { default?: unknown; create?: unknown };
  try {
    const { href } = pathToFileURL(resolve(path));
    module = await within(patienceMs, `${path} cannot be loaded`, () => import(href));
  } catch (error) {
    const [what] = messageOf(error).split('\n');
    throw new Refusal(what);
  }
  const candidates = [module.default, { create: module.default }, module];
  const target = candidates.find(isTarget);
  if (target) return target;
  throw new Refusal(
    `${path} has no create: give it a default export { create }, a function that returns a place for tasks.`,
  );
}

function isTarget(value: unknown): value is ConformanceTarget {
  return (
    typeof value === 'object' &&
    value !== null &&
    'create' in value &&
    typeof value.create === 'function'
  );
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  if (values.help) return say(help);
  if (values.version) return say(coreVersion());
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) {
    throw new Refusal('Name one module, as in: sched-conformance ./place.js');
  }
  const chosen = {
    levels: levelsOf(values.level),
    only: values.only ?? '',
    concurrency: Math.ceil(positive('concurrency', values.concurrency)),
    patienceMs: positive('patience', values.patience) * 1000,
  };
  const target = await load(path, chosen.patienceMs);

  const progress = new Progress(process.stdout);
  process.on('uncaughtException', (error) => {
    progress.say(`FAILED outside of any case: ${error instanceof Error ? error.stack : error}`);
    process.exit(1);
  });
  const report = await runConformance(target, { ...chosen, onCase: progress.note }).catch(
    (error) => {
      throw new Refusal(messageOf(error));
    },
  );
  if (report.cases.length === 0) throw new Refusal('No case of the kit is of that level and name.');
  if (values.out !== undefined) {
    mkdirSync(values.out, { recursive: true });
    writeFileSync(join(values.out, 'conformance.json'), `${JSON.stringify(report, null, 2)}\n`);
    writeFileSync(join(values.out, 'conformance.md'), reportMarkdown(report));
  }
  progress.summarize(report);
  return report.failed === 0 ? 0 : 1;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

async function exitCode(): Promise<number> {
  try {
    return await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

const code = await exitCode();
// Ends also where a store that hangs, or was not closed, would keep the process alive.
process.stdout.write('', () => process.exit(code));
