/** One life of the quickstart: what it finds, what it does, and what has become of it. */

import { relative } from 'node:path';
import { styleText } from 'node:util';
import { createScheduler, cron, every } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { createBoard, refresh } from './board.ts';
import type { Crontab } from './crontab.ts';
import { entryLine } from './entry-line.ts';
import { findings } from './findings.ts';
import { createJournal } from './journal.ts';
import { plainScreen, type Screen, terminalScreen } from './screen.ts';
import { declarationsOf, group, shellTask, tasksOf, withIds } from './tasks.ts';
import { type Paint, render, summary, timetable } from './view.ts';
import { counted, length } from './words.ts';

/** How long a claim outlives this process when it is killed: nobody shall have to wait. */
const lease = '3s';
/** How long commands may go on once this program is to stop. */
const stopDeadlineMs = 10_000;
/** How often a terminal is shown what other processes do to the tasks. */
const lookMs = 1000;

const owner = `quickstart-${process.pid}`;
const hint = `Ctrl-C stops. Or kill -9 ${process.pid} in the middle of a run, and start again.`;
const paint: Paint = (style, text) => styleText(style, text, { stream: process.stdout });

export interface RunOptions {
  readonly crontabPath: string;
  readonly db: string;
  /** When to end by itself; null for never. */
  readonly forMs: number | null;
  readonly timeoutMs: number;
  readonly isPlain: boolean;
  /** The folder that file names are shown relative to. */
  readonly from: string;
}

export async function run(crontab: Crontab, options: RunOptions): Promise<void> {
  const { crontabPath, db, forMs, timeoutMs, from } = options;
  const lines = withIds(crontab.lines);
  const board = createBoard(lines);
  const journal = createJournal(board, (entry) => {
    const { id } = entry;
    const name = id === undefined ? 'the store' : (board.rows.get(id)?.command ?? id);
    screen.print(entryLine(entry, name, { columns: process.stdout.columns || 120, paint }));
  });
  const task = shellTask({ timeoutMs, onLine: journal.output });
  const store = new SqliteDataStore({ path: db });
  await using scheduler = createScheduler({
    ...{ store, tasks: [task], triggers: [cron, every], owner, lease },
  });

  const isPlain = options.isPlain || !process.stdout.isTTY || process.env.TERM === 'dumb';
  using screen: Screen = isPlain
    ? plainScreen(process.stdout)
    : terminalScreen(process.stdout, (columns, rows) =>
        render(board, { now: new Date(), columns, rows, paint, hint }),
      );
  const say = (topic: string, text: string) =>
    screen.print(`${paint('bold', topic.padEnd(8))}  ${text}`);
  const shown = (path: string) => {
    const short = relative(from, path);
    return short.startsWith('..') ? path : short;
  };

  say('schedule', `${shown(crontabPath)}: ${counted(lines.length, 'line')} to run`);
  for (const { line, text } of crontab.remarks) say('', `line ${line}: ${text}`);

  const found = findings(await tasksOf(scheduler), new Date());
  const [first, ...others] = found.sentences;
  say('store', `${shown(db)}: ${first}`);
  for (const sentence of others) say('', sentence);

  const synced = Object.entries(await scheduler.sync(declarationsOf(lines, task), { group }));
  const changes = synced.filter(([, ids]) => ids.length > 0);
  say('sync', changes.map(([change, ids]) => `${ids.length} ${change}`).join(', '));

  const look = async () => refresh(board, await tasksOf(scheduler), owner);
  await look();
  if (isPlain) {
    for (const line of timetable(board.rows.values())) say('', line);
    say('', hint);
  }

  journal.follow(scheduler, found.stopped);
  board.readyAt = Date.now();
  await scheduler.start();
  const looking = setInterval(() => void look().catch(() => {}), lookMs);
  const stopAtOnce = () => {
    screen[Symbol.dispose]();
    process.exit(130);
  };
  await untilTold(forMs, stopAtOnce);
  clearInterval(looking);

  const { running } = await scheduler.health();
  if (running > 0) {
    const commands = counted(running, 'command');
    say('stopping', `up to ${length(stopDeadlineMs)} for ${commands} to end; Ctrl-C stops at once`);
  }
  await scheduler.stop({ deadline: stopDeadlineMs });
  const ranFor = length(Date.now() - board.readyAt);
  say('summary', `${ranFor}: ${summary(board).join(', ')}`);
  say('', `Start again, and the tasks in ${shown(db)} go on from here.`);
}

/** Resolves when the time is up or at the first Ctrl-C. Every signal after that stops at once. */
async function untilTold(forMs: number | null, stopAtOnce: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = forMs === null ? undefined : setTimeout(resolve, forMs);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        clearTimeout(timer);
        resolve();
      });
    }
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stopAtOnce);
}
