import { get } from './api.js';
import type { Filter, TaskPage, TaskView } from './types.js';

/** How many pages to ask for at once. Where few match among many, a store gives short ones, even empty ones. */
const mostPages = 20;

/** Reads tasks, page by page, until there are as many as wanted, or it has asked often enough. */
export async function readTasks(
  filter: Filter,
  wanted: number,
  signal?: AbortSignal,
  from = '',
): Promise<TaskPage> {
  const tasks: TaskView[] = [];
  let cursor: string | null = from;
  for (let pages = 0; pages < mostPages && cursor !== null && tasks.length < wanted; pages++) {
    const limit = Math.min(500, wanted - tasks.length);
    const page: TaskPage = await get('tasks', { ...filter, limit, cursor }, signal);
    tasks.push(...page.tasks);
    cursor = page.next;
    // The server has read on by itself.
    if (filter.idPrefix !== undefined) break;
  }
  return { tasks, next: cursor };
}
