import type { Workload } from '../workload.ts';
import { add } from './add.ts';
import { backlog } from './backlog.ts';
import { crash } from './crash.ts';
import { drain, drainByFour, drainByTwo } from './drain.ts';
import { idle } from './idle.ts';
import { lateness } from './lateness.ts';
import { mixed } from './mixed.ts';
import { recurring } from './recurring.ts';
import { wake } from './wake.ts';

/** Everything that is asked of everyone. */
export const workloads: readonly Workload[] = [
  ...[add, drain, drainByTwo, drainByFour, backlog],
  ...[lateness, wake, recurring, mixed, crash, idle],
];
