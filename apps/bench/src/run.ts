import type { Figures, Scenario } from './scenario.ts';
import { format, median } from './stats.ts';

/** A line of the result: one figure of one variant over all rounds. */
export interface Row {
  readonly variant: string;
  readonly figure: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The median, over the rounds, of this figure divided by the baseline's of the same round. */
  readonly ratio: number | null;
}

/** Measures every variant once a round; every other round in reverse order, so that none is always first. */
export async function measure(
  { variants, baseline }: Scenario,
  rounds: number,
  scale: number,
  say: (text: string) => void,
): Promise<readonly Row[]> {
  const measured = new Map<string, Figures[]>();
  for (let round = 1; round <= rounds; round++) {
    const entries = Object.entries(variants);
    if (round % 2 === 0) entries.reverse();
    for (const [variant, run] of entries) {
      say(`round ${round} of ${rounds}: ${variant}`);
      const figures = await run(scale);
      measured.set(variant, [...(measured.get(variant) ?? []), figures]);
    }
  }
  return Object.keys(variants).flatMap((variant) =>
    summarise(variant, measured.get(variant) ?? [], measured.get(baseline ?? '')),
  );
}

function summarise(
  variant: string,
  rounds: readonly Figures[],
  baseline: readonly Figures[] | undefined,
): Row[] {
  return Object.keys(rounds[0] ?? {}).map((figure) => {
    const values = rounds.map((figures) => figures[figure] ?? Number.NaN);
    const ratios = values.map(
      (value, round) => value / (baseline?.[round]?.[figure] ?? Number.NaN),
    );
    const ratio = median(ratios);
    return {
      variant,
      figure,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      ratio: Number.isNaN(ratio) ? null : ratio,
    };
  });
}

/** The rows as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ variant, figure, median: middle, min, max, ratio }) => [
    variant,
    figure,
    format(middle),
    `${format(min)} – ${format(max)}`,
    ratio === null ? '' : ratio.toFixed(2),
  ]);
  const cells = [['variant', 'figure', 'median', 'min – max', 'ratio'], ...lines];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  const text = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const [head = [], ...body] = cells;
  return [text(head), rule, ...body.map(text)].join('\n');
}
