import type { Participant } from '../process/participant.ts';
import type { Cost, Stage } from '../stage.ts';
import type { Workload } from '../workload.ts';
import { speed } from './speed.ts';

/** Which part of the tasks runs first, in processes that have run none: their code is not compiled yet. */
const coldPart = 0.2;

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
      const workers = await stage.startSeveral(processes);
      const few = Math.ceil(count * coldPart);
      await adder.call('addMany', few);
      const cold = await run(stage, workers, few);
      await Promise.all(workers.map((worker) => worker.call('stop')));
      const bulk = await stage.measure([adder], () => adder.call('addMany', count));
      const warm = await run(stage, workers, count);
      return {
        ...(processes === 1 && speed('bulk', count, bulk)),
        ...speed('cold drain', few, cold),
        ...speed('drain', count, warm),
      };
    },
  };
}

function run(stage: Stage, workers: readonly Participant[], count: number): Promise<Cost> {
  const all = stage.ran + count;
  return stage.measure(workers, async () => {
    await Promise.all(workers.map((worker) => worker.call('work', {})));
    await stage.untilDone(all);
  });
}

export const drain = drainBy(1);
export const drainByTwo = drainBy(2);
export const drainByFour = drainBy(4);
