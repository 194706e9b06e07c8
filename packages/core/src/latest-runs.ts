/** The newest runs of all tasks. */

import { checkLabel, checkMembers, invalid, oneOf, wholeNumber } from './check.js';
import type { LatestHistoryEntry, LatestHistoryResult } from './data-store.js';
import type { RunOutcome } from './record.js';
import { describeLatest, type LatestRun } from './task-info.js';

/** Which of the newest runs of all tasks to give. An absent member matches all. */
export interface LatestRunsRequest {
  readonly outcome?: RunOutcome;
  /** The task definition. */
  readonly name?: string;
  /** The `next` of the previous page. */
  readonly after?: string;
  /** The most runs on a page. Default 100. */
  readonly limit?: number;
}

/** Some of the newest runs of all tasks. */
export interface LatestRuns {
  readonly runs: readonly LatestRun[];
  /** Opaque; null on the last page. */
  readonly next: string | null;
}

/** At how many entries one page looks for those that match, so that it is answered in time however few do. */
const horizon = 1000;
/** How many entries are read at least at a time where not all of them match. */
const leastRead = 100;

const outcomes: readonly RunOutcome[] = ['succeeded', 'failed', 'interrupted', 'skipped'];

/**
 * @param read gives entries from a position on
 * @throws SchedError `SCHED_ARGUMENT_INVALID`, or what `read` throws
 */
export async function findLatestRuns(
  request: LatestRunsRequest,
  read: (limit: number, after: string | undefined) => Promise<LatestHistoryResult>,
): Promise<LatestRuns> {
  const members = ['outcome', 'name', 'after', 'limit'];
  const { outcome, name, limit = 100 } = checkMembers('The request', request, members);
  let { after } = request;
  wholeNumber('limit', limit, 1);
  if (outcome !== undefined) oneOf('outcome', outcome, outcomes);
  if (name !== undefined) checkLabel('name', name);
  if (after !== undefined && typeof after !== 'string') {
    throw invalid('after', after, 'the next of the previous page');
  }
  const isFiltered = outcome !== undefined || name !== undefined;
  const matching = (entry: LatestHistoryEntry) => {
    const run = describeLatest(entry);
    const isWanted =
      (outcome ?? run?.outcome) === run?.outcome && (name ?? run?.name) === run?.name;
    return isWanted ? run : undefined;
  };
  const runs: LatestRun[] = [];
  for (let left = Math.max(limit, horizon); ; ) {
    const wanted = limit - runs.length;
    const most = isFiltered ? Math.min(left, Math.max(wanted, leastRead)) : wanted;
    const { entries, next } = await read(most, after);
    for (const [index, entry] of entries.entries()) {
      const run = matching(entry);
      if (run && runs.push(run) === limit) {
        return { runs, next: index === entries.length - 1 ? next : entry.position };
      }
    }
    left -= Math.max(1, entries.length);
    if (next === null || left <= 0) return { runs, next };
    after = next;
  }
}
