import { get } from './api.js';
import { type Query, useQuery } from './query.js';
import type { RunView, TaskPage } from './types.js';

/** A run, and whose it was. */
export interface RecentRun {
  readonly id: string;
  readonly name: string;
  readonly run: RunView;
}

/** How many tasks to look at. */
const looked = 500;

/** The last run of each of the first tasks, newest first. */
export function useRecentRuns(): Query<readonly RecentRun[]> {
  return useQuery(
    'recent runs',
    async (signal) => {
      const { tasks } = await get<TaskPage>('tasks', { limit: looked }, signal);
      return tasks
        .flatMap(({ id, name, lastRun }) => (lastRun ? [{ id, name, run: lastRun }] : []))
        .sort((a, b) => (a.run.endedAt < b.run.endedAt ? 1 : -1));
    },
    10_000,
  );
}
