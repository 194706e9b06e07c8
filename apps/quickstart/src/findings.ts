/** What earlier processes left in the store, in words. */

import type { TaskInfo } from '@sched/core';
import { counted, length, moment, shorten } from './words.ts';

/** What was there, in one phrase. */
export function inventory(tasks: readonly TaskInfo[], now: Date): string {
  if (tasks.length === 0) return 'nothing yet';
  const lastAt = Math.max(...tasks.map(({ lastRun }) => lastRun?.endedAt.getTime() ?? 0));
  const last = lastAt > 0 ? `last run ${length(now.getTime() - lastAt)} ago` : 'none has run';
  return `${counted(tasks.length, 'task')}, ${last}`;
}

export interface Findings {
  readonly sentences: readonly string[];
  /** The tasks whose last run was stopped in the middle, and is to be run again. */
  readonly stopped: ReadonlySet<string>;
}

/** What has to be made up for. */
export function findings(tasks: readonly TaskInfo[], now: Date): Findings {
  const sentences: string[] = [];
  const stopped = new Set<string>();
  let overdue = 0;
  for (const { id, payload, nominal, runAt, lease, lastRun } of tasks) {
    const isDue = runAt !== null && runAt <= now;
    const what = `${nameOf(id, payload)}, the run of ${moment(nominal ?? now, now)}`;
    if (lease && lease.expiresAt > now) {
      const until = moment(lease.expiresAt, now);
      sentences.push(`in progress: ${what}; run again after ${until} if ${lease.owner} is dead`);
    } else if (lease) {
      sentences.push(`interrupted: ${what}; run again, for ${lease.owner} is dead`);
    } else if (isDue && lastRun?.outcome === 'interrupted') {
      stopped.add(id);
      sentences.push(`stopped in the middle: ${what}; run again`);
    } else if (isDue) {
      overdue++;
    }
  }
  if (overdue > 0) {
    sentences.push(`overdue: ${counted(overdue, 'task')}; the latest time of each is caught up`);
  }
  return { sentences, stopped };
}

function nameOf(id: string, payload: unknown): string {
  const { command } = (payload ?? {}) as { readonly command?: unknown };
  return shorten(typeof command === 'string' ? command : id, 40);
}
