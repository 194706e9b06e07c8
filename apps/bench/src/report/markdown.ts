import type { Outcome, Row } from '../run.ts';
import { format } from '../stats.ts';

/** Everything that was measured, in Markdown. */
export function markdown(intro: string, outcomes: readonly Outcome[]): string {
  return `${[`# Benchmarks`, intro, ...outcomes.map(section)].join('\n\n')}\n`;
}

/** One scenario: a table of its figures, and below it what has to be known to read them. */
export function section({ name, title, note, variants, rows, failures }: Outcome): string {
  const notes = variants.flatMap((variant) =>
    variant.note ? [`- ${variant.name}: ${variant.note}`] : [],
  );
  const failed = Object.entries(failures).map(
    ([variant, message]) => `- ${variant} failed: ${message.split('\n', 1)[0]}`,
  );
  const parts = [
    `## ${name}`,
    `${title}.${note ? ` ${note}.` : ''}`,
    ...(rows.length > 0 ? [table(rows)] : []),
    ...(notes.length + failed.length > 0 ? [[...notes, ...failed].join('\n')] : []),
  ];
  return parts.join('\n\n');
}

/** The rows as a table, those with the same figure together. */
export function table(rows: readonly Row[]): string {
  const figures = [...new Set(rows.map(({ figure }) => figure))];
  const lines = figures
    .flatMap((name) => rows.filter(({ figure }) => figure === name))
    .map(({ variant, figure, median: middle, min, max, ratio }) => [
      figure,
      variant,
      format(middle),
      `${format(min)} – ${format(max)}`,
      ratio === null ? '' : ratio.toFixed(2),
    ]);
  const cells = [['figure', 'variant', 'median', 'min – max', 'ratio'], ...lines];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  const text = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const [head = [], ...body] = cells;
  return [text(head), rule, ...body.map(text)].join('\n');
}
