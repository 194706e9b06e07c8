import type { ListFilter, TaskClient, TaskInfo } from '@sched/core';

/** How many tasks to ask a store for at once. */
const pageSize = 500;

/**
 * How many pages of a store one answer may take. Where few match among many, a store looks at thousands of tasks for a
 * page, and most are short or empty.
 */
export const pagesAtOnce = 20;

/** How much to read, at most. */
export interface ScanLimits {
  readonly tasks: number;
  readonly pages: number;
}

/**
 * Gives the tasks that match, page by page, until it has read as much as it may.
 *
 * @returns where to go on; null when it has seen all
 */
export async function scan(
  client: TaskClient,
  filter: ListFilter,
  limits: ScanLimits,
  take: (tasks: readonly TaskInfo[]) => Promise<void> | void,
  from?: string,
): Promise<string | null> {
  let after: string | null | undefined = from;
  let seen = 0;
  for (let pages = 0; after !== null && seen < limits.tasks && pages < limits.pages; pages++) {
    const page = await client.listPage({
      ...filter,
      limit: Math.min(pageSize, limits.tasks - seen),
      ...(after !== undefined && { after }),
    });
    await take(page.tasks);
    seen += page.tasks.length;
    after = page.next;
  }
  return after ?? null;
}
