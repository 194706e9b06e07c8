import { get } from './api.js';
import { type Query, useQuery } from './query.js';
import { readCapabilities } from './stores.js';
import type { LatestRuns, RunView, TaskPage } from './types.js';

/** A run, and whose it was. */
export interface RecentRun {
  readonly id: string;
  readonly run: RunView;
}

export interface RecentRuns {
  readonly runs: readonly RecentRun[];
  /** Whether these are the newest of all tasks, and not only the last of each. */
  readonly isAll: boolean;
}

/** How many runs, or tasks, to look at. */
const looked = 500;

/** The newest runs; where the store has no order of them, the last of each of the first tasks. */
export function useRecentRuns(): Query<RecentRuns> {
  return useQuery('recent runs', readRecentRuns, 10_000);
}

async function readRecentRuns(signal: AbortSignal): Promise<RecentRuns> {
  const { latestRuns } = await readCapabilities(signal);
  if (latestRuns) {
    const { runs } = await get<LatestRuns>('runs', { limit: looked }, signal);
    return { runs: runs.map(({ id, name: _name, ...run }) => ({ id, run })), isAll: true };
  }
  const { tasks } = await get<TaskPage>('tasks', { limit: looked }, signal);
  const runs = tasks.flatMap(({ id, lastRun }) => (lastRun ? [{ id, run: lastRun }] : []));
  return { runs: runs.sort((a, b) => (a.run.endedAt < b.run.endedAt ? 1 : -1)), isAll: false };
}
