import { createReadStream, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Command, Option } from '@commander-js/extra-typings';
import type {
  CopyConflict,
  CopyCounts,
  CopyResult,
  HistoryEntry,
  LeftTask,
  NewTaskRecord,
  TaskRecord,
} from '@sched/core';
import { copyTasks } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { appendHistory } from '../append-history.js';
import type { Session } from '../cli.js';
import type { CreateCommand } from '../command.js';
import { reportCopied } from '../copied.js';
import { UsageError } from '../errors.js';
import { readExport } from '../jsonl.js';

/** How much to hold in memory: tasks, and characters of their bodies. */
const most = { tasks: 5000, characters: 16 * 2 ** 20 };

export const importTasks: CreateCommand = (cli) =>
  new Command('import')
    .description('reads what export has written; no workers may run on the data store meanwhile')
    .argument('<file>', 'the file, or - for standard input')
    .addOption(
      new Option('--on-conflict <what>', 'what to do with a task that is there, and differs')
        .choices(['error', 'keep', 'replace'] as const)
        .default('error' as const),
    )
    .option('--held', 'also tasks that a worker had when they were exported, as if it never had')
    .action(async (file, { onConflict, held = false }) => {
      const path = file === '-' ? undefined : resolve(cli.io.cwd, file);
      if (path !== undefined) {
        if (!existsSync(path)) throw new UsageError(`There is no file ${path}.`);
        // A file is read as a whole before anything is changed.
        for await (const _ of readExport(linesOf(createReadStream(path))));
      }
      const input = path === undefined ? cli.io.stdin : createReadStream(path);
      await cli.onStore(async (session) => {
        if (onConflict === 'replace') {
          await cli.consent(`Would make tasks of ${session.place} what they are in ${file}.`);
        }
        const importer = new Importer(session, onConflict, held);
        for await (const line of readExport(linesOf(input))) {
          if ('task' in line) await importer.take(line.task);
          else if ('history' in line) await importer.note(line.history);
        }
        await importer.flush();
        return reportCopied(cli, importer);
      });
    });

function linesOf(input: Readable): AsyncIterable<string> {
  return createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
}

/** Puts tasks into a store some at a time, in the way in which they are copied from another store. */
class Importer implements CopyCounts {
  read = 0;
  inserted = 0;
  unchanged = 0;
  replaced = 0;
  kept = 0;
  left = 0;
  refused = 0;
  changed = 0;
  differing = 0;
  isComplete = true;
  history = 0;
  readonly tasks = {
    kept: [] as string[],
    left: [] as LeftTask[],
    refused: [] as CopyResult['tasks']['refused'][number][],
    changed: [] as string[],
    differing: [] as CopyResult['tasks']['differing'][number][],
  };
  readonly #session: Session;
  readonly #onConflict: CopyConflict;
  readonly #takesHeld: boolean;
  #records: NewTaskRecord[] = [];
  #entries: HistoryEntry[] = [];
  #characters = 0;

  constructor(session: Session, onConflict: CopyConflict, takesHeld: boolean) {
    this.#session = session;
    this.#onConflict = onConflict;
    this.#takesHeld = takesHeld;
  }

  async take(task: TaskRecord): Promise<void> {
    const { id, name, queue, group, status, paused, runAt, body, lease, deliveries } = task;
    if ((lease || deliveries > 0) && !this.#takesHeld) {
      this.read++;
      this.left++;
      this.isComplete = false;
      const { owner = null, expiresAt = null } = lease ?? {};
      const reason = lease ? 'leased' : 'unsettled';
      this.tasks.left.push({ id, in: 'from', reason, owner, expiresAt });
      return;
    }
    this.#records.push({ id, name, queue, group, status, paused, runAt, body });
    await this.#took(body);
  }

  async note(entry: HistoryEntry): Promise<void> {
    this.#entries.push(entry);
    await this.#took(entry.body);
  }

  async #took(body: string): Promise<void> {
    this.#characters += body.length;
    const isFull =
      this.#characters > most.characters ||
      this.#records.length + this.#entries.length >= most.tasks;
    if (isFull) await this.flush();
  }

  async flush(): Promise<void> {
    const [records, entries] = [this.#records, this.#entries];
    this.#records = [];
    this.#entries = [];
    this.#characters = 0;
    if (records.length > 0) this.#add(await this.#copy(records));
    await appendHistory(this.#session, entries);
    this.history += entries.length;
  }

  async #copy(records: readonly NewTaskRecord[]): Promise<CopyResult> {
    const from = new MemoryDataStore();
    await from.open();
    await from.insert(records);
    return copyTasks(from, this.#session.store, { onConflict: this.#onConflict });
  }

  #add(result: CopyResult): void {
    this.read += result.read;
    this.inserted += result.inserted;
    this.unchanged += result.unchanged;
    this.replaced += result.replaced;
    this.kept += result.kept;
    this.left += result.left;
    this.refused += result.refused;
    this.changed += result.changed;
    this.differing += result.differing;
    this.isComplete &&= result.isComplete;
    this.tasks.kept.push(...result.tasks.kept);
    this.tasks.left.push(...result.tasks.left);
    this.tasks.refused.push(...result.tasks.refused);
    this.tasks.changed.push(...result.tasks.changed);
    this.tasks.differing.push(...result.tasks.differing);
  }
}
