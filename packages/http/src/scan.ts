import type { ListFilter, TaskClient, TaskInfo } from '@sched/core';

/** How many tasks to ask a store for at once. */
const pageSize = 500;

/**
 * Gives the tasks that match, page by page, until it has looked at as many as it may.
 *
 * @returns where to go on; null when it has seen all
 */
export async function scan(
  client: TaskClient,
  filter: ListFilter,
  limit: number,
  take: (tasks: readonly TaskInfo[]) => Promise<void> | void,
  from?: string,
): Promise<string | null> {
  let after: string | null | undefined = from;
  let seen = 0;
  // Counts pages, too: a store may answer with any number of empty ones.
  for (let pages = 0; after !== null && seen < limit && pages < limit; pages++) {
    const page = await client.listPage({
      ...filter,
      limit: Math.min(pageSize, limit - seen),
      ...(after !== undefined && { after }),
    });
    await take(page.tasks);
    seen += page.tasks.length;
    after = page.next;
  }
  return after ?? null;
}
