import type { RunInfo, TaskInfo } from '@sched/core';
import { isSchedError, SchedError } from '@sched/core';
import type { Session } from './cli.js';
import type { Output, Style } from './output.js';
import type { Times } from './times.js';
import { triggerReader } from './when-text.js';

/** @throws SchedError `SCHED_TASK_NOT_FOUND` */
export async function existing({ client }: Pick<Session, 'client'>, id: string): Promise<TaskInfo> {
  const task = await client.get(id);
  if (task) return task;
  throw new SchedError('SCHED_TASK_NOT_FOUND', `There is no task ${JSON.stringify(id)}.`);
}

const stateStyles: Readonly<Record<TaskInfo['state'], Style>> = {
  scheduled: 'reset',
  running: 'cyan',
  paused: 'yellow',
  finished: 'green',
  failed: 'red',
};

const outcomeStyles: Readonly<Record<RunInfo['outcome'], Style>> = {
  succeeded: 'green',
  failed: 'red',
  interrupted: 'yellow',
  skipped: 'dim',
};

/** The state of a task: also that it is late, and that it is paused while it runs. */
export function stateText({ state, isPaused, error }: TaskInfo, out: Output): string {
  const more = [
    ...(state === 'running' && isPaused ? ['paused'] : []),
    ...(error ? ['unreadable'] : []),
  ];
  return out.style(stateStyles[state], [state, ...more].join(', '));
}

export function outcomeText(run: RunInfo, out: Output): string {
  const { outcome, reason, count = 1 } = run;
  const why = reason ? ` (${reason}${count > 1 ? `, ${count} times` : ''})` : '';
  return out.style(outcomeStyles[outcome], outcome) + why;
}

/** The last run of a task in a cell of a table. */
export function lastRunText({ lastRun }: TaskInfo, out: Output, times: Times): string {
  return lastRun ? `${outcomeText(lastRun, out)} ${times.from(lastRun.endedAt)}` : '';
}

/** The error of a run in one line, which says enough to recognise it. */
export function errorText({ error }: RunInfo, maxLength = 80): string {
  if (!error) return '';
  const { code, name, message } = error;
  const text = `${code ?? name}: ${message.replace(/\s+/g, ' ')}`;
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/**
 * When a task will run: its next run, which may be due, and what follows. Empty for one that will not.
 *
 * @param now what follows is after this
 */
export function upcoming(
  { client, triggers }: Session,
  task: TaskInfo,
  most: number,
  now: number,
): Date[] {
  const { id, runAt, nominal, trigger, declaredAt } = task;
  if (!runAt) return [];
  if (!trigger || !declaredAt || most === 1) return [runAt];
  const from = Math.max((nominal ?? runAt).getTime() + 1, now);
  try {
    const read = triggerReader(triggers)(trigger);
    const rest = client.preview(read, most - 1, { from, declaredAt, id });
    return [runAt, ...rest.filter((date) => date > runAt)];
  } catch (error) {
    // One kind of trigger that is not known here is no reason to show nothing of the others.
    if (isSchedError(error)) return [runAt];
    throw error;
  }
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
