import { range } from '../range.ts';
import type { Workload } from '../workload.ts';
import { late } from './late.ts';

const spanMs = 10_000;

export const lateness: Workload = {
  name: 'lateness',
  title: ({ count }) =>
    `How late ${amount(count).toLocaleString('en-US')} tasks at random moments run in an idle process`,
  baseline: 'sched',
  async measure(stage, { count }, scale) {
    const worker = await stage.start();
    await worker.call('work', { keepRuns: true });
    const first = Date.now() + 1000;
    const times = range(amount(count)).map(
      () => first + Math.floor(Math.random() * spanMs * scale),
    );
    await worker.call('addAt', times);
    await stage.untilRan(times.length);
    return late(await worker.call('runs'));
  },
};

/** No more than any of them runs within the time over which they are spread. */
const amount = (count: number) => Math.min(1000, Math.ceil(count / 10));
