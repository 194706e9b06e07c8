/** The command: reads arguments and schedule, and turns what goes wrong into a message and an exit code. */

import { isSchedError } from '@sched/core';
import { help, readOptions, UsageError } from './options.ts';
import { run } from './run.ts';
import { defaultDatabase, readCrontab } from './schedule-file.ts';
import { currentUser } from './tasks.ts';

async function main(): Promise<void> {
  if (process.platform === 'win32') {
    throw new UsageError('The commands of a crontab need a POSIX shell. Run this inside WSL.');
  }
  // The folder in which npm was called: it goes to that of the package.
  const from = process.env.INIT_CWD ?? process.cwd();
  const options = readOptions(process.argv.slice(2), from);
  if (!options) {
    process.stdout.write(help);
    return;
  }
  const crontab = readCrontab(options.crontab, {
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    isSystem: options.isSystem,
    onlyUser: options.asMe ? undefined : currentUser(),
  });
  const { crontab: crontabPath, forMs, timeoutMs, isPlain, hasDashboard } = options;
  const db = options.db ?? defaultDatabase(from, crontabPath);
  await run(crontab, { crontabPath, db, forMs, timeoutMs, isPlain, hasDashboard, from });
}

// Whoever read the output has gone, as `head` does: there is nobody to run for.
process.stdout.on('error', () => process.exit(1));

main().catch((error: unknown) => {
  const isUsage = error instanceof UsageError || isSchedError(error, 'SCHED_STORE_CONFIG');
  console.error(isUsage || isSchedError(error) ? error.message : error);
  process.exitCode = isUsage ? 2 : 1;
});
