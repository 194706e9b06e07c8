import type { Entry, Kind } from './journal.ts';
import type { Paint, Style } from './view.ts';
import { oneLine, shorten, stamp } from './words.ts';

const styles: Readonly<Partial<Record<Kind, Style>>> = {
  'catch-up': 'yellow',
  again: 'yellow',
  output: 'dim',
  ok: 'green',
  failed: 'red',
  stopped: 'yellow',
  skipped: 'yellow',
  lost: 'red',
  store: 'red',
};

/**
 * @param name whom the entry is about
 * @param columns how wide the terminal is
 */
export function entryLine(
  { at, kind, text }: Entry,
  name: string,
  { columns, paint }: { readonly columns: number; readonly paint: Paint },
): string {
  const nameWidth = Math.min(28, Math.floor(columns / 4));
  const style = styles[kind];
  const what = kind.padEnd(8);
  const said = kind === 'output' ? `│ ${oneLine(text)}` : oneLine(text);
  return [
    paint('dim', stamp(at)),
    style ? paint(style, what) : what,
    shorten(name, nameWidth).padEnd(nameWidth),
    kind === 'output' ? paint('dim', said) : said,
  ].join('  ');
}
