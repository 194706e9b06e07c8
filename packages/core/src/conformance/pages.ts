import type { DataStore, TaskFilter, TaskRecord } from '../data-store.js';
import { holds } from './check.js';

/** All pages of a listing. */
export async function* pages(store: DataStore, filter: TaskFilter, limit: number) {
  let after: string | null = null;
  // A page may be empty without being the last, but a listing must end.
  for (let page = 0; page < 10_000; page++) {
    const result = await store.list({ ...filter, limit, ...(after === null ? {} : { after }) });
    holds(
      result.tasks.length <= limit,
      `a page has no more tasks than its limit of ${limit}: ${result.tasks.length}`,
    );
    yield result.tasks;
    if (result.next === null) return;
    after = result.next;
  }
  holds(false, 'a listing ends: `next` is null on the last page');
}

/** Lists every task that matches. A page may be short without being the last. */
export async function listAll(store: DataStore, filter: TaskFilter = {}, limit = 1000) {
  const tasks: TaskRecord[] = [];
  for await (const page of pages(store, filter, limit)) tasks.push(...page);
  return tasks;
}
