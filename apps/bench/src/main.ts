import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import startServers from '@sched-tooling/services/global-setup';
import { ownEntries, peerEntries } from './contenders/index.ts';
import { databases } from './databases/index.ts';
import { markdown, section } from './report/markdown.ts';
import { plots } from './report/svg.ts';
import { measure, type Outcome } from './run.ts';
import type { Scenario } from './scenario.ts';
import { cronNext } from './scenarios/cron-next.ts';
import { scenarioOf } from './scenarios/databases.ts';
import { memorySize } from './scenarios/memory-size.ts';
import type { Entry } from './stage.ts';
import { workloads } from './workloads/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    contenders: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    svg: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const scale = Number(values.scale);
const say = (text: string) => process.stderr.write(`  ${text}\n`);

let entries: Promise<readonly Entry[]> | undefined;
const scenarios: readonly Scenario[] = [
  cronNext,
  memorySize,
  ...databases.flatMap((database) =>
    workloads
      .filter(({ needsProcesses }) => !(needsProcesses && database.inProcess))
      .map((workload) => scenarioOf(database, workload, scale, () => (entries ??= loadEntries()))),
  ),
];

/** The contenders that were asked for. Peers are left alone when none of them was. */
async function loadEntries(): Promise<readonly Entry[]> {
  const names = values.contenders?.split(';').map((name) => name.trim());
  const own = await ownEntries();
  const isWanted = ({ contender }: Entry) => names?.includes(contender.name) ?? true;
  if (names?.every((name) => own.some(({ contender }) => contender.name === name))) {
    return own.filter(isWanted);
  }
  return [...own, ...(await peerEntries(say))].filter(isWanted);
}

/** `postgres` and `drain` stand for all on that database and of that kind. */
const matches = ({ name }: Scenario, wanted: string) =>
  scenarios.some((each) => each.name === wanted)
    ? name === wanted
    : name.startsWith(`${wanted}-`) || name.endsWith(`-${wanted}`);
const unknown = positionals.filter((wanted) => !scenarios.some((each) => matches(each, wanted)));
const chosen = scenarios.filter(
  (each) => positionals.length === 0 || positionals.some((wanted) => matches(each, wanted)),
);

const help = `Usage: pnpm bench [scenario …] [options]

  --rounds 5            how often everyone is measured
  --scale 1             multiplies the amounts: 0.1 for a quick look
  --contenders "a; b"   only these
  --json <file>         everything that was measured
  --markdown <file>     tables
  --svg <folder>        plots

A scenario is one of these, or a part of their names, such as postgres or drain:

${scenarios.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`).join('\n')}`;

if (values.help || unknown.length > 0 || !(rounds >= 1) || !(scale > 0)) {
  console.log(help);
  if (!values.help) process.exitCode = 2;
} else {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const intro = `Node ${process.version}, ${availableParallelism()} × ${cpu?.model}, ${memory} GB; rounds: ${rounds}, scale: ${scale}. Ratios count, not figures: machines differ and are shared.`;
  console.log(intro);
  // Servers that wait for the disk, as in production; each is started when the first scenario needs it.
  process.env.SCHED_TEST_DURABLE ??= '1';
  const stopServers = await startServers();
  const outcomes: Outcome[] = [];
  try {
    for (const scenario of chosen) {
      say(scenario.name);
      const outcome = await measure(scenario, rounds, scale, say);
      outcomes.push(outcome);
      console.log(`\n${section(outcome)}`);
      // After each, so that a run that is broken off leaves what it has.
      await write(outcomes, intro);
    }
  } finally {
    await stopServers?.();
  }
}

async function write(outcomes: readonly Outcome[], intro: string): Promise<void> {
  if (values.json)
    await writeFile(values.json, `${JSON.stringify({ intro, outcomes }, null, 2)}\n`);
  if (values.markdown) await writeFile(values.markdown, markdown(intro, outcomes));
  if (values.svg) {
    await mkdir(values.svg, { recursive: true });
    for (const [name, text] of plots(outcomes)) await writeFile(join(values.svg, name), text);
  }
}
