/** For the listings of stores. */

import type { ListResult, TaskFilter, TaskRecord } from '../data-store.js';

/** How many tasks one page looks at, so that it is answered in time however few of them match. */
export const listingHorizon = 10_000;

/** Whether a filter asks for more than a group, which has an index. */
export function isFiltered({ group, ...others }: TaskFilter): boolean {
  return group === null || Object.values(others).some((value) => value !== undefined);
}

/** Whether a task is meant. */
export function matchesFilter(
  task: Pick<TaskRecord, 'group' | 'name' | 'queue' | 'status' | 'paused' | 'lease'>,
  filter: TaskFilter,
  now: number,
): boolean {
  return (
    (filter.group === undefined || task.group === filter.group) &&
    (filter.name === undefined || task.name === filter.name) &&
    (filter.queue === undefined || task.queue === filter.queue) &&
    (filter.status === undefined || task.status === filter.status) &&
    (filter.paused === undefined || task.paused === filter.paused) &&
    (filter.leased === undefined || now < (task.lease?.expiresAt ?? now) === filter.leased)
  );
}

/**
 * A page of a listing, of which one task more was read than it holds.
 *
 * @param cursorOf where to go on after a task
 * @param end up to where it was looked, if that was not to the end
 */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  recordOf: (row: Row) => TaskRecord,
  cursorOf: (row: Row) => string,
  end: string | null | undefined,
): ListResult {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const next = rows.length > limit && last !== undefined ? cursorOf(last) : end;
  return { tasks: page.map(recordOf), next: next ?? null };
}
