import type { Workload } from '../workload.ts';
import { drain, drainByFour, drainByTwo } from './drain.ts';

/** Everything that is asked of everyone. */
export const workloads: readonly Workload[] = [drain, drainByTwo, drainByFour];
