/** The filters of `list`, `listPage` and `count`. */

import { checkGroup, checkLabel, checkMembers, invalid, oneOf } from './check.js';
import type { TaskFilter } from './data-store.js';
import type { TaskState } from './task-info.js';

/** Which tasks to list or count. An absent member matches all. */
export interface ListFilter {
  /** `null` matches tasks without a group. */
  readonly group?: string | null;
  /** The task definition. */
  readonly name?: string;
  readonly queue?: string;
  /** As `get` shows it. `running` and `paused` exclude each other, and a due task is `scheduled`. */
  readonly state?: TaskState;
  /** Whether the task is paused, also while a run is still in progress. */
  readonly paused?: boolean;
}

export interface PageRequest extends ListFilter {
  /** The `next` of the previous page. */
  readonly after?: string;
  /** The most tasks on a page. Default 100. */
  readonly limit?: number;
}

const filterNames = [
  'group',
  'name',
  'queue',
  'state',
  'paused',
] as const satisfies readonly (keyof ListFilter)[];

/** The records whose tasks are in each state. */
const recordsIn: Readonly<Record<TaskState, TaskFilter>> = {
  scheduled: { status: 'scheduled', leased: false, paused: false },
  paused: { status: 'scheduled', leased: false, paused: true },
  running: { status: 'scheduled', leased: true },
  finished: { status: 'finished' },
  failed: { status: 'failed' },
};

/**
 * @param others members that the call accepts besides those of the filter
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function readFilter(filter: ListFilter, others: readonly string[] = []): TaskFilter {
  const { group, name, queue, state, paused } = checkMembers('The filter', filter, [
    ...filterNames,
    ...others,
  ]);
  if (group !== undefined && group !== null) checkGroup(group);
  if (name !== undefined) checkLabel('name', name);
  if (queue !== undefined) checkLabel('queue', queue);
  if (paused !== undefined) oneOf('paused', paused, [true, false]);
  const states = Object.keys(recordsIn) as TaskState[];
  const wanted = state === undefined ? {} : recordsIn[oneOf('state', state, states)];
  if (paused !== undefined && (wanted.paused ?? paused) !== paused) {
    throw invalid('paused', paused, `${wanted.paused} or absent where state is "${state}"`);
  }
  return {
    ...(group !== undefined && { group }),
    ...(name !== undefined && { name }),
    ...(queue !== undefined && { queue }),
    ...(paused !== undefined && { paused }),
    ...wanted,
  };
}
