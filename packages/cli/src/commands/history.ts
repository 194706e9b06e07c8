import { Command } from '@commander-js/extra-typings';
import { type CreateCommand, count, zoneHelp } from '../command.js';
import { errorText, outcomeText } from '../tasks.js';
import { roughLength, Times } from '../times.js';

export const history: CreateCommand = (cli) =>
  new Command('history')
    .description('lists the last runs of a task, the newest first, and why others were skipped')
    .argument('<id>', 'the task, which may be gone')
    .option('--limit <n>', 'the most entries', count, 20)
    .option('--zone <zone>', zoneHelp)
    .action((id, { limit, zone }) =>
      cli.onStore(async ({ client, store }) => {
        const times = new Times(zone);
        const runs = await client.history(id, limit);
        const { out } = cli;
        out.show(runs, () => {
          const rows = runs.map((run) => [
            times.at(run.endedAt),
            outcomeText(run, out),
            times.at(run.nominal),
            run.startedAt && roughLength(run.endedAt.getTime() - run.startedAt.getTime()),
            ...[run.attempt, run.owner, errorText(run)],
          ]);
          const titles = ['ENDED', 'OUTCOME', 'MEANT FOR', 'TOOK', 'ATTEMPT', 'WORKER', 'ERROR'];
          const empty = store.capabilities.history
            ? 'No history.'
            : `The ${store.name} store keeps no history.`;
          return out.table(titles, rows, empty);
        });
      }),
    );
