/** What policies, outcomes and reasons mean. */

import { duration, plural } from './format.js';
import type { RunView, TaskState, TaskView } from './types.js';

export const stateWords: Readonly<Record<TaskState, string>> = {
  scheduled: 'Scheduled',
  running: 'Running',
  paused: 'Paused',
  finished: 'Finished',
  failed: 'Failed',
};

export const outcomeWords: Readonly<Record<RunView['outcome'], string>> = {
  succeeded: 'Succeeded',
  failed: 'Failed',
  interrupted: 'Interrupted',
  skipped: 'Skipped',
};

/** Why occurrences did not run, or a run was ended. */
export const reasonWords: Readonly<Record<NonNullable<RunView['reason']>, string>> = {
  missed: 'Nothing could run it in time, and its catch-up policy does not make up for it.',
  overlap: 'The task was still running, and its overlap policy does not allow two at a time.',
  paused: 'The task was paused.',
  superseded: 'A newer occurrence took its place.',
};

const overlapWords = {
  skip: 'An occurrence that comes while the task still runs is skipped.',
  queueOne: 'Of the occurrences that come while the task still runs, the latest runs afterwards.',
  queueAll: 'Occurrences that come while the task still runs run afterwards, one by one.',
  allow: 'Occurrences run side by side, each as a task of its own',
  replace: 'An occurrence that comes while the task still runs ends that run, and takes its place.',
} as const;

/** The policies of a task, each with what it means. */
export function policyWords(policies: TaskView['policies']): [name: string, words: string][] {
  const { retry, timeoutMs, overlap, catchUp, delivery, maxDeliveries, keepFinished } = policies;
  const words: [string, string | undefined][] = [
    ['Retries', retry && retryWords(retry)],
    [
      'Time limit',
      timeoutMs === undefined
        ? undefined
        : timeoutMs === null
          ? 'An attempt may run for as long as it takes.'
          : `An attempt is aborted after ${duration(timeoutMs)}.`,
    ],
    ['Overlap', overlap && overlapText(overlap)],
    ['Catching up', catchUp && catchUpWords(catchUp)],
    [
      'Delivery',
      delivery &&
        (delivery === 'atLeastOnce'
          ? 'At least once: a run whose worker has vanished is run again.'
          : 'At most once: a run whose worker has vanished counts as failed, and nothing is retried.'),
    ],
    [
      'Lost workers',
      maxDeliveries === undefined
        ? undefined
        : `An occurrence that ${plural(maxDeliveries, 'worker')} in a row did not survive counts as failed.`,
    ],
    [
      'When finished',
      keepFinished === undefined
        ? undefined
        : keepFinished
          ? 'The task is kept when it has no occurrence left.'
          : 'The task is removed when it has no occurrence left. Its history stays for a while.',
    ],
  ];
  return words.filter((entry): entry is [string, string] => entry[1] !== undefined);
}

type Policies = { [K in keyof TaskView['policies']]-?: NonNullable<TaskView['policies'][K]> };

function retryWords({ limit, backoff, minMs, maxMs, jitter, whenExhausted }: Policies['retry']) {
  const then =
    whenExhausted === 'pause'
      ? 'After that a recurring task is paused.'
      : 'After that a recurring task goes on with its next occurrence.';
  if (limit === 0) return `None: the first failure counts. ${then}`;
  const waits =
    backoff === 'fixed'
      ? `${duration(minMs)} apart`
      : `the first after ${duration(minMs)}, then twice as long each time, up to ${duration(maxMs)}`;
  const spread = jitter === 0 ? '' : `, each up to ${Math.round(jitter * 100)} % sooner`;
  return `Up to ${plural(limit, 'retry', 'retries')}, ${waits}${spread}. ${then}`;
}

function overlapText({ mode, maxRunning }: Policies['overlap']): string {
  if (mode !== 'allow') return overlapWords[mode];
  const most = maxRunning === null ? '' : `, ${maxRunning} at a time at most; others are skipped`;
  return `${overlapWords.allow}${most}.`;
}

function catchUpWords({ mode, windowMs, limit, graceMs }: Policies['catchUp']): string {
  const within = windowMs === null ? '' : ` None is older than ${duration(windowMs)}.`;
  if (mode === 'none') {
    return `An occurrence that is more than ${duration(graceMs)} late is skipped.${within}`;
  }
  if (mode === 'latest') return `Of the occurrences that were missed, the latest runs.${within}`;
  const which = limit === null ? 'All occurrences' : `The latest ${plural(limit, 'occurrence')}`;
  return `${which} that were missed run, one after another.${within}`;
}

/** How late a run began, in milliseconds; undefined where it never did. */
export function latenessMs({ startedAt, nominal, attempt = 1 }: RunView): number | undefined {
  // A retry is not late: it comes when its policy says.
  if (startedAt === undefined || attempt > 1) return undefined;
  return Math.max(0, Date.parse(startedAt) - Date.parse(nominal));
}

export function durationMs({ startedAt, endedAt }: RunView): number | undefined {
  return startedAt === undefined ? undefined : Date.parse(endedAt) - Date.parse(startedAt);
}
