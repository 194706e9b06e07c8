import { Command, Option } from '@commander-js/extra-typings';
import { loadAdapter } from '../adapters.js';
import type { Cli } from '../cli.js';
import type { CreateCommand } from '../command.js';
import { Failure, UsageError } from '../errors.js';

export const schema: CreateCommand = (cli) =>
  new Command('schema')
    .description('prints, creates or checks what a data store needs in its database')
    .addCommand(printSchema(cli))
    .addCommand(applySchema(cli))
    .addCommand(checkSchema(cli));

/** What a user of the database may do. */
const modes = ['work', 'schedule', 'read'] as const;

const printSchema: CreateCommand = (cli: Cli) =>
  new Command('print')
    .description('prints the SQL that creates it, for those who may; connects to nothing')
    .option('--user <name>', 'also the grants that this user needs, who then may create nothing')
    .addOption(
      new Option('--mode <mode>', 'what the user is to do: run tasks, only schedule, or only look')
        .choices(modes)
        .default('work' as const),
    )
    .action(async ({ user, mode }) => {
      const source = await cli.source();
      if (!source.target) {
        throw new UsageError('Which kind of database? Give --store, as in --store postgres:');
      }
      const { adapter, options, url } = source.target;
      const { schemaSql } = await loadAdapter(adapter, cli.io.cwd);
      if (!schemaSql) {
        throw new Failure(
          `${adapter.package} has no statements to print. Its README says what it creates; sched schema apply does it.`,
          { code: 'SCHED_STORE_UNSUPPORTED' },
        );
      }
      const { schema: name, namespace } = options;
      const { create, grants } = schemaSql({
        ...(name !== undefined && { schema: name }),
        ...(namespace !== undefined && { namespace }),
        ...(user !== undefined && { user }),
        ...(/^mariadb:/i.test(url) && { server: 'MariaDB' }),
      });
      const granted = user === undefined ? [] : grants[mode];
      const statements = [...create, ...granted];
      cli.out.show({ create, grants: granted }, () =>
        statements.map((statement) => `${statement.trim().replace(/;$/, '')};`).join('\n\n'),
      );
    });

const applySchema: CreateCommand = (cli) =>
  new Command('apply')
    .description('creates it, or brings it up to date, as the user that --store names')
    .action(() =>
      cli.onStore(
        async ({ place }) => {
          cli.out.show({ current: true }, () => `The schema of ${place} is current.`);
        },
        { migrate: true },
      ),
    );

const checkSchema: CreateCommand = (cli) =>
  new Command('check')
    .description('says whether it is there and current; a store of --store is not changed')
    .action(() =>
      cli.onStore(async ({ place }) => {
        cli.out.show({ current: true }, () => `The schema of ${place} is current.`);
      }),
    );
