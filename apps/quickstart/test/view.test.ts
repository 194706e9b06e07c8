import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Board, createBoard, quantile } from '../src/board.ts';
import { redraw } from '../src/screen.ts';
import { type Paint, render } from '../src/view.ts';
import { length, moment, oneLine, shorten } from '../src/words.ts';
import { Terminal } from './support/terminal.ts';

const now = new Date(2026, 4, 1, 12, 0, 0);
const inMs = (ms: number) => new Date(now.getTime() + ms);
const unpainted: Paint = (_style, text) => text;
const size = { columns: 80, rows: 24 };

function boardOf(count: number): Board {
  const rows = Array.from({ length: count }, (_, index) => ({
    id: `task-${index}`,
    schedule: `*/${index + 1} * * * *`,
    command: `command ${index} with some arguments`,
  }));
  return createBoard(rows);
}

const draw = (board: Board, options = {}) =>
  render(board, { ...size, now, paint: unpainted, hint: 'the hint', ...options });

/** A board with a task in each state there is. */
function lively(): Board {
  const board = boardOf(5);
  const [running, next, failed, elsewhere, never] = [...board.rows.values()];
  if (!(running && next && failed && elsewhere && never)) throw new Error('five rows');
  running.running = { since: now.getTime() - 3100, lastLine: 'step 3' };
  next.nextAt = inMs(2700);
  next.last = { outcome: 'ok', durationMs: 12 };
  failed.nextAt = inMs(86_400_000 * 2);
  failed.last = { outcome: 'failed', durationMs: 61_000 };
  elsewhere.elsewhere = 'quickstart-7';
  board.runs.ok = 23;
  board.runs.failed = 2;
  board.again = 1;
  board.caughtUp = 3;
  board.skipped.overlap = 4;
  board.skipped.missed = 1000;
  board.lateMs.push(1, 2, 90);
  return board;
}

describe('the panel', () => {
  test('shows each task with its state, and what has come of all', () => {
    expect(draw(lively(), { columns: 101 })).toMatchInlineSnapshot(`
      [
        "────────────────────────────────────────────────────────────────────────────────────────────────────",
        "    next run                schedule     command                        last run",
        " ●  running      3.1 s      */1 * * * *  command 0 with some arguments  step 3",
        " ▸  12:00:02     2.7 s      */2 * * * *  command 1 with some arguments  ok 12 ms",
        "    3 May 12:00  2 d 0 h    */3 * * * *  command 2 with some arguments  failed 1 min 1 s",
        " ○  running      elsewhere  */4 * * * *  command 3 with some arguments  in quickstart-7",
        "    never                   */5 * * * *  command 4 with some arguments  ",
        "  23 ok · 2 failed · 1 run again · 3 caught up · skipped: 4 overlap, 1000 missed · lateness median …",
        "  the hint",
      ]
    `);
  });

  test('shows a time that has come as now', () => {
    const board = boardOf(1);
    for (const row of board.rows.values()) row.nextAt = inMs(-5);
    expect(draw(board).join('\n')).toMatch(/▸ {2}11:59:59 {2}now /);
  });

  test.for([
    [200, 50],
    [80, 24],
    [80, 8],
    [40, 24],
    [10, 24],
    [1, 1],
    [80, 2],
  ])('fits a terminal of %d × %d', ([columns = 0, rows = 0]) => {
    for (const board of [lively(), boardOf(0), boardOf(1), boardOf(100)]) {
      const lines = draw(board, { columns, rows });
      expect(lines.length).toBeLessThan(rows);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test('shows what runs and what is next, when there is no room for all', () => {
    const board = boardOf(100);
    for (const [index, row] of [...board.rows.values()].entries()) {
      row.nextAt = inMs((100 - index) * 1000);
      if (index === 50) row.running = { since: now.getTime(), lastLine: '' };
    }
    const lines = draw(board, { rows: 10 });
    const shown = lines.flatMap((line) => /command (\d+)/.exec(line)?.[1] ?? []);
    expect(shown).toEqual(['50', '99', '98', '97']);
    expect(lines.join('\n')).toContain('… and 96 tasks more');
  });

  test('has its colours around the text, and none of the text is lost', () => {
    const paint: Paint = (style, text) => `\x1b[${style === 'red' ? 31 : 1}m${text}\x1b[0m`;
    const painted = draw(lively(), { paint });
    expect(painted.map(stripVTControlCharacters)).toEqual(draw(lively()));
    expect(painted.join('\n')).toContain('\x1b[31mfailed');
  });
});

describe('drawing it again', () => {
  test('replaces it, below all lines that stay', () => {
    const terminal = new Terminal(20, 10);
    terminal.write('$ npm start\n');
    let panel: string[] = [];
    const show = (lines: string[], next: string[]) => {
      terminal.write(redraw(lines, panel, next, terminal.columns));
      panel = next;
    };
    show([], ['panel 1', 'second line']);
    show(['a'], ['panel 2', 'x']);
    show([], ['panel 3', 'and', 'more']);
    expect(terminal.lines).toEqual(['$ npm start', 'a', 'panel 3', 'and', 'more', '']);
    // Wraps, as lines that stay may; and scrolls the terminal.
    show(['b'.repeat(25), 'c', 'd', 'e', 'f', 'g', 'h'], ['panel 4', 'w'.repeat(20)]);
    show(['i'], ['panel 5']);
    show(['j'], []);
    const stays = ['b'.repeat(20), 'b'.repeat(5), ...'cdefghij'];
    expect(terminal.lines.slice(0, 12)).toEqual(['$ npm start', 'a', ...stays]);
    expect(terminal.lines.slice(12).join('')).toBe('');
    terminal.write('$ exit');
    expect(terminal.lines[12]).toBe('$ exit');
  });

  test('finds it again in a terminal that has become narrower', () => {
    const panel = ['x'.repeat(60), 'y'];
    const narrow = new Terminal(40, 10);
    // What such a terminal makes of what had been drawn.
    narrow.write(`before\n${panel.join('\n')}\n`);
    narrow.write(redraw(['line'], panel, ['panel'], 40));
    expect(narrow.lines.slice(0, 3)).toEqual(['before', 'line', 'panel']);
    expect(narrow.lines.slice(3).join('')).toBe('');
  });
});

test.for([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_949, '59.9 s'],
  [59_950, '1 min 0 s'],
  [3_599_499, '59 min 59 s'],
  [3_600_000, '1 h 0 min'],
  [47 * 3_600_000, '47 h 0 min'],
  [50 * 3_600_000, '2 d 2 h'],
] as [number, string][])('%d ms are %s', ([ms, text]) => {
  expect(length(ms)).toBe(text);
});

test('a moment has its date unless it is today', () => {
  expect(moment(new Date(2026, 4, 1, 9, 5, 3), now)).toBe('09:05:03');
  expect(moment(new Date(2026, 4, 2, 9, 5, 0), now)).toBe('2 May 09:05');
  expect(moment(new Date(2026, 4, 2, 9, 5, 3), now)).toBe('2 May 09:05:03');
  expect(moment(new Date(2027, 11, 31, 0, 0, 0), now)).toBe('31 Dec 2027 00:00');
});

test('text loses what would move the cursor, and is shortened by whole characters', () => {
  expect(oneLine('a\tb\r\nc\x1b[2J\x1b]0;title\x07\u0000d  ')).toBe('a b  cd');
  expect(shorten('👍👍👍👍', 3)).toBe('👍👍…');
});

test('quantiles are values that occurred', () => {
  expect([quantile([], 0.5), quantile([7], 0.99), quantile([3, 1, 2, 4], 0.5)]).toEqual([
    undefined,
    7,
    2,
  ]);
  expect(
    quantile(
      Array.from({ length: 100 }, (_, index) => 100 - index),
      0.99,
    ),
  ).toBe(99);
});
