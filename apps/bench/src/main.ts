import { parseArgs } from 'node:util';
import startServers from '@sched-tooling/services/global-setup';
import { dynamodb } from './databases/dynamodb.ts';
import { mongoDatabase } from './databases/mongo.ts';
import { mysqlDatabase } from './databases/mysql.ts';
import { postgres } from './databases/postgres.ts';
import { redis } from './databases/redis.ts';
import { sqlite } from './databases/sqlite.ts';
import { measure, table } from './run.ts';
import type { Scenario } from './scenario.ts';
import { cronNext } from './scenarios/cron-next.ts';
import { scenariosOf } from './scenarios/databases.ts';
import { memoryDrain, memoryLateness, memorySize } from './scenarios/memory.ts';

const scenarios: readonly Scenario[] = [
  cronNext,
  memorySize,
  memoryDrain,
  memoryLateness,
  ...[
    sqlite,
    postgres,
    mysqlDatabase('mysql'),
    mysqlDatabase('mariadb'),
    redis,
    mongoDatabase('ferretdb', 5000, 200_000),
    mongoDatabase('secantusdb', 1000, 20_000),
    mongoDatabase('mongodb', 10_000, 200_000),
    dynamodb,
  ].flatMap(scenariosOf),
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const scale = Number(values.scale);
const unknown = positionals.filter((name) => scenarios.every((scenario) => scenario.name !== name));

if (values.help || unknown.length > 0 || !(rounds >= 1) || !(scale > 0)) {
  const names = scenarios.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`);
  console.log(
    [
      'Usage: pnpm bench [scenario …] [--rounds 5] [--scale 1]',
      '',
      '--scale multiplies the amounts: 0.1 for a quick look.',
      '',
      ...names,
    ].join('\n'),
  );
  if (!values.help) process.exitCode = 2;
} else {
  console.log(
    `Node ${process.version}, ${rounds} rounds, scale ${scale}. Ratios count, not figures: machines differ and are shared.`,
  );
  // Servers that wait for the disk, as in production; each is started when the first scenario needs it.
  process.env.SCHED_TEST_DURABLE ??= '1';
  const stopServers = await startServers();
  try {
    for (const scenario of scenarios) {
      if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
      console.log(`\n${scenario.name}: ${scenario.title}`);
      const say = (text: string) => process.stderr.write(`  ${text}\n`);
      console.log(table(await measure(scenario, rounds, scale, say)));
    }
  } finally {
    await stopServers?.();
  }
}
