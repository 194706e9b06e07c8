import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from '@commander-js/extra-typings';
import type { DataStore, TaskFilter } from '@sched/core';
import type { CreateCommand } from '../command.js';
import { UsageError } from '../errors.js';
import { header, type Line } from '../jsonl.js';
import { plural } from '../tasks.js';

/** Few, because each may have a large body. */
const pageSize = 100;

/** More than a store keeps of a task. */
const historyLimit = 100_000;

export const exportTasks: CreateCommand = (cli) =>
  new Command('export')
    .description('writes tasks as lines of JSON, as the data store holds them')
    .option('--file <file>', 'a new file to write to; default standard output')
    .option('--group <group>', 'only the tasks of this group')
    .option('--history', 'also the history of each task')
    .action(({ file, group, history }) =>
      cli.onStore(async ({ store }) => {
        const counts = { tasks: 0, history: 0 };
        const filter = group === undefined ? {} : { group };
        const lines = Readable.from(textOf(linesOf(store, filter, history === true, counts)));
        if (file === undefined) await pipeline(lines, cli.io.stdout as Writable, { end: false });
        else await writeNew(resolve(cli.io.cwd, file), lines);
        const entries = history ? `, ${counts.history} entries of their history` : '';
        cli.out.note(`${plural(counts.tasks, 'task')}${entries}.`);
      }),
    );

async function* linesOf(
  store: DataStore,
  filter: TaskFilter,
  withHistory: boolean,
  counts: { tasks: number; history: number },
): AsyncGenerator<Line> {
  yield header;
  let after: string | null = null;
  do {
    const page = await store.list({ ...filter, limit: pageSize, ...(after !== null && { after }) });
    for (const task of page.tasks) {
      // What schedulers say about themselves is no task.
      if (task.group?.startsWith('sched:')) continue;
      counts.tasks++;
      yield { task };
      if (!withHistory) continue;
      const entries = await store.history(task.id, historyLimit);
      counts.history += entries.length;
      // The oldest first: that is how they are added again.
      for (const entry of entries.toReversed()) yield { history: entry };
    }
    after = page.next;
  } while (after !== null);
  yield { end: counts };
}

async function* textOf(lines: AsyncIterable<Line>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

/** Writes a file that only its owner may read, and that was not there. One that is not complete is removed. */
async function writeNew(path: string, lines: Readable): Promise<void> {
  const target = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(lines, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new UsageError(`${path} is there already. Name another file.`);
    }
    await rm(path, { force: true });
    throw error;
  }
}
