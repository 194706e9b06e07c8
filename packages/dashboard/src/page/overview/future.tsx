/** @jsxImportSource preact */

import { duration, plural } from '../format.js';
import { Empty, slowNow } from '../parts.js';
import { Plot } from '../plot.js';
import type { Upcoming } from '../types.js';
import { askedRuns } from './ahead.js';

const hourMs = 3_600_000;
/** How much of what comes to show, at most. */
const mostMs = 12 * hourMs;
const bars = 48;
/** How much time a bar may be for. */
const steps = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);

/** How many runs the next hours bring. */
export function Future({ upcoming: { runs, isComplete } }: { upcoming: Upcoming }) {
  const last = runs.at(-1);
  if (!last) return <Empty>Nothing is scheduled.</Empty>;
  const aheadMs = Date.parse(last.at) - slowNow.value;
  // Beyond the last run that was told of there may be others.
  const shownMs = runs.length < askedRuns ? mostMs : Math.min(mostMs, Math.max(60_000, aheadMs));
  const stepMs = steps.find((step) => step * bars >= shownMs) ?? hourMs;
  const start = Math.floor(slowNow.value / stepMs) * stepMs;
  const end = start + Math.ceil(shownMs / stepMs) * stepMs;
  const counts = Array.from({ length: Math.ceil((end - start) / stepMs) }, () => 0);
  for (const { at } of runs) {
    const index = Math.max(0, Math.floor((Date.parse(at) - start) / stepMs));
    if (index < counts.length) counts[index] = (counts[index] ?? 0) + 1;
  }
  const sum = counts.reduce((total, count) => total + count, 0);
  return (
    <Plot
      kind="bars"
      label={`${plural(sum, 'run')} in the next ${duration(end - start)}${isComplete ? '' : ', of the tasks looked at'}`}
      times={counts.map((_, index) => start + index * stepMs)}
      series={[{ label: `Runs in ${duration(stepMs)}`, colour: 'accent', values: counts }]}
      stepMs={stepMs}
      range={[start, end]}
    />
  );
}
