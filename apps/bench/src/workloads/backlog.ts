import type { Participant } from '../process/participant.ts';
import type { Stage } from '../stage.ts';
import type { Workload } from '../workload.ts';

export const backlog: Workload = {
  name: 'backlog',
  title: ({ count, farFuture }) =>
    `Running ${count.toLocaleString('en-US')} tasks alone, then beside ${farFuture.toLocaleString('en-US')} far-future ones`,
  baseline: 'sched',
  asksHowFast: true,
  async measure(stage, { count, farFuture }) {
    const adder = await stage.start();
    // Its code is warm the second time, unless each time is another process.
    if (stage.database.inProcess) await drain(stage, adder, count, 0);
    const alone = await drain(stage, adder, count, 0);
    await adder.call('addFarFuture', farFuture);
    const beside = await drain(stage, adder, count, farFuture);
    return {
      'alone (tasks/s)': alone,
      'beside (tasks/s)': beside,
      'beside, of alone': beside / alone,
    };
  },
};

async function drain(stage: Stage, adder: Participant, count: number, left: number) {
  await adder.call('addMany', count);
  const worker = await stage.start();
  const before = stage.ran;
  const { ms } = await stage.measure([worker], async () => {
    await worker.call('work', {});
    await stage.untilDone(before + count, left);
  });
  await worker.call('stop');
  return (count / ms) * 1000;
}
