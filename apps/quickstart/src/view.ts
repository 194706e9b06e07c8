/** The panel at the bottom of a terminal: the tasks, and what has come of them so far. */

import { type Board, quantile, type Row } from './board.ts';
import { counted, length, moment, shorten } from './words.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours text. */
export type Paint = (style: Style, text: string) => string;

export interface ViewOptions {
  readonly now: Date;
  /** The size of the terminal, in characters. */
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
  /** What the last line says. */
  readonly hint: string;
}

/** Lines of the panel that are not about one task. */
const otherLines = 5;

/** The panel's lines: none is longer than the terminal is wide, and there are fewer than it is high. */
export function render(board: Board, { now, columns, rows, paint, hint }: ViewOptions): string[] {
  const width = Math.max(1, columns - 1);
  const all = [...board.rows.values()];
  const shown = choose(all, Math.max(0, rows - 1 - otherLines));
  const next = soonest(all.filter(({ running }) => !running))[0];
  const cells = shown.map((row) => cellsOf(row, now, row === next));
  const left = all.length - shown.length;

  const lines = [paint('dim', '─'.repeat(width)), ...table(cells, width, paint)];
  const add = (style: Style, text: string) =>
    lines.push(paint(style, `  ${shorten(text, Math.max(1, width - 2))}`));
  if (left > 0) add('dim', `… and ${counted(left, 'task')} more`);
  add('bold', summary(board).join(' · '));
  add('dim', hint);
  return lines.slice(0, Math.max(0, rows - 1));
}

/** What has come of the tasks so far, in a few phrases. */
export function summary({ runs, again, caughtUp, skipped, lateMs }: Board): string[] {
  const phrases = [`${runs.ok} ok`, `${runs.failed} failed`];
  if (runs.stopped > 0) phrases.push(`${runs.stopped} stopped in the middle`);
  if (again > 0) phrases.push(`${again} run again`);
  if (caughtUp > 0) phrases.push(`${caughtUp} caught up`);
  const skips = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  if (skips.length > 0) phrases.push(`skipped: ${skips.join(', ')}`);
  const [median, p99] = [quantile(lateMs, 0.5), quantile(lateMs, 0.99)];
  if (median !== undefined && p99 !== undefined) {
    phrases.push(`lateness median ${median} ms, p99 ${p99} ms`);
  }
  return phrases;
}

/** A task in a table. */
interface Cells {
  readonly mark: string;
  readonly style: Style | null;
  readonly when: string;
  readonly wait: string;
  readonly schedule: string;
  readonly command: string;
  readonly last: string;
  readonly lastStyle: Style;
}

function cellsOf(row: Row, now: Date, isNext: boolean): Cells {
  const { schedule, command, nextAt, running, elsewhere, last } = row;
  const texts = { schedule, command, last: '', lastStyle: 'dim' as Style };
  if (running) {
    const runningFor = length(now.getTime() - running.since);
    const state = { mark: '●', style: 'cyan' as const, when: 'running', wait: runningFor };
    return { ...texts, ...state, last: running.lastLine };
  }
  const outcome = last && {
    last: `${last.outcome} ${length(last.durationMs)}`,
    lastStyle: ({ ok: 'green', failed: 'red', stopped: 'yellow' } as const)[last.outcome],
  };
  if (elsewhere) {
    const state = { mark: '○', style: 'yellow' as const, when: 'running', wait: 'elsewhere' };
    return { ...texts, ...state, last: `in ${elsewhere}` };
  }
  const waitMs = nextAt && nextAt.getTime() - now.getTime();
  return {
    ...texts,
    ...outcome,
    mark: isNext ? '▸' : ' ',
    style: isNext ? 'bold' : null,
    when: nextAt ? moment(nextAt, now) : 'never',
    wait: waitMs === null ? '' : waitMs <= 0 ? 'now' : length(waitMs),
  };
}

function table(rows: readonly Cells[], width: number, paint: Paint): string[] {
  if (rows.length === 0) return [];
  const head = { when: 'next run', wait: '', schedule: 'schedule', command: 'command' };
  const longest = (column: keyof typeof head) =>
    Math.max(...[head, ...rows].map((row) => row[column].length));
  const gap = '  ';
  const whenWidth = longest('when');
  // A countdown keeps changing its width, and the columns should not.
  const waitWidth = Math.max(9, longest('wait'));
  const scheduleWidth = Math.min(20, longest('schedule'));
  const room = width - whenWidth - waitWidth - scheduleWidth - 6 * gap.length;
  const commandWidth = Math.max(10, Math.min(longest('command'), Math.floor(room * 0.6)));
  const lastWidth = Math.max(1, room - commandWidth);

  const pad = (text: string, size: number) => shorten(text, size).padEnd(size);
  const front = (mark: string, row: Pick<Cells, keyof typeof head>) =>
    [
      ` ${mark}`,
      pad(row.when, whenWidth),
      pad(row.wait, waitWidth),
      pad(row.schedule, scheduleWidth),
      pad(row.command, commandWidth),
      '',
    ].join(gap);
  return [
    paint('dim', `${front(' ', head)}last run`.slice(0, width)),
    ...rows.map(({ mark, style, last, lastStyle, ...row }) => {
      const text = front(mark, row).slice(0, width);
      const rest = shorten(last, lastWidth).slice(0, Math.max(0, width - text.length));
      return (style ? paint(style, text) : text) + paint(lastStyle, rest);
    }),
  ];
}

/** When each task runs next, one a line: the table's first columns, where there is no panel. */
export function timetable(rows: Iterable<Row>): string[] {
  const cells = [...rows].map((row) => cellsOf(row, new Date(), false));
  const widest = (column: 'when' | 'schedule') =>
    Math.max(...cells.map((cell) => cell[column].length));
  const [whenWidth, scheduleWidth] = [widest('when'), widest('schedule')];
  return cells.map(({ when, schedule, command }) =>
    [when.padEnd(whenWidth), schedule.padEnd(scheduleWidth), command].join('  '),
  );
}

/** The rows in the order of the file; when there is no room for all, those that run and those that are next. */
function choose(rows: readonly Row[], room: number): Row[] {
  if (rows.length <= room) return [...rows];
  const running = rows.filter((row) => row.running);
  return [...running, ...soonest(rows.filter((row) => !row.running))].slice(0, room);
}

function soonest(rows: readonly Row[]): Row[] {
  const time = ({ nextAt }: Row) => nextAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return rows.toSorted((a, b) => time(a) - time(b) || 0);
}
