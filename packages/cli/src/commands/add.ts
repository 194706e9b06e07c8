import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from '@commander-js/extra-typings';
import type { ScheduleOptions } from '@sched/core';
import { SchedError } from '@sched/core';
import type { Cli } from '../cli.js';
import type { CreateCommand } from '../command.js';
import { UsageError } from '../errors.js';
import { readAll } from '../io.js';
import { Times } from '../times.js';
import { parseJson, readWhen, triggerHelp, triggerReader } from '../when-text.js';

export const add: CreateCommand = (cli) =>
  new Command('add')
    .description('schedules a task')
    .argument('<name>', 'the definition that is to run it')
    .argument('[trigger]', triggerHelp, 'now')
    .option('--id <id>', 'its id; default a new one')
    .option('--payload <json>', 'its payload: JSON, @file, or - for standard input')
    .option('--zone <zone>', 'the time zone of a cron expression or an interval; default UTC')
    .option('--queue <queue>', "its queue; default the definition's")
    .option('--group <group>', "its group; default the definition's")
    .option('--retry <n>', 'how many attempts may follow the first', Number)
    .option('--timeout <duration>', 'how long an attempt may run')
    .addOption(
      new Option('--overlap <mode>', 'what to do with what is due while it runs').choices([
        ...(['skip', 'queueOne', 'queueAll', 'allow', 'replace'] as const),
      ]),
    )
    .addOption(
      new Option('--catch-up <mode>', 'what to do with what was missed').choices([
        ...(['none', 'latest', 'all'] as const),
      ]),
    )
    .addOption(
      new Option('--delivery <delivery>', 'how often it may run').choices([
        ...(['atLeastOnce', 'atMostOnce'] as const),
      ]),
    )
    .option('--keep-finished', 'keeps it when it has run for the last time')
    .addOption(
      new Option('--on-conflict <what>', 'what to do when a task with that id exists')
        .choices(['error', 'update', 'keep', 'replace'] as const)
        .default('error' as const),
    )
    .option('--any-name', 'takes a name that the configuration does not define')
    .action((name, trigger, { payload: given, zone, anyName, ...options }) =>
      cli.onStore(async (session) => {
        const { tasks, triggers, clientFor } = session;
        if (tasks && !anyName && !tasks.some((task) => task.name === name)) {
          throw new SchedError(
            'SCHED_TASK_UNKNOWN',
            `The configuration has no task ${JSON.stringify(name)}, only ${tasks.map((task) => task.name).join(', ') || 'none at all'}. Say --any-name if another program has it.`,
          );
        }
        if (options.onConflict === 'replace') {
          await cli.consent(`A task with the id ${options.id} would be scheduled anew.`);
        }
        const { client, task } = clientFor(name);
        const declaration: ScheduleOptions<unknown> = {
          ...readWhen(trigger, zone, triggerReader(triggers)),
          ...options,
          ...(given !== undefined && { payload: await readPayload(cli, given) }),
        };
        const { id, outcome } = await client.schedule(task, declaration);
        const stored = await client.get(id);
        const times = new Times(zone);
        const runAt = stored?.runAt ?? null;
        cli.out.show({ id, outcome, runAt }, () => `${id} ${outcome}, runs ${times.both(runAt)}.`);
      }),
    );

async function readPayload(cli: Cli, given: string): Promise<unknown> {
  if (given === '-') return parseJson('Standard input', await readAll(cli.io));
  if (!given.startsWith('@')) return parseJson('--payload', given);
  const file = resolve(cli.io.cwd, given.slice(1));
  try {
    return parseJson(file, readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--payload: ${(error as Error).message}`);
  }
}
