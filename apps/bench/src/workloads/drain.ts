import type { Workload } from '../workload.ts';
import { speed } from './speed.ts';

/** Adding in bulk from one process, then running with handlers that do nothing in others. */
function drainBy(processes: number): Workload {
  return {
    name: processes === 1 ? 'drain' : `drain-${processes}`,
    title: ({ count }) =>
      processes === 1
        ? `Adding ${count.toLocaleString('en-US')} tasks, 1,000 at a time, then running them; in another process, if a store can be shared`
        : `Running ${count.toLocaleString('en-US')} tasks in ${processes} processes`,
    baseline: 'sched',
    asksHowFast: true,
    needsProcesses: processes > 1,
    async measure(stage, { count }) {
      const adder = await stage.start();
      const bulk = await stage.measure([adder], () => adder.call('addMany', count));
      const workers = await stage.startSeveral(processes);
      const run = await stage.measure(workers, async () => {
        await Promise.all(workers.map((worker) => worker.call('work', {})));
        await stage.untilDone(count);
      });
      return processes === 1
        ? { ...speed('bulk', count, bulk), ...speed('drain', count, run) }
        : speed('drain', count, run);
    },
  };
}

export const drain = drainBy(1);
export const drainByTwo = drainBy(2);
export const drainByFour = drainBy(4);
