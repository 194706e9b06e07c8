/** One life of the quickstart: what it finds, what it does, and what has become of it. */

import { relative } from 'node:path';
import { styleText } from 'node:util';
import { createScheduler, type Scheduler, type SyncResult } from '@sched/core';
import { SqliteDataStore } from '@sched/sqlite';
import { createBoard, refresh } from './board.ts';
import type { Crontab } from './crontab.ts';
import { entryLine } from './entry-line.ts';
import { findings, inventory } from './findings.ts';
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
  readonly hasDashboard: boolean;
  /** The folder that file names are shown relative to. */
  readonly from: string;
}

export async function run(crontab: Crontab, options: RunOptions): Promise<void> {
  const { crontabPath, db, forMs, timeoutMs, hasDashboard } = options;
  const lines = withIds(crontab.lines);
  const board = createBoard(lines);
  const journal = createJournal(board, (entry) => {
    const { id } = entry;
    const name = id === undefined ? 'the store' : (board.rows.get(id)?.command ?? id);
    screen.print(entryLine(entry, name, { columns: process.stdout.columns || 120, paint }));
  });
  const task = shellTask({ timeoutMs, onLine: journal.output });
  await using scheduler = createScheduler({
    store: new SqliteDataStore({ path: db }),
    tasks: [task],
    ...{ owner, lease },
  });

  let screen: Screen = plainScreen(process.stdout);
  const say = (topic: string, text: string) =>
    screen.print(`${paint('bold', topic.padEnd(8))}  ${text}`);
  const shown = (path: string) => {
    const short = relative(options.from, path);
    return short.startsWith('..') ? path : short;
  };

  say('schedule', `${shown(crontabPath)}: ${counted(lines.length, 'line')} to run`);
  for (const { line, text } of crontab.remarks) say('', `line ${line}: ${text}`);
  say('store', `${shown(db)}: ${inventory(await tasksOf(scheduler), new Date())}`);
  const synced = await scheduler.sync(declarationsOf(lines, task), { group });
  say('sync', describeChanges(synced));
  const tasks = await tasksOf(scheduler);
  const { sentences, stopped } = findings(tasks, new Date());
  for (const sentence of sentences) say('found', sentence);
  refresh(board, tasks, owner);

  const dashboard = hasDashboard ? await serve(scheduler, say) : null;
  if (dashboard) say('page', dashboard.url);

  if (process.stdout.isTTY && process.env.TERM !== 'dumb' && !options.isPlain) {
    screen = terminalScreen(process.stdout, (columns, rows) =>
      render(board, { now: new Date(), columns, rows, paint, hint }),
    );
  } else {
    for (const line of timetable(board.rows.values())) say('', line);
    say('', hint);
  }
  try {
    journal.follow(scheduler, stopped);
    board.readyAt = Date.now();
    await scheduler.start();
    const look = async () => refresh(board, await tasksOf(scheduler), owner);
    // When it fails, so does what the worker asks of the store, which reports it.
    const looking = setInterval(() => void look().catch(() => {}), lookMs);
    await untilTold(forMs, () => {
      screen.close();
      process.exit(130);
    });
    clearInterval(looking);

    const { running } = await scheduler.health();
    if (running > 0) {
      const wait = `up to ${length(stopDeadlineMs)} for ${counted(running, 'command')} to end`;
      say('stopping', `${wait}; Ctrl-C stops at once`);
    }
    await scheduler.stop({ deadline: stopDeadlineMs });
    say('summary', `${length(Date.now() - board.readyAt)}: ${summary(board).join(', ')}`);
    say('', `Start again, and the tasks in ${shown(db)} go on from here.`);
  } finally {
    screen.close();
    await dashboard?.close();
  }
}

/** Serves the page over the tasks, to whoever opens its address. */
async function serve(scheduler: Scheduler, say: (topic: string, text: string) => void) {
  // Loaded here, so that without it nothing is slower to start.
  const { serveLocally } = await import('@sched/dashboard/local');
  return serveLocally({
    scheduler,
    audit: ({ action, id, outcome }) => say('page', `${action} ${id ?? 'of many'}: ${outcome}`),
  });
}

function describeChanges(synced: SyncResult): string {
  return Object.entries(synced)
    .filter(([, ids]) => ids.length > 0)
    .map(([change, ids]) => `${ids.length} ${change}`)
    .join(', ');
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
