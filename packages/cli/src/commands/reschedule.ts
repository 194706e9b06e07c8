import { Command } from '@commander-js/extra-typings';
import type { CreateCommand } from '../command.js';
import { existing } from '../tasks.js';
import { Times } from '../times.js';
import { describeTrigger, readWhen, triggerHelp, triggerReader } from '../when-text.js';

export const reschedule: CreateCommand = (cli) =>
  new Command('reschedule')
    .description('gives a task another trigger; a run in progress goes on')
    .argument('<id>', 'the task')
    .argument('<trigger>', triggerHelp)
    .option('--zone <zone>', 'the time zone of a cron expression or an interval; default UTC')
    .action((id, trigger, { zone }) =>
      cli.onStore(async (session) => {
        const { client, triggers } = session;
        const times = new Times(zone);
        const before = await existing(session, id);
        await client.update(id, readWhen(trigger, zone, triggerReader(triggers)));
        const after = await existing(session, id);
        const { out } = cli;
        out.show({ before: before.trigger, after: after.trigger, runAt: after.runAt }, () =>
          out.details({
            was: describeTrigger(before.trigger),
            is: describeTrigger(after.trigger),
            'next run': times.both(after.runAt),
          }),
        );
      }),
    );
