import { Command, Option } from '@commander-js/extra-typings';
import { type CreateCommand, count, zoneHelp } from '../command.js';
import { errorText, outcomeText } from '../tasks.js';
import { roughLength, Times } from '../times.js';

const outcomes = ['succeeded', 'failed', 'interrupted', 'skipped'] as const;

export const runs: CreateCommand = (cli) =>
  new Command('runs')
    .description('lists the last runs of all tasks, the newest first, a page at a time')
    .addOption(new Option('--outcome <outcome>', 'only those that ended so').choices(outcomes))
    .option('--name <name>', 'only those of this definition')
    .option('--limit <n>', 'the most runs of the page', count, 50)
    .option('--after <cursor>', 'goes on behind a page: what it said in the end')
    .option('--zone <zone>', zoneHelp)
    .action(({ limit, after, zone, ...filter }) =>
      cli.onStore(async ({ client }) => {
        const times = new Times(zone);
        const page = await client.latestRuns({ ...filter, limit, ...(after && { after }) });
        const { out } = cli;
        out.show(page, () => {
          const rows = page.runs.map((run) => [
            ...[times.at(run.endedAt), run.id, run.name, outcomeText(run, out)],
            run.startedAt && roughLength(run.endedAt.getTime() - run.startedAt.getTime()),
            ...[run.attempt, run.owner, errorText(run)],
          ]);
          const titles = ['ENDED', 'ID', 'NAME', 'OUTCOME', 'TOOK', 'ATTEMPT', 'WORKER', 'ERROR'];
          return out.table(titles, rows, 'No runs.');
        });
        if (page.next !== null && !out.isJson) out.note(`There may be more: --after ${page.next}`);
      }),
    );
