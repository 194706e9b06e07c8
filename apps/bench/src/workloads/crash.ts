import type { Stage } from '../stage.ts';
import type { Workload } from '../workload.ts';

const count = 10;
/** After that it counts as never. */
const patienceMs = 90_000;

export const crash: Workload = {
  name: 'crash',
  title: () =>
    `How long after a worker was killed by SIGKILL another one runs its tasks; ∞ is longer than ${patienceMs / 1000} s`,
  baseline: 'sched',
  needsProcesses: true,
  async measure(stage) {
    return {
      'at the shortest setting (s)': await recovery(stage, true),
      'by default (s)': await recovery(stage, false),
    };
  },
};

async function recovery(stage: Stage, quickRecovery: boolean): Promise<number> {
  const victim = await stage.start();
  // Before there are tasks, which may take over what is set for the queue then.
  await victim.call('work', { quickRecovery, hang: true });
  await victim.call('addMany', count);
  await stage.untilRan(stage.ran - victim.ran + count);
  const heir = await stage.start();
  await heir.call('work', { quickRecovery });
  await victim.kill();
  const killed = performance.now();
  const goal = stage.ran - heir.ran + count;
  const hasRun = await stage.untilRan(goal, patienceMs).then(
    () => true,
    () => false,
  );
  const seconds = (performance.now() - killed) / 1000;
  await heir.kill();
  return hasRun ? seconds : Number.POSITIVE_INFINITY;
}
