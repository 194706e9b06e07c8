import { range } from '../range.ts';
import type { Cost } from '../stage.ts';
import type { Workload } from '../workload.ts';

/** Adding in bulk from one process, then running with handlers that do nothing in others. */
function drainBy(processes: number): Workload {
  return {
    name: processes === 1 ? 'drain' : `drain-${processes}`,
    title: ({ count }) =>
      processes === 1
        ? `Adding ${count.toLocaleString('en-US')} tasks, 1,000 at a time, and running them in another process`
        : `Running ${count.toLocaleString('en-US')} tasks in ${processes} processes`,
    baseline: 'sched',
    async measure(stage, { count }) {
      const adder = await stage.start();
      const bulk = await stage.measure([adder], () => adder.call('addMany', count));
      const workers = await Promise.all(range(processes).map(() => stage.start()));
      const run = await stage.measure(workers, async () => {
        await Promise.all(workers.map((worker) => worker.call('work', {})));
        await stage.untilDone(count);
      });
      return processes === 1
        ? { ...speed('add', count, bulk), ...speed('drain', count, run) }
        : speed('drain', count, run);
    },
  };
}

export const drain = drainBy(1);
export const drainByTwo = drainBy(2);
export const drainByFour = drainBy(4);

/** How fast it went, and the CPU time that each task took on either side. */
export function speed(what: string, count: number, { ms, nodeMs, serverMs }: Cost) {
  return {
    [`${what} (tasks/s)`]: (count / ms) * 1000,
    [`${what}, CPU in Node (µs/task)`]: (nodeMs * 1000) / count,
    [`${what}, CPU of the server (µs/task)`]: (serverMs * 1000) / count,
  };
}
