import { Command } from '@commander-js/extra-typings';
import { createScheduler } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { type CreateCommand, count } from '../command.js';
import { Times } from '../times.js';
import { combinations, readWhen, triggerHelp, triggerReader } from '../when-text.js';

export const preview: CreateCommand = (cli) =>
  new Command('preview')
    .description('lists the times of a trigger, without a store')
    .argument('<trigger>', triggerHelp)
    .option('--zone <zone>', 'the time zone of the trigger; default UTC')
    .option('--from <moment>', 'where to begin; default now')
    .option('--count <n>', 'how many', count, 10)
    .action((text, { zone, from = new Date(), count: most }) => {
      const times = new Times(zone ?? 'UTC');
      // Nothing of it is used: a preview needs no tasks.
      const client = createScheduler({ store: new MemoryDataStore(), triggers: combinations });
      const dates = client.preview(readWhen(text, zone, triggerReader([])), most, { from });
      const { out } = cli;
      out.show(dates, () => {
        const rows = dates.map((date, index) => {
          const before = dates[index - 1];
          const hasChanged = before && times.offset(before) !== times.offset(date);
          const note = hasChanged ? out.style('yellow', 'the clocks have changed') : undefined;
          return [times.weekday(date), times.at(date), times.from(date), ...(note ? [note] : [''])];
        });
        return out.table(['DAY', `TIME (${times.zone})`, 'FROM NOW', ''], rows, 'It never runs.');
      });
    });
