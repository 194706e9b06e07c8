import type { Workload } from '../workload.ts';
import { speed } from './speed.ts';

/** How many calls are on their way at the same time. */
const parallel = 100;

export const add: Workload = {
  name: 'add',
  title: ({ count }) =>
    `Adding ${amount(count).toLocaleString('en-US')} tasks one by one, ${parallel} calls at the same time`,
  baseline: 'sched',
  asksHowFast: true,
  async measure(stage, { count }) {
    const adder = await stage.start();
    const cost = await stage.measure([adder], () => adder.call('add', amount(count), parallel));
    return speed('add', amount(count), cost);
  },
};

const amount = (count: number) => Math.ceil(count / 5);
