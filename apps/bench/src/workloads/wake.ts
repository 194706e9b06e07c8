import { setTimeout } from 'node:timers/promises';
import { range } from '../range.ts';
import type { Workload } from '../workload.ts';
import { late } from './late.ts';

export const wake: Workload = {
  name: 'wake',
  title: () => 'How long after one process has called for a task another, idle one runs it',
  baseline: 'sched',
  needsProcesses: true,
  async measure(stage, _, scale) {
    const adder = await stage.start();
    const worker = await stage.start();
    await worker.call('work', { keepRuns: true });
    const count = Math.ceil(100 * scale);
    for (const _ of range(count)) {
      // At odd moments: not in step with anyone's polls.
      await setTimeout(50 + Math.random() * 100);
      await adder.call('add', 1, 1);
    }
    await stage.untilRan(count);
    return late(await worker.call('runs'));
  },
};
