import type { Run } from '../process/child.ts';
import { percentile } from '../stats.ts';

/** How long after their moment handlers were called, by this machine's clock. */
export function late(runs: readonly Run[]) {
  const figures = runs.map(({ at, ranAt }) => ranAt - at);
  return {
    'late, p50 (ms)': percentile(figures, 0.5),
    'late, p99 (ms)': percentile(figures, 0.99),
  };
}
