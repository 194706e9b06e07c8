/** @jsxImportSource preact */

import { duration, plural } from '../format.js';
import { Empty, slowNow } from '../parts.js';
import { type Colour, Plot } from '../plot.js';
import type { RecentRun } from '../recent-runs.js';
import type { RunView } from '../types.js';
import { latenessMs } from '../words.js';

/** How much of the past to show, at most and at least. */
const mostHours = 12;
const leastMs = 600_000;

const outcomes: readonly [RunView['outcome'], string, Colour][] = [
  ['succeeded', 'Succeeded', 'good'],
  ['failed', 'Failed', 'bad'],
  ['interrupted', 'Interrupted', 'warn'],
];

/** How late the runs of the last hours began. */
export function Past({ runs }: { runs: readonly RecentRun[] }) {
  const end = slowNow.value;
  const points = runs
    .flatMap(({ run }) => {
      const late = latenessMs(run);
      const at = Date.parse(run.startedAt ?? run.endedAt);
      return late === undefined || at < end - mostHours * 3_600_000 ? [] : [{ run, at, late }];
    })
    .sort((a, b) => a.at - b.at);
  const [first] = points;
  if (!first) return <Empty>Nothing has run in the last {mostHours} hours.</Empty>;
  const worst = Math.max(...points.map(({ late }) => late));
  return (
    <Plot
      kind="points"
      isLog
      label={`${plural(points.length, 'run')} in the last hours; the latest began ${duration(worst)} after its time`}
      times={points.map(({ at }) => at)}
      series={outcomes.map(([outcome, label, colour]) => ({
        ...{ label, colour },
        // A logarithm knows no zero.
        values: points.map(({ run, late }) => (run.outcome === outcome ? Math.max(1, late) : null)),
      }))}
      format={duration}
      range={[Math.min(first.at, end - leastMs), end]}
    />
  );
}
