import { readFileSync } from 'node:fs';
import tab from '@bomb.sh/tab/commander';
import { Command, CommanderError } from '@commander-js/extra-typings';
import { Cli } from './cli.js';
import { groups } from './commands/index.js';
import { explain, UsageError } from './errors.js';
import type { Io } from './io.js';
import { pair } from './store-options.js';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Runs a command. @returns what the process is to end with */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const cli = new Cli(io);
  try {
    await createProgram(cli).parseAsync([...argv], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const { exitCode, ...said } = explain(error);
      cli.out.fail(said);
      return exitCode;
    }
    // Help, or the version, has been written.
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return 2;
    const { exitCode, message } = explain(new UsageError(error.message.replace(/^error: /, '')));
    cli.out.fail({ message: `${message.trim()} Say --help for what there is.` });
    return exitCode;
  }
}

function createProgram(cli: Cli) {
  const { stdout, stderr } = cli.io;
  const program = new Command('sched')
    .description('Looks at the tasks of @sched in any of its databases, and changes them.')
    .usage('<command> [options]')
    .version(version)
    .option('-s, --store <url>', 'the data store; default SCHED_STORE')
    .option('-c, --config <file>', 'a configuration; default sched.config.ts, .js or .mjs')
    .option('--alias <name>', 'which of several stores of the configuration')
    .option('-o, --option <name=value>', 'an option of the data store, such as namespace', pair)
    .option('--json', 'writes JSON, for programs')
    .option('-y, --yes', 'does what would destroy something, without asking')
    .option('--no-color', 'writes without colours, as NO_COLOR=1 does')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Written by `main`, once passwords are taken out.
      outputError() {},
    })
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride();
  cli.readsFrom(() => program.opts());
  for (const [title, commands] of Object.entries(groups)) {
    for (const create of commands) {
      program.addCommand(create(cli).copyInheritedSettings(program).helpGroup(title));
    }
  }
  // Adds the commands `completion`, which prints a script for a shell, and `complete`, which that calls.
  tab(program as unknown as Parameters<typeof tab>[0], { completionCommandName: 'completion' });
  program.commands.find((each) => each.name() === 'completion')?.helpGroup('Operate:');
  return program;
}
