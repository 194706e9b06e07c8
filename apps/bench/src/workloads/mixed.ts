import { setTimeout } from 'node:timers/promises';
import type { Workload } from '../workload.ts';
import { late } from './late.ts';
import { cpu } from './speed.ts';

const forMs = 10_000;

export const mixed: Workload = {
  name: 'mixed',
  title: ({ count }) =>
    `${rate(count).toLocaleString('en-US')} tasks a second, three in ten of them for a little later, run while they are added`,
  baseline: 'sched',
  async measure(stage, { count }, scale) {
    const adder = await stage.start();
    const worker = await stage.start();
    await worker.call('work', { keepRuns: true });
    let added = 0;
    const cost = await stage.measure([adder, worker], async () => {
      added = await adder.call('addSteadily', rate(count), Math.max(1000, forMs * scale));
      await stage.untilRan(added);
      // Until the last are recorded.
      await setTimeout(100);
    });
    return {
      ...late(await worker.call('runs')),
      ...cpu('CPU', added, cost),
    };
  },
};

/** What every contender keeps up with, by and large. */
const rate = (count: number) => Math.ceil(count / 100);
