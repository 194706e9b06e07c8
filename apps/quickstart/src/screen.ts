/**
 * Where lines go: to a terminal, above a panel that is drawn again and again, or simply out.
 *
 * The panel is drawn where it stands, on the terminal's ordinary screen. Nothing about the terminal is changed that
 * would have to be put back, so that even `kill -9` leaves it as it should be.
 */

import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';

export interface Screen {
  /** Writes a line that stays. */
  print(line: string): void;
  /** Takes the panel away. */
  close(): void;
}

/** How often the panel is drawn at most, and, since it counts down, at least: in milliseconds. */
const frameMs = 50;
const tickMs = 250;

/** For anything that is not a terminal. */
export function plainScreen(stream: NodeJS.WritableStream): Screen {
  return {
    print: (line) => void stream.write(`${line}\n`),
    close() {},
  };
}

/** @param render gives the panel's lines for a terminal of that size, none of them wider than it and fewer than it is high */
export function terminalScreen(
  stream: WriteStream,
  render: (columns: number, rows: number) => string[],
): Screen {
  let waiting: string[] = [];
  let panel: string[] = [];
  let frame: NodeJS.Timeout | undefined;

  const draw = () => {
    clearTimeout(frame);
    frame = undefined;
    // Some terminals do not know their size.
    const columns = stream.columns || 80;
    const next = render(columns, stream.rows || 24);
    stream.write(redraw(waiting, panel, next, columns));
    waiting = [];
    panel = next;
  };
  const refresh = () => {
    frame ??= setTimeout(draw, frameMs);
  };
  const ticking = setInterval(refresh, tickMs);
  stream.on('resize', refresh);
  draw();

  return {
    print(line) {
      waiting.push(line);
      refresh();
    },
    close() {
      clearInterval(ticking);
      clearTimeout(frame);
      stream.off('resize', refresh);
      stream.write(redraw(waiting, panel, [], stream.columns || 80));
    },
  };
}

/**
 * What to write so that the lines come to stand where the panel was, and the panel below them. The cursor is always
 * below the panel, in the first column.
 *
 * @param columns how wide the terminal is now; a panel that was drawn when it was wider may have been wrapped since
 */
export function redraw(
  lines: readonly string[],
  before: readonly string[],
  after: readonly string[],
  columns: number,
): string {
  const heights = before.map(
    (line) => Math.ceil(stripVTControlCharacters(line).length / columns) || 1,
  );
  const height = heights.reduce((sum, each) => sum + each, 0);
  const up = height > 0 ? `\r\x1b[${height}A` : '\r';
  const clearToEnd = '\x1b[K\n';
  // Between the first pair of codes the terminal shows nothing half-done; within the second it does not wrap.
  return [
    '\x1b[?2026h',
    up,
    ...lines.map((line) => `\x1b[2K${line}${clearToEnd}`),
    '\x1b[?7l',
    ...after.map((line) => `${line}${clearToEnd}`),
    '\x1b[?7h',
    '\x1b[J',
    '\x1b[?2026l',
  ].join('');
}
