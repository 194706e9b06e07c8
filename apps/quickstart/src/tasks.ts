/** Turns the lines of a crontab into tasks. */

import { createHash } from 'node:crypto';
import { homedir, userInfo } from 'node:os';
import {
  type Declaration,
  defineTask,
  type Scheduler,
  type TaskDefinition,
  type TaskInfo,
} from '@sched/core';
import type { CrontabLine } from './crontab.ts';
import { runShell, type ShellCommand } from './shell.ts';

/** The group of all tasks that come from the file: what `sync` makes equal to it. */
export const group = 'crontab';

export interface ShellTaskOptions {
  /** How long a command may run, in milliseconds. */
  readonly timeoutMs: number;
  /** Is given what the command of a task writes, line by line. */
  onLine(id: string, line: string): void;
}

/** The one task definition there is: what it runs is in the payload. */
export function shellTask({ timeoutMs, onLine }: ShellTaskOptions): TaskDefinition<ShellCommand> {
  return defineTask<ShellCommand>('shell', {
    handler: ({ payload, nominal, attempt, token, signal, task }) => {
      const run = {
        SCHED_TASK: task.id,
        SCHED_NOMINAL: nominal.toISOString(),
        SCHED_ATTEMPT: String(attempt),
        SCHED_TOKEN: String(token),
      };
      const command = { ...payload, env: { ...ownEnv(), ...payload.env, ...run } };
      return runShell(command, { signal, onLine: (line) => onLine(task.id, line) });
    },
    // As cron does it: a command that fails has its next chance at the next time of its schedule.
    retry: 0,
    timeout: timeoutMs,
    catchUp: 'latest',
    overlap: 'skip',
  });
}

/** A line with the id of its task. */
export type TaskLine = CrontabLine & { readonly id: string };

/**
 * Gives each line an id that follows from what it says, and not from where it stands: lines may change places without
 * becoming others. Of lines that say the same, the second and later ones are numbered.
 */
export function withIds(lines: readonly CrontabLine[]): TaskLine[] {
  const counts = new Map<string, number>();
  return lines.map((line) => {
    const { schedule, timeZone, user, command, input } = line;
    const content = JSON.stringify([schedule, timeZone, user, command, input]);
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 8);
    const words = command.toLowerCase().match(/[a-z0-9]+/g) ?? ['line'];
    const id = `${words.join('-').slice(0, 30)}-${hash}`;
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    return { ...line, id: count === 1 ? id : `${id}-${count}` };
  });
}

/** What is to be in the store. */
export function declarationsOf(
  lines: readonly TaskLine[],
  task: TaskDefinition<ShellCommand>,
): Declaration<ShellCommand>[] {
  return lines.map(({ id, trigger, command, input, env }) => ({
    task,
    payload: { command, input, env },
    id,
    trigger,
  }));
}

/** What is in the store. */
export async function tasksOf(scheduler: Scheduler): Promise<TaskInfo[]> {
  const tasks: TaskInfo[] = [];
  for await (const task of scheduler.list({ group })) tasks.push(task);
  return tasks;
}

/** What cron gives to a command; it does not get the environment of whoever started the daemon. */
function ownEnv(): Record<string, string> {
  const user = currentUser();
  return {
    SHELL: '/bin/sh',
    PATH: '/usr/bin:/bin',
    HOME: homedir(),
    LOGNAME: user,
    USER: user,
  };
}

/** The name of whoever runs this; a container's user may have none. */
export function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `${process.getuid?.() ?? 'nobody'}`;
  }
}
