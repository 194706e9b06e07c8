import { isDeepStrictEqual } from 'node:util';
import { Command, Option } from '@commander-js/extra-typings';
import { copyTasks } from '@sched/core';
import type { StoreTarget } from '../adapters.js';
import type { Source } from '../cli.js';
import type { CreateCommand } from '../command.js';
import { reportCopied } from '../copied.js';
import { UsageError } from '../errors.js';
import { pair } from '../store-options.js';

export const copy: CreateCommand = (cli) =>
  new Command('copy')
    .description(
      'copies tasks to another data store, on neither of which workers may run meanwhile',
    )
    .requiredOption('--to <url>', 'the data store to copy to; its schema has to be there')
    .option('--to-option <name=value>', 'an option of that data store', pair)
    .option('--group <group>', 'only the tasks of this group')
    .addOption(
      new Option('--on-conflict <what>', 'what to do with a task that is there, and differs')
        .choices(['error', 'keep', 'replace'] as const)
        .default('error' as const),
    )
    .option('--after <cursor>', 'goes on with an earlier copy, at the cursor that it said')
    .action(async ({ to: url, toOption = {}, ...options }) => {
      const source = await cli.source();
      const target = cli.target('--to', url, toOption);
      if (isSame(source, target)) throw new UsageError('--to is the data store to copy from.');
      await cli.open(source, async (from) => {
        if (options.onConflict === 'replace') {
          await cli.consent(
            `Would make the tasks of ${target.place} what those of the same ids are in ${from.place}.`,
          );
        }
        await cli.open({ target }, async ({ store }) => {
          const signal = cli.io.interruption();
          const result = await copyTasks(from.store, store, { ...options, signal });
          cli.exitCode = reportCopied(cli, result);
        });
      });
    });

function isSame(source: Source, { adapter, options }: StoreTarget) {
  const { target } = source;
  return target?.adapter === adapter && isDeepStrictEqual(target.options, options);
}
