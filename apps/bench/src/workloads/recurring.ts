import { setTimeout } from 'node:timers/promises';
import { percentile } from '../stats.ts';
import type { Workload } from '../workload.ts';

export const recurring: Workload = {
  name: 'recurring',
  title: () =>
    'A thousand tasks that are due every second, on two processes, if a store can be shared',
  baseline: 'sched',
  async measure(stage, _, scale) {
    const count = Math.ceil(1000 * scale);
    const seconds = Math.max(2, Math.round(20 * scale));
    const workers = await stage.startSeveral(2);
    await workers[0]?.call('everySecond', count);
    await Promise.all(workers.map((worker) => worker.call('work', { keepRuns: true })));
    // Whole seconds, of which the first begins when everyone is up.
    const from = (Math.floor(Date.now() / 1000) + 3) * 1000;
    const until = from + seconds * 1000;
    await setTimeout(until + 1000 - Date.now());
    const runs = (await Promise.all(workers.map((worker) => worker.call('runs')))).flat();
    const due = runs
      .map(({ index, at, ranAt }) => ({ index, at: at || Math.floor(ranAt / 1000) * 1000, ranAt }))
      .filter(({ at }) => at >= from && at < until);
    const distinct = new Set(due.map(({ index, at }) => `${index} ${at}`)).size;
    const isNominalKnown = runs.some(({ at }) => at > 0);
    return {
      'of those due, run (%)': (distinct / (count * seconds)) * 100,
      'run twice': due.length - distinct,
      ...(isNominalKnown && {
        'late, p99 (ms)': percentile(
          due.map(({ at, ranAt }) => ranAt - at),
          0.99,
        ),
      }),
    };
  },
};
