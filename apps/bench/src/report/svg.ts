import type { Outcome, Row } from '../run.ts';
import { format } from '../stats.ts';

const width = 720;
const left = 190;
const right = 110;
const barHeight = 18;
const gap = 8;

/** A plot for each figure of each scenario that compares several: the name of its file, and its text. */
export function plots(outcomes: readonly Outcome[]): ReadonlyMap<string, string> {
  return new Map(
    outcomes.flatMap(({ name, rows }) =>
      [...new Set(rows.map(({ figure }) => figure))].flatMap((figure) => {
        const bars = rows.filter((row) => row.figure === figure && Number.isFinite(row.median));
        const file = `${name}-${figure.replace(/[^a-z0-9]+/gi, '-').replace(/-$/, '')}.svg`;
        return bars.length > 1
          ? [[file.toLowerCase(), plot(`${name}: ${figure}`, bars)] as const]
          : [];
      }),
    ),
  );
}

/** Bars as long as the medians, and a line from the smallest to the greatest figure across the end of each. */
function plot(title: string, rows: readonly Row[]): string {
  const greatest = Math.max(...rows.map(({ max }) => max), Number.MIN_VALUE);
  const x = (figure: number) => left + (figure / greatest) * (width - left - right);
  const height = 34 + rows.length * (barHeight + gap);
  const bars = rows.map(({ variant, median, min, max }, i) => {
    const y = 30 + i * (barHeight + gap);
    const middle = y + barHeight / 2;
    const [from, to] = [x(min).toFixed(1), x(max).toFixed(1)];
    return [
      `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(variant)}</text>`,
      `<rect class="${variant.startsWith('sched') ? 'ours' : 'theirs'}" x="${left}" y="${y}" width="${(x(median) - left).toFixed(1)}" height="${barHeight}"/>`,
      `<path class="spread" d="M${from} ${middle - 4}v8m0-4H${to}m0-4v8"/>`,
      `<text x="${(x(max) + 8).toFixed(1)}" y="${middle + 4}">${format(median)}</text>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(title)}</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.ours { fill: #2f6feb }
.theirs { fill: #8c959f }
.spread { stroke: #1f2328; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .theirs { fill: #6e7681 }
  .spread { stroke: #e6edf3 }
}
</style>
<text class="title" x="8" y="18">${escapeXml(title)}</text>
${bars.join('\n')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
