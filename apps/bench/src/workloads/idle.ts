import { setTimeout } from 'node:timers/promises';
import type { Participant } from '../process/participant.ts';
import { ioBytes } from '../process/usage.ts';
import type { Stage } from '../stage.ts';
import type { Workload } from '../workload.ts';

const many = 50;
const minuteMs = 60_000;

export const idle: Workload = {
  name: 'idle',
  title: () => `What one worker and ${many} workers with nothing to do cost in a minute`,
  baseline: 'sched',
  async measure(stage, _, scale) {
    const forMs = Math.max(1000, minuteMs * scale);
    const one = await stage.start();
    await one.call('work', {});
    const alone = await cost(stage, [one], forMs, '1 worker');
    if (stage.database.inProcess) return alone;
    const others = await stage.start(many - 1);
    await others.call('work', {});
    return { ...alone, ...(await cost(stage, [one, others], forMs, `${many} workers`)) };
  },
};

async function cost(
  stage: Stage,
  participants: readonly Participant[],
  forMs: number,
  what: string,
) {
  // What they do first is not idling.
  await setTimeout(Math.min(5000, forMs));
  const statements = async () =>
    (await stage.database.countStatements?.(stage.place)) ?? Number.NaN;
  const bytes = () => participants.reduce((sum, { pid }) => sum + ioBytes(pid), 0);
  const first = await statements();
  // To ask is a statement itself.
  const asking = (await statements()) - first;
  const [begun, before] = [await statements(), bytes()];
  const { ms, nodeMs, serverMs } = await stage.measure(participants, () => setTimeout(forMs));
  const aMinute = minuteMs / ms;
  const transferred = bytes() - before;
  const sent = (await statements()) - begun - asking;
  return {
    ...(Number.isFinite(sent) && { [`${what}, statements`]: Math.max(0, sent) * aMinute }),
    [`${what}, bytes`]: transferred * aMinute,
    ...(nodeMs !== undefined && { [`${what}, CPU in Node (ms)`]: nodeMs * aMinute }),
    ...(serverMs !== undefined && { [`${what}, CPU of the server (ms)`]: serverMs * aMinute }),
  };
}
